"""The arithmetic of rate limits: what is given, to however many, stays under the bound."""

import math
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.limits import LEAST_PACE, Ask, Bucket, Limit, lease, usual_burst
from notifier.domain.rates import parse_rate, show_rate

LIMIT = Limit("email/ses", 0.1, burst=3)
HAIR = 1e-6

limits = st.builds(
    Limit,
    st.just("a"),
    st.sampled_from([0.0005, 0.01, 0.03, 0.1, 1 / 3, 1.0, 7.0]),
    burst=st.integers(1, 12),
    lead=st.sampled_from([0.05, 0.25, 1.0]),
)
asks = st.lists(
    st.tuples(
        st.floats(0, 2, allow_nan=False),
        st.integers(0, 40),
        st.sampled_from(["", "", "", "", "crash", "empty", "back", "block"]),
    ),
    max_size=60,
)


def moments_of(limit, turns, *, crashes=True):
    """Every permit that was given and kept, as the moments it may be used from and until, and the buckets."""
    now, bucket, kept, last = 1000.0, None, [], None
    for pause, wanted, event in turns:
        now += pause * limit.lead * 3
        if event == "crash" and crashes:
            bucket = None
        ask = Ask(wanted=wanted, empty=event == "empty", block=0.3 if event == "block" else 0.0)
        if event == "back" and last is not None and last.granted:
            back = last.granted - last.granted // 2
            ask = Ask(wanted=wanted, back=back, back_end=last.end, back_interval=last.interval)
            if bucket is not None and bucket.end == last.end:
                del kept[-back:]
        bucket, last = lease(limit, bucket, ask, now)
        for number in range(last.granted):
            moment = now + last.first + number * last.interval
            kept.append((moment - limit.tolerance, moment + limit.lead, now))
    return kept


@settings(max_examples=100, deadline=None)
@given(limits, asks)
def test_whoever_uses_permits_whenever_he_may_stays_under_the_bound(limit, turns):
    """In any window W: at most burst + rate x (W + lease), also where the bucket was lost or not counted by."""
    kept = moments_of(limit, turns)
    begins = sorted(begin for begin, _, _ in kept)
    untils = sorted(until for _, until, _ in kept)
    edges = sorted({*begins, *untils})
    for first in edges[:: max(1, len(edges) // 40)]:
        for last in (edge for edge in edges[:: max(1, len(edges) // 40)] if edge >= first):
            inside = bisect_right(begins, last + HAIR) - bisect_left(untils, first - HAIR)
            allowed = limit.burst + (last - first + limit.lead) / limit.interval
            # All that could be used inside, had everybody waited for just this window.
            assert inside <= math.floor(allowed + 1e-3)


@given(limits, asks)
def test_nothing_is_given_that_may_be_used_only_later_than_a_lease(limit, turns):
    assert all(begin <= now + limit.lead + HAIR for begin, _, now in moments_of(limit, turns))


@given(limits, st.integers(2, 30))
def test_who_asks_in_time_gets_the_whole_rate(limit, rounds):
    """Asking each 0.8 leases for more than there is: nothing of the rate is lost, once the burst is back."""
    now, total = 500.0, 0
    bucket = Bucket(0.0)
    for _ in range(rounds):
        bucket, given_ = lease(limit, bucket, Ask(wanted=10_000), now)
        total += given_.granted
        now += 0.8 * limit.lead
    elapsed = now - 0.8 * limit.lead - 500.0
    assert abs(total - (limit.burst + (elapsed + limit.lead) / limit.interval)) <= 1 + HAIR


def test_the_first_ask_of_an_idle_limit_gets_burst_and_a_lease():
    """3 at once and a quarter of a second's worth ahead, at least one permit however slow the limit."""
    _, answer = lease(LIMIT, Bucket(0.0), Ask(wanted=99), 50.0)
    assert (answer.granted, answer.first) == (5, 0.0)
    _, slow = lease(Limit("a", 3600.0), Bucket(0.0), Ask(wanted=99), 50.0)
    assert slow.granted == 1
    assert slow.wait == pytest.approx(3600 - 0.25)


def test_a_bucket_that_is_missing_is_made_anew_with_its_burst_spent():
    """Whatever had been given before the crash, nothing comes on top of it."""
    bucket, _ = lease(LIMIT, Bucket(0.0), Ask(wanted=99), 50.0)
    anew, answer = lease(LIMIT, None, Ask(wanted=99), 50.0)
    assert answer.granted == 0
    assert anew.end >= bucket.end
    assert lease(LIMIT, anew, Ask(wanted=99), 50.0 + answer.wait)[1].granted == 1


def test_a_block_gives_nothing_until_it_is_over_and_then_no_rush():
    """Retry-After is never undercut; the shorter of two blocks changes nothing."""
    bucket, answer = lease(LIMIT, Bucket(0.0), Ask(wanted=5, block=30), 100.0)
    assert (answer.granted, answer.blocked) == (0, 30)
    bucket, answer = lease(LIMIT, bucket, Ask(wanted=5, block=3), 101.0)
    assert (answer.granted, answer.blocked) == (0, 29)
    assert 101 + answer.wait == pytest.approx(130 - LIMIT.lead)
    _, answer = lease(LIMIT, bucket, Ask(wanted=99), 130.0)
    assert answer.granted == math.floor(LIMIT.lead / LIMIT.interval) + 1
    assert answer.first - LIMIT.tolerance == pytest.approx(0)


def test_a_throttle_halves_the_rate_once_and_it_comes_back_slowly():
    """Calls that were under way say it again: no second halving. It grows by what was set."""
    limit = Limit("a", 0.1, recovery=80.0)
    bucket, _ = lease(limit, Bucket(0.0), Ask(block=10, slow=True), 100.0)
    bucket, answer = lease(limit, bucket, Ask(block=10, slow=True), 101.0)
    assert answer.interval == pytest.approx(0.2)
    bucket, answer = lease(limit, bucket, Ask(block=10, slow=True), 150.0)
    assert answer.interval == pytest.approx(0.1 / ((0.5 + 40 / 80) / 2))
    bucket, answer = lease(limit, bucket, Ask(block=10), 170.0)
    assert answer.interval == pytest.approx(0.1 / (0.5 + 10 / 80)), "where throttles are not to slow it"
    bucket = Bucket(0.0, pace=LEAST_PACE, paced_at=0.0)
    assert lease(limit, bucket, Ask(), 40.0)[1].interval == pytest.approx(0.1 / (LEAST_PACE + 0.5))
    assert lease(limit, bucket, Ask(), 80.0)[1].interval == pytest.approx(0.1)


def test_units_beyond_a_permit_are_paid_back_before_anything_else_is_given():
    bucket, answer = lease(LIMIT, Bucket(0.0), Ask(wanted=1, debt=20), 100.0)
    assert answer.granted == 0
    assert answer.wait == pytest.approx(20 * 0.1 - LIMIT.horizon)
    assert lease(LIMIT, bucket, Ask(wanted=1), 100.0 + answer.wait)[1].granted == 1


def test_what_returns_is_given_to_somebody_else_unless_others_took_after_it():
    """Permits in the midst of others' can't return: those moments would be used twice."""
    bucket, mine = lease(LIMIT, Bucket(0.0), Ask(wanted=5), 100.0)
    back = Ask(wanted=5, back=2, back_end=mine.end, back_interval=mine.interval)
    assert lease(LIMIT, bucket, back, 100.0)[1].granted == 2
    bucket, _ = lease(LIMIT, bucket, Ask(wanted=5), 100.3)
    assert lease(LIMIT, bucket, back, 100.3)[1].granted == 0


def test_a_clock_that_was_set_back_by_a_day_does_not_stop_a_limit_for_a_day():
    _, answer = lease(LIMIT, Bucket(86_400.0), Ask(wanted=1), 100.0)
    assert answer.wait == pytest.approx(LIMIT.interval * 1001)


@pytest.mark.parametrize(
    "wrong", [{"interval": 0.0}, {"interval": 0.1, "burst": 0}, {"interval": 0.1, "lead": 0.0}]
)
def test_a_limit_that_could_not_work_is_refused(wrong):
    with pytest.raises(ValueError, match="limit a"):
        Limit("a", **wrong)


@pytest.mark.parametrize(
    ("text", "rate"), [("14/s", 14.0), ("600/m", 10.0), ("0.5/s", 0.5), ("1800/h", 0.5), ("100000/s", 1e5)]
)
def test_rates_as_people_write_them(text, rate):
    assert parse_rate(text) == pytest.approx(rate)
    assert parse_rate(show_rate(rate)) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "14", "/s", "14/d", "-1/s", "0/s", "1e3/s", "14 /s", "1000000/s", "0.001/x", "\u0661/s"]
)
def test_what_is_no_rate_is_refused_with_what_is(text):
    with pytest.raises(ValueError, match="14/s"):
        parse_rate(text)


def test_the_usual_burst_is_a_fifth_of_a_second_s_worth():
    assert [usual_burst(rate) for rate in (0.01, 5.0, 9.0, 10.0, 50.0, 1000.0)] == [1, 1, 1, 2, 10, 200]
