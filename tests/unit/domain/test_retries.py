"""The retry policy: waits that grow and scatter, Retry-After obeyed, and the few ways to give up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.retries import (
    DEFAULT_POLICY,
    DEFAULT_TTL,
    MIN_WAIT,
    TRANSIENT,
    GiveUp,
    RetryPolicy,
    RuleKey,
    Schedule,
    Wait,
    spends_attempt,
)

ALMOST_ONE = 1 - 2**-53
EVER = 1e9


def decide(
    reason=Reason.PROVIDER_UNAVAILABLE, attempt=1, *, priority=Priority.HIGH, policy=DEFAULT_POLICY, **more
):
    facts = {"jitter": ALMOST_ONE, "seconds_left": EVER, **more}
    return policy.decide(Channel.EMAIL, priority, reason, attempt, **facts)


@pytest.mark.parametrize(
    ("priority", "bounds"),
    [
        (Priority.HIGH, [1, 2, 4, 8, 16, 32, 60, 60]),
        (Priority.MEDIUM, [10, 20, 40, 80, 160, 320, 600, 600]),
        (Priority.LOW, [60, 120, 240, 480, 960, 1920, 3600, 3600]),
    ],
)
def test_waits_double_up_to_the_priorities_cap(priority, bounds):
    waits = [decide(attempt=n, priority=priority).seconds for n in range(1, 9)]
    assert waits == pytest.approx(bounds)


def test_jitter_is_full_and_never_a_busy_loop():
    """The wait is drawn from all of zero to the bound, above a floor."""
    assert decide(attempt=3, jitter=0.5) == Wait(2.0)
    assert decide(attempt=3, jitter=0.0) == Wait(MIN_WAIT)
    assert 0 < MIN_WAIT <= 1


def test_a_million_attempts_overflow_nothing():
    assert decide(attempt=1_000_000).seconds == pytest.approx(60)


@pytest.mark.parametrize("reason", sorted(TRANSIENT - {Reason.UNCERTAIN}))
def test_transient_reasons_are_tried_again_until_expiry(reason):
    """No number of tries ends them."""
    assert isinstance(decide(reason, attempt=500), Wait)
    assert decide(reason, attempt=500, seconds_left=1.0) == GiveUp(Reason.EXPIRED)


@pytest.mark.parametrize("reason", sorted(set(Reason) - TRANSIENT))
def test_permanent_reasons_are_never_tried_again(reason):
    assert decide(reason, attempt=1) == GiveUp(reason)


def test_retry_after_is_never_undercut_and_never_shortens_our_own_wait():
    assert decide(jitter=0.0, not_before=300.0) == Wait(300.0)
    assert decide(attempt=6, not_before=1.0).seconds == pytest.approx(32)


def test_a_wait_that_would_end_after_expiry_ends_the_notification_now():
    assert decide(not_before=300.0, seconds_left=300.0) == GiveUp(Reason.EXPIRED)
    assert decide(not_before=300.0, seconds_left=300.1) == Wait(300.0)
    assert decide(seconds_left=-5.0) == GiveUp(Reason.EXPIRED)


def test_what_may_have_been_sent_is_sent_again_twice_at_most():
    endings = [decide(Reason.UNCERTAIN, attempt=n) for n in (1, 2, 3)]
    assert isinstance(endings[0], Wait)
    assert isinstance(endings[1], Wait)
    assert endings[2] == GiveUp(Reason.UNCERTAIN)


def test_only_uncertain_attempts_count_against_the_resends():
    """A first unknown ending after many deferred attempts is still sent again."""
    assert isinstance(decide(Reason.UNCERTAIN, attempt=9, uncertain=1), Wait)
    assert decide(Reason.UNCERTAIN, attempt=9, uncertain=3) == GiveUp(Reason.UNCERTAIN)


def test_a_reasons_row_goes_first_and_alone_caps_tries():
    policy = RetryPolicy(
        by_priority=DEFAULT_POLICY.by_priority,
        by_reason={
            RuleKey(Reason.PROVIDER_TIMEOUT): Schedule(5, 5),
            RuleKey(Reason.PROVIDER_UNAVAILABLE, Channel.EMAIL): Schedule(2, 2, max_tries=3),
        },
    )
    assert decide(Reason.PROVIDER_TIMEOUT, 9, policy=policy).seconds == pytest.approx(5)
    assert isinstance(decide(attempt=2, policy=policy), Wait)
    assert decide(attempt=3, policy=policy) == GiveUp(Reason.RETRIES_EXHAUSTED)
    other = policy.decide(
        Channel.SMS, Priority.HIGH, Reason.PROVIDER_UNAVAILABLE, 3, jitter=0, seconds_left=EVER
    )
    assert isinstance(other, Wait)


@pytest.mark.parametrize(
    ("lane", "wait"),
    [
        ((Channel.EMAIL, Priority.HIGH), 1),
        ((Channel.EMAIL, Priority.LOW), 2),
        ((Channel.SMS, Priority.HIGH), 3),
        ((Channel.SMS, Priority.LOW), 4),
    ],
)
def test_the_rule_that_says_most_holds(lane, wait):
    """For the lane, for its channel, for its priority, for the reason alone."""
    throttled = Reason.THROTTLED
    keys = [
        RuleKey(throttled, Channel.EMAIL, Priority.HIGH),
        RuleKey(throttled, Channel.EMAIL),
        RuleKey(throttled, priority=Priority.HIGH),
        RuleKey(throttled),
    ]
    rows = {key: Schedule(seconds, seconds) for seconds, key in enumerate(keys, 1)}
    policy = RetryPolicy(by_priority=DEFAULT_POLICY.by_priority, by_reason=rows)
    decision = policy.decide(*lane, throttled, 1, jitter=ALMOST_ONE, seconds_left=EVER)
    assert decision.seconds == pytest.approx(wait)


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
@pytest.mark.parametrize("before", ["", "email.", "high.", "sms.low."])
def test_a_rules_key_is_read_as_it_is_written(before, reason):
    assert str(RuleKey.parse(before + reason)) == before + reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "throttle",
        "email",
        "invalid_recipient",
        "high.email.throttled",
        "fax.throttled",
        "email.high.low.throttled",
    ],
)
def test_a_rule_for_nothing_is_refused(text):
    """A permanent reason is never tried again, so no rule may say how."""
    with pytest.raises(ValueError):
        RuleKey.parse(text)


@pytest.mark.parametrize(("base", "cap", "tries"), [(0, 1, None), (-1, 1, None), (2, 1, None), (1, 2, 0)])
def test_a_schedule_that_makes_no_sense_is_refused(base, cap, tries):
    with pytest.raises(ValueError, match="a schedule needs"):
        Schedule(base, cap, tries)


def test_only_wrong_credentials_spend_no_attempt():
    assert [reason for reason in Reason if not spends_attempt(reason)] == [Reason.AUTH_FAILED]


def test_every_priority_has_its_ttl_and_schedule():
    assert DEFAULT_TTL == {Priority.HIGH: 3600, Priority.MEDIUM: 86400, Priority.LOW: 259200}
    assert set(DEFAULT_POLICY.by_priority) == set(Priority)


@settings(deadline=None)
@given(
    st.sampled_from(Channel),
    st.sampled_from(Priority),
    st.sampled_from(Reason),
    st.integers(0, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 1e6),
    st.floats(-10, 1e6),
)
def test_every_decision_keeps_the_rules(channel, priority, reason, attempt, jitter, not_before, left):
    """A wait ends before expiry, never before Retry-After, never at once; the rest are known endings."""
    decision = DEFAULT_POLICY.decide(
        channel, priority, reason, attempt, jitter=jitter, not_before=not_before, seconds_left=left
    )
    match decision:
        case Wait(seconds):
            cap = DEFAULT_POLICY.by_priority[priority].cap
            assert reason in TRANSIENT
            assert MIN_WAIT <= seconds < left
            assert (not_before or 0) <= seconds <= max(cap, not_before or 0)
        case GiveUp(ending):
            assert ending in {reason, Reason.EXPIRED}


def test_wrong_credentials_are_waited_for_alike_by_every_priority():
    """A person mends them: until then nobody knocks every second, and no attempt is spent."""
    for priority in Priority:
        decision = DEFAULT_POLICY.decide(
            Channel.EMAIL, priority, Reason.AUTH_FAILED, 1, jitter=0.5, seconds_left=3000
        )
        assert decision == Wait(30)
