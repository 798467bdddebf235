"""What both brokers promise: RabbitMQ's and the embedded one pass the same suite."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import dramatiq
import pytest
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import CurrentMessage

from notifier.domain.lanes import Channel, Lane, Priority
from tests.catalogue.bodies import bad_bodies
from tests.conformance.brokers.harness import (
    LANE,
    EmbeddedHarness,
    RabbitmqHarness,
    ids,
    new_messages,
    nothing_comes,
    take,
)
from tests.nodes.waiting import wait_until

OTHER = Lane(Channel.SMS, Priority.LOW)


@pytest.fixture(params=["embedded", "rabbitmq"])
def harness(request):
    """Each broker in turn, with two lanes' queues on RabbitMQ."""
    yield from _harness(request, [LANE, OTHER])


@pytest.fixture(params=["embedded", "rabbitmq"])
def full_harness(request):
    """Each broker in turn, with every lane."""
    yield from _harness(request, Lane.all())


def _harness(request, lanes):
    if request.param == "embedded":
        made = EmbeddedHarness("t.v1")
    else:
        made = RabbitmqHarness(request.getfixturevalue("module_rabbitmq_vhost_url"), lanes)
    yield made
    made.close()


def test_each_message_is_delivered_once_and_in_order(harness):
    """One consumer hears each published message once, first in first out."""
    sent = harness.publish_new(50)
    consumer = harness.consumer()
    got = take(consumer, 50)
    assert ids(got) == [message.id for message in sent]
    assert [proxy.decoded for proxy in got] == sent
    assert nothing_comes(consumer)


def test_a_message_goes_to_its_own_lane_only(harness):
    """A group may hold messages of several lanes; each lane's consumer hears its own."""
    here, there = new_messages(3), new_messages(2, OTHER)
    harness.publish([here[0], there[0], here[1], there[1], here[2]])
    assert ids(take(harness.consumer(), 3)) == [message.id for message in here]
    assert ids(take(harness.consumer(lane=OTHER), 2)) == [message.id for message in there]


def test_an_acked_message_never_comes_back(harness):
    """What was settled is gone, what was not returns, when the consumer closes."""
    sent = harness.publish_new(10)
    first = harness.consumer()
    for proxy in take(first, 10)[::2]:
        proxy.settlement.ack()
    first.close()
    second = harness.consumer()
    assert ids(take(second, 5)) == [message.id for message in sent[1::2]]
    assert nothing_comes(second)


def test_closing_writes_the_last_acks(harness):
    """Acks given right before the close are not lost: nothing is delivered again."""
    harness.publish_new(200)
    first = harness.consumer(prefetch=200)
    for proxy in take(first, 200):
        proxy.settlement.ack()
    first.close()
    second = harness.consumer()
    assert nothing_comes(second)
    assert harness.ready() == 0


def test_a_nacked_message_is_dead_and_others_are_not(harness):
    """A nack moves the message to the dead-letter queue, once, whatever is acked around it."""
    harness.publish_new(9)
    consumer = harness.consumer()
    got = take(consumer, 9)
    for number, proxy in enumerate(got):
        if number in {3, 7}:
            proxy.settlement.nack()
        else:
            proxy.settlement.ack()
    nothing_comes(consumer, 1)
    wait_until(lambda: harness.dead() == 2, what="two dead letters")
    consumer.close()
    assert harness.ready() == 0
    bodies = harness.dead_bodies()
    assert sorted(
        str(got[n].decoded.id) in body.decode() for n, body in zip((3, 7), bodies, strict=True)
    ) == [
        True,
        True,
    ]


def test_a_second_settlement_does_nothing(harness):
    """Once settled, always settled: a nack after an ack makes no dead letter."""
    harness.publish_new(1)
    consumer = harness.consumer()
    (proxy,) = take(consumer, 1)
    proxy.settlement.ack()
    proxy.settlement.nack()
    proxy.settlement.ack()
    assert proxy.settlement.done
    assert nothing_comes(consumer)
    consumer.close()
    assert (harness.ready(), harness.dead()) == (0, 0)


def test_what_a_killed_consumer_held_comes_back(harness):
    """The unacked messages of a dead consumer go to another one, in order; its own epoch is over."""
    sent = harness.publish_new(20)
    first = harness.consumer()
    got = take(first, 20)
    for proxy in got[:5]:
        proxy.settlement.ack()
    nothing_comes(first, 1)
    harness.kill(first)
    with pytest.raises(ConnectionClosed):
        take(first, 1)
    assert all(proxy.epoch.over for proxy in got)
    second = harness.consumer()
    assert ids(take(second, 15)) == [message.id for message in sent[5:]]
    assert not second.epoch.over


def test_a_late_settlement_ends_nothing_else(harness):
    """L1: tags start again on a new connection, so an old delivery's late ack must not end another message.

    The first consumer's deliveries 1..4 are acked after its death; the second holds other messages
    under the same tags. All of them must come back when the second dies unsettled.
    """
    sent = harness.publish_new(4)
    first = harness.consumer()
    old = take(first, 4)
    harness.kill(first)
    with pytest.raises(ConnectionClosed):
        take(first, 1)
    second = harness.consumer()
    again = take(second, 4)
    for proxy in old[:2]:
        proxy.settlement.ack()
    for proxy in old[2:]:
        proxy.settlement.nack()
    assert nothing_comes(second, 2)
    harness.kill(second)
    with pytest.raises(ConnectionClosed):
        take(second, 1)
    third = harness.consumer()
    assert ids(take(third, 4)) == [message.id for message in sent] == ids(again)
    assert harness.dead() == 0


def test_messages_behind_bad_ones_arrive(harness):
    """Promise 13: every bad body is dead and counted once, and the good ones behind it come."""
    good = new_messages(2)
    bad = bad_bodies(good[0], harness.prefix)
    harness.publish(good[:1])
    for one in bad:
        harness.put_body(one.body)
    harness.publish(good[1:])
    consumer = harness.consumer(prefetch=4)
    got = take(consumer, 2)
    assert ids(got) == [message.id for message in good]
    for proxy in got:
        proxy.settlement.ack()
    assert nothing_comes(consumer)
    wait_until(lambda: harness.dead() == len(bad), what="every bad body among the dead letters")
    assert harness.broker.bad_messages == Counter(one.reason for one in bad)
    consumer.close()
    assert harness.ready() == 0
    assert Counter(harness.dead_bodies()) == Counter(one.body for one in bad)


def test_the_hook_for_bad_messages_may_fail(harness):
    """A counting hook that raises does not stop the consumer."""
    seen = []

    def hook(queue_name, reason):
        seen.append((queue_name, reason))
        raise RuntimeError("broken")

    harness.broker.bodies._on_bad_message = hook
    harness.put_body(b"nonsense")
    sent = harness.publish_new(1)
    assert ids(take(harness.consumer(), 1)) == [sent[0].id]
    assert seen == [(harness.queue, "undecodable")]


def test_prefetch_bounds_what_is_unacked(harness):
    """No more than the prefetch is handed out; each settlement lets one more through."""
    harness.publish_new(10)
    consumer = harness.consumer(prefetch=3)
    held = take(consumer, 3)
    assert nothing_comes(consumer)
    held[1].settlement.ack()
    (more,) = take(consumer, 1)
    assert nothing_comes(consumer)
    for proxy in (held[0], held[2], more):
        proxy.settlement.ack()
    assert len(take(consumer, 3)) == 3
    assert nothing_comes(consumer)


def test_prefetch_up_and_down_loses_and_repeats_nothing(harness):
    """While the prefetch changes again and again, each message is handed out once and settled once."""
    sent = harness.publish_new(600)
    consumer = harness.consumer(prefetch=5)
    seen: Counter = Counter()
    sizes = [50, 2, 20, 1, 100, 7]
    while seen.total() < 600:
        if sizes and seen.total() >= (6 - len(sizes)) * 80:
            harness.broker.set_prefetch(harness.queue, sizes.pop(0))
        for proxy in take(consumer, 1):
            seen[proxy.decoded.id] += 1
            proxy.settlement.ack()
    assert not sizes
    assert nothing_comes(consumer)
    assert set(seen) == {message.id for message in sent}
    assert set(seen.values()) == {1}
    consumer.close()
    assert (harness.ready(), harness.dead()) == (0, 0)


def test_the_new_prefetch_holds(harness):
    """After a change the new bound holds; what was unacked before it is still ours, beside it at most."""
    harness.publish_new(30)
    consumer = harness.consumer(prefetch=2)
    held = take(consumer, 2)
    consumer.set_prefetch(6)
    held += take(consumer, 4)
    while (proxy := next(consumer)) is not None:
        held.append(proxy)
    assert 6 <= len(held) <= 8
    for proxy in held:
        proxy.settlement.ack()
    assert len(take(consumer, 6)) == 6
    assert nothing_comes(consumer)


def test_a_changed_prefetch_outlives_the_consumer(harness):
    """The broker's prefetch for a lane holds for the consumer that follows a lost one, too."""
    harness.publish_new(10)
    first = harness.consumer(prefetch=1)
    harness.broker.set_prefetch(harness.queue, 4)
    harness.kill(first)
    second = harness.consumer(prefetch=1)
    assert len(take(second, 4)) == 4
    assert nothing_comes(second)


def test_many_threads_may_settle(harness):
    """Settlements from many threads at once, in any order, end each message exactly once."""
    harness.publish_new(2000)
    consumer = harness.consumer(prefetch=300)
    with ThreadPoolExecutor(8) as pool:
        seen: Counter = Counter()
        for number in range(2000):
            (proxy,) = take(consumer, 1)
            seen[proxy.decoded.id] += 1
            pool.submit(proxy.settlement.nack if number % 100 == 99 else proxy.settlement.ack)
    assert len(seen) == 2000
    assert nothing_comes(consumer, 1)
    wait_until(lambda: harness.dead() == 20, what="twenty dead letters")
    consumer.close()
    assert nothing_comes(harness.consumer())
    assert harness.ready() == 0


def test_dramatiqs_own_settling_does_nothing(harness):
    """`ack`, `nack`, `requeue` and `close` never raise, and settle nothing, alive, cut off or closed."""
    sent = harness.publish_new(2)
    consumer = harness.consumer()
    got = take(consumer, 2)
    harness.kill(consumer)
    for _ in range(2):
        consumer.ack(got[0])
        got[1].fail()
        consumer.nack(got[1])
        consumer.requeue(got)
        consumer.close()
    assert ids(take(harness.consumer(), 2)) == [message.id for message in sent]
    assert harness.dead() == 0


def test_counts_tell_what_is_ready_and_who_listens(harness):
    """Ready messages and consumers of each queue."""
    harness.publish_new(3)
    harness.consumer(lane=OTHER)
    names = [harness.queue, OTHER.queue(harness.prefix)]
    assert harness.broker.counts(names) == {names[0]: (3, 0), names[1]: (0, 1)}


def test_flush_drops_what_is_ready(harness):
    """`flush` empties a lane; `join` then returns."""
    harness.publish_new(5)
    harness.broker.flush(harness.queue)
    assert harness.ready() == 0
    harness.broker.join(harness.queue, timeout=10_000)


def test_there_are_no_delay_queues(harness):
    """Declaring a lane's queue makes one queue and tells the worker of no other; delays are refused."""
    heard = []

    class Ear(dramatiq.Middleware):
        def after_declare_queue(self, broker, queue_name):
            heard.append(queue_name)

        def after_declare_delay_queue(self, broker, queue_name):
            heard.append(queue_name)

    harness.broker.add_middleware(Ear())
    harness.broker.declare_queue(harness.queue)
    harness.broker.declare_queue(harness.queue)
    assert heard == [harness.queue]
    assert harness.broker.get_declared_delay_queues() == set()
    actor = _actor(harness, LANE, lambda **_: None)
    with pytest.raises(ValueError, match="due time"):
        harness.broker.enqueue(actor.message(**_kwargs(harness)), delay=1000)


def test_an_enqueued_message_arrives(harness):
    """`actor.send` goes the same confirmed way; what is no message of ours is refused at once."""
    actor = _actor(harness, LANE, lambda **_: None)
    kwargs = _kwargs(harness)
    actor.send(**kwargs)
    (proxy,) = take(harness.consumer(), 1)
    assert proxy.message_id == kwargs["id"]
    with pytest.raises(ValueError, match="kwargs must be"):
        actor.send("someone@example.com")
    assert harness.ready() == 0


def test_only_lanes_have_queues(harness):
    """An actor on any other queue is refused when it is declared: its messages could not pass."""
    with pytest.raises(ValueError, match=r"is no lane"):
        dramatiq.actor(lambda: None, broker=harness.broker, actor_name="stray")
    with pytest.raises(ValueError, match=r"is no lane"):
        harness.broker.consume("elsewhere")


def test_pickle_is_refused(harness):
    """Another encoder than Dramatiq's JSON is refused before anything is consumed."""
    former = dramatiq.get_encoder()
    dramatiq.set_encoder(dramatiq.PickleEncoder())
    try:
        with pytest.raises(RuntimeError, match="JSONEncoder"):
            harness.broker.consume(harness.queue)
    finally:
        dramatiq.set_encoder(former)


def test_an_empty_group_is_confirmed(harness):
    """Publishing nothing succeeds at once."""
    assert harness.publisher.publish([]).result(0) is None


def test_a_closed_publisher_confirms_nothing(harness):
    """After the close a group fails with `NotConfirmed`, and `connected` is False."""
    harness.publish_new(1)
    assert harness.publisher.connected
    harness.publisher.close()
    assert not harness.publisher.connected
    with pytest.raises(Exception, match="closed"):
        harness.publisher.publish(new_messages(1)).result(60)


def test_a_worker_runs_every_message_of_nine_lanes_once(full_harness):
    """Dramatiq's own worker over all lanes: each message runs once, all are settled, stop returns."""
    harness = full_harness
    runs: Counter = Counter()
    lock = threading.Lock()

    def work(*, id, **_):  # noqa: A002 - the message's word
        with lock:
            runs[id] += 1
        CurrentMessage.get_current_message().settlement.ack()

    harness.broker.add_middleware(CurrentMessage())
    for lane in Lane.all():
        _actor(harness, lane, work)
    sent = [message for lane in Lane.all() for message in new_messages(60, lane)]
    harness.publish(sent)
    worker = dramatiq.Worker(harness.broker, worker_threads=4, worker_timeout=100)
    worker.start()
    wait_until(lambda: len(runs) == len(sent), 60, "every message to run")
    worker.stop(timeout=30_000)
    assert runs == Counter(dict.fromkeys((f"ntf_{message.id}" for message in sent), 1))
    for lane in Lane.all():
        assert harness.ready(lane) == 0, lane
        assert harness.dead(lane) == 0, lane


def test_an_actor_that_raises_settles_nothing(harness):
    """Dramatiq acks and forgets an actor that raised; here the message stays and comes back after the stop."""
    ran = threading.Event()

    def work(**_):
        ran.set()
        raise RuntimeError("the provider's library broke")

    _actor(harness, LANE, work)
    sent = harness.publish_new(1)
    worker = dramatiq.Worker(harness.broker, worker_threads=1, worker_timeout=100)
    worker.start()
    assert ran.wait(60)
    worker.stop(timeout=30_000)
    assert ids(take(harness.consumer(), 1)) == [sent[0].id]
    assert harness.dead() == 0


def _actor(harness, lane, work):
    return dramatiq.actor(
        work, broker=harness.broker, actor_name=lane.actor, queue_name=lane.queue(harness.prefix)
    )


def _kwargs(harness):
    (message,) = new_messages(1)
    return {"v": 1, "lane": LANE.name, "id": f"ntf_{message.id}", "units": 1}
