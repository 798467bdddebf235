"""Releasing the failures of a replay one by one; each in one transaction with its mark, its row and its bell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select, update

from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Status
from notifier.domain.notification import MESSAGE_VERSION
from notifier.domain.replays import FailureState, Former, OperationState
from notifier.storage import books
from notifier.storage.accepting import database_time
from notifier.storage.operations import is_forgotten, is_late
from notifier.storage.outbox import Bell
from notifier.storage.tables import dead_letters, notifications, operations
from notifier.storage.types import Id, UtcTime, db_now, db_now_plus

_letter, _row, _operation = dead_letters.c, notifications.c, operations.c

#: In a row where an API key's id would stand, for what the command line replays.
COMMAND_LINE = "cli"
#: What a replay takes over as it stands.
_COPIED = (
    "tenant mode channel recipient recipient_hash content options template_key template_version "
    "template_locale template_data topic reference tags metadata on_uncertain provider units"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A replay that has not come to its end; `former` is what it released last."""

    id: UUID
    rate: float
    last_released: UUID | None
    former: Former | None


def running(connection: Connection, limit: int) -> tuple[datetime, list[Running]]:
    """The database's time, and at most `limit` replays under way, the oldest first."""
    statement = (
        select(
            db_now().label("now"),
            _operation.id,
            _operation.rate,
            _operation.last_released,
            _operation.released_at,
            _row.status,
            _row.attempt,
            _row.last_attempt,
        )
        .outerjoin(notifications, _row.id == _operation.last_released)
        .where(_operation.state == OperationState.RUNNING)
        .order_by(_operation.id)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    now = rows[0].now if rows else database_time(connection)
    return now, [
        Running(id=row.id, rate=row.rate, last_released=row.last_released, former=_former(row))
        for row in rows
    ]


def _former(row: Any) -> Former | None:
    if row.released_at is None:
        return None
    status = Status(row.status) if row.status else None
    return Former(
        released_at=row.released_at, status=status, attempt=row.attempt or 0, last_attempt=row.last_attempt
    )


def release(connection: Connection, seen: Running, writer: UUID, limit: int) -> list[Bell]:
    """Make the next failure of the operation a new notification, entered in `writer`'s books; its bell.

    Does nothing if another process has released one since the operation was `seen`. Of at most `limit`
    failures those whose time is over or whose content is gone are passed over, marked and counted.
    """
    operation = connection.execute(
        select(operations)
        .where(_operation.id == seen.id, _operation.state == OperationState.RUNNING)
        .where(_operation.last_released.is_not_distinct_from(seen.last_released))
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if operation is None:
        return []
    letters = _next_letters(connection, operation, limit)
    passed: dict[FailureState, list[UUID]] = {FailureState.DROPPED: [], FailureState.FORGOTTEN: []}
    bell = None
    for place, letter in enumerate(letters, start=1):
        if letter.forgotten or letter.late:
            state = FailureState.FORGOTTEN if letter.forgotten else FailureState.DROPPED
            passed[state].append(letter.notification_id)
            continue
        bell = _renew(connection, operation, letter.notification_id, writer)
        ended = place == len(letters) < limit
        break
    else:
        ended = len(letters) < limit
    for state, ids in passed.items():
        _settle(connection, ids, state)
    counts = {str(state): len(ids) for state, ids in passed.items()}
    _count(connection, operation, counts, bell, ended=ended)
    return [bell] if bell else []


def _next_letters(connection: Connection, operation: Any, limit: int) -> list[Any]:
    statement = (
        select(
            _letter.notification_id, is_forgotten().label("forgotten"), is_late(operation.ttl).label("late")
        )
        .outerjoin(notifications, _row.id == _letter.notification_id)
        .where(_letter.operation_id == operation.id, _letter.state == FailureState.REPLAYING)
        .order_by(_letter.notification_id)
        .limit(limit)
    )
    return list(connection.execute(statement))


def _renew(connection: Connection, operation: Any, original: UUID, writer: UUID) -> Bell:
    """A new notification like the original, queued now."""
    now = database_time(connection)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    made = uuid7(now)
    values: dict[str, Any] = {name: _row[name] for name in _COPIED} | {
        "id": literal(made, Id),
        "message_version": literal(MESSAGE_VERSION),
        "api_key": literal(operation.by or COMMAND_LINE),
        "priority": literal(operation.priority) if operation.priority else _row.priority,
        "status": literal(str(Status.QUEUED)),
        "request_id": literal(operation.request_id),
        "created_at": literal(now, UtcTime()),
        "expires_at": _row.expires_at if operation.ttl is None else db_now_plus(operation.ttl),
        "queued_at": literal(now, UtcTime()),
        "resent_from": _row.id,
    }
    source = select(*values.values()).where(_row.id == original)
    statement = insert(notifications).from_select(list(values), source, include_defaults=False)
    row = connection.execute(
        statement.returning(_row.channel, _row.priority, _row.units, _row.message_version)
    ).one()
    books.enter(connection, writer, 1)
    _settle(connection, [original], FailureState.REPLAYED, made)
    return Bell(Lane(Channel(row.channel), Priority(row.priority)), made, row.units, row.message_version)


def _settle(
    connection: Connection, ids: list[UUID], state: FailureState, replayed_as: UUID | None = None
) -> None:
    if ids:
        connection.execute(
            update(dead_letters)
            .where(_letter.notification_id.in_(ids))
            .values(state=state, settled_at=db_now(), replayed_as=replayed_as)
        )


def _count(
    connection: Connection, operation: Any, counts: dict[str, int], bell: Bell | None, *, ended: bool
) -> None:
    changes: dict[str, Any] = {name: _operation[name] + number for name, number in counts.items()}
    if bell is not None:
        changes |= {
            "replayed": _operation.replayed + 1,
            "last_released": bell.id,
            "released_at": db_now(),
        }
    if ended:
        changes |= {"state": OperationState.DONE, "finished_at": db_now()}
    connection.execute(update(operations).where(_operation.id == operation.id).values(changes))
