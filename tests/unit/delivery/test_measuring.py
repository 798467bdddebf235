"""What an attempt adds to the metrics: labels of closed sets, whatever the request or the provider said."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.delivery import endings, measuring
from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain, Reason, Status
from notifier.domain.outcomes import Accepted, Deferred, Refused, Uncertain
from notifier.domain.retries import BY_REASON, RetryPolicy, Schedule
from notifier.storage.claiming import Claimed
from notifier.telemetry.tally import Tally

LANE = Lane(Channel.SMS, Priority.HIGH)
MADE = datetime(2026, 11, 30, 12, tzinfo=UTC)
POLICY = RetryPolicy(
    by_priority=dict.fromkeys(Priority, Schedule(1.0, 60.0)), by_reason=BY_REASON, max_resends=2
)


def claim(**changes):
    given = {
        "id": uuid7(MADE),
        "lane": LANE,
        "tenant": "acme",
        "mode": Mode.LIVE,
        "claim_id": 1,
        "attempt": 1,
        "claimed_at": MADE + timedelta(seconds=3),
        "expires_at": MADE + timedelta(hours=1),
        "queued_at": MADE + timedelta(seconds=1),
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
    return Claimed(**given | changes)


def noted(outcome, account="twilio", **changes):
    """What one attempt of 250 ms that ends 5 s after its notification was made adds, by the metric's name."""
    claimed, tally = claim(**changes), Tally()
    how = endings.Ended(
        claimed=claimed,
        provider=account or "what the caller wrote",
        outcome=outcome,
        started_at=claimed.claimed_at,
        now=MADE + timedelta(seconds=5),
        duration_ms=250,
    )
    record = endings.record_of(how, POLICY, jitter=0.5)
    measuring.began(tally, claimed)
    measuring.ended(tally, how, record, account)
    measuring.buried(tally, claimed.lane, record.status, record.reason)
    return {metric.name: (labels, number) for metric, labels, number in tally.take()}


def test_an_accepted_one():
    assert noted(Accepted("ref")) == {
        "notifier_queue_wait_seconds": (("sms", "high"), 2.0),
        "notifier_deliveries_total": (("sms", "high", "twilio", "accepted", "none"), 1.0),
        "notifier_send_duration_seconds": (("sms", "twilio"), 0.25),
        "notifier_end_to_end_seconds": (("sms", "high"), 5.0),
    }


def test_one_that_is_tried_again():
    found = noted(Deferred(Reason.THROTTLED))
    assert found["notifier_deliveries_total"][0] == ("sms", "high", "twilio", "deferred", "throttled")
    assert found["notifier_retries_total"] == (("sms", "high", "throttled"), 1.0)
    assert "notifier_end_to_end_seconds" not in found
    assert "notifier_dead_letters_total" not in found


def test_one_that_fails():
    found = noted(Refused(Reason.INVALID_RECIPIENT))
    assert found["notifier_dead_letters_total"] == (("sms", "invalid_recipient"), 1.0)
    assert "notifier_retries_total" not in found


def test_a_possible_duplicate():
    found = noted(Uncertain(), uncertain_count=1)
    assert found["notifier_possible_duplicates_total"] == ((), 1.0)
    assert found["notifier_retries_total"] == (("sms", "high", "uncertain"), 1.0)


def test_a_provider_that_only_the_request_names_is_no_label():
    """Else anybody could make a series of each word."""
    found = noted(Refused(Reason.PROVIDER_REJECTED), account=None, provider="what the caller wrote")
    assert found["notifier_deliveries_total"][0][2] == "unknown"
    assert "notifier_send_duration_seconds" not in found


@pytest.mark.parametrize(
    ("send_at", "seconds"), [(None, 5.0), (MADE + timedelta(seconds=4), 1.0), (MADE - timedelta(days=1), 5.0)]
)
def test_what_was_to_be_sent_later_counts_from_then(send_at, seconds):
    assert noted(Accepted(""), send_at=send_at)["notifier_end_to_end_seconds"][1] == seconds


def test_one_without_a_moment_in_the_queue_has_no_wait():
    assert "notifier_queue_wait_seconds" not in noted(Accepted(""), queued_at=None)


@pytest.mark.parametrize("status", [Status.SENT, Status.QUEUED, Status.HELD, Status.SUPPRESSED])
def test_only_final_failures_are_dead_letters(status):
    tally = Tally()
    measuring.buried(tally, LANE, status, "throttled")
    assert list(tally.take()) == []
