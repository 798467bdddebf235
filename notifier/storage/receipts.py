"""What a provider reported: each receipt has its effect on the notification that it is about, once.

Rows are locked in key order and judged under the lock (`notifier.domain.receipts.judge`): a state only goes forward,
and everything here can run twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, update

from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.domain.receipts import Verdict
from notifier.storage.dead_letters import bury
from notifier.storage.receipt_rows import Reported, Row, lock
from notifier.storage.suppressions import AT_ONCE, suppress, suppress_told
from notifier.storage.tables import notifications
from notifier.storage.types import db_now

__all__ = ["Effects", "Reported", "apply"]

_row = notifications.c


@dataclass(slots=True)
class Effects:
    """What became of some receipts; `unmatched` ones are about no notification that is known by now."""

    verdicts: dict[Reported, Verdict] = field(default_factory=dict)
    unmatched: list[Reported] = field(default_factory=list)
    #: Parked ones with words that nobody here knows.
    unreadable: int = 0
    #: The traces of those notifications that have one, with what was heard of each.
    traces: list[tuple[str, Reported]] = field(default_factory=list)
    #: Those that are delivered by this: the lane, and the seconds from acceptance (or `send_at`) to the receipt.
    delivered: list[tuple[Lane, float]] = field(default_factory=list)
    #: For how many seconds each was parked; what is not in it came just now.
    waited: Mapping[Reported, float] = field(default_factory=dict)

    def count(self, verdict: Verdict) -> int:
        """How many were judged so."""
        return sum(one is verdict for one in self.verdicts.values())


def apply(
    connection: Connection, reported: Sequence[Reported], waited: Mapping[Reported, float] | None = None
) -> Effects:
    """Let each receipt have its effect on the notification that it is about; `waited`: seconds since it came."""
    rows = lock(connection, reported)
    effects = Effects(waited=waited or {})
    for one in dict.fromkeys(reported):
        row = rows.of(one)
        if row is None:
            effects.unmatched.append(one)
        else:
            verdict = effects.verdicts[one] = row.hear(one)
            if row.traceparent is not None and verdict is not Verdict.KNOWN:
                effects.traces.append((row.traceparent, one))
            if verdict is Verdict.MOVES and row.status is Status.DELIVERED:
                effects.delivered.append((row.lane, max(0.0, row.age - effects.waited.get(one, 0.0))))
    changed = [row for row in rows.all if row.heard]
    if changed:
        _write(connection, changed)
        _follow_up(connection, changed)
    return effects


def _write(connection: Connection, changed: Iterable[Row]) -> None:
    told = [_values(row) for row in changed if not row.ended]
    ended = [_values(row) | {"new_reference": row.reference} for row in changed if row.ended]
    for statement, values in ((_CHANGE, told), (_END, ended)):
        if values:
            connection.execute(statement, values)


def _values(row: Row) -> dict[str, Any]:
    return {
        "row_id": row.id,
        "new_status": str(row.status),
        "new_reason": row.reason,
        "new_receipts": row.told,
    }


_CHANGE = (
    update(notifications)
    .where(_row.id == bindparam("row_id"))
    # `finished_at` stays: we were done when it was sent, and so the update touches no index.
    .values(
        status=bindparam("new_status"), reason=bindparam("new_reason"), receipts=bindparam("new_receipts")
    )
)
#: It was held, or to be sent again: nothing is due any more, and nobody can claim it.
_END = _CHANGE.values(
    finished_at=db_now(), next_attempt_at=None, provider_reference=bindparam("new_reference")
)


def _follow_up(connection: Connection, changed: Iterable[Row]) -> None:
    """Dead letters and suppressions, as the delivery of a message makes them."""
    lost = [row.id for row in changed if row.moved and row.status is Status.UNDELIVERED]
    if lost:
        bury(connection, lost)
        suppress(connection, lost)
    for reason in AT_ONCE:
        condemned = [row.id for row in changed if any(one.reason is reason for one in row.heard)]
        if condemned:
            suppress_told(connection, condemned, reason)
