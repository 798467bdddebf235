"""Prefetch: up at once where threads would idle, else rarely; never beyond its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.prefetch import LEAST, MOST, PrefetchSizes, wanted_prefetch
from notifier.scheduling.scheduler import Scheduler

THREADS = 32


@pytest.fixture
def scheduler():
    found = Scheduler(Policy(threads=THREADS), [LaneOptions("low", Rank.LOW)])
    found.ticked_at = 100.0
    return found


@given(st.integers(0, 10_000), st.floats(0, 1e6))
def test_it_is_never_beyond_its_bounds(threads, rate):
    assert LEAST <= wanted_prefetch(threads, rate) <= MOST


def test_a_lane_that_borrows_has_twice_the_messages_of_its_next_look_at_once(scheduler):
    """Seven at hand for a budget of three: when the others fall idle, all threads are fed within a few looks."""
    lane = scheduler.lanes["low"]
    sizes, size = PrefetchSizes(2 * THREADS), 2 * THREADS
    lane.budget = 3
    assert sizes.due(scheduler) == {"low": 6}
    size, looks = 6, 0
    while size < THREADS:
        looks += 1
        lane.running = min(size, THREADS)
        scheduler.ticked_at += 0.25
        size = sizes.due(scheduler)["low"]
    assert looks <= 3


def test_a_little_more_waits_for_a_second_and_less_for_five(scheduler):
    lane, sizes = scheduler.lanes["low"], PrefetchSizes(10)
    lane.budget = 10
    assert sizes.due(scheduler) == {"low": 20}
    lane.budget = 15
    scheduler.ticked_at += 0.5
    assert sizes.due(scheduler) == {}
    scheduler.ticked_at += 0.5
    assert sizes.due(scheduler) == {"low": 30}
    lane.budget = 4
    scheduler.ticked_at += 4.5
    assert sizes.due(scheduler) == {}
    scheduler.ticked_at += 0.5
    assert sizes.due(scheduler) == {"low": 8}
