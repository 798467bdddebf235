"""Replays of what finally failed: their words, and when the next one may be released.

Each failure of an operation becomes a new notification, one after another: the next is released a whole
gap after the former's call has ended, so no delay of a former one can bring two closer together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.domain.lifecycle import Status

#: Replays a second unless the operation says otherwise, and what it may say.
DEFAULT_RATE, MIN_RATE, MAX_RATE = 10.0, 0.001, 1000.0
#: Failures that one operation takes at the most: they are marked in one transaction.
MAX_LIMIT = 10_000
#: An attempt's start and duration are kept in whole milliseconds, cut off.
_CUT_OFF = timedelta(milliseconds=2)
#: Between two looks at a former one that is still on its way, in seconds.
_SHORTEST_LOOK, _LONGEST_LOOK = 0.02, 1.0


class FailureStatus(StrEnum):
    """The states of a notification that count as a final failure."""

    FAILED = "failed"
    EXPIRED = "expired"
    #: It was sent, and a receipt said that it did not arrive.
    UNDELIVERED = "undelivered"


class FailureState(StrEnum):
    """Where a final failure stands with whoever works on it."""

    #: Nobody has decided.
    OPEN = "open"
    #: An operation will replay it.
    REPLAYING = "replaying"
    #: It became a new notification.
    REPLAYED = "replayed"
    #: Its time was over when its turn came.
    DROPPED = "dropped"
    #: Its content was forgotten, so there is nothing to send.
    FORGOTTEN = "forgotten"
    #: A person has put it aside.
    DISCARDED = "discarded"


class OperationKind(StrEnum):
    """What an operation does with the failures it has matched."""

    REPLAY = "replay"
    DISCARD = "discard"


class OperationState(StrEnum):
    """Whether an operation still has something to do."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """The notification that an operation released last; its row's columns, `status` None if it is gone."""

    released_at: datetime
    status: Status | None
    attempt: int = 0
    last_attempt: dict[str, Any] | None = None


def seconds_to_release(
    now: datetime, rate: float, former: Former | None, longest_call: float
) -> tuple[float, bool]:
    """How long to wait, and whether the next one may be released then (else: look again).

    `now` and all of `former` are of the database's clock; `rate` is in replays a second. A call of which
    nobody has told the end (its worker died) counts as `longest_call` seconds long.
    """
    if former is None:
        return 0.0, True
    age = (now - former.released_at).total_seconds()
    if _under_way(former):
        return min(max(age / 4, _SHORTEST_LOOK), _LONGEST_LOOK), False
    gap = timedelta(seconds=1 / rate)
    # Without a call of its own it keeps the distance to the one before it.
    free_at = max(former.released_at, _call_ended(former, longest_call) or former.released_at) + gap
    return max(0.0, (free_at - now).total_seconds()), True


def _under_way(former: Former) -> bool:
    """Whether its first call may still begin, or any call of it run."""
    if former.status is Status.SENDING:
        return True
    return former.status in {Status.QUEUED, Status.SCHEDULED} and former.attempt == 0


def _call_ended(former: Former, longest_call: float) -> datetime | None:
    attempt = former.last_attempt
    if attempt is None:
        return None
    started = datetime.fromisoformat(attempt["started_at"]).astimezone(UTC)
    took = attempt.get("duration_ms")
    if took is None:
        return started + timedelta(seconds=longest_call)
    return started + timedelta(milliseconds=took) + _CUT_OFF
