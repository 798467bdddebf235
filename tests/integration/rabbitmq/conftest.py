"""What the tests against a real RabbitMQ share: a publisher and a broker per test, closed after it."""

import itertools
import uuid

import pytest

from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.queueing.rabbitmq_publisher import RabbitmqPublisher
from tests.conformance.brokers.harness import LANE
from tests.nodes.rabbitmq import RabbitmqNode

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def own_node():
    """A node that a module's tests may kill, freeze and alarm; each leaves it running."""
    node = RabbitmqNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture
def prefix():
    """A prefix of queue names that no other test has."""
    return f"i{next(_numbers)}{uuid.uuid4().hex[:6]}.v1"


@pytest.fixture
def make_publisher(prefix):
    """Makes publishers for one lane (unless told otherwise), closed at the end."""
    made = []

    def make(url, **options):
        made.append(RabbitmqPublisher(url, **{"prefix": prefix, "lanes": [LANE]} | options))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def make_broker(prefix):
    """Makes brokers for one lane (unless told otherwise), closed at the end."""
    made = []

    def make(url, **options):
        made.append(
            NotifierRabbitmqBroker(url, **{"prefix": prefix, "middleware": [], "lanes": [LANE]} | options)
        )
        return made[-1]

    yield make
    for broker in made:
        broker.close()
