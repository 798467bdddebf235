"""Lanes over a real RabbitMQ with real threads: order and counts, read off the queue's own journal.

Never a time: what is asserted holds however slow the machine is.
"""

import itertools
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial

import dramatiq
import pytest

from notifier.actors.context import CurrentMessage
from notifier.actors.declare import declare_actors
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.broker import Grant, NotBefore
from notifier.scheduling.lane_queue import LaneQueue
from notifier.scheduling.middleware import LaneScheduling
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from tests.conformance.brokers.harness import new_messages
from tests.nodes.waiting import wait_until

LOW, HIGH = Lane(Channel.EMAIL, Priority.LOW), Lane(Channel.SMS, Priority.HIGH)
THREADS = 8


@dataclass(frozen=True)
class Entry:
    """What happened, and how things stood right after it; the queue's lock was held."""

    what: str
    lane: str
    running: Counter
    reserve: int
    fresh_high: int
    idle: int

    @property
    def filled(self):
        """Whether threads idle for high, as many as are kept for it and it does not have yet."""
        return bool(self.reserve) and self.fresh_high < self.reserve <= self.fresh_high + self.idle


class Running:
    """A worker over all nine lanes whose calls the test holds, with the journal of its queue."""

    def __init__(self, broker, prefix, gate=None, **policy):
        self.journal, self.done, self.proxies = [], threading.Semaphore(0), []
        self.prefix, self.calls = prefix, defaultdict(lambda: 0.0)
        self.release = threading.Event()
        current = CurrentMessage()
        lanes = [
            LaneOptions(lane.queue(prefix), Rank[lane.priority.name], str(lane.channel))
            for lane in Lane.all()
        ]
        self.scheduling = LaneScheduling(
            gate or (lambda _: Grant("test")),
            policy=Policy(threads=THREADS, **policy),
            lanes=lanes,
            make_queue=lambda gate, scheduler: LaneQueue(gate, scheduler, journal=self.note),
        )
        for one in (self.scheduling, current):
            broker.add_middleware(one)
        declare_actors(broker, Lane.all(), prefix, current, self.deliver)
        self.broker = broker
        broker.declare_all(Lane.all())
        self.publisher = broker.publisher()
        self.worker = dramatiq.Worker(broker, worker_timeout=100)

    def note(self, what, queue_name, _now):
        scheduler = self.scheduling.queue.scheduler
        lanes = scheduler.lanes.values()
        self.journal.append(
            Entry(
                what,
                queue_name.removeprefix(f"{self.prefix}."),
                Counter({lane.name.removeprefix(f"{self.prefix}."): lane.running for lane in lanes}),
                scheduler.high.threads,
                sum(lane.fresh for lane in lanes if lane.rank == Rank.HIGH),
                scheduler.threads - scheduler.running,
            )
        )

    def deliver(self, proxy):
        seconds = self.calls[proxy.decoded.lane]
        self.release.wait(seconds)
        proxy.ok = not self.release.is_set() if seconds >= 10 else True
        proxy.settlement.ack()
        self.done.release()

    def send(self, lane, count):
        self.publisher.publish(new_messages(count, lane)).result(60)

    def finish(self, count):
        for _ in range(count):
            assert self.done.acquire(timeout=60), f"{len(self.journal)} entries"

    def count(self, what, lane):
        return sum((entry.what, entry.lane) == (what, lane.name) for entry in self.journal)

    def started(self, lane, number):
        return self.count("start", lane) >= number

    def starts(self):
        return [entry for entry in self.journal if entry.what == "start"]

    def __enter__(self):
        self.worker.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self.worker.stop(timeout=30_000)


@pytest.fixture
def start(rabbitmq_vhost_url, make_broker, prefix):
    """Makes the worker of a test, on a broker of its own."""
    return lambda **more: Running(make_broker(rabbitmq_vhost_url, lanes=Lane.all()), prefix, **more)


def test_no_low_start_comes_between_a_high_message_and_its_start_while_the_reserve_is_filled(start):
    low = 0
    with start(overdue=60, stalled=120) as running:
        running.calls[LOW], running.calls[HIGH] = 0.2, 0.01
        running.send(HIGH, 1)

        def filled():
            # Low must not run out, however long the test waits: where half of the threads idle none is reserved.
            nonlocal low
            if low - running.count("start", LOW) < 50:
                running.send(LOW, 100)
                low += 100
            return running.journal and running.journal[-1].filled

        for number in range(2, 22):
            # Not while the last one of high still runs: it would have the thread that was kept.
            wait_until(filled, 60, "the reserve to be filled")
            running.send(HIGH, 1)
            wait_until(partial(running.started, HIGH, number), 60, "high to start")
        running.release.set()
        running.finish(21 + low)
    held = 0
    for at, entry in enumerate(running.journal):
        if entry.what == "put" and entry.lane == HIGH.name and entry.filled:
            later = itertools.takewhile(
                lambda one: (one.what, one.lane) != ("start", HIGH.name), running.journal[at:]
            )
            assert not [one for one in later if (one.what, one.lane) == ("start", LOW.name)]
            held += 1
    assert held >= 5, "the reserve was engaged and filled while high came"


def test_a_hung_channel_holds_no_more_threads_than_its_bulkhead(start):
    """E-mail hangs; SMS and push go on, and every thread beyond the bulkhead is theirs."""
    others = [HIGH, Lane(Channel.PUSH, Priority.MEDIUM)]
    with start(stalled=0.5) as running:
        for lane in others:
            running.calls[lane] = 0.05
            running.send(lane, 40)
        running.finish(20)
        running.calls[LOW] = 60.0
        running.send(LOW, 50)
        for lane in others:
            running.send(lane, 60)
        running.finish(180)
        resource = running.scheduling.queue.scheduler.resources["email"]
        wait_until(lambda: resource.health == "stalled", 30, "the hang to be seen")
        before = running.journal[-1].running[LOW.name]
        running.send(HIGH, 40)
        running.finish(40)
        assert running.journal[-1].running[LOW.name] <= before + 1, (
            "but for one probe nothing more of it starts"
        )
    most = max(entry.running[LOW.name] for entry in running.starts())
    assert 1 <= most <= THREADS - 1


def test_every_flooded_lane_starts_within_its_turns(start):
    """Nine lanes that never run dry: between two starts of one there are no more than its weight explains."""
    each = 120
    with start(overdue=60, stalled=120) as running:
        queue = running.scheduling.queue
        queues = {lane.queue(running.prefix) for lane in Lane.all()}
        # All of them are there before the first may start.
        queue.pause(queues)
        for lane in Lane.all():
            running.calls[lane] = 0.01
            running.send(lane, each)
        wait_until(lambda: all(queue.waiting()[name] for name in queues), 30, "every lane to wait")
        queue.pause(set())
        running.finish(9 * each)
    starts = [entry.lane for entry in running.starts()]
    assert Counter(starts) == {lane.name: each for lane in Lane.all()}
    # While all are busy: weights 4, 2 and 1 in three channels are 21 parts.
    busy = starts[: len(starts) // 4]
    first = {lane.name: busy.index(lane.name) for lane in Lane.all()}
    assert max(first.values()) < len(busy)


def test_a_lane_without_grants_holds_no_thread(start):
    opened = threading.Event()

    def gate(queue_name):
        return Grant("test") if opened.is_set() or not queue_name.endswith(HIGH.name) else NotBefore(0.2)

    with start(gate=gate) as running:
        running.send(HIGH, 30)
        running.send(LOW, 60)
        running.finish(60)
        assert {entry.lane for entry in running.starts()} == {LOW.name}
        assert all(not entry.running[HIGH.name] for entry in running.journal)
        opened.set()
        running.finish(30)
    assert Counter(entry.lane for entry in running.starts()) == {LOW.name: 60, HIGH.name: 30}


def test_a_paused_lane_starts_nothing_until_it_is_resumed(start):
    with start() as running:
        queue = running.scheduling.queue
        queue.pause({LOW.queue(running.prefix)})
        running.send(LOW, 20)
        running.send(HIGH, 20)
        running.finish(20)
        wait_until(lambda: queue.waiting()[LOW.queue(running.prefix)] > 0, 30, "low to arrive")
        assert {entry.lane for entry in running.starts()} == {HIGH.name}
        queue.pause(set())
        running.finish(20)


def test_what_waits_at_the_broker_is_known_and_prefetch_follows_the_budget(start):
    with start(overdue=60, stalled=120) as running:
        running.calls[LOW] = 0.05
        running.send(LOW, 600)
        keeper = running.scheduling.keeper
        wait_until(lambda: keeper.ready.get(LOW.queue(running.prefix), 0) > 100, 30, "the broker's count")
        wait_until(
            lambda: any(move.what == "budget" and move.about.endswith(LOW.name) for move in keeper.decisions),
            30,
            "a decision about it",
        )
        idle = Lane(Channel.PUSH, Priority.LOW).queue(running.prefix)
        wait_until(lambda: running.broker._prefetch.get(idle) == 4, 30, "an idle lane to keep little")
        running.release.set()
        running.calls[LOW] = 0.0
        running.finish(600)
