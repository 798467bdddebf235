"""The relay's look into RabbitMQ's dead-letter queues: what was rung for goes, what was not stays."""

import tracemalloc

import pika
import pytest

from notifier.queueing import rabbitmq_road
from notifier.queueing.rabbitmq_road import RabbitmqRoad
from tests.conformance.brokers.harness import LANE, new_messages
from tests.nodes.waiting import wait_until


@pytest.fixture
def road(rabbitmq_vhost_url, make_broker, prefix):
    """A road whose broker is connected and has one lane's queues: the other lanes' are not there."""
    broker = make_broker(rabbitmq_vhost_url)
    broker.declare_all([LANE])
    broker.publisher().start()
    wait_until(lambda: broker.publisher().connected, 60, "a connection")
    return RabbitmqRoad(broker)


def bury(url, prefix, bodies):
    """Put bodies into the lane's dead-letter queue."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", f"{LANE.queue(prefix)}.XQ", body, mandatory=True)


def buried(prefix, count):
    """Messages and their bodies."""
    messages = new_messages(count)
    return [message.id for message in messages], [message.encode(prefix) for message in messages]


def drain(road, ring, count):
    """Look until there were so many (one look takes 2 s at the most); how many there were."""
    found = [0]
    wait_until(
        lambda: found.append(road.drain_dead(ring, 500)) or sum(found) >= count, 60, "the dead letters"
    )
    return sum(found)


def test_what_was_rung_for_does_not_come_back(road, rabbitmq_vhost_url, prefix, monkeypatch):
    """RabbitMQ writes only some thirty acks of gets at once: hundreds must not come back for that."""
    monkeypatch.setattr(rabbitmq_road, "LOOK_SECONDS", 12.0)  # one look for all, on a slow machine too
    ids, bodies = buried(prefix, 200)
    bury(rabbitmq_vhost_url, prefix, [*bodies, b"nonsense"])
    rung = []
    assert road.drain_dead(rung.extend, 500) == 201
    assert [road.drain_dead(rung.extend, 500) for _ in range(3)] == [0, 0, 0]
    assert rung == ids


def test_what_could_not_be_rung_for_is_found_at_the_next_look(road, rabbitmq_vhost_url, prefix):
    """Storage fails: nothing is acked, and nothing is held back until the broker loses patience."""
    ids, bodies = buried(prefix, 50)
    bury(rabbitmq_vhost_url, prefix, bodies)

    def fail(_ids):
        raise RuntimeError("storage is away")

    with pytest.raises(RuntimeError):
        road.drain_dead(fail, 500)
    found: set = set()
    wait_until(lambda: road.drain_dead(found.update, 500) or found >= set(ids), 60, "the dead letters")
    assert found == set(ids)


def test_a_look_is_bounded(road, rabbitmq_vhost_url, prefix):
    """No more than was asked for at a time; the rest waits for the next look."""
    ids, bodies = buried(prefix, 25)
    bury(rabbitmq_vhost_url, prefix, bodies)
    rung = []
    assert [road.drain_dead(rung.extend, 10) for _ in range(4)] == [10, 10, 5, 0]
    assert rung == ids


def test_long_poison_is_not_kept_in_memory(road, rabbitmq_vhost_url, prefix):
    """Of a dead letter only its id is kept."""
    bury(rabbitmq_vhost_url, prefix, [b"x" * 2_000_000] * 30)
    tracemalloc.start()
    try:
        assert drain(road, lambda _ids: None, 30) == 30
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
