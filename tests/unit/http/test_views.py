"""What callers see of rows: in order, and nothing of our own bookkeeping."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.http.views import failure, timeline

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def attempt(**more):
    return {
        "n": 1,
        "provider": "smtp",
        "started_at": (MADE + timedelta(seconds=1)).isoformat(),
        "duration_ms": 10,
        "outcome": "accepted",
        "reason": None,
        **more,
    }


def row(**more):
    given = {"created_at": MADE, "send_at": None, "claimed_at": None, "finished_at": None, "attempt": 1}
    given["receipts"] = []
    return SimpleNamespace(**(given | {"status": Status.SENT} | more))


def names(events):
    return [event["event"] for event in events]


def test_the_ending_stands_last_although_the_attempts_end_is_reckoned_a_little_later():
    """An attempt's times are the database's, carried on by our own clock from before the claim."""
    ended = row(finished_at=MADE + timedelta(seconds=1, milliseconds=8))
    assert names(timeline(ended, [attempt()])) == [
        "accepted",
        "attempt 1 started",
        "attempt 1 accepted",
        "sent",
    ]


def test_what_ended_before_it_was_due_was_never_due():
    due = MADE + timedelta(hours=1)
    cancelled = row(status=Status.CANCELLED, send_at=due, finished_at=MADE + timedelta(seconds=5))
    assert names(timeline(cancelled, [])) == ["accepted", "cancelled"]
    waiting = row(status=Status.SCHEDULED, send_at=due)
    assert names(timeline(waiting, [])) == ["accepted", "due"]


def test_receipts_stand_behind_the_moment_when_it_was_sent():
    """Each with whose it was and what it said."""
    came = {"provider": "twilio", "status": "undelivered", "reason": "invalid_recipient", "code": "30005"}
    late = came | {"status": "delivered", "reason": None, "code": None}
    receipts = [
        came | {"at": "2026-01-02T03:04:09.123456+00:00"},
        late | {"at": "2026-01-02T03:05:09+00:00"},
    ]
    ended = row(
        status=Status.UNDELIVERED, finished_at=MADE + timedelta(seconds=1, milliseconds=8), receipts=receipts
    )
    *_, sent, first, second = timeline(ended, [attempt()])
    assert sent == {"at": "2026-01-02T03:04:06.008Z", "event": "sent"}
    assert first == {
        "at": "2026-01-02T03:04:09.123Z",
        "event": "undelivered: invalid_recipient",
        "provider": "twilio",
        "code": "30005",
        "reason": "invalid_recipient",
    }
    assert (second["event"], second["reason"]) == ("delivered", None)


def test_a_failure_shows_its_last_attempt_without_its_claim():
    """The claim id fences outcomes; it is nobody's business, and too wide for JSON's numbers elsewhere."""
    dead = SimpleNamespace(
        notification_id=UUID(int=7),
        status=Status.FAILED,
        reason="poison",
        lane=Lane.parse("email.high"),
        provider="smtp",
        attempts=1,
        last_attempt=attempt(claim_id=2**62),
        created_at=MADE,
        finished_at=MADE,
        age_seconds=1.5,
        state="open",
        operation_id=None,
        settled_at=None,
        replayed_as=None,
    )
    assert failure(dead)["last_attempt"] == attempt()
    dead.last_attempt = None
    assert failure(dead)["last_attempt"] is None
