"""The lane queue: FIFO in a lane, in turn over lanes, never past a closed gate, nothing lost, nothing twice."""

import itertools
import threading
from contextlib import suppress
from queue import Empty
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.queueing.broker import Epoch, Grant, NotBefore
from notifier.scheduling.lane_queue import LaneQueue
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.scheduler import Scheduler
from tests.nodes.waiting import wait_until

OPEN = Grant("console")


class Clock:
    """Stands still unless it is set."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def item(lane, number=0, epoch=None):
    return SimpleNamespace(
        message=SimpleNamespace(queue_name=lane, number=number, epoch=epoch or Epoch(), grant=None)
    )


def taken(queue):
    found = []
    while True:
        try:
            one = queue.get(block=False)
        except Empty:
            return found
        found.append((one.message.queue_name, one.message.number))
        queue.task_done()


def test_a_lane_is_first_in_first_out_and_lanes_take_turns():
    queue = LaneQueue(lambda _: OPEN)
    for number in range(3):
        for lane in "abc":
            queue.put(item(lane, number))
    for number in range(3, 6):
        queue.put(item("a", number))
    found = taken(queue)
    assert {lane for lane, _ in found[:5]} == set("abc")
    for lane in "abc":
        numbers = [number for name, number in found if name == lane]
        assert numbers == sorted(numbers)
    assert queue.waiting() == {"a": 0, "b": 0, "c": 0}


def test_a_gate_that_was_told_to_wait_is_asked_when_it_is_reopened():
    """Permits came before the moment that the gate had named: a thread that waits gets the message now."""
    opened, asked = threading.Event(), threading.Event()

    def gate(lane):
        asked.set()
        return OPEN if opened.is_set() else NotBefore(3600)

    queue = LaneQueue(gate)
    queue.put(item("a"))
    found = []
    waiting = threading.Thread(target=lambda: found.append(queue.get(timeout=30)), daemon=True)
    waiting.start()
    assert asked.wait(60)
    opened.set()
    queue.reopen(["a", "unknown"])
    waiting.join(10)
    assert [one.message.grant for one in found] == [OPEN]


def test_the_grant_goes_with_the_message_and_the_gate_is_asked_for_each():
    asked = []

    def gate(lane):
        asked.append(lane)
        return Grant(f"account of {lane}")

    queue = LaneQueue(gate)
    queue.put(item("a"))
    queue.put(item("a"))
    assert queue.get(block=False).message.grant == Grant("account of a")
    assert queue.get(block=False).message.grant == Grant("account of a")
    assert asked == ["a", "a"]


def test_a_closed_gate_sets_only_its_lane_aside_and_is_not_asked_again_before_its_time():
    clock, asked = Clock(), []

    def gate(lane):
        asked.append(lane)
        return NotBefore(5) if lane == "a" and clock.now < 105 else OPEN

    queue = LaneQueue(gate, clock=clock)
    queue.put(item("a"))
    queue.put(item("b"))
    assert taken(queue) == [("b", 0)]
    assert taken(queue) == []
    assert asked.count("a") == 1
    clock.now = 105.0
    assert taken(queue) == [("a", 0)]


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_waiting_thread_wakes_when_the_gate_opens_although_nobody_puts(seconds):
    answers = iter([NotBefore(seconds), OPEN])
    queue = LaneQueue(lambda _: next(answers))
    queue.put(item("a"))
    assert queue.get(timeout=60).message.queue_name == "a"


def test_a_gate_that_names_no_wait_is_not_asked_in_a_busy_loop():
    asked = []

    def gate(lane):
        asked.append(lane)
        return NotBefore(0)

    queue = LaneQueue(gate)
    queue.put(item("a"))
    with pytest.raises(Empty):
        queue.get(timeout=0.05)
    assert len(asked) <= 60


def test_who_takes_another_message_leaves_its_wake_up_to_somebody_else():
    """Two threads wait; the one that knew when lane a opens takes b and is busy: the other must learn of it."""
    opens = threading.Event()
    queue = LaneQueue(lambda lane: OPEN if lane == "b" or opens.is_set() else NotBefore(0.2))
    got: list[str] = []
    done = threading.Semaphore(0)

    def one():
        got.append(queue.get(timeout=60).message.queue_name)
        done.release()

    threads = [threading.Thread(target=one, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    queue.put(item("a"))
    queue.put(item("b"))
    assert done.acquire(timeout=60)
    assert got == ["b"]
    opens.set()
    assert done.acquire(timeout=60), "nobody woke for lane a"
    assert got == ["b", "a"]


def test_a_thread_that_keeps_a_reserve_is_woken_by_what_it_may_take_only():
    """And by the tick that releases the reserve: what came meanwhile is not forgotten."""
    lanes = [LaneOptions("low", Rank.LOW), LaneOptions("high", Rank.HIGH)]
    queue = LaneQueue(lambda _: OPEN, Scheduler(Policy(threads=1), lanes))
    # All that idles is high's; a real reserve would be judged anew by the tick of a lane that wakes.
    kept = queue.look(lambda scheduler: scheduler.headroom)
    queue.look(lambda scheduler: setattr(scheduler, "headroom", lambda: (True, False, False)))
    got: list[str] = []
    done = threading.Semaphore(0)

    def two():
        for _ in range(2):
            got.append(queue.get(timeout=60).message.queue_name)
            queue.task_done()
            done.release()

    threading.Thread(target=two, daemon=True).start()
    waiters = queue._changed._waiters
    wait_until(lambda: len(waiters) == 1, 60, "the thread to wait")
    queue.put(item("low"))
    assert len(waiters) == 1, "woken for what it may not take"
    queue.put(item("high"))
    assert done.acquire(timeout=60)
    wait_until(lambda: len(waiters) == 1, 60, "the thread to wait again")
    queue.look(lambda scheduler: setattr(scheduler, "headroom", kept))
    queue.tick()
    assert done.acquire(timeout=60), "the reserve was released, and nobody woke"
    assert got == ["high", "low"]


def test_what_a_put_releases_for_another_class_is_taken_at_once():
    """The tick of a lane that wakes ends medium's wait, though what came is low and may not start."""
    lanes = [LaneOptions("low", Rank.LOW), LaneOptions("medium", Rank.MEDIUM)]
    queue = LaneQueue(lambda _: OPEN, Scheduler(Policy(threads=1), lanes), Clock())
    room, got, done = [(True, False, False)], [], threading.Event()

    def release(now, backlogs=None):
        room[0] = (True, True, False)
        return []

    def take():
        got.append(queue.get(timeout=60).message.queue_name)
        done.set()

    queue.look(lambda scheduler: setattr(scheduler, "headroom", lambda: room[0]))
    queue.put(item("medium"))
    queue.look(lambda scheduler: setattr(scheduler, "tick", release))
    threading.Thread(target=take, daemon=True).start()
    wait_until(lambda: len(queue._changed._waiters) == 1, 60, "the thread to wait")
    queue._clock.now += 1
    queue.put(item("low"))
    assert done.wait(60), "nobody woke for medium"
    assert got == ["medium"]


def test_all_that_comes_back_at_one_moment_is_taken_at_once():
    """One thread knew the moment; as many must wake as there is work for, though those that have some keep it."""
    queue, got = LaneQueue(lambda _: OPEN), []
    threads = [
        threading.Thread(target=lambda: got.append(queue.get(timeout=60)), daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(queue._changed._waiters) == 4, 60, "the threads to wait")
    with queue._changed:
        moment = queue._clock() + 0.1
        queue._later = [(moment, number, item("a", number)) for number in range(4)]
        queue.unfinished_tasks += 4
        queue._changed.notify()
    wait_until(lambda: len(got) == 4, 60, "all four to be taken")


def test_waiting_ends_with_empty_after_its_time():
    queue = LaneQueue(lambda _: NotBefore(60))
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    queue.put(item("a"))
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    with pytest.raises(Empty):
        queue.get(block=False)
    with pytest.raises(Empty):
        queue.get_nowait()


def test_copies_of_a_dead_connection_are_dropped_and_counted_as_done():
    queue = LaneQueue(lambda _: OPEN)
    dead, alive = Epoch(), Epoch()
    for number, epoch in enumerate((dead, dead, alive, dead)):
        queue.put(item("a", number, epoch))
    dead.end()
    assert taken(queue) == [("a", 2)]
    assert queue.unfinished_tasks == 0
    queue.join()


def test_what_was_put_back_comes_again_at_its_time_behind_what_waits():
    clock = Clock()
    queue = LaneQueue(lambda _: OPEN, clock=clock)
    queue.put(item("a", 1))
    first = queue.get(block=False)
    queue.put_back(first, 2.0)
    queue.task_done()
    assert queue.unfinished_tasks == 1
    assert taken(queue) == []
    clock.now = 102.0
    assert taken(queue) == [("a", 1)]
    assert queue.unfinished_tasks == 0


def test_a_waiting_thread_learns_of_what_is_put_back():
    queue = LaneQueue(lambda _: OPEN)
    found = []
    thread = threading.Thread(target=lambda: found.append(queue.get(timeout=60)), daemon=True)
    thread.start()
    back = item("a", 7)
    queue.put_back(back, 0.05)
    thread.join(5)
    assert found == [back]


def test_after_a_drain_nothing_starts_and_everything_is_handed_out():
    clock = Clock()
    queue = LaneQueue(lambda lane: NotBefore(60) if lane == "b" else OPEN, clock=clock)
    ended = []

    def wait():
        try:
            queue.get()
        except Empty:
            ended.append(True)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    queue.drain()
    waiting.join(5)
    assert ended == [True], "a drain wakes who waits"
    for lane in "ab":
        queue.put(item(lane))
    queue.put_back(item("c"), 60)
    with pytest.raises(Empty):
        queue.get(block=False)
    found = {queue.get_nowait().message.queue_name for _ in range(3)}
    assert found == {"a", "b", "c"}
    with pytest.raises(Empty):
        queue.get_nowait()


def test_join_waits_for_what_is_put_and_no_longer():
    queue = LaneQueue(lambda _: OPEN)
    queue.join()
    queue.put(item("a"))
    queue.get(block=False)
    thread = threading.Thread(target=queue.join, daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    queue.task_done()
    thread.join(5)
    assert not thread.is_alive()


@settings(max_examples=15, deadline=None)
@given(
    producers=st.integers(1, 4),
    consumers=st.integers(1, 6),
    lanes=st.integers(1, 4),
    closed=st.floats(0, 0.9),
)
def test_with_many_threads_every_put_is_got_exactly_once_and_in_order(producers, consumers, lanes, closed):
    got, each = [], 40
    left, asked = threading.Semaphore(0), itertools.count()

    def gate(_):
        return NotBefore(0.001) if (next(asked) * 37 % 100) / 100 < closed else OPEN

    queue = LaneQueue(gate)

    def produce(who):
        for number in range(each):
            queue.put(item(f"{who}-{number % lanes}", number))

    threads = [threading.Thread(target=produce, args=(n,), daemon=True) for n in range(producers)]
    threads += [
        threading.Thread(target=consume, args=(queue, got, left), daemon=True) for _ in range(consumers)
    ]
    for thread in threads:
        thread.start()
    for _ in range(producers * each):
        assert left.acquire(timeout=60), "a wake-up was lost"
    queue.join()
    queue.drain()
    for thread in threads:
        thread.join(5)
    assert len(got) == len(set(got)) == producers * each
    for lane in {name for name, _ in got} if consumers == 1 else ():
        numbers = [number for name, number in got if name == lane]
        assert numbers == sorted(numbers)


def consume(queue, got, left):
    with suppress(Empty):
        while True:
            one = queue.get(timeout=60)
            got.append((one.message.queue_name, one.message.number))
            queue.task_done()
            left.release()
