"""What finally failed, kept for analysis and replay: pages, sums by group, and the sweep of old ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.replays import FailureState, FailureStatus
from notifier.storage.engine import reading
from notifier.storage.notifications import Page
from notifier.storage.tables import dead_letters, notifications
from notifier.storage.types import db_now, db_now_plus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRow:
    """One final failure (status ``failed``, ``expired`` or ``undelivered``), which happened `age_seconds` ago."""

    notification_id: UUID
    lane: Lane
    status: Status
    reason: Reason
    provider: str | None
    attempts: int
    last_attempt: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime
    age_seconds: float
    state: FailureState
    operation_id: UUID | None
    settled_at: datetime | None
    replayed_as: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFilter:
    """Which failures are meant; None means any. `since` and `until` (not itself) bound when they ended."""

    since: datetime | None = None
    until: datetime | None = None
    status: FailureStatus | None = None
    reason: Reason | None = None
    channel: Channel | None = None
    priority: Priority | None = None
    provider: str | None = None
    state: FailureState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """How many failures are alike in `by` (column → value), and when the first and the last of them ended."""

    by: dict[str, str | None]
    count: int
    oldest: datetime
    newest: datetime


#: What failures can be summed up by.
GROUPS = ("reason", "provider", "channel", "priority", "status", "state")
#: Groups that one sum tells of at the most, the largest first.
MAX_GROUPS = 1000


def bury(connection: Connection, ended: Sequence[UUID]) -> None:
    """Keep a dead letter for each of these rows, which have just failed, expired or been reported as undelivered."""
    row = notifications.c
    # Undelivered: it was sent long before.
    ended_at = case(
        (row.status == Status.UNDELIVERED, db_now()), else_=func.coalesce(row.finished_at, db_now())
    )
    source = select(
        row.id,
        row.tenant,
        row.channel,
        row.priority,
        row.status,
        func.coalesce(row.reason, row.status),
        row.last_attempt["provider"].as_string(),
        row.attempt,
        row.last_attempt,
        row.created_at,
        ended_at,
    ).where(row.id.in_(ended), row.status.in_(list(FailureStatus)))
    target = (
        "notification_id tenant channel priority status reason provider attempts last_attempt "
        "created_at finished_at"
    ).split()
    maker = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = maker(dead_letters).from_select(target, source, include_defaults=False)
    connection.execute(statement.on_conflict_do_nothing())


def walk(
    engine: Engine, tenant: str, wanted: FailureFilter, limit: int, before: UUID | None
) -> Page[DeadLetterRow]:
    """A page of failures, newest notification first."""
    table = dead_letters.c
    statement = select(dead_letters, db_now().label("now")).where(*matches(tenant, wanted))
    if before is not None:
        statement = statement.where(table.notification_id < before)
    statement = statement.order_by(table.notification_id.desc()).limit(limit)
    with reading(engine) as connection:
        rows = [_row(found) for found in connection.execute(statement).mappings()]
    return Page(rows, rows[-1].notification_id if len(rows) == limit else None)


def matches(tenant: str, wanted: FailureFilter) -> list[ColumnElement[bool]]:
    """The failures of `tenant` that the filter means, as a WHERE clause."""
    table = dead_letters.c
    where = [table.tenant == tenant]
    if wanted.since is not None:
        where.append(table.finished_at >= wanted.since)
    if wanted.until is not None:
        where.append(table.finished_at < wanted.until)
    for name in ("status", "reason", "channel", "priority", "provider", "state"):
        value = getattr(wanted, name)
        if value is not None:
            where.append(table[name] == str(value))
    return where


def summary(
    engine: Engine, tenant: str, wanted: FailureFilter, group_by: Sequence[str]
) -> list[FailureGroup]:
    """How many failures there are of each kind, the most frequent first; `group_by` are some of `GROUPS`."""
    table = dead_letters.c
    columns = [table[name] for name in group_by]
    number = func.count().label("number")
    oldest, newest = func.min(table.finished_at), func.max(table.finished_at)
    statement = select(*columns, number, oldest.label("oldest"), newest.label("newest"))
    statement = statement.where(*matches(tenant, wanted)).group_by(*columns)
    with reading(engine) as connection:
        found = connection.execute(statement.order_by(number.desc(), *columns).limit(MAX_GROUPS))
        return [
            FailureGroup(
                by={name: row[name] for name in group_by},
                count=row["number"],
                oldest=row["oldest"],
                newest=row["newest"],
            )
            for row in found.mappings()
        ]


def sweep(connection: Connection, older_than: float, limit: int) -> int:
    """Forget at most `limit` failures that ended over `older_than` seconds ago, but for those that wait for
    their replay. The notifications themselves stay (as long as the retention says), and the sum of promise 2 with them.
    """
    table = dead_letters.c
    old = (
        select(table.notification_id)
        .where(table.finished_at <= db_now_plus(-older_than), table.state != FailureState.REPLAYING)
        .order_by(table.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    # SQLite counts no rows of a statement that begins with WITH.
    removed = delete(dead_letters).where(table.notification_id.in_(select(old.c.notification_id)))
    return len(connection.execute(removed.returning(table.notification_id)).all())


def _row(found: Any) -> DeadLetterRow:
    return DeadLetterRow(
        notification_id=found["notification_id"],
        lane=Lane(Channel(found["channel"]), Priority(found["priority"])),
        status=Status(found["status"]),
        reason=Reason(found["reason"]),
        provider=found["provider"],
        attempts=found["attempts"],
        last_attempt=found["last_attempt"],
        created_at=found["created_at"],
        finished_at=found["finished_at"],
        age_seconds=max(0.0, (found["now"] - found["finished_at"]).total_seconds()),
        state=FailureState(found["state"]),
        operation_id=found["operation_id"],
        settled_at=found["settled_at"],
        replayed_as=found["replayed_as"],
    )
