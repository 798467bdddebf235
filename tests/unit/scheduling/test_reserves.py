"""A reserve idles only while it shortens a wait that would be too long, and never more than a quarter."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.scheduling.policy import Policy
from notifier.scheduling.reserves import Reserve, sizes, unused


@given(st.integers(1, 256), st.floats(0, 1e4), st.floats(0, 1e4))
def test_reserves_are_their_demand_and_one_and_a_quarter_at_most(threads, high, medium):
    found = sizes(Policy(threads=threads), (high, medium))
    assert 0 <= sum(found) <= threads // 4
    assert found[0] <= min(-(-threads // 8), 1 + -(-high // 1))
    assert found[1] <= min(-(-threads // 16), 1 + -(-medium // 1))


def test_high_comes_before_medium():
    assert sizes(Policy(threads=4), (9, 9)) == (1, 0)
    assert sizes(Policy(threads=32), (9, 9)) == (4, 2)
    assert sizes(Policy(threads=32), (0.1, 0.0)) == (2, 1)


def test_what_a_class_asked_for_long_ago_keeps_it_no_second_thread():
    """Demand halves every three seconds and never ends: less than a twentieth of a thread is within the one on top."""
    assert sizes(Policy(threads=32), (0.0003, 0.05)) == (1, 1)
    assert sizes(Policy(threads=32), (0.051, 1.051)) == (2, 2)
    assert sizes(Policy(threads=64), (1.05, 1.06)) == (2, 3)


def test_it_is_engaged_above_the_goal_and_released_after_five_seconds_below():
    reserve = Reserve(goal=0.005, release_after=5.0)
    reserve.look(0.0, 0.004, True, 2)
    assert reserve.threads == 0
    reserve.look(1.0, 0.006, True, 2)
    assert reserve.threads == 2
    reserve.look(2.0, 0.004, True, 2)
    reserve.look(6.9, 0.004, True, 2)
    assert reserve.threads == 2
    reserve.look(7.0, 0.004, True, 2)
    assert reserve.threads == 0


def test_it_is_released_at_once_far_below_the_goal_and_when_its_class_is_gone():
    reserve = Reserve(goal=0.005, release_after=5.0)
    for wait, active in ((0.002, True), (1.0, False)):
        reserve.look(0.0, 1.0, True, 2)
        assert reserve.engaged
        reserve.look(0.1, wait, active, 2)
        assert not reserve.engaged


@given(st.tuples(st.integers(0, 8), st.integers(0, 8)), st.tuples(st.integers(0, 16), st.integers(0, 16)))
def test_what_a_class_uses_is_not_kept_twice(kept, fresh):
    high, medium = unused(kept, fresh)
    assert high == max(0, kept[0] - fresh[0])
    assert 0 <= medium <= kept[1]
    if sum(fresh) >= sum(kept) and fresh[0] >= kept[0]:
        assert (high, medium) == (0, 0), "high that is beyond its own uses medium's"
