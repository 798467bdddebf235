"""A breaker opens for a provider's own faults and for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.breaker import BreakerPolicy, Health, Window, health_of
from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Deferred, Refused, Uncertain

POLICY = BreakerPolicy(calls=10)


@pytest.mark.parametrize(
    ("outcome", "health"),
    [
        (Accepted("r"), Health.WELL),
        (Refused(Reason.INVALID_RECIPIENT), Health.WELL),
        (Refused(Reason.CONTENT_REJECTED), Health.WELL),
        (Refused(Reason.PROVIDER_REJECTED), Health.WELL),
        (Deferred(Reason.THROTTLED, 30), Health.WELL),
        (Deferred(Reason.PROVIDER_UNAVAILABLE, 300), Health.WELL),
        (Deferred(Reason.PROVIDER_UNAVAILABLE), Health.ILL),
        (Deferred(Reason.PROVIDER_TIMEOUT), Health.ILL),
        (Uncertain(), Health.ILL),
        (Deferred(Reason.AUTH_FAILED), Health.CONFIG),
    ],
)
def test_what_an_answer_says_of_its_provider(outcome, health):
    """A recipient, a content, a rate and a wait that was asked for are no fault of the provider's."""
    assert health_of(outcome) is health


def fill(window, *calls, now=100.0):
    """The verdict after each of these calls: "w"ell, "i"ll, "s"low."""
    verdicts = []
    for call in "".join(calls):
        health = Health.ILL if call == "i" else Health.WELL
        verdicts.append(window.add(health, 20.0 if call == "s" else 0.1, now))
    return verdicts


def test_half_of_ten_calls_or_more_are_enough():
    assert fill(Window(POLICY), "wiwiwiwiw") == [None] * 9
    assert fill(Window(POLICY), "wiwiwiwiwi")[-1] == "errors"
    assert fill(Window(POLICY), "wwiwwiwwiw" * 3) == [None] * 30


def test_five_in_a_row_are_enough_however_long_it_takes():
    """A provider that gets a message an hour is out as well."""
    window = Window(POLICY)
    verdicts = [window.add(Health.ILL, 0.1, 3600.0 * hour) for hour in range(5)]
    assert verdicts == [None] * 4 + ["errors"]


def test_slow_calls_are_as_bad_as_failed_ones():
    assert fill(Window(POLICY), "swswswswsw")[-1] == "slow"
    assert fill(Window(POLICY), "swwwswwwsw")[-1] is None


def test_wrong_credentials_are_enough_by_themselves():
    assert Window(POLICY).add(Health.CONFIG, 0.1, 0.0) == "config"


def test_what_is_older_than_the_window_does_not_count():
    window = Window(POLICY)
    fill(window, "iwiwiwiw", now=100.0)
    assert fill(window, "wwiwwwiw", now=131.0) == [None] * 8
    assert window.told(131.0)["calls"] == 8


def test_after_a_recovery_the_past_is_forgotten():
    window = Window(POLICY)
    fill(window, "wiwiwiwiwi")
    window.clear()
    assert fill(window, "iiii") == [None] * 4
    assert window.told(100.0)["errors"] == 1


def test_waits_double_up_to_the_longest():
    assert [POLICY.wait(number) for number in (1, 2, 3, 4, 5, 99)] == [5, 10, 20, 40, 60, 60]


def test_the_percentile_is_of_the_window():
    window = Window(POLICY)
    for number in range(100):
        window.add(Health.WELL, number / 10, 100.0)
    assert window.told(100.0)["p95"] == 9.4
    assert window.told(200.0)["p95"] == 0


@given(st.lists(st.tuples(st.sampled_from(Health), st.floats(0, 60), st.floats(0, 40)), max_size=60))
def test_no_healthy_provider_is_taken_out(calls):
    """Whatever the pace: a verdict needs a call that was ill or slow, and says which."""
    window, now = Window(POLICY), 0.0
    seen: list[Health] = []
    slow = False
    for health, seconds, pause in calls:
        now += pause
        verdict = window.add(health, seconds, now)
        seen.append(health)
        slow = slow or seconds >= POLICY.slow_seconds
        if verdict == "errors":
            assert {Health.ILL, Health.CONFIG} & set(seen)
        elif verdict == "slow":
            assert slow
        elif verdict == "config":
            assert health is Health.CONFIG
