"""RabbitMQ killed, frozen, alarmed: what was confirmed is there, and all goes on (the storms time how soon)."""

import threading
import time
from concurrent.futures import Future

import pytest
from dramatiq.errors import ConnectionClosed

from notifier.domain.errors import NotConfirmed
from tests.conformance.brokers.harness import LANE, ids, new_messages, nothing_comes, take
from tests.nodes.waiting import wait_until


def confirmed(future: "Future[None]", timeout: float = 20) -> bool:
    """Whether a group was confirmed; any other error than `NotConfirmed` fails the test."""
    error = future.exception(timeout)
    assert error is None or isinstance(error, NotConfirmed), error
    return error is None


def works(publisher) -> bool:
    return confirmed(publisher.publish(new_messages(1)))


def wait_for_confirms(publisher) -> None:
    """A queue just back may need its leader elected first: until then a refusal is the true answer."""
    wait_until(lambda: works(publisher), 30, "a confirm after the return")


def kill(node, publisher) -> None:
    """kill -9, once the node has the queue's name on disk.

    RabbitMQ 3.10 writes the directory of its quorum queues half a second late: killed before, it makes an
    empty queue without a leader in place of the one it forgot, with all that it had confirmed.
    """
    name = LANE.queue(publisher._prefix).encode()

    def known():
        return any(path.read_bytes().count(name) >= 2 for path in node.folder.rglob("names.dets"))

    wait_until(known, what="the queues' names on the broker's disk")
    node.kill()


class Flood(threading.Thread):
    """Publishes groups of 20 until told to stop; keeps what was confirmed and what was not."""

    def __init__(self, publisher) -> None:
        super().__init__(daemon=True)
        self.publisher = publisher
        self.stop = threading.Event()
        self.confirmed, self.refused = [], 0

    def run(self) -> None:
        while not self.stop.is_set():
            group = new_messages(20)
            if confirmed(self.publisher.publish(group)):
                self.confirmed.extend(message.id for message in group)
            else:
                self.refused += 1
                self.stop.wait(0.02)  # as a relay would: no storm of refusals


def test_every_confirmed_message_survives_a_kill(own_node, make_publisher, make_broker):
    """kill -9 in mid flood: none of the confirmed is missing; publishing goes on after the return."""
    publisher = make_publisher(own_node.url)
    wait_for_confirms(publisher)
    flood = Flood(publisher)
    flood.start()
    wait_until(lambda: len(flood.confirmed) > 500, what="confirmed messages before the kill")
    kill(own_node, publisher)
    wait_until(lambda: flood.refused > 20, what="refused messages while it is down")
    assert not publisher.connected
    before = len(flood.confirmed)
    own_node.start()
    wait_until(lambda: len(flood.confirmed) > before + 100, 30, "confirms after the return")
    flood.stop.set()
    flood.join(20)
    consumer = make_broker(own_node.url).consume(LANE.queue(publisher._prefix), prefetch=500, timeout=500)
    found = set()
    while (proxy := next(consumer)) is not None:
        found.add(proxy.decoded.id)
        proxy.settlement.ack()
    consumer.close()
    assert set(flood.confirmed) <= found


def test_down_is_told_at_once(own_node, make_publisher):
    """While the broker is known to be away a publish fails at once instead of waiting for its deadline."""
    publisher = make_publisher(own_node.url)
    wait_for_confirms(publisher)
    kill(own_node, publisher)
    wait_until(lambda: not publisher.connected, 60, "the truth about the connection")
    wait_until(lambda: publisher.publish(new_messages(1)).done(), 60, "an immediate refusal")
    begun = time.monotonic()
    for _ in range(100):
        assert not works(publisher)
    assert time.monotonic() - begun < 5  # one deadline is 5 s, so none of the hundred waited for its own
    own_node.start()
    wait_until(lambda: publisher.connected, 30, "the publisher's return")
    wait_for_confirms(publisher)


def test_a_frozen_broker_is_noticed(own_node, make_publisher, make_broker):
    """A broker that is silent with open connections: confirms fail in 5 s, and the consumer ends with them."""
    publisher = make_publisher(own_node.url)
    wait_for_confirms(publisher)
    broker = make_broker(own_node.url)
    consumer = broker.consume(LANE.queue(publisher._prefix), prefetch=5, timeout=500)
    (proxy,) = take(consumer, 1)
    own_node.freeze()
    begun = time.monotonic()
    try:
        late = publisher.publish(new_messages(3))
        wait_until(lambda: not publisher.connected, 60, "the truth about the connection")
        assert not confirmed(late)
        assert time.monotonic() - begun < 12
        with pytest.raises(ConnectionClosed):
            assert nothing_comes(consumer, turns=80)
        assert time.monotonic() - begun < 15  # 7 s, and room; heartbeats would take 22 s
        assert proxy.epoch.over
        consumer.close()
        assert time.monotonic() - begun < 20
    finally:
        own_node.thaw()
    wait_until(lambda: publisher.connected, 30, "the publisher's return")
    wait_for_confirms(publisher)


def test_an_alarm_refuses_and_ends(own_node, make_publisher, make_broker):
    """A memory alarm: nothing is confirmed, consumers go on, and no copies pile up behind it."""
    publisher = make_publisher(own_node.url)
    group = new_messages(5)
    publisher.publish(group).result(60)
    own_node.set_alarm("memory")
    try:
        # The first message after the alarm makes the broker block the connection.
        first = publisher.publish(new_messages(1))
        confirmed(first)
        wait_until(lambda: not publisher.connected, 60, "the alarm to be noticed")
        begun = time.monotonic()
        for _ in range(50):
            assert not works(publisher)
        assert time.monotonic() - begun < 15  # three deadlines: fifty were not waited for one by one
        consumer = make_broker(own_node.url).consume(LANE.queue(publisher._prefix), prefetch=50, timeout=500)
        assert ids(take(consumer, 5)) == [message.id for message in group]
        link = publisher._running()._link
    finally:
        own_node.clear_alarm("memory")
    wait_until(lambda: publisher.connected, 30, "the alarm's end")
    assert publisher._running()._link is link
    wait_for_confirms(publisher)
    extra = []
    while (proxy := next(consumer)) is not None:
        extra.append(proxy)
    assert len(extra) <= 3
    consumer.close()


def test_a_worker_goes_on_after_a_restart(own_node, make_publisher, make_broker):
    """Dramatiq's consumer thread makes a new consumer; messages flow again after the return."""
    import dramatiq
    from dramatiq.middleware import CurrentMessage

    publisher = make_publisher(own_node.url)
    broker = make_broker(own_node.url, middleware=[CurrentMessage()])
    seen, heard = set(), threading.Event()

    def work(*, id, **_):  # noqa: A002
        CurrentMessage.get_current_message().settlement.ack()
        seen.add(id)
        heard.set()

    dramatiq.actor(work, broker=broker, actor_name=LANE.actor, queue_name=LANE.queue(publisher._prefix))
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    wait_for_confirms(publisher)
    assert heard.wait(60)
    kill(own_node, publisher)
    own_node.start()
    back = time.monotonic()
    group = new_messages(50)
    wait_until(lambda: confirmed(publisher.publish(group)), 30, "a confirm after the return")
    wait_until(lambda: {f"ntf_{message.id}" for message in group} <= seen, 30, "the worker's return")
    assert time.monotonic() - back < 30
    worker.stop(timeout=20_000)


def test_acks_before_a_kill_stay_acked(own_node, make_publisher, make_broker):
    """What was settled before the consumer closed is not delivered after a crash of the broker."""
    publisher = make_publisher(own_node.url)
    publisher.publish(new_messages(100)).result(60)
    broker = make_broker(own_node.url)
    queue = LANE.queue(publisher._prefix)
    consumer = broker.consume(queue, prefetch=100, timeout=500)
    got = take(consumer, 100)
    for proxy in got[:60]:
        proxy.settlement.ack()
    consumer.close()
    kill(own_node, publisher)
    own_node.start()
    again = broker.consume(queue, prefetch=100, timeout=500)
    assert ids(take(again, 40)) == ids(got[60:])
    assert nothing_comes(again)
    again.close()
