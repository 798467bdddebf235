"""What happened to providers and lanes, each once for the whole fleet, kept in the transaction that did it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from notifier.domain.lanes import Channel, Priority
from notifier.domain.operator_events import EventKind
from notifier.storage.engine import reading
from notifier.storage.tables import operator_events
from notifier.storage.types import db_now

#: Events that are kept unless the relay is told otherwise, the newest: some 20 MB.
KEPT = 100_000
#: The advisory lock under which PostgreSQL numbers events.
_NUMBERING = 0x6E74665F6576

_table = operator_events.c


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """`priority` for a lane's, `provider` for an account's. `by` is an API key's id, None for the command line.

    A breaker has a `reason` to open, and `facts`: the worker's id; closing, `out_seconds` and `failed_probes`.
    """

    kind: EventKind
    channel: Channel
    priority: Priority | None = None
    provider: str | None = None
    by: str | None = None
    reason: str | None = None
    facts: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it was kept; a later one has a higher id."""

    id: int
    at: datetime
    event: NewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are meant; None: any. `after` is the id of the last one that is known already."""

    kind: EventKind | None = None
    channel: Channel | None = None
    provider: str | None = None
    after: int | None = None


def add(connection: Connection, event: NewEvent) -> None:
    """Keep it, if the transaction that made it happen is kept; the last statement of that one.

    Ids ascend in the order of the commits, so that who asks for what came after an id misses none: on PostgreSQL
    one transaction at a time numbers its event, on SQLite one writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_NUMBERING)))
    connection.execute(
        insert(operator_events).values(
            at=db_now(),
            kind=event.kind.value,
            channel=event.channel.value,
            priority=event.priority and event.priority.value,
            provider=event.provider,
            by=event.by,
            reason=event.reason,
            facts=dict(event.facts),
        )
    )


def walk(engine: Engine, wanted: EventFilter, limit: int, before: int | None = None) -> list[EventRow]:
    """At most `limit` events, newest first, of those with an id below `before`."""
    statement = select(operator_events).order_by(_table.id.desc()).limit(limit)
    for name in ("kind", "channel", "provider"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(_table[name] == str(value))
    if wanted.after is not None:
        statement = statement.where(_table.id > wanted.after)
    if before is not None:
        statement = statement.where(_table.id < before)
    with reading(engine) as connection:
        return [_row(found) for found in connection.execute(statement)]


def sweep(connection: Connection, keep: int, limit: int) -> int:
    """Forget at most `limit` of the events that came before the last `keep`, the oldest first; how many."""
    newest = select(func.max(_table.id)).scalar_subquery()
    old = (
        select(_table.id)
        .where(_table.id <= newest - keep)
        .order_by(_table.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    removed = delete(operator_events).where(_table.id.in_(select(old.c.id)))
    return len(connection.execute(removed.returning(_table.id)).all())


def _row(found: Any) -> EventRow:
    return EventRow(
        found.id,
        found.at,
        NewEvent(
            kind=EventKind(found.kind),
            channel=Channel(found.channel),
            priority=Priority(found.priority) if found.priority else None,
            provider=found.provider,
            by=found.by,
            reason=found.reason,
            facts=found.facts,
        ),
    )
