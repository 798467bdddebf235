"""Forgetting final notifications some at a time: all of them on SQLite; on PostgreSQL those that no partition takes with
it (`partitions`). Each batch is one transaction with its attempts and the books.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, column, delete, select, table
from sqlalchemy.sql.expression import FromClause

from notifier.domain.ids import first_id_at
from notifier.domain.replays import FailureState
from notifier.storage import books
from notifier.storage.accepting import database_time
from notifier.storage.tables import attempts, dead_letters, notifications
from notifier.storage.types import Id, UtcTime, db_now_plus

_NIL = UUID(int=0)
#: Failures in these states can still be replayed, and need what was to be sent.
_REPLAYABLE = (FailureState.OPEN, FailureState.REPLAYING)


def forget(
    connection: Connection,
    kept: timedelta,
    limit: int,
    *,
    after: UUID | None = None,
    partition: str | None = None,
) -> list[UUID]:
    """Forget at most `limit` notifications with ids beyond `after` that were made and have been final for longer than
    `kept`, and that nobody can replay any more; returns their ids, in order.

    Looks into one `partition` only, where it is named.
    """
    below = first_id_at(database_time(connection) - kept)
    found = connection.execute(_old(_rows(partition), kept, limit, after or _NIL, below))
    gone = sorted(found.scalars())
    if gone:
        connection.execute(delete(attempts).where(attempts.c.notification_id.in_(gone)))
        # By ids written out, which lead to their partitions and no others.
        connection.execute(delete(notifications).where(notifications.c.id.in_(gone)))
        books.enter(connection, books.GONE, -len(gone))
    return gone


def _rows(partition: str | None) -> FromClause:
    if partition is None:
        return notifications
    return table(partition, column("id", Id), column("finished_at", UtcTime()))


def _old(rows: FromClause, kept: timedelta, limit: int, after: UUID, below: UUID) -> Select[Any]:
    replayable = (
        select(dead_letters.c.notification_id)
        .where(dead_letters.c.notification_id == rows.c.id, dead_letters.c.state.in_(_REPLAYABLE))
        .exists()
    )
    return (
        select(rows.c.id)
        .where(rows.c.id > after, rows.c.id < below)
        .where(rows.c.finished_at <= db_now_plus(-kept.total_seconds()), ~replayable)
        .order_by(rows.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=rows)
    )
