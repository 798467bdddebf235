"""Who is beyond its tenant's quota gets a moment of its own to come back at, and nobody is lost."""

import heapq
import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from notifier.delivery.tenant_turns import LONGEST, TenantTurns
from notifier.domain.quotas import Quota
from notifier.storage.limit_stores import LocalLimits


class Clock:
    now = 5000.0

    def __call__(self):
        return self.now


def test_those_that_wait_come_back_one_interval_after_another():
    clock = Clock()
    turns = TenantTurns({"acme": Quota(2, 1)}, LocalLimits(clock), 0.01, clock=clock)
    assert [turns.wait("acme") for _ in range(2)] == [0.0, 0.0]
    waits = [turns.wait("acme") for _ in range(5)]
    steps = [later - earlier for earlier, later in itertools.pairwise(waits)]
    assert all(abs(step - 0.5) < 0.02 for step in steps)
    assert turns.wait("other") == 0.0


def test_nobody_is_put_off_for_longer_than_an_hour():
    clock = Clock()
    turns = TenantTurns({"acme": Quota(1, 3600)}, LocalLimits(clock), 0.01, clock=clock)
    assert turns.wait("acme") == 0.0
    waits = [turns.wait("acme") for _ in range(9)]
    assert all(LONGEST / 2 <= wait <= LONGEST for wait in waits)


def test_a_backlog_of_many_hours_does_not_come_back_all_at_once():
    """However fast they were claimed: of 20,000, most of them beyond the hour, few come back in any one second."""
    clock = Clock()
    turns = TenantTurns({"acme": Quota(1, 1)}, LocalLimits(clock), 0.01, clock=clock)
    back = Counter()
    for _ in range(20_000):
        back[int(clock.now + turns.wait("acme"))] += 1
        clock.now += 0.002
    assert max(back.values()) <= 2 * (20_000 / (LONGEST / 2) + 1)


@given(number=st.integers(1, 60), rate=st.integers(1, 20), processes=st.integers(1, 4))
def test_all_are_sent_within_the_quota_however_many_processes_ask(number, rate, processes):
    """Live: each asking is either sent or put off, and all are sent in about number / rate seconds."""
    clock, quota = Clock(), Quota(rate, 1)
    store = LocalLimits(clock)
    fleet = [TenantTurns({"acme": quota}, store, 0.01, clock=clock) for _ in range(processes)]
    due = [(clock.now, one) for one in range(number)]
    sent, asked, began = [], 0, clock.now
    while due:
        clock.now, one = heapq.heappop(due)
        asked += 1
        wait = fleet[asked % processes].wait("acme")
        if wait:
            heapq.heappush(due, (clock.now + wait, one))
        else:
            sent.append(clock.now)
        assert asked < 50 * number * processes
    took = sent[-1] - began
    assert len(sent) == number
    assert number <= rate * (1 + took + 0.011)
    assert took <= (number / rate + 1) * (processes + 1)


def test_without_storage_it_is_asked_again_soon():
    class Away:
        def lease(self, limit, ask):
            raise OperationalError("select", {}, Exception("away"))

    assert TenantTurns({"acme": Quota(1, 1)}, Away(), 0.01).wait("acme") == 1.0
