"""Permits of one limit between its priorities: by weight, high first, low never at zero."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.permit_shares import share

WEIGHTS = (4.0, 2.0, 1.0)
NOTHING = (0.0, 0.0, 0.0)

needs = st.lists(st.integers(0, 60), min_size=3, max_size=3)
carries = st.lists(st.floats(-1, 1), min_size=3, max_size=3)


def total(turns, permits, wanted, weights=WEIGHTS):
    """What each priority got in so many turns."""
    carried, got = list(NOTHING), [0, 0, 0]
    for _ in range(turns):
        given_, carried = share(permits, wanted, weights, carried)
        got = [a + b for a, b in zip(got, given_, strict=True)]
    return got


@given(st.integers(0, 200), needs, carries)
def test_all_is_given_that_somebody_needs_and_nobody_gets_more(permits, wanted, carried):
    got, kept = share(permits, wanted, WEIGHTS, carried)
    assert sum(got) == min(permits, sum(wanted))
    assert all(0 <= one <= need for one, need in zip(got, wanted, strict=True))
    assert all(-1 <= one <= 1 for one in kept)


@given(st.integers(1, 50), st.integers(1, 60))
def test_high_comes_first(permits, waiting):
    """The first permit is high's, whoever else waits; where all are needed it has the most."""
    got, _ = share(permits, (waiting, 60, 60), WEIGHTS, NOTHING)
    assert got[0] >= 1
    assert got[0] >= min(waiting, round(permits * 4 / 7) - 1, max(got) - 1)


@given(st.integers(1, 30))
def test_low_never_starves_and_in_the_long_run_the_weights_hold(permits):
    """However few permits there are at once: after seven turns of one low has had its own."""
    high, medium, low = total(7, permits, (999, 999, 999))
    assert abs(high - 4 * permits) <= 1
    assert abs(medium - 2 * permits) <= 1
    assert abs(low - permits) <= 1


def test_one_at_a_time_goes_to_each_in_turn():
    order, carried = "", list(NOTHING)
    for _ in range(14):
        got, carried = share(1, (9, 9, 9), WEIGHTS, carried)
        order += "HML"[got.index(1)]
    assert order == "HHMHMHL" * 2


def test_what_one_does_not_need_goes_to_the_others():
    assert share(10, (1, 50, 50), WEIGHTS, NOTHING)[0] == [1, 6, 3]
    assert share(10, (0, 0, 50), WEIGHTS, NOTHING)[0] == [0, 0, 10]


def test_who_was_quiet_has_saved_nothing_up():
    _, carried = share(1, (9, 9, 0), WEIGHTS, NOTHING)
    assert carried[2] == 0
    assert share(1, (0, 9, 9), WEIGHTS, carried)[1][0] == 0
