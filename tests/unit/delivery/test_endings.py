"""From an outcome to its record, and from an abandoned claim to its verdict: pure, by the rules."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from notifier.delivery import endings
from notifier.delivery.begun import Begun
from notifier.delivery.endings import Ended, record_of
from notifier.delivery.takeovers import Limits, abandoned_attempt, judge
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain, Reason, Status
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.receipts import Receipt
from notifier.domain.retries import DEFAULT_POLICY
from notifier.storage.attempts import is_placeholder
from notifier.storage.claiming import Claimed
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Reported

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def claimed(**given):
    values = {
        "id": uuid4(),
        "lane": Lane(Channel.EMAIL, Priority.HIGH),
        "tenant": "acme",
        "mode": Mode.LIVE,
        "claim_id": 7,
        "attempt": 1,
        "claimed_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "queued_at": NOW,
        "recipient": {},
        "content": {},
        "options": None,
        "provider": None,
        "units": 1,
        "on_uncertain": OnUncertain.RESEND,
        "claims_unended": 1,
        "uncertain_count": 0,
        "has_former": False,
        "request_id": None,
        "traceparent": None,
    }
    return Claimed(**(values | given))


def ended(outcome, jitter=0.5, reports=False, **given):
    one = claimed(**given)
    return record_of(
        Ended(
            claimed=one,
            provider="smtp",
            outcome=outcome,
            started_at=NOW,
            now=NOW,
            duration_ms=3,
            reports=reports,
        ),
        DEFAULT_POLICY,
        jitter=jitter,
    )


@pytest.mark.parametrize(
    ("outcome", "reports", "awaits"),
    [
        (Accepted("SM1"), True, "SM1"),
        (Accepted("SM1"), False, None),
        (Accepted(""), True, None),
        (Accepted("\0"), True, None),
        (Accepted("r" * 300), True, "r" * 200),
        (Refused(Reason.PROVIDER_REJECTED), True, None),
        (Deferred(Reason.THROTTLED), True, None),
        (Uncertain(), True, None),
    ],
)
def test_a_receipt_is_awaited_for_what_an_account_that_reports_has_taken(outcome, reports, awaits):
    record = ended(outcome, reports=reports)
    assert record.awaits == awaits
    assert record.follows == ()


def test_the_receipts_that_are_known_to_follow_go_with_the_record():
    """They are about the account and the channel that the message went through."""
    receipt = Receipt("s1", Status.DELIVERED)
    record = ended(Accepted("s1", follows=(receipt,)))
    assert record.awaits == "s1"
    assert record.follows == (Reported(ProviderKey(Channel.EMAIL, "smtp"), receipt),)


@pytest.mark.parametrize(
    ("outcome", "given", "status", "reason", "wait"),
    [
        (Accepted("ref"), {}, Status.SENT, None, None),
        (Refused(Reason.INVALID_RECIPIENT), {}, Status.FAILED, "invalid_recipient", None),
        (Refused(Reason.SUPPRESSED), {}, Status.SUPPRESSED, "suppressed", None),
        (Refused(Reason.EXPIRED), {}, Status.EXPIRED, "expired", None),
        (Deferred(Reason.PROVIDER_TIMEOUT), {"attempt": 3}, Status.QUEUED, "provider_timeout", 2.0),
        (Deferred(Reason.THROTTLED, 90), {}, Status.QUEUED, "throttled", 90.0),
        (Deferred(Reason.THROTTLED, 4000), {}, Status.EXPIRED, "throttled", None),
        (Uncertain(), {}, Status.QUEUED, "uncertain", 0.5),
        (Uncertain(), {"uncertain_count": 2}, Status.FAILED, "uncertain", None),
        (Uncertain(), {"on_uncertain": OnUncertain.HOLD}, Status.HELD, "uncertain", None),
    ],
)
def test_each_outcome_leads_where_the_rules_say(outcome, given, status, reason, wait):
    record = ended(outcome, **given)
    assert (record.status, record.reason) == (status, reason)
    assert record.next_attempt_at == (None if wait is None else NOW + timedelta(seconds=wait))
    assert record.uncertain == isinstance(outcome, Uncertain)
    assert not record.unended


def test_wrong_credentials_spend_no_attempt_and_everything_else_does():
    assert ended(Deferred(Reason.AUTH_FAILED), attempt=4).attempt == 3
    for outcome in (Accepted(), Deferred(Reason.THROTTLED), Uncertain(), Refused(Reason.PROVIDER_REJECTED)):
        assert ended(outcome, attempt=4).attempt == 4


def test_an_attempt_after_an_uncertain_one_may_be_a_duplicate_and_says_so():
    first, second = ended(Accepted()).shown, ended(Accepted(), uncertain_count=1).shown
    assert first is not None
    assert second is not None
    assert (first["possible_duplicate"], second["possible_duplicate"]) == (False, True)


def test_what_a_provider_says_is_cut_and_made_storable():
    shown = ended(Accepted("\0r" * 300, Answer("c" * 99, "\ud800" + "x" * 999))).shown
    assert shown is not None
    assert len(shown["code"]) == 40
    assert len(shown["answer"]) == 500
    assert shown["answer"].startswith("?x")
    assert shown["reference"] == "r" * 200


def test_no_attempt_is_spent_on_what_expired_or_was_given_back():
    one = claimed(attempt=3)
    expired, back = endings.expired(one), endings.given_back(one, NOW)
    assert (expired.status, expired.attempt, expired.shown) == (Status.EXPIRED, 2, None)
    assert (back.status, back.attempt, back.shown, back.next_attempt_at) == (Status.QUEUED, 2, None, NOW)


def test_our_own_crash_comes_again_and_is_poison_at_the_third():
    for claims, status in ((1, Status.QUEUED), (2, Status.QUEUED), (3, Status.FAILED), (4, Status.FAILED)):
        record = endings.crashed(claimed(claims_unended=claims), NOW, poison_claims=3, wait=5)
        assert (record.status, record.unended) == (status, True)
        assert record.reason == ("poison" if status is Status.FAILED else None)
        assert (record.next_attempt_at is None) == (status is Status.FAILED)


@pytest.mark.parametrize(
    ("unended", "uncertain", "on_uncertain", "status", "reason"),
    [
        (1, 0, OnUncertain.RESEND, Status.SENDING, None),
        (2, 1, OnUncertain.RESEND, Status.SENDING, None),
        (3, 2, OnUncertain.RESEND, Status.FAILED, Reason.POISON),
        (1, 2, OnUncertain.RESEND, Status.FAILED, Reason.UNCERTAIN),
        (1, 0, OnUncertain.HOLD, Status.HELD, Reason.UNCERTAIN),
        (3, 0, OnUncertain.HOLD, Status.FAILED, Reason.POISON),
    ],
)
def test_an_abandoned_claim_is_judged_by_its_counts(unended, uncertain, on_uncertain, status, reason):
    found = judge(
        claims_unended=unended, uncertain_count=uncertain, on_uncertain=on_uncertain, limits=Limits()
    )
    assert (found.status, found.reason) == (status, reason)


def test_an_abandoned_attempt_has_every_field_of_an_ended_one_and_is_known_as_a_placeholder():
    row = SimpleNamespace(attempt=2, claimed_provider="smtp", uncertain_count=1, claim_id=5)
    shown = abandoned_attempt(row, NOW)
    whole = ended(Accepted()).shown
    assert whole is not None
    assert set(shown) == set(whole)
    assert is_placeholder(shown)
    assert not is_placeholder(whole)
    assert shown["possible_duplicate"]


def test_begun_claims_are_named_until_they_end_or_are_two_leases_old():
    now = [0.0]
    begun = Begun(60.0, lambda: now[0])
    begun.begin(1)
    now[0] = 100.0
    begun.begin(2)
    begun.begin(1)
    assert set(begun.named()) == {1, 2}
    begun.end(2)
    begun.end(99)
    assert begun.named() == (1,)
    now[0] = 121.0
    assert begun.named() == ()


def test_the_oldest_start_of_each_lane_is_told_once():
    begun = Begun(60.0)
    email, sms = Lane(Channel.EMAIL, Priority.HIGH), Lane(Channel.SMS, Priority.LOW)
    for lane, second in ((email, 9), (email, 5), (email, 7), (sms, 1)):
        begun.started(lane, NOW + timedelta(seconds=second))
    begun.started(sms, None)
    assert begun.take_started() == {
        "email.high": (NOW + timedelta(seconds=5)).isoformat(),
        "sms.low": (NOW + timedelta(seconds=1)).isoformat(),
    }
    assert begun.take_started() == {}
