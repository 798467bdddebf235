"""The notifications that receipts are about, locked: found by the provider's reference, else by our own id.

The id counts only from an account that made an attempt for it, so that no other account's word is believed. What is
being sent at the moment is not found: its claim stands, and its receipt waits until that has ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Receipt, Verdict, judge, word_of
from notifier.storage.provider_states import ProviderKey
from notifier.storage.tables import attempts, notifications
from notifier.storage.types import db_now

_row = notifications.c
#: What a reference finds: a row in another state has none of its own.
_HEARING = (Status.SENT, Status.DELIVERED, Status.UNDELIVERED)
#: What not even the id finds: its claim is in flight, or nothing was ever sent.
_DEAF = (Status.SENDING, Status.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt and the account that it came through."""

    key: ProviderKey
    receipt: Receipt


@dataclass(slots=True)
class Row:
    """A locked row, and what it hears; `told` is what it keeps of receipts."""

    id: UUID
    lane: Lane
    #: Seconds since it could be sent.
    age: float
    #: Who made its last attempt.
    key: ProviderKey
    status: Status
    reason: str | None
    told: list[dict[str, Any]]
    #: The column by which it is found, and the reference of its last attempt.
    reference: str | None
    own: str | None
    now: str
    traceparent: str | None
    heard: list[Receipt] = field(default_factory=list)
    moved: bool = False
    #: Whether a receipt ended what we were not done with.
    ended: bool = False

    def hear(self, one: Reported) -> Verdict:
        """What it means for this row, which then stands as it says."""
        receipt = one.receipt
        verdict = judge(self.status, self.told, receipt, self.reference or self.own)
        if verdict is Verdict.KNOWN:
            return verdict
        self.told.append({"at": self.now, "provider": one.key.name, **word_of(receipt)})
        self.heard.append(receipt)
        if verdict is Verdict.MOVES:
            self._move(one)
        return verdict

    def _move(self, one: Reported) -> None:
        if self.status is not Status.SENT:
            # It was waiting for somebody to say how the call ended.
            self.ended, self.reason = True, None
        if self.reference is None and self.own is None and self.key == one.key:
            # Later words of this message may come without our id.
            self.reference = one.receipt.reference
        self.status, self.moved = one.receipt.status, True
        if one.receipt.status is Status.UNDELIVERED:
            self.reason = str(one.receipt.reason or Reason.PROVIDER_REJECTED)


class Rows:
    """The locked rows that some receipts are about."""

    def __init__(self, found: Sequence[Row], accounts: frozenset[tuple[UUID, str]]) -> None:
        self.all = found
        self._by_id = {row.id: row for row in found}
        self._by_reference = {
            (row.key, row.reference): row for row in found if row.reference and row.status in _HEARING
        }
        self._accounts = accounts

    def of(self, one: Reported) -> Row | None:
        """The row that it is about; None if it is about none, or none that its account has a say in."""
        row = self._by_reference.get((one.key, one.receipt.reference))
        if row is not None or one.receipt.notification is None:
            return row
        row = self._by_id.get(one.receipt.notification)
        if row is None or row.key.channel != one.key.channel:
            return None
        return row if row.key == one.key or (row.id, one.key.name) in self._accounts else None


def lock(connection: Connection, reported: Sequence[Reported]) -> Rows:
    """Lock, in the order of their ids, the rows that these are about."""
    references = sorted({one.receipt.reference for one in reported})
    if not references:
        return Rows((), frozenset())
    named = {one.receipt.notification for one in reported if one.receipt.notification is not None}
    # First without a lock: one condition for each index, so that no planner sees an "or" between them.
    sent_as = select(_row.id).where(_row.provider_reference.in_(references), _row.status.in_(_HEARING))
    wanted = named | {row.id for row in connection.execute(sent_as)}
    if not wanted:
        return Rows((), frozenset())
    last = _row.last_attempt
    statement = (
        select(
            _row.id, _row.channel, _row.priority, _row.created_at, _row.send_at, _row.status, _row.reason,
            _row.receipts, _row.provider_reference,
            last["provider"].as_string().label("account"), last["reference"].as_string().label("own"),
            db_now().label("now"), _row.traceparent,
        )
        .where(_row.id.in_(sorted(wanted)), _row.status.not_in(_DEAF))
        .order_by(_row.id)
        .with_for_update()
    )  # fmt: skip
    found = [_row_of(one) for one in connection.execute(statement)]
    return Rows(found, _former_accounts(connection, {row.id for row in found} & named))


def _row_of(found: Any) -> Row:
    return Row(
        id=found.id,
        lane=Lane(Channel(found.channel), Priority(found.priority)),
        age=(found.now - _start(found.created_at, found.send_at)).total_seconds(),
        # An attempt that began without an account has none.
        key=ProviderKey(Channel(found.channel), found.account or ""),
        status=Status(found.status),
        reason=found.reason,
        told=list(found.receipts or ()),
        reference=found.provider_reference,
        own=found.own,
        now=found.now.isoformat(),
        traceparent=found.traceparent,
    )


def _start(created: datetime, send_at: datetime | None) -> datetime:
    return created if send_at is None else max(created, send_at)


def _former_accounts(connection: Connection, ids: Iterable[UUID]) -> frozenset[tuple[UUID, str]]:
    """Who made the attempts before the last ones, of rows that are locked: none is added meanwhile."""
    wanted = sorted(ids)
    if not wanted:
        return frozenset()
    earlier = attempts.c
    statement = select(
        earlier.notification_id, earlier.attempt["provider"].as_string().label("account")
    ).where(earlier.notification_id.in_(wanted))
    return frozenset((one.notification_id, one.account or "") for one in connection.execute(statement))
