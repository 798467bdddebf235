"""Permits of one limit in a process, and many processes around one bucket: simulated second by second."""

import math
import random
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.delivery.fallback import GRACE, Fallback
from notifier.delivery.permit_stock import Permit, PermitStock
from notifier.domain.limits import Ask, Limit
from notifier.queueing.broker import NotBefore
from notifier.storage.limit_stores import LocalLimits

LIMIT = Limit("email/ses", 0.02, burst=10)
WEIGHTS = (4.0, 2.0, 1.0)
HAIR = 1e-6


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store:
    """A bucket that all share; it may be away, and lose what it knew."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.away, self.asked = clock, False, 0
        self.it = LocalLimits(clock)

    def lease(self, limit: Limit, ask: Ask):
        self.asked += 1
        if self.away:
            raise ConnectionError
        return self.it.lease(limit, ask)

    def crash(self) -> None:
        self.it = LocalLimits(self.clock)


class Process:
    """A stock with messages that wait by priority; it works in steps of a few milliseconds, as its keeper would."""

    def __init__(self, store: Store, limit: Limit = LIMIT, *, consumers: int = 1, seed: int = 0) -> None:
        self.dice = random.Random(seed)
        self.store, self.woken = store, True
        fallback = Fallback(limit, lambda: consumers, dice=self.dice.random)
        self.stock = PermitStock(limit, fallback, weights=WEIGHTS, reach=8, wake=self.wake)
        self.waiting = [0, 0, 0]
        self.closed = [0.0, 0.0, 0.0]
        self.next = 0.0
        #: When each message started, and its priority.
        self.started: list[tuple[float, int]] = []
        self.statements: list[float] = []

    def wake(self) -> None:
        self.woken = True

    def step(self, now: float) -> None:
        self.keep(now)
        # As the scheduler does: high first, whoever was told to wait is asked again at his moment.
        for rank in range(3):
            while self.waiting[rank] and self.closed[rank] <= now:
                found = self.stock.take(rank, now)
                if isinstance(found, NotBefore):
                    assert found.seconds > 0
                    self.closed[rank] = now + found.seconds
                else:
                    assert found.start <= now < found.use_by
                    self.waiting[rank] -= 1
                    self.started.append((now, rank))

    def keep(self, now: float) -> None:
        if not self.woken and now < self.next:
            return
        self.woken = False
        ask = self.stock.ask(self.waiting, now, self.dice.random())
        if ask is not None:
            self.statements.append(now)
            try:
                lease = self.store.lease(self.stock.limit, ask)
            except ConnectionError:
                self.stock.failed(ask, now)
                self.closed = [0.0, 0.0, 0.0]
            else:
                if self.stock.answer(ask, lease, now, now) or self.stock.take_returned():
                    self.closed = [0.0, 0.0, 0.0]
        self.next = now + min(1.0, self.stock.next_look(now) or 1.0)


def run(clock: Clock, processes, seconds: float, each=lambda now: None, tick: float = 0.004) -> None:
    """Turn all of them until so many seconds have passed."""
    end = clock.now + seconds
    while clock.now < end:
        each(clock.now)
        for one in processes:
            one.step(clock.now)
        clock.now += tick


def excess(moments, limit: Limit = LIMIT) -> float:
    """By how many the worst window is above burst + rate x (window + lease)."""
    worst = float("-inf")
    for number, first in enumerate(moments):
        for last in moments[number::3]:
            inside = bisect_right(moments, last) - bisect_left(moments, first)
            worst = max(worst, inside - limit.burst - limit.rate * (last - first + limit.lead))
    return worst


def moments_of(processes) -> list[float]:
    return sorted(moment for one in processes for moment, _ in one.started)


def fleet(number: int, limit: Limit = LIMIT):
    clock = Clock()
    store = Store(clock)
    return clock, store, [Process(store, limit, consumers=number, seed=seed) for seed in range(number)]


@pytest.mark.parametrize("number", [1, 4])
def test_a_backlog_is_sent_at_the_whole_rate_and_never_faster(number):
    """98 % to 101 % of 50/s, in every window within the bound, at most 5 statements a second and process."""
    clock, _, processes = fleet(number)
    for one in processes:
        one.waiting = [0, 5000, 0]
    run(clock, processes, 30)
    moments = moments_of(processes)
    assert excess(moments) <= HAIR
    settled = [one for one in moments if one > 1002]
    assert 0.98 <= len(settled) / 28 * LIMIT.interval <= 1.01
    for one in processes:
        assert len(one.statements) <= 5 * 30 + 1
        assert len(one.started) >= 0.5 * len(moments) / number, "nobody is left out"


def test_a_limit_that_nobody_uses_asks_for_nothing():
    """No statement before the first message, and none soon after the last."""
    clock, store, (one,) = fleet(1)
    run(clock, [one], 10)
    assert store.asked == 0
    one.waiting = [3, 0, 0]
    run(clock, [one], 3)
    assert one.waiting == [0, 0, 0]
    asked = store.asked
    run(clock, [one], 60)
    assert store.asked == asked <= 8


def test_the_first_message_of_an_idle_limit_starts_as_soon_as_the_store_has_answered():
    clock, _, (one,) = fleet(1)
    one.waiting = [0, 0, 1]
    run(clock, [one], 3)
    one.waiting = [1, 0, 0]
    began = clock.now
    run(clock, [one], 0.02)
    assert one.waiting == [0, 0, 0]
    assert one.started[-1][0] - began <= 0.01


def test_high_goes_first_and_low_never_starves():
    """A backlog of all three: shares as the weights. A high that comes later does not wait behind low's permits."""
    clock, _, (one,) = fleet(1)
    one.waiting = [5000, 5000, 5000]
    run(clock, [one], 30)
    got = [sum(rank == mine for _, rank in one.started) for mine in range(3)]
    total = sum(got)
    assert [round(part / total, 1) for part in got] == [0.6, 0.3, 0.1]
    one.waiting = [0, 0, 5000]
    run(clock, [one], 5)
    one.waiting[0] = 1
    began = clock.now
    run(clock, [one], 0.1)
    assert one.waiting[0] == 0
    assert min(moment for moment, rank in one.started if rank == 0 and moment >= began) - began <= 3 * 0.02


def test_a_slow_limit_too_serves_every_priority():
    """One permit at a time: in seven turns high has four, medium two, low one."""
    limit = Limit("sms/slow", 2.0)
    clock, _, (one,) = fleet(1, limit)
    one.waiting = [99, 99, 99]
    run(clock, [one], 2 * 28 + 5)
    order = "".join("HML"[rank] for _, rank in one.started)
    assert len(order) >= 27
    assert excess(moments_of([one]), limit) <= HAIR
    for begin in range(0, 21, 7):
        assert {"H", "M", "L"} <= set(order[begin : begin + 8])


def test_high_in_one_process_hardly_waits_for_low_in_the_others():
    """A permit a second, three processes with a backlog of low: a high message waits for two of them on average."""
    limit = Limit("sms/slow", 1.0)
    clock, _, processes = fleet(4, limit)
    for one in processes[1:]:
        one.waiting = [0, 0, 999]
    run(clock, processes, 5)
    waits = []
    for _ in range(15):
        processes[0].waiting[0] = 1
        began = clock.now
        while processes[0].waiting[0]:
            run(clock, processes, 0.01)
        waits.append(clock.now - began)
        run(clock, processes, 2.3)
    assert sum(waits) / len(waits) <= 2.0
    assert max(waits) <= 6.0


def test_low_in_one_process_does_not_starve_while_high_never_ends_in_another():
    limit = Limit("sms/slow", 1.0)
    clock, _, (one, other) = fleet(2, limit)
    one.waiting, other.waiting = [999, 0, 0], [0, 0, 999]
    run(clock, [one, other], 60)
    assert len(one.started) >= 30
    assert len(other.started) >= 4


def test_what_is_handed_back_is_used_by_the_next():
    """A message that expired does not burn its permit."""
    clock, _, (one,) = fleet(1)
    one.waiting = [0, 1, 0]
    run(clock, [one], 2)
    one.stock.take(1, clock.now)
    one.waiting = [0, 4, 0]
    one.keep(clock.now)
    permit = one.stock.take(1, clock.now)
    assert isinstance(permit, Permit)
    before = one.store.asked
    one.stock.give_back(permit, clock.now)
    assert one.stock.take_returned()
    assert one.stock.take(0, clock.now) is permit
    assert one.store.asked == before


def test_what_nobody_asks_for_any_more_returns_to_the_store():
    """The permit of a slow limit that was not used is there for another process, not lost for its whole interval."""
    limit = Limit("sms/slow", 60.0)
    clock, store, (one, other) = fleet(2, limit)
    store.it.lease(limit, Ask())
    clock.now += 120
    one.waiting = [1, 0, 0]
    one.keep(clock.now)
    one.stock.take(0, clock.now)
    clock.now += 0.01
    one.keep(clock.now)
    one.waiting = [0, 0, 0]
    run(clock, [one], 3)
    other.waiting = [1, 0, 0]
    run(clock, [other], 1)
    assert other.waiting == [0, 0, 0]


def test_units_beyond_the_permit_are_paid_before_others_start():
    """A text message of four parts costs four; two of them in three are paid in time, not by an attempt."""
    clock, _, (one,) = fleet(1)
    one.waiting = [0, 5000, 0]
    run(clock, [one], 2)
    before = len(one.started)
    charged = [0]

    def each(now):
        for _ in range(len(one.started) - before - charged[0]):
            one.stock.owe(3)
            charged[0] += 1

    run(clock, [one], 20, each)
    assert (len(one.started) - before) * 4 == pytest.approx(50 * 20, rel=0.05)


def test_a_throttle_stops_all_until_its_moment_and_slows_them_then():
    """One process hears 429: nothing starts there, a lease later nowhere, and then at half the rate."""
    clock, _, processes = fleet(2)
    for one in processes:
        one.waiting = [0, 5000, 0]
    run(clock, processes, 5)
    told = clock.now
    processes[0].stock.block(10.0, told)
    run(clock, processes, 20)
    assert not [moment for moment, _ in processes[0].started if told < moment < told + 10 - HAIR]
    assert not [moment for moment, _ in processes[1].started if told + 0.6 < moment < told + 10 - HAIR]
    after = [one for one in moments_of(processes) if one >= told + 10]
    assert after
    assert after[0] <= told + 10.6
    assert len(after) / 10 == pytest.approx(25, rel=0.15)


def test_an_operator_is_told_of_a_throttle():
    """How long it holds yet, and then that the rate is half of what is allowed."""
    clock, _, (one,) = fleet(1)
    one.waiting = [0, 5000, 0]
    run(clock, [one], 2)
    assert one.stock.told(clock.now) == {"limit": 50.0, "rate": pytest.approx(50.0), "held": 0.0}
    one.stock.block(10.0, clock.now)
    assert one.stock.told(clock.now + 4)["held"] == pytest.approx(6.0)
    run(clock, [one], 12)
    told = one.stock.told(clock.now)
    assert told["held"] == 0.0
    assert 24 < told["rate"] < 30


def test_a_person_may_lift_a_block():
    """The row is looked up now and then: what stands there goes before what was heard."""
    clock, store, processes = fleet(2)
    for one in processes:
        one.waiting = [0, 500, 0]
    processes[0].stock.block(3600.0, clock.now)
    run(clock, processes, 3)
    assert not moments_of(processes)
    store.crash()
    run(clock, processes, 7)
    assert all(one.started for one in processes)


@pytest.mark.parametrize("crash", [False, True], ids=["silent", "crashed"])
@pytest.mark.parametrize("number", [1, 4])
def test_without_the_store_limits_hold_and_its_return_is_no_burst(number, crash):
    """Away: 0.8 of the rate over all. Back: within the bound in every window, and the whole rate again."""
    clock, store, processes = fleet(number)
    for one in processes:
        one.waiting = [100, 9000, 9000]
    run(clock, processes, 5)
    store.away = True
    began = clock.now
    run(clock, processes, 10)
    if crash:
        store.crash()
    store.away = False
    back = clock.now
    run(clock, processes, 15)
    moments = moments_of(processes)
    assert excess(moments) <= number - 1 + HAIR, "each process has a first permit of its own"
    while_away = [one for one in moments if began + 1 <= one < back]
    assert len(while_away) / (back - began - 1) == pytest.approx(0.8 * 50, rel=0.1)
    again = [one for one in moments if one > back + GRACE + 1]
    assert len(again) / (clock.now - back - GRACE - 1) == pytest.approx(50, rel=0.03)


def test_while_nobody_knows_how_many_share_it_nothing_is_given_without_the_store():
    clock = Clock()
    fallback = Fallback(LIMIT, lambda: None)
    fallback.store_silent(clock.now)
    assert fallback.take(clock.now + 100) > clock.now + 100
    assert fallback.allowance(clock.now) > 0


def test_a_store_that_hangs_is_taken_for_away():
    """The keeper's thread waits for it; the gate does not."""
    clock, _, (one,) = fleet(1)
    one.waiting = [1, 0, 0]
    one.stock.take(0, clock.now)
    assert one.stock.ask(one.waiting, clock.now, 0.0) is not None
    clock.now += 1.1
    one.stock.take(0, clock.now)
    assert one.stock.fallback.active
    clock.now += LIMIT.spent + 0.1
    assert isinstance(one.stock.take(0, clock.now), Permit)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.sampled_from([0.005, 0.02, 0.1, 1.0]),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 60)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_whatever_arrives_where_the_bound_holds(number, interval, burst, arrivals, dice):
    """Any arrivals at any process, some handed back, some lost: never above the bound; all start in the end."""
    limit = Limit("a", interval, burst=burst)
    clock, _, processes = fleet(number, limit)
    queue = list(arrivals)

    def each(now):
        if queue and dice.random() < 0.05:
            where, rank, many = queue.pop()
            processes[where % number].waiting[rank] += many

    run(clock, processes, 6, each, tick=0.01)
    assert excess(moments_of(processes), limit) <= HAIR
    waiting = sum(sum(one.waiting) for one in processes)
    if waiting:
        assert len(moments_of(processes)) >= math.floor(0.5 / interval) - 1 or queue
