"""The lane queue is really the one that Dramatiq's worker takes from, or the process does not start."""

import threading
from queue import Empty
from types import SimpleNamespace

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from notifier.queueing.broker import Grant
from notifier.scheduling.actor_lanes import lanes_of
from notifier.scheduling.keeper import Keeper
from notifier.scheduling.lane_queue import LaneQueue
from notifier.scheduling.middleware import LaneScheduling
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from tests.nodes.waiting import wait_until


def started(scheduling, *more):
    broker = StubBroker(middleware=[scheduling, *more])
    ran = threading.Semaphore(0)

    @dramatiq.actor(broker=broker, queue_name="email")
    def act(number):
        ran.release()

    return broker, act, ran, dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)


def test_a_real_worker_takes_from_the_lane_queue_with_our_threads_and_prefetch():
    scheduling = LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=3))
    broker, act, ran, worker = started(scheduling)
    worker.start()
    try:
        assert worker.work_queue is scheduling.queue
        assert len(worker.workers) == 3
        assert worker.queue_prefetch == 6
        for number in range(20):
            act.send(number)
        for _ in range(20):
            assert ran.acquire(timeout=60)
        worker.join()
        assert scheduling.queue.unfinished_tasks == 0
    finally:
        worker.stop()
        broker.close()
    assert scheduling.queue.waiting().get("email", 0) == 0


def test_a_consumer_that_lost_its_connection_is_back_in_a_second(monkeypatch):
    """Dramatiq waits as long as we say: its own three seconds are too long for promise 8."""
    broker, act, ran, worker = started(LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=1)))
    consume, waits = broker.consume, []

    class Lost(dramatiq.Consumer):
        def __next__(self):
            monkeypatch.setattr(broker, "consume", consume)
            raise dramatiq.ConnectionClosed("lost")

    monkeypatch.setattr(broker, "consume", lambda *_, **__: Lost())
    monkeypatch.setattr(dramatiq.worker, "time", SimpleNamespace(sleep=waits.append))
    worker.start()
    try:
        act.send(1)
        assert ran.acquire(timeout=60)
        assert set(waits) == {1.0}
    finally:
        worker.stop()
        broker.close()


def test_a_pause_holds_from_the_first_message_and_for_its_lane_only():
    """Said before the boot, as after a restart; what waited starts when the lane goes on."""
    scheduling = LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=2))
    scheduling.pause({"email"})
    assert scheduling.report() == {}
    broker, act, ran, worker = started(scheduling)
    other = threading.Semaphore(0)
    free = dramatiq.actor(broker=broker, queue_name="sms", actor_name="free")(other.release)
    worker.start()
    try:
        for number in range(3):
            act.send(number)
        wait_until(lambda: scheduling.queue.waiting().get("email") == 3, 20, "the paused lane to fill")
        free.send()
        assert other.acquire(timeout=60)
        assert scheduling.queue.waiting()["email"] == 3
        told = scheduling.report(str.upper)["lanes"]["EMAIL"]
        assert (told["waiting"], told["running"], told["why"]) == (3, 0, "paused")
        scheduling.pause(())
        for _ in range(3):
            assert ran.acquire(timeout=60)
    finally:
        worker.stop()
        broker.close()


class Tampers(dramatiq.Middleware):
    """Another middleware that puts a queue of its own in our place."""

    def before_worker_boot(self, broker, worker):
        worker.work_queue = LaneQueue(lambda _: Grant("other"))


class Fewer(dramatiq.Middleware):
    def before_worker_boot(self, broker, worker):
        worker.worker_threads = 1


@pytest.mark.parametrize("tamperer", [Tampers, Fewer])
def test_a_worker_that_takes_from_elsewhere_does_not_start(tamperer):
    broker, _, _, worker = started(
        LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=2)), tamperer()
    )
    try:
        with pytest.raises(SystemExit, match="lane queue"):
            worker.start()
    finally:
        worker.stop()
        broker.close()


def test_the_census_tells_a_thread_and_a_consumer_that_ended():
    """Dramatiq replaces neither. (The stub broker has a delay queue beside the queue: two consumers.)"""
    scheduling = LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=3))
    broker, _, _, worker = started(scheduling)
    none = {"threads": 3, "threads_alive": 0, "consumers": 0, "consumers_alive": 0}
    assert (scheduling.stage, scheduling.census()) == ("starting", none)
    worker.start()
    try:
        full = {"threads": 3, "threads_alive": 3, "consumers": 2, "consumers_alive": 2}
        assert (scheduling.stage, scheduling.census()) == ("running", full)
        for one in (worker.workers[0], worker.consumers["email"]):
            one.stop()
            one.join(20)
        assert scheduling.census() == full | {"threads_alive": 2, "consumers_alive": 1}
    finally:
        worker.stop()
        broker.close()
    assert scheduling.stage == "stopping"
    assert scheduling.census()["threads_alive"] == 0


def test_how_many_take_from_a_queue_is_what_the_broker_said_last():
    """Unknown before it was asked; one where the broker can't count, for then it lives in this process."""
    scheduling = LaneScheduling(policy=Policy(threads=1))
    assert scheduling.consumers(["email"]) is None
    broker, _, _, worker = started(scheduling)
    worker.start()
    try:
        assert scheduling.consumers(["email"]) == 1
        counts = {"email": (5, 3), "sms": (0, 2)}
        broker.counts = lambda names: {name: counts[name] for name in names if name in counts}
        keeper = Keeper(broker, worker, scheduling.queue)
        scheduling._keeper = keeper
        assert scheduling.consumers(["email", "sms"]) is None
        keeper.start()
        wait_until(lambda: scheduling.consumers(["email", "sms"]) == 3, 60, "the broker to be asked")
        keeper.stop()
    finally:
        worker.stop()
        broker.close()


def test_the_census_counts_only_the_queues_the_worker_was_given():
    scheduling = LaneScheduling(lambda _: Grant("console"), policy=Policy(threads=1))
    broker, _, _, _ = started(scheduling)
    broker.declare_queue("sms")
    worker = dramatiq.Worker(broker, queues={"email"}, worker_timeout=50)
    worker.start()
    try:
        assert (scheduling.census()["consumers"], scheduling.census()["consumers_alive"]) == (2, 2)
    finally:
        worker.stop()
        broker.close()


def test_a_shutdown_starts_nothing_more():
    scheduling = LaneScheduling(policy=Policy(threads=1))
    broker, act, _, worker = started(scheduling)
    worker.start()
    worker.stop()
    act.send(1)
    with pytest.raises(Empty):
        scheduling.queue.get()
    broker.close()


def test_threads_are_added_for_overdue_calls_and_retire_when_they_end():
    """The private `Worker._add_worker` of this version of Dramatiq does what we count on."""
    scheduling = LaneScheduling(policy=Policy(threads=2, overdue=0.01))
    broker = StubBroker(middleware=[scheduling])
    hang, hanging, quick = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    @dramatiq.actor(broker=broker, queue_name="slow", resource="a")
    def slow():
        hanging.release()
        hang.wait(30)

    @dramatiq.actor(broker=broker, queue_name="quick", resource="b")
    def fast():
        quick.release()

    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    try:
        slow.send()
        slow.send()
        assert hanging.acquire(timeout=60)
        assert hanging.acquire(timeout=60)
        fast.send()
        assert quick.acquire(timeout=60), "both threads hang and nobody stood in for them"
        assert scheduling.census()["threads"] == 3
        hang.set()
        both = {"threads": 2, "threads_alive": 2}
        wait_until(lambda: both.items() <= scheduling.census().items(), 60, "the extra thread to retire")
        fast.send()
        assert quick.acquire(timeout=60)
    finally:
        hang.set()
        worker.stop()
        broker.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": "urgent"}, "rank is high, medium or low"),
        ({"weight": 0}, "weight"),
        ({"weight": "much"}, "act"),
        ({"minimum": -1}, "minimum"),
    ],
)
def test_an_option_that_is_none_is_refused_by_name(options, said):
    broker = StubBroker(middleware=[LaneScheduling()])
    dramatiq.Actor(lambda: None, broker=broker, actor_name="act", queue_name="q", priority=0, options=options)
    with pytest.raises(ValueError, match=said):
        list(lanes_of(broker))


def test_lanes_are_made_from_the_options_of_actors():
    broker = StubBroker(middleware=[LaneScheduling()])
    for name, queue, options in (
        ("first", "a", {}),
        ("second", "a", {"rank": "high", "weight": 8, "resource": "mail"}),
        ("third", "b", {"minimum": 2}),
    ):
        dramatiq.Actor(
            lambda: None, broker=broker, actor_name=name, queue_name=queue, priority=0, options=options
        )
    assert list(lanes_of(broker)) == [
        LaneOptions("a", Rank.HIGH, "mail", 8),
        LaneOptions("b", Rank.MEDIUM, "b", None, 2),
    ]
