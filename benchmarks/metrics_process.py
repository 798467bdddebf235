"""A process with metrics, for L7 and L8: ``python -m benchmarks.metrics_process note | fill | scrape``.

The launch's directory stands in the environment before prometheus_client is imported, as in a real launch.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

from notifier.delivery import endings, measuring
from notifier.domain.ids import uuid7
from notifier.domain.lanes import Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain
from notifier.domain.outcomes import Accepted
from notifier.domain.retries import RetryPolicy, Schedule
from notifier.storage.claiming import Claimed
from notifier.storage.recording import Record
from notifier.telemetry.book import Book, told
from notifier.telemetry.metrics import TABLE, Kind
from notifier.telemetry.tally import Tally

_NOTES, _SCRAPES = 20_000, 5
_LANES = [(str(lane.channel), str(lane.priority)) for lane in Lane.all()]
_POLICY = RetryPolicy(by_priority=dict.fromkeys(Priority, Schedule(1.0, 60.0)))
#: How many values each other label has, about.
_VALUES = 4


def note() -> float:
    """Microseconds of CPU that one notification's metrics cost its worker: noted, folded and written."""
    tally, book = Tally(), Book()
    attempts = [_attempt(lane) for lane in Lane.all()]
    began = time.process_time()
    for number in range(_NOTES):
        claimed, ended, record = attempts[number % len(attempts)]
        measuring.began(tally, claimed)
        measuring.ended(tally, ended, record, "provider")
        measuring.buried(tally, claimed.lane, record.status, record.reason)
    book.fold(tally.take())
    return (time.process_time() - began) / _NOTES * 1e6


def _attempt(lane: Lane) -> tuple[Claimed, endings.Ended, Record]:
    now = datetime.now(UTC)
    claimed = Claimed(
        id=uuid7(now),
        lane=lane,
        tenant="tenant",
        mode=Mode.LIVE,
        claim_id=1,
        attempt=1,
        claimed_at=now,
        expires_at=now + timedelta(hours=1),
        queued_at=now,
        recipient={},
        content={},
        options=None,
        provider=None,
        units=1,
        on_uncertain=OnUncertain.RESEND,
        claims_unended=1,
        uncertain_count=0,
        has_former=False,
        request_id=None,
        traceparent=None,
    )
    ended = endings.Ended(
        claimed=claimed, provider="provider", outcome=Accepted(""), started_at=now, now=now, duration_ms=20
    )
    return claimed, ended, endings.record_of(ended, _POLICY, jitter=0.5)


def fill() -> None:
    """As many series as a busy worker has; stays until its input ends."""
    tally, book = Tally(), Book()
    for metric in TABLE:
        others = [label for label in metric.labels if label not in {"channel", "priority"}]
        lanes = _LANES if set(metric.labels) >= {"channel", "priority"} else [("email",), ("sms",), ("push",)]
        for lane in lanes if "channel" in metric.labels else [()]:
            for number in range(_VALUES if others else 1):
                labels = (*lane, *(f"{label}-{number}" for label in others))
                if metric.kind is Kind.GAUGE:
                    book.set(metric, labels, 1.0)
                else:
                    tally.add(metric, labels, 1.0)
    book.fold(tally.take())
    sys.stdout.write("filled\n")
    sys.stdout.flush()
    sys.stdin.read()


def scrape() -> float:
    """Milliseconds of CPU of one scrape, after a first one."""
    told(None)
    began = time.process_time()
    for _ in range(_SCRAPES):
        told(None)
    return (time.process_time() - began) / _SCRAPES * 1e3


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill()
    else:
        sys.stdout.write(f"{ {'note': note, 'scrape': scrape}[sys.argv[1]]() }\n")
