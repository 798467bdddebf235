"""Reading notifications one by one and page by page; every question names the tenant."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, Text, and_, cast, func, select

from notifier.domain.ids import first_id_at
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain, Reason, Status
from notifier.storage.engine import reading
from notifier.storage.tables import notifications

#: A page that looked at this many rows ends early, so that a rare match never scans the table.
EXAMINED = 10_000

#: Not the content: nobody is shown it, and it may be 13 MB.
_SHOWN = (
    "id channel priority status reason mode recipient options provider units on_uncertain "
    "reference tags metadata topic batch_id created_at send_at expires_at queued_at next_attempt_at "
    "finished_at attempt claimed_at last_attempt resent_from request_id traceparent receipts"
).split()
Row = TypeVar("Row")
_columns = [notifications.c[name] for name in _SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """A notification as it stands; times are aware UTC datetimes."""

    id: UUID
    lane: Lane
    status: Status
    reason: Reason | None
    mode: Mode
    recipient: dict[str, Any]
    options: dict[str, Any] | None
    provider: str | None
    units: int
    on_uncertain: OnUncertain
    reference: str | None
    tags: list[str]
    metadata: dict[str, str]
    topic: str | None
    batch_id: UUID | None
    created_at: datetime
    send_at: datetime | None
    expires_at: datetime
    queued_at: datetime | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    attempt: int
    claimed_at: datetime | None
    last_attempt: dict[str, Any] | None
    resent_from: UUID | None
    request_id: str | None
    traceparent: str | None
    #: ``{at, provider, status, reason, code}`` of each receipt, in the order in which they came.
    receipts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list is asked for; None means any. `recipient_hash` comes from `search_hash`."""

    status: Status | None = None
    channel: Channel | None = None
    priority: Priority | None = None
    reference: str | None = None
    tag: str | None = None
    provider: str | None = None
    reason: Reason | None = None
    batch_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    recipient_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, newest first, and where the next page begins (None: nothing more)."""

    rows: list[Row]
    next: UUID | None


def search_hash(tenant: str, address_key: str) -> str:
    """The digest by which a recipient's notifications are found; it stands beside the address itself."""
    return blake2b(f"{tenant}\0{address_key}".encode(), digest_size=16, person=b"notifier-rcpt").hexdigest()


def row_from(mapping: RowMapping) -> NotificationRow:
    """A row of `notifications` as a value."""
    values = {name: mapping[name] for name in _SHOWN if name not in {"channel", "priority"}}
    values["lane"] = Lane(Channel(mapping["channel"]), Priority(mapping["priority"]))
    values["status"] = Status(values["status"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    values["mode"] = Mode(values["mode"])
    values["on_uncertain"] = OnUncertain(values["on_uncertain"])
    values["tags"] = values["tags"] or []
    values["metadata"] = values["metadata"] or {}
    values["receipts"] = values["receipts"] or []
    return NotificationRow(**values)


def get(engine: Engine, tenant: str, wanted: UUID) -> NotificationRow | None:
    """The tenant's notification with this id."""
    with reading(engine) as connection:
        return get_on(connection, tenant, wanted)


def get_on(connection: Connection, tenant: str, wanted: UUID) -> NotificationRow | None:
    """The same inside a transaction of the caller's."""
    statement = select(*_columns).where(notifications.c.id == wanted, notifications.c.tenant == tenant)
    found = connection.execute(statement).mappings().one_or_none()
    return row_from(found) if found else None


def walk(
    engine: Engine,
    tenant: str,
    wanted: Filter,
    limit: int,
    before: UUID | None,
    *,
    examined: int | None = None,
) -> Page[NotificationRow]:
    """A page of matching rows below the id `before`, newest first.

    With a filter no index serves it ends early after looking at `examined` rows (None: `EXAMINED`).
    """
    least = None
    with reading(engine) as connection:
        inside, matches = _range(tenant, wanted, before), _matches(connection, wanted)
        if matches:
            # Otherwise an index serves the page as it is.
            least = _end_of_window(connection, inside, examined or EXAMINED)
            if least is not None:
                inside = [*inside, notifications.c.id >= least]
        statement = select(*_columns).where(*inside, *matches)
        statement = statement.order_by(notifications.c.id.desc()).limit(limit)
        rows = [row_from(found) for found in connection.execute(statement).mappings()]
    if len(rows) == limit:
        return Page(rows, rows[-1].id)
    return Page(rows, least)


def _end_of_window(connection: Connection, inside: list[ColumnElement[bool]], most: int) -> UUID | None:
    """The last id that one page may look at; None if it may look at all there are."""
    window = select(notifications.c.id).where(*inside).order_by(notifications.c.id.desc()).limit(most)
    bounds = window.subquery()
    counted = select(func.count(), _least(connection, bounds.c.id)).select_from(bounds)
    examined, least = connection.execute(counted).one()
    if examined < most:
        return None
    return least if isinstance(least, UUID) else UUID(str(least))


def _least(connection: Connection, column: ColumnElement[UUID]) -> ColumnElement[Any]:
    # PostgreSQL 15 has no min(uuid); the text form sorts the same way.
    return func.min(cast(column, Text)) if connection.dialect.name == "postgresql" else func.min(column)


def _range(tenant: str, wanted: Filter, before: UUID | None) -> list[ColumnElement[bool]]:
    """What an index serves: tenant, time and, where asked for, recipient or reference."""
    where = [notifications.c.tenant == tenant]
    if before is not None:
        where.append(notifications.c.id < before)
    if wanted.created_after is not None:
        where.append(notifications.c.id >= first_id_at(wanted.created_after))
    if wanted.created_before is not None:
        where.append(notifications.c.id < first_id_at(wanted.created_before))
    if wanted.recipient_hash is not None:
        where.append(notifications.c.recipient_hash == wanted.recipient_hash)
    if wanted.reference is not None:
        where.append(notifications.c.reference == wanted.reference)
    return where


def _matches(connection: Connection, wanted: Filter) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    for name in ("status", "channel", "priority", "reason", "batch_id"):
        value = getattr(wanted, name)
        if value is not None:
            where.append(notifications.c[name] == value)
    if wanted.provider is not None:
        where.append(notifications.c.last_attempt["provider"].as_string() == wanted.provider)
    if wanted.tag is not None:
        where.append(_has_tag(connection, wanted.tag))
    return [and_(*where)] if where else []


def _has_tag(connection: Connection, tag: str) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        return notifications.c.tags.op("?")(tag)
    each = func.json_each(notifications.c.tags).table_valued("value", name="each_tag")
    return select(each.c.value).where(each.c.value == tag).exists()
