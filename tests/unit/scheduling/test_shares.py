"""Shares are max-min fair by weight and never more than there is; budgets rise at once and do not flap."""

import math

from hypothesis import given
from hypothesis import strategies as st

from notifier.scheduling.lanes import LaneState
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.resources import Resource
from notifier.scheduling.shares import set_budget, shares_of, water_fill

ROUNDING = 1e-6
weights = st.floats(0.1, 100)
amounts = st.floats(0, 100)


@given(amounts, st.lists(st.tuples(weights, st.floats(0, 1e7)), min_size=1, max_size=12))
def test_nobody_gets_more_than_its_limit_and_all_no_more_than_there_is(amount, parties):
    by_weight, limits = zip(*parties, strict=True)
    shares = water_fill(amount, by_weight, limits)
    assert all(0 <= share <= limit for share, limit in zip(shares, limits, strict=True))
    assert math.isclose(sum(shares), min(amount, sum(limits)), rel_tol=ROUNDING, abs_tol=ROUNDING)


@given(amounts, st.lists(st.tuples(weights, st.floats(0, 100)), min_size=2, max_size=12))
def test_who_gets_less_than_it_wants_has_no_less_by_weight_than_anybody(amount, parties):
    """Max-min fairness: nothing can be given to it without taking from someone who has no more."""
    by_weight, limits = zip(*parties, strict=True)
    shares = water_fill(amount, by_weight, limits)
    rates = [share / weight for share, weight in zip(shares, by_weight, strict=True)]
    for rate, share, limit in zip(rates, shares, limits, strict=True):
        if share < limit - ROUNDING:
            assert rate >= max(rates) - ROUNDING


def test_ten_million_waiting_earn_no_more_than_a_thousand():
    assert water_fill(8, [1, 1], [1e7, 1e3]) == [4, 4]


def lanes_of(policy, *wanted):
    """Lanes with these (rank, resource, demand)."""
    resources = {name: Resource(name, policy) for _, name, _ in wanted}
    found = []
    for number, (rank, name, demand) in enumerate(wanted):
        lane = LaneState(LaneOptions(f"{number}", rank, name), policy, resources[name])
        lane.demand = demand
        found.append(lane)
    return found


@given(
    st.integers(1, 64),
    st.lists(
        st.tuples(st.sampled_from(Rank), st.sampled_from("abc"), st.just(0.0) | st.floats(0.01, 1e4)),
        min_size=1,
    ),
    st.data(),
)
def test_shares_keep_to_the_threads_and_to_each_bulkhead(threads, wanted, data):
    policy = Policy(threads=threads)
    lanes = lanes_of(policy, *wanted)
    caps = {
        name: float(data.draw(st.integers(1, threads))) for name in {lane.resource.name for lane in lanes}
    }
    shares = shares_of(threads, lanes, caps)
    assert sum(shares) <= threads + ROUNDING
    for name, cap in caps.items():
        assert (
            sum(s for s, lane in zip(shares, lanes, strict=True) if lane.resource.name == name)
            <= cap + ROUNDING
        )
    for share, lane in zip(shares, lanes, strict=True):
        assert lane.demand or not share, "who asks for nothing gets nothing"


def test_what_nobody_asked_for_is_divided_by_weight_among_those_who_ask():
    lanes = lanes_of(
        Policy(threads=14),
        (Rank.HIGH, "a", 1.0),
        (Rank.MEDIUM, "b", 1.0),
        (Rank.LOW, "c", 1.0),
        (Rank.HIGH, "d", 0.0),
    )
    shares = shares_of(10, lanes, dict.fromkeys("abcd", 10.0))
    assert [round(share, 6) for share in shares] == [5, 3, 2, 0]


@given(st.lists(st.floats(0, 8), min_size=1, max_size=600))
def test_a_budget_rises_at_once_and_falls_at_most_twice_a_minute(shares):
    policy = Policy(threads=8)
    (lane,) = lanes_of(policy, (Rank.LOW, "a", 1.0))
    lowered = []
    for turn, share in enumerate(shares):
        now, before = turn * 0.25, lane.budget
        lane.share = share
        set_budget(lane, now, policy)
        assert lane.budget >= max(1, math.ceil(share - ROUNDING))
        if lane.budget < before:
            lowered.append(now)
    for begin in lowered:
        assert sum(begin <= at < begin + 60 for at in lowered) <= 2
