"""Rates and shares are read off the provider's calls, in the stretch of time that counts and no other."""

import pytest

from benchmarks.windows import SECOND, farthest, fullest, last_of, rate, timeline

CALLS = [(second * SECOND, lane) for second in range(10) for lane in ("a", "b", "b")]


def test_calls_stand_in_their_order_with_their_lane():
    """The ledger is in the order of writes, not of moments."""
    assert timeline({"x": 2, "y": 1}, {"x": "a", "y": "b"}) == [(1, "b"), (2, "a")]


def test_a_rate_counts_its_stretch_and_its_lanes():
    """From its begin on, and its end no longer."""
    assert rate(CALLS, 0, 5) == 3
    assert rate(CALLS, 0, 5, ["b"]) == 2
    assert rate(CALLS, 8 * SECOND, 4) == 1.5


@pytest.mark.parametrize(
    ("weights", "off"),
    [({"a": 1, "b": 2}, 1.0), ({"a": 1, "b": 1}, 4 / 3), ({"a": 1, "b": 2, "c": 1}, 2.0)],
    ids=["exact", "a third off", "one lane had nothing"],
)
def test_the_lane_farthest_from_its_share_counts(weights, off):
    """A mean over the lanes would hide one that starves."""
    assert farthest(CALLS, 0, 10, weights) == pytest.approx(off)


def test_no_calls_are_no_share():
    """Nothing measured is not 'exact'."""
    with pytest.raises(ValueError, match="no calls"):
        farthest(CALLS, 20 * SECOND, 1, {"a": 1})


def test_the_fullest_window_is_found_wherever_it_is():
    """Ten at once where six are allowed, at the end of a slow stream that takes what it may and no more."""
    moments = [second * SECOND for second in range(10)] + [20 * SECOND] * 10
    assert fullest(moments, rate=1.0, burst=5, lease=1.0) == pytest.approx(10 / 6)
    assert fullest(moments[:10], rate=1.0, burst=0, lease=1.0) == pytest.approx(1.0)


def test_lanes_fall_idle_with_their_last_call():
    """Whatever others go on doing."""
    assert last_of([*CALLS, (20 * SECOND, "c")], ["a", "b"]) == 9 * SECOND
