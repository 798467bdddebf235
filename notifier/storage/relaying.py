"""What the relay finds: due times, ended leases, orphans - each found in bounded batches by an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, and_, func, or_, select, update

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Status
from notifier.storage.outbox import Bell
from notifier.storage.tables import notifications, workers
from notifier.storage.types import db_now, db_now_plus

_table = notifications.c

#: How many of a lane's oldest rows a search without an index of its own looks at.
EXAMINED = 10_000


def queue_due(connection: Connection, limit: int) -> list[Bell]:
    """Scheduled sends and retries whose time has come become `queued`; these are their bells."""
    due = (
        select(_table.id)
        .where(_table.finished_at.is_(None), _table.next_attempt_at <= db_now())
        .where(_table.status.in_([Status.SCHEDULED, Status.QUEUED]))
        .order_by(_table.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(notifications)
        .where(_table.id.in_(select(due.c.id)))
        .values(status=Status.QUEUED, next_attempt_at=None, queued_at=db_now())
        .returning(_table.id, _table.channel, _table.priority, _table.units, _table.message_version)
    )
    return _bells(connection.execute(statement))


def _bells(rows: Any) -> list[Bell]:
    return [
        Bell(Lane(Channel(row.channel), Priority(row.priority)), row.id, row.units, row.message_version)
        for row in rows
    ]


def seconds_to_next_due(connection: Connection) -> float | None:
    """How long until the next scheduled send or retry, by the database's clock; None without any."""
    found = connection.execute(
        select(func.min(_table.next_attempt_at), db_now()).where(
            _table.finished_at.is_(None),
            _table.next_attempt_at.is_not(None),
            # A row claimed before its due time was cleared is nobody's to wake for.
            _table.status.in_([Status.SCHEDULED, Status.QUEUED]),
        )
    ).one()
    return None if found[0] is None else float((found[0] - found[1]).total_seconds())


@dataclass(frozen=True, slots=True)
class Silent:
    """A process whose beat has stopped; it may be dead or frozen."""

    id: UUID


def silent_workers(connection: Connection, lease: float) -> list[Silent]:
    """Workers silent for so long that every claim they had begun has ended.

    One that left in order holds nothing.
    """
    statement = select(workers.c.id).where(
        workers.c.role == "worker",
        workers.c.stopped.is_(False),
        workers.c.buried_at.is_(None),
        workers.c.beat_at <= db_now_plus(-lease),
    )
    return [Silent(row.id) for row in connection.execute(statement)]


def ring_abandoned(connection: Connection, owner: UUID, limit: int, again: float) -> list[Bell]:
    """Bells for the ended claims of a silent worker; the next claim judges each one."""
    ended = _ringable(again).where(
        _table.owner == owner, _table.status == Status.SENDING, _table.lease_until <= db_now()
    )
    return _ring(connection, ended, limit)


def ring_lost(connection: Connection, lane: Lane, limit: int, lease: float, again: float) -> list[Bell]:
    """Bells for ended claims of whoever beats still but has forgotten them, long after their lease.

    Looks at the `EXAMINED` oldest rows of the lane only: what was claimed long ago has become one of them.
    """
    oldest = (
        select(_table.id)
        .where(
            _table.finished_at.is_(None),
            _table.channel == str(lane.channel),
            _table.priority == str(lane.priority),
            _table.queued_at.is_not(None),
        )
        .order_by(_table.queued_at)
        .limit(EXAMINED)
        .subquery("oldest")
    )
    lost = _ringable(again).where(
        _table.id.in_(select(oldest.c.id)),
        _table.status == Status.SENDING,
        _table.lease_until <= db_now_plus(-2 * lease),
    )
    return _ring(connection, lost, limit)


def bury_worker(connection: Connection, owner: UUID) -> None:
    """Its claims were taken back."""
    connection.execute(update(workers).where(workers.c.id == owner).values(buried_at=db_now()))


def ring_waiting(
    connection: Connection, lane: Lane, before: datetime | None, *, orphan: float, again: float, limit: int
) -> list[Bell]:
    """Bells for rows of `lane` that wait although the queue has passed them.

    Without `before`: the lane's queue is empty, so whatever was queued over `orphan` seconds ago has
    no message. With it (the oldest `queued_at` the lane's workers started in the last second): whatever
    was queued `orphan` seconds before that was overtaken.
    """
    bound = db_now_plus(-orphan)
    waiting = _ringable(again).where(
        _table.channel == str(lane.channel),
        _table.priority == str(lane.priority),
        _table.status == Status.QUEUED,
        _table.next_attempt_at.is_(None),
    )
    if before is None:
        waiting = waiting.where(_table.queued_at <= bound)
    else:
        waiting = waiting.where(_table.queued_at <= before - timedelta(seconds=orphan))
    return _ring(connection, waiting.order_by(_table.queued_at), limit)


def ring_these(connection: Connection, ids: Sequence[UUID], again: float) -> list[Bell]:
    """Bells for those of `ids` that are not final and were not rung lately: their messages died."""
    wanted = _ringable(again).where(_table.id.in_(ids), _table.status.in_([Status.QUEUED, Status.SENDING]))
    return _ring(connection, wanted, len(ids))


def ring_all(connection: Connection, after: UUID | None, limit: int) -> tuple[list[Bell], UUID | None]:
    """Bells for everything that is queued or sending, page by page, after the broker lost all."""
    statement = (
        select(_table.id, _table.channel, _table.priority, _table.units, _table.message_version)
        .where(_table.finished_at.is_(None), _table.next_attempt_at.is_(None))
        .where(_table.status.in_([Status.QUEUED, Status.SENDING]))
        .order_by(_table.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(_table.id > after)
    rows = connection.execute(statement).all()
    return _bells(rows), rows[-1].id if rows else None


def _ringable(again: float) -> Select[Any]:
    lately = or_(_table.rung_at.is_(None), _table.rung_at <= db_now_plus(-again))
    return select(_table.id).where(and_(_table.finished_at.is_(None), lately))


def _ring(connection: Connection, wanted: Select[Any], limit: int) -> list[Bell]:
    rows = wanted.limit(limit).with_for_update(skip_locked=True).cte("wanted")
    statement = (
        update(notifications)
        .where(_table.id.in_(select(rows.c.id)))
        .values(rung_at=db_now())
        .returning(_table.id, _table.channel, _table.priority, _table.units, _table.message_version)
    )
    return _bells(connection.execute(statement))


def traceparents(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The traces of these notifications, of those that have one."""
    statement = select(_table.id, _table.traceparent).where(
        _table.id.in_(ids), _table.traceparent.is_not(None)
    )
    return {row.id: row.traceparent for row in connection.execute(statement)}


def oldest_started(connection: Connection, beat_fresh: float) -> Mapping[Lane, datetime]:
    """By lane, the oldest `queued_at` its workers started in the last second, as their beats say."""
    statement = select(workers.c.oldest_started).where(
        workers.c.role == "worker", workers.c.beat_at >= db_now_plus(-beat_fresh)
    )
    oldest: dict[Lane, datetime] = {}
    for row in connection.execute(statement):
        for name, text in row.oldest_started.items():
            try:
                lane, at = Lane.parse(name), datetime.fromisoformat(text).astimezone(UTC)
            except ValueError:
                continue  # a worker of another version knows a lane that we don't
            oldest[lane] = min(at, oldest.get(lane, at))
    return oldest


def count_pending(connection: Connection, at_most: int) -> int:
    """How many rows are not finished, counted no further than `at_most`."""
    unfinished = select(_table.id).where(_table.finished_at.is_(None)).limit(at_most).subquery()
    return int(connection.execute(select(func.count()).select_from(unfinished)).scalar_one())


def database_bytes(connection: Connection) -> int:
    """The size of the database on disk."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    return int(pages) * int(size)
