"""What one attempt adds to the metrics: from its ending, as values of closed sets."""

from notifier.delivery.endings import Ended
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.domain.outcomes import Accepted
from notifier.storage.claiming import Claimed
from notifier.storage.recording import Record
from notifier.telemetry import metrics
from notifier.telemetry.tally import Tally

_BURIED = frozenset({Status.FAILED, Status.EXPIRED})


def lane_labels(lane: Lane) -> tuple[str, str]:
    """A lane as two labels."""
    return str(lane.channel), str(lane.priority)


def began(tally: Tally, claimed: Claimed) -> None:
    """A thread has it now."""
    if claimed.queued_at is not None:
        waited = (claimed.claimed_at - claimed.queued_at).total_seconds()
        tally.add(metrics.QUEUE_WAIT, lane_labels(claimed.lane), max(0.0, waited))


def ended(tally: Tally, how: Ended, record: Record, account: str | None) -> None:
    """One attempt; `account` None: no provider that is configured was asked, so its name is the caller's."""
    claimed, shown = how.claimed, record.shown or {}
    lane = lane_labels(claimed.lane)
    provider = account or "unknown"
    reason = shown.get("reason") or "none"
    tally.add(metrics.DELIVERIES, (*lane, provider, shown["outcome"], reason))
    if account is not None:
        tally.add(metrics.SEND_SECONDS, (lane[0], provider), how.duration_ms / 1000)
    if claimed.uncertain_count:
        tally.add(metrics.POSSIBLE_DUPLICATES)
    if record.status is Status.QUEUED:
        tally.add(metrics.RETRIES, (*lane, reason))
    if isinstance(how.outcome, Accepted):
        since = (how.now - claimed.accepted_at).total_seconds()
        tally.add(metrics.END_TO_END, lane, max(0.0, since))


def buried(tally: Tally, lane: Lane, status: Status, reason: str | None) -> None:
    """If that is a final failure, count it."""
    if status in _BURIED:
        tally.add(metrics.DEAD_LETTERS, (str(lane.channel), reason or "none"))
