"""Recording how attempts ended: a group of outcomes in one transaction, each fenced by its claim id."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningUpdate

from notifier.domain.lifecycle import FINAL, Status
from notifier.storage import attempts as kept_attempts
from notifier.storage.dead_letters import bury
from notifier.storage.groups import Group
from notifier.storage.kept import Kept, Statement
from notifier.storage.locking import BOUNDS, bounds, locked_rows, within
from notifier.storage.parked_receipts import park
from notifier.storage.receipts import Reported
from notifier.storage.suppressions import SUPPRESSING, suppress
from notifier.storage.tables import attempts, notifications
from notifier.storage.types import Id, Json, UtcTime, db_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a claim becomes.

    `attempt` is the number the row has afterwards (one less where none was spent); `shown` is the attempt
    as the API shows it, None where no call was made; `unended` is False once an outcome is known, True
    for a claim whose code crashed; `uncertain` is added to the row's count of uncertain attempts;
    `has_former` says that an earlier attempt stands in the row and must move on.
    """

    id: UUID
    tenant: str
    claim_id: int
    attempt: int
    status: Status
    reason: str | None = None
    next_attempt_at: datetime | None = None
    shown: dict[str, Any] | None = None
    unended: bool = False
    uncertain: int = 0
    has_former: bool = False
    #: The provider's id of the message, where a receipt will name it; those that are known to come.
    awaits: str | None = None
    follows: tuple[Reported, ...] = ()


_RECORD = Group(
    "ended",
    (
        ("id", Id),
        ("claim_id", BigInteger()),
        ("attempt", Integer()),
        ("status", Text()),
        ("reason", Text()),
        ("next_attempt_at", UtcTime()),
        ("shown", Json),
        ("unended", Boolean()),
        ("uncertain", Integer()),
        ("awaits", Text()),
    ),
)
_table = notifications.c
_FINAL = [str(status) for status in FINAL]


def is_one_statement(records: Sequence[Record]) -> bool:
    """Whether `record` has nothing to move or to bury for these: then it is a transaction by itself."""
    more = any((record.has_former and record.shown) or record.follows for record in records)
    return not more and not _to_bury(records)


def record(connection: Connection, records: Sequence[Record]) -> list[Record]:
    """Store these endings; returns those whose claim no longer stands (see `store_unmatched`)."""
    dialect = connection.dialect.name
    moving = [record for record in records if record.has_former and record.shown]
    if moving:
        connection.execute(_move(dialect), _parameters(dialect, moving))
    parameters = _parameters(dialect, records)
    matched = {row.id for row in connection.execute(_STORE.build(dialect), parameters)}
    stored = [record for record in records if record.id in matched]
    _bury(connection, stored)
    park(connection, [receipt for record in stored for receipt in record.follows])
    return [record for record in records if record.id not in matched]


def record_plain(kept: Kept, records: Sequence[Record]) -> list[Record]:
    """`record` where `is_one_statement` says so: a transaction of its own."""
    parameters = _parameters(kept.dialect, records)
    matched = {row[0] for row in kept.rows(_STORE, parameters)}
    return [record for record in records if record.id not in matched]


def _parameters(dialect: str, records: Sequence[Record]) -> dict[str, Any]:
    given = _RECORD.parameters(dialect, [_values(record) for record in records])
    return given | bounds(dialect, [record.id for record in records])


def _values(record: Record) -> tuple[Any, ...]:
    return (
        record.id,
        record.claim_id,
        record.attempt,
        str(record.status),
        record.reason,
        record.next_attempt_at,
        record.shown,
        record.unended,
        record.uncertain,
        record.awaits,
    )


def _bury(connection: Connection, records: Sequence[Record]) -> None:
    ended = _to_bury(records)
    if ended:
        bury(connection, ended)
    condemned = [record.id for record in records if record.reason in SUPPRESSING]
    if condemned:
        suppress(connection, condemned)


def _to_bury(records: Sequence[Record]) -> list[UUID]:
    return [record.id for record in records if record.status in {Status.FAILED, Status.EXPIRED}]


@lru_cache
def _move(dialect: str) -> Any:
    """The attempt in the row goes to `attempts`, for another follows it; moving it twice changes nothing."""
    claim = _table.last_attempt["claim_id"]
    former_claim = claim.as_integer() if dialect == "sqlite" else claim.as_string().cast(BigInteger)
    former = [
        _table.last_attempt["n"].as_integer().label("former_n"),
        func.coalesce(former_claim, 0).label("former_claim"),
        _table.tenant.label("former_tenant"),
        _table.last_attempt.label("former"),
    ]
    # Locked here, in order, so that no takeover moves the same attempt meanwhile.
    held = locked_rows(dialect, _RECORD.rows(dialect), _has_former, former).subquery("held")
    # SQLite's grammar takes "ON CONFLICT" after a SELECT only behind a WHERE.
    source = select(
        held.c.row_id, held.c.former_n, held.c.former_claim, held.c.former_tenant, held.c.former
    ).where(held.c.row_id.is_not(None))
    columns = ["notification_id", "n", "claim_id", "tenant", "attempt"]
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return maker(attempts).from_select(columns, source, include_defaults=False).on_conflict_do_nothing()


def _is_claimed(given: Any) -> ColumnElement[bool]:
    return and_(_table.claim_id == given.claim_id, _table.status == Status.SENDING)


def _has_former(given: Any) -> ColumnElement[bool]:
    return and_(_is_claimed(given), _table.last_attempt.is_not(None))


def _store(dialect: str) -> ReturningUpdate[Any]:
    new = locked_rows(dialect, _RECORD.rows(dialect), _is_claimed).cte("locked").c
    last_reason = _table.last_attempt["reason"].as_string()
    return (
        update(notifications)
        .where(_table.id == new.row_id, within(dialect))
        .values(
            status=new.status,
            # What ran out of time says why nothing got through until then, where an attempt was made.
            reason=case(
                (
                    and_(new.status == Status.EXPIRED, new.shown.is_(None)),
                    func.coalesce(last_reason, new.reason),
                ),
                else_=new.reason,
            ),
            attempt=new.attempt,
            next_attempt_at=new.next_attempt_at,
            queued_at=case((new.status == Status.QUEUED, None), else_=_table.queued_at),
            last_attempt=func.coalesce(new.shown, _table.last_attempt),
            provider_reference=new.awaits,
            claims_unended=case((new.unended, _table.claims_unended), else_=0),
            uncertain_count=_table.uncertain_count + new.uncertain,
            finished_at=case((or_(*(new.status == one for one in _FINAL)), db_now()), else_=None),
        )
        .returning(_table.id)
    )


_STORE = Statement(_store, (*_RECORD.names, *BOUNDS))


def store_unmatched(connection: Connection, record: Record) -> str:
    """Store an ending whose claim is not the row's present one; says what became of it.

    * ``restored``: the row is queued with a lower attempt, so the database crashed and forgot the claim
      (claims commit asynchronously): the outcome is stored from there;
    * ``added``: the claim was given up as dead, or another has followed: the outcome is kept with the
      attempts, as a possible duplicate, and the row's state stays what it is;
    * ``final`` or ``gone``: nothing is left to tell; ``stored``: this very record was stored already.
    """
    row = connection.execute(
        select(_table.status, _table.attempt, _table.claim_id, _table.last_attempt)
        .where(_table.id == record.id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return "gone"
    in_row = (row.last_attempt or {}).get("claim_id") == record.claim_id
    if _is_stored(connection, record, row, in_row=in_row):
        return "stored"
    if _forgotten(record, row):
        return _restore(connection, record, row)
    if row.status in FINAL or record.shown is None:
        return "final"
    late = record.shown | {"possible_duplicate": True, "next_attempt_at": None}
    if in_row:
        connection.execute(update(notifications).where(_table.id == record.id).values(last_attempt=late))
    else:
        kept_attempts.keep_late(connection, record.tenant, record.id, record.claim_id, late)
    return "added"


def _is_stored(connection: Connection, record: Record, row: Any, *, in_row: bool) -> bool:
    if in_row:
        return not kept_attempts.is_placeholder(row.last_attempt)
    return kept_attempts.is_kept(connection, record.id, record.claim_id)


def _forgotten(record: Record, row: Any) -> bool:
    """Whether the row stands as it stood before the claim that this record ends."""
    if row.status != Status.QUEUED or row.claim_id == record.claim_id:
        return False
    if record.shown is not None:
        return int(row.attempt) < int(record.shown["n"])
    # An ending without a call spends no attempt, but for a crash of our code.
    return int(row.attempt) <= record.attempt


def _restore(connection: Connection, record: Record, row: Any) -> str:
    # Give the forgotten claim back to the row, then store as usual.
    connection.execute(
        update(notifications)
        .where(_table.id == record.id, _table.attempt == row.attempt, _table.status == row.status)
        .values(status=Status.SENDING, claim_id=record.claim_id)
    )
    left = record_again(connection, replace(record, has_former=row.last_attempt is not None))
    return "final" if left else "restored"


def record_again(connection: Connection, one: Record) -> list[Record]:
    """`record` for a single row."""
    return record(connection, [one])


def end_abandoned(
    connection: Connection, row: Any, *, status: Status, reason: str | None, shown: dict[str, Any]
) -> None:
    """Store `shown` for the claim of a locked row that ended without an outcome, and where that leaves it.

    `sending`: it is taken over at once by the caller; `held`: it waits for a person; `failed`: for good.
    """
    if row.last_attempt:
        former = row.last_attempt
        kept_attempts.keep(connection, row.tenant, row.id, int(former.get("claim_id") or 0), former)
    connection.execute(
        update(notifications)
        .where(_table.id == row.id, _table.claim_id == row.claim_id)
        .values(
            status=status,
            reason=reason,
            last_attempt=shown,
            uncertain_count=_table.uncertain_count + 1,
            # A moment that has passed would keep the relay awake.
            next_attempt_at=None,
            finished_at=db_now() if status in FINAL else None,
        )
    )
    if status in FINAL:
        bury(connection, [row.id])
