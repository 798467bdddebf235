"""RabbitMQ stopped: the door still says 202, and all is delivered once it is back."""

import json
import urllib.request

import pytest

from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.waiting import wait_until

NUMBER = 300


@pytest.fixture
def own_rabbitmq():
    """A node that this test may stop."""
    node = RabbitmqNode()
    node.start()
    yield node
    node.stop()


def degraded(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return json.loads(answer.read())["degraded"]


def test_accepting_goes_on_without_the_broker(tmp_path, postgres_url, own_rabbitmq):
    """202s continue, readiness says degraded, and after the return each is sent exactly once."""
    with Fleet(tmp_path, postgres_url, own_rabbitmq.url) as fleet:
        fleet.run("alembic", "upgrade", "head")
        fleet.sink()
        fleet.serve()
        fleet.work()
        fleet.wait_for_workers(1)
        key = fleet.key()
        before = post_many(fleet.ports, key, [email(number) for number in range(NUMBER)])
        fleet.wait_for_final(NUMBER, timeout=60)

        own_rabbitmq.kill()
        wait_until(lambda: degraded(fleet.ports[0]) == ["broker"], 10, "the door to notice")
        bodies = [email(number, reference="while down") for number in range(NUMBER, 2 * NUMBER)]
        down = post_many(fleet.ports, fleet.key(), bodies)
        assert fleet.counts() == {"sent": NUMBER, "queued": NUMBER}
        own_rabbitmq.start()
        wait_until(lambda: degraded(fleet.ports[0]) == [], 30, "the door to see it back")
        counts = fleet.wait_for_final(2 * NUMBER, timeout=60)

        assert counts == {"sent": 2 * NUMBER}
        assert fleet.delivered() == dict.fromkeys(map(message_id, before + down), 1)
