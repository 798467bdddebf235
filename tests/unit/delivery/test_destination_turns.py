"""A chat that may not be sent to now gets its messages back one by one, and holds up no other chat."""

import heapq
import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from notifier.delivery.destination_turns import LONGEST, DestinationTurns
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.limits import Limit
from notifier.storage.limit_stores import LocalLimits

HIGH, LOW = (Lane(Channel.CHAT, priority) for priority in (Priority.HIGH, Priority.LOW))


class Clock:
    now = 5000.0

    def __call__(self):
        return self.now


def limit(rate, burst=1):
    return Limit("chat/ops", 1 / rate, burst, 0.01)


def test_without_a_rate_there_is_nothing_to_wait_for():
    assert DestinationTurns().wait(HIGH, "ops") == 0.0
    turns = DestinationTurns({"ops": limit(1)}, LocalLimits())
    assert turns.wait(HIGH, "dev") == 0.0


@given(number=st.integers(1, 40), rate=st.integers(1, 20), processes=st.integers(1, 3))
def test_all_are_sent_within_the_rate_however_many_processes_ask(number, rate, processes):
    """Live: each asking is either sent or put off, and all are sent in about number / rate seconds."""
    clock = Clock()
    store = LocalLimits(clock)
    fleet = [DestinationTurns({"ops": limit(rate)}, store, clock=clock) for _ in range(processes)]
    due = [(clock.now, one) for one in range(number)]
    sent, asked, began = [], 0, clock.now
    while due:
        clock.now, one = heapq.heappop(due)
        asked += 1
        wait = fleet[asked % processes].wait(HIGH, "ops")
        if wait:
            heapq.heappush(due, (clock.now + wait, one))
        else:
            sent.append(clock.now)
        assert asked < 50 * number * processes
    took = sent[-1] - began
    assert number <= 1 + rate * (took + 0.011)
    assert took <= (number / rate + 1) * (processes + 1)


def test_a_backlog_of_one_that_is_out_does_not_come_back_all_at_once():
    """However fast it was claimed: of 20,000 few come back in any one second, none later than the longest."""
    clock = Clock()
    turns = DestinationTurns(clock=clock)
    back, waits = Counter(), []
    for _ in range(20_000):
        waits.append(turns.put_off(HIGH, "ops", 5.0))
        back[int(clock.now + waits[-1])] += 1
        clock.now += 0.001
    assert min(waits) >= 5.0
    assert max(waits) <= LONGEST
    assert max(back.values()) <= 2 * 20_000 / (LONGEST / 2)


def test_a_priority_does_not_queue_behind_anothers_backlog():
    clock = Clock()
    turns = DestinationTurns({"ops": limit(1)}, LocalLimits(clock), clock=clock)
    waits = [turns.put_off(LOW, "ops", 1.0) for _ in range(50)]
    steps = [later - earlier for earlier, later in itertools.pairwise(waits)]
    assert all(abs(step - 1.0) < 1e-6 for step in steps)
    assert turns.put_off(HIGH, "ops", 1.0) == 1.0
    assert turns.put_off(LOW, "dev", 1.0) == 1.0


def test_what_a_provider_said_holds_for_every_process():
    """A 429 anywhere is in storage soon: nothing is given until it is over."""
    clock = Clock()
    store = LocalLimits(clock)
    turns = DestinationTurns({"ops": limit(100)}, store, clock=clock)
    turns.wait(HIGH, "ops")
    clock.now += 1
    assert turns.wait(HIGH, "ops") == 0.0
    from notifier.domain.limits import Ask

    store.lease(limit(100), Ask(block=7.0))
    assert turns.wait(HIGH, "ops") >= 6.9


def test_without_storage_it_is_asked_again_soon():
    class Away:
        def lease(self, limit, ask):
            raise OperationalError("select", {}, Exception("away"))

    assert DestinationTurns({"ops": limit(1)}, Away()).wait(HIGH, "ops") == 1.0
