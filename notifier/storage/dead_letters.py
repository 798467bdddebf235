"""What finally failed, kept for analysis and replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.storage.engine import reading
from notifier.storage.notifications import Page
from notifier.storage.tables import dead_letters, notifications
from notifier.storage.types import db_now


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRow:
    """One final failure (status ``failed`` or ``expired``)."""

    notification_id: UUID
    lane: Lane
    status: Status
    reason: Reason
    provider: str | None
    attempts: int
    last_attempt: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFilter:
    """What a list of failures is asked for; None means any."""

    since: datetime | None = None
    reason: Reason | None = None
    channel: Channel | None = None
    provider: str | None = None


def bury(connection: Connection, ended: Sequence[UUID]) -> None:
    """Keep a dead letter for each of these rows, which have just failed or expired."""
    row = notifications.c
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
        func.coalesce(row.finished_at, db_now()),
    ).where(row.id.in_(ended), row.status.in_([Status.FAILED, Status.EXPIRED]))
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
    statement = select(dead_letters).where(table.tenant == tenant)
    if before is not None:
        statement = statement.where(table.notification_id < before)
    if wanted.since is not None:
        statement = statement.where(table.finished_at >= wanted.since)
    for name in ("reason", "channel", "provider"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(table[name] == value)
    statement = statement.order_by(table.notification_id.desc()).limit(limit)
    with reading(engine) as connection:
        rows = [_row(found) for found in connection.execute(statement).mappings()]
    return Page(rows, rows[-1].notification_id if len(rows) == limit else None)


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
    )
