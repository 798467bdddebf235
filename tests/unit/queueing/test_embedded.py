"""The embedded broker's own bounds; what it shares with RabbitMQ stands in the conformance suite."""

import threading
from datetime import UTC, datetime

import dramatiq
import pytest
from dramatiq.errors import ConnectionClosed, QueueJoinTimeout

from notifier.domain.errors import NotConfirmed
from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.embedded import EmbeddedBroker
from notifier.queueing.embedded_queue import DEAD_KEPT
from notifier.queueing.messages import QueueMessage
from tests.nodes.waiting import wait_until

LANE = Lane(Channel.EMAIL, Priority.HIGH)
OTHER = Lane(Channel.SMS, Priority.LOW)
QUEUE = LANE.queue("t.v1")


def messages(count, lane=LANE):
    return [QueueMessage(lane, uuid7(datetime.now(UTC))) for _ in range(count)]


def refused(publisher, group):
    return isinstance(publisher.publish(group).exception(0), NotConfirmed)


@pytest.fixture
def rooms():
    return []


@pytest.fixture
def broker(rooms):
    broker = EmbeddedBroker("t.v1", limit=10, on_room=rooms.append)
    yield broker
    broker.close()


def ready(broker, lane=LANE):
    return broker.counts([lane.queue("t.v1")])[lane.queue("t.v1")][0]


def test_a_group_that_does_not_fit_whole_is_refused_whole(broker):
    """Nothing of it is put anywhere, in no lane."""
    publisher = broker.publisher()
    assert not refused(publisher, messages(8))
    assert refused(publisher, [*messages(2, OTHER), *messages(3)])
    assert (ready(broker), ready(broker, OTHER)) == (8, 0)
    assert not refused(publisher, messages(2))


def test_what_is_for_a_lane_without_a_queue_is_refused(broker):
    """A channel that is not used any more: its rows stay owed; with its lanes handed in it has queues."""
    (chat,) = messages(1, Lane(Channel.CHAT, Priority.HIGH))
    assert refused(broker.publisher(), [chat])
    assert refused(broker.publisher(), [*messages(1), chat])
    assert ready(broker) == 0
    with_chat = EmbeddedBroker("t.v1", limit=10, lanes=Lane.all(Channel))
    assert not refused(with_chat.publisher(), [chat])
    with_chat.close()


def test_an_empty_queue_takes_a_group_of_its_limit_but_no_more(broker):
    """A group larger than the limit never fits."""
    publisher = broker.publisher()
    assert refused(publisher, messages(11))
    assert not refused(publisher, messages(10))


def test_a_queue_that_refused_tells_once_when_it_has_room(broker, rooms):
    """At half its limit, so that the relay refills in groups and not message by message."""
    publisher = broker.publisher()
    publisher.publish(messages(10)).result(0)
    consumer = broker.consume(QUEUE, prefetch=10, timeout=100)
    next(consumer)
    assert rooms == []
    assert refused(publisher, messages(3))
    for _ in range(3):
        next(consumer)
    assert rooms == []
    next(consumer)
    assert rooms == [QUEUE]
    for _ in range(5):
        next(consumer)
    assert rooms == [QUEUE]


def test_room_is_told_only_when_the_refused_group_fits(broker, rooms):
    """A large group is not called back at half, where it would be refused again."""
    publisher = broker.publisher()
    publisher.publish(messages(4)).result(0)
    assert refused(publisher, messages(9))
    consumer = broker.consume(QUEUE, prefetch=10, timeout=100)
    for _ in range(2):
        next(consumer)
    assert rooms == []
    next(consumer)
    assert rooms == [QUEUE]
    assert not refused(publisher, messages(9))


def test_a_failing_hook_stops_no_consumer(broker):
    """`on_room` is someone else's code."""

    def hook(_queue):
        raise RuntimeError("broken")

    broker.on_room = hook
    publisher = broker.publisher()
    publisher.publish(messages(10)).result(0)
    assert refused(publisher, messages(1))
    consumer = broker.consume(QUEUE, prefetch=10, timeout=100)
    assert all(next(consumer) is not None for _ in range(10))


def test_redelivered_messages_keep_their_place_beyond_the_limit(broker):
    """What was already taken is never dropped for want of room, and comes before newer ones."""
    publisher = broker.publisher()
    first, later = messages(10), messages(10)
    publisher.publish(first).result(0)
    consumer = broker.consume(QUEUE, prefetch=10, timeout=100)
    for _ in range(10):
        next(consumer)
    publisher.publish(later).result(0)
    consumer.close()
    assert ready(broker) == 20
    again = broker.consume(QUEUE, prefetch=20, timeout=100)
    assert [next(again).decoded.id for _ in range(20)] == [message.id for message in first + later]


def test_dead_letters_are_bounded_and_counted(broker):
    """Memory stays bounded under a flood of bad bodies; the count is whole."""
    for number in range(DEAD_KEPT + 5):
        broker.put_body(QUEUE, b"bad %d" % number)
    consumer = broker.consume(QUEUE, prefetch=4, timeout=10)
    assert next(consumer) is None
    assert broker.get_queue_message_counts(QUEUE) == (0, 0, DEAD_KEPT + 5)
    assert len(broker.dead_letters(QUEUE)) == DEAD_KEPT
    assert broker.dead_letters(QUEUE)[0] == b"bad 5"


def test_a_waiting_consumer_is_woken_by_a_message(broker):
    """No polling: a consumer that would wait for a minute hears at once."""
    heard = []
    consumer = broker.consume(QUEUE, prefetch=1, timeout=60_000)
    thread = threading.Thread(target=lambda: heard.append(next(consumer)))
    thread.start()
    (sent,) = messages(1)
    broker.publisher().publish([sent]).result(0)
    thread.join(10)
    assert heard[0].decoded.id == sent.id


def test_a_waiting_consumer_is_woken_by_its_end(broker):
    """Closing the broker ends every consumer at once, with the error Dramatiq restarts on."""
    errors = []

    def listen():
        try:
            next(consumer)
        except ConnectionClosed as error:
            errors.append(error)

    consumer = broker.consume(QUEUE, prefetch=1, timeout=60_000)
    thread = threading.Thread(target=listen)
    thread.start()
    broker.close()
    thread.join(10)
    assert len(errors) == 1
    with pytest.raises(ConnectionClosed):
        broker.consume(QUEUE)
    assert refused(broker.publisher(), messages(1))


def test_join_waits_for_settlements(broker):
    """`join` returns when all is settled, not when all is delivered."""
    broker.publisher().publish(messages(1)).result(0)
    proxy = next(broker.consume(QUEUE, prefetch=1, timeout=1000))
    with pytest.raises(QueueJoinTimeout):
        broker.join(QUEUE, timeout=20)
    proxy.settlement.ack()
    broker.join(QUEUE, timeout=1000)


def test_flush_all_empties_every_lane(broker):
    """All lanes at once."""
    broker.publisher().publish([*messages(2), *messages(2, OTHER)]).result(0)
    broker.flush_all()
    assert (ready(broker), ready(broker, OTHER)) == (0, 0)


def test_a_consumer_dying_in_mid_flood_loses_nothing():
    """Consumers killed at any moment while threads publish and settle: every message is settled once."""
    broker = EmbeddedBroker("t.v1", limit=10_000)
    sent, settled, lock = messages(3000), [], threading.Lock()
    stop = threading.Event()

    def listen():
        while not stop.is_set():
            consumer = broker.consume(QUEUE, prefetch=7, timeout=10)
            killer = threading.Timer(0.005, consumer.kill)
            killer.start()
            try:
                for proxy in consumer:
                    if stop.is_set():
                        break
                    if proxy is not None:
                        proxy.settlement.ack()
                        with lock:
                            settled.append(proxy.decoded.id)
            except ConnectionClosed:
                pass
            killer.join()
            consumer.close()

    threads = [threading.Thread(target=listen) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 3000, 100):
        broker.publisher().publish(sent[start : start + 100]).result(0)
    wait_until(lambda: len(set(settled)) == 3000, 60, "every message settled")
    # While they still listen: what a dead consumer had settled too late comes once more.
    broker.join(QUEUE, timeout=20_000)
    stop.set()
    for thread in threads:
        thread.join(10)
    broker.close()


def test_an_unknown_actor_is_a_dead_letter(broker):
    """A lane whose actor this process lacks can't hold its prefetch for ever: Dramatiq gives it up, it is dead."""
    broker.declare_queue(QUEUE)
    broker.publisher().publish(messages(1)).result(0)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    wait_until(lambda: broker.get_queue_message_counts(QUEUE)[2] == 1, what="a dead letter")
    worker.stop()
