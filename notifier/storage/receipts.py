"""What a provider reported: each receipt has its effect on the notification that it is about, once.

Rows are locked in key order and judged under the lock (`notifier.domain.receipts.judge`): a state only goes forward,
and everything here can run twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Receipt, Verdict, judge, word_of
from notifier.storage.dead_letters import bury
from notifier.storage.provider_states import ProviderKey
from notifier.storage.suppressions import AT_ONCE, suppress, suppress_told
from notifier.storage.tables import notifications
from notifier.storage.types import db_now

_row = notifications.c


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt and the account that it came through."""

    key: ProviderKey
    receipt: Receipt


@dataclass(slots=True)
class Effects:
    """What became of some receipts; `unmatched` ones are about no notification that is known by now."""

    verdicts: dict[Reported, Verdict] = field(default_factory=dict)
    unmatched: list[Reported] = field(default_factory=list)
    #: The traces of those notifications that have one, with what was heard of each.
    traces: list[tuple[str, Reported]] = field(default_factory=list)

    def count(self, verdict: Verdict) -> int:
        """How many were judged so."""
        return sum(one is verdict for one in self.verdicts.values())


def apply(connection: Connection, reported: Sequence[Reported]) -> Effects:
    """Let each receipt have its effect on the notification that it is about."""
    rows = _rows(connection, reported)
    effects = Effects()
    for one in dict.fromkeys(reported):
        row = rows.get((one.key, one.receipt.reference))
        if row is None:
            effects.unmatched.append(one)
        else:
            verdict = effects.verdicts[one] = row.hear(one.receipt)
            if row.traceparent is not None and verdict is not Verdict.KNOWN:
                effects.traces.append((row.traceparent, one))
    changed = [row for row in rows.values() if row.heard]
    if changed:
        connection.execute(_CHANGE, [row.values() for row in changed])
        _follow_up(connection, changed)
    return effects


@dataclass(slots=True)
class _Row:
    """A locked row, and what it hears; `told` is what it keeps of receipts."""

    id: UUID
    status: Status
    reason: str | None
    told: list[dict[str, Any]]
    now: str
    provider: str
    traceparent: str | None
    heard: list[Receipt] = field(default_factory=list)
    moved: bool = False

    def hear(self, receipt: Receipt) -> Verdict:
        verdict = judge(self.status, self.told, receipt)
        if verdict is Verdict.KNOWN:
            return verdict
        self.told.append({"at": self.now, "provider": self.provider, **word_of(receipt)})
        self.heard.append(receipt)
        if verdict is Verdict.MOVES:
            self.status, self.moved = receipt.status, True
            if receipt.status is Status.UNDELIVERED:
                self.reason = str(receipt.reason or Reason.PROVIDER_REJECTED)
        return verdict

    def values(self) -> dict[str, Any]:
        return {
            "row_id": self.id,
            "new_status": str(self.status),
            "new_reason": self.reason,
            "new_receipts": self.told,
        }


_CHANGE = (
    update(notifications)
    .where(_row.id == bindparam("row_id"))
    # `finished_at` stays: we were done when it was sent, and so the update touches no index.
    .values(
        status=bindparam("new_status"), reason=bindparam("new_reason"), receipts=bindparam("new_receipts")
    )
)


def _rows(connection: Connection, reported: Sequence[Reported]) -> dict[tuple[ProviderKey, str], _Row]:
    wanted = sorted({one.receipt.reference for one in reported})
    if not wanted:
        return {}
    account = _row.last_attempt["provider"].as_string().label("account")
    statement = (
        select(
            _row.id, _row.channel, _row.status, _row.reason, _row.receipts, _row.provider_reference, account,
            db_now().label("now"), _row.traceparent,
        )
        .where(_row.provider_reference.in_(wanted), _row.status.in_(_HEARING))
        .order_by(_row.id)
        .with_for_update()
    )  # fmt: skip
    return {
        (ProviderKey(Channel(found.channel), found.account), found.provider_reference): _Row(
            id=found.id,
            status=Status(found.status),
            reason=found.reason,
            told=list(found.receipts or ()),
            now=found.now.isoformat(),
            provider=found.account,
            traceparent=found.traceparent,
        )
        for found in connection.execute(statement)
    }


_HEARING = (Status.SENT, Status.DELIVERED, Status.UNDELIVERED)


def _follow_up(connection: Connection, changed: Iterable[_Row]) -> None:
    """Dead letters and suppressions, as the delivery of a message makes them."""
    lost = [row.id for row in changed if row.moved and row.status is Status.UNDELIVERED]
    if lost:
        bury(connection, lost)
        suppress(connection, lost)
    for reason in AT_ONCE:
        condemned = [row.id for row in changed if any(one.reason is reason for one in row.heard)]
        if condemned:
            suppress_told(connection, condemned, reason)
