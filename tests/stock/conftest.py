"""Both subjects, made alike: each test gets one on a virtual host and a database of its own."""

import pytest

from notifier.storage import migrations
from tests.nodes.rabbitmq import RabbitmqNode
from tests.stock.kit.subjects import Ours, Stock


@pytest.fixture(scope="module")
def own_node():
    """A RabbitMQ whose settings a module may change and whose connections it may cut."""
    node = RabbitmqNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture
def own_url(own_node):
    """The AMQP URL of an empty virtual host of the module's own node."""
    with own_node.fresh_vhost() as url:
        yield url


@pytest.fixture
def make_subject(tmp_path, postgres_url):
    """Makes a subject by its name on a broker's URL; `settings` are Notifier's, `queue_arguments` stock's.

    Ask for the URL's fixture before this one: what was made must be closed before its virtual host goes.
    """
    made = []

    def make(name, url, *, settings=None, queue_arguments=None):
        if name == "stock":
            made.append(Stock(tmp_path, url, queue_arguments))
        else:
            migrations.upgrade(postgres_url)
            made.append(Ours(tmp_path, url, postgres_url, settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
