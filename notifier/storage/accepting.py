"""Keeping new notifications: the keys, rows and bells of a group, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Integer, Text, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.domain.notification import MESSAGE_VERSION, NewNotification
from notifier.domain.recipients import address_key
from notifier.storage import books
from notifier.storage.groups import Group
from notifier.storage.notifications import search_hash
from notifier.storage.tables import idempotency, notifications
from notifier.storage.types import Hash, Id, Json, UtcTime, db_now


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller is told of a kept notification."""

    id: UUID
    lane: Lane
    status: Status
    created_at: datetime
    send_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyClaim:
    """An Idempotency-Key with the digest of its request and the answer to keep beside it."""

    api_key: str
    route: str
    key: str
    body_hash: str
    answer: str
    expires_at: datetime

    @property
    def name(self) -> tuple[str, str, str]:
        """What makes the key unique."""
        return (self.api_key, self.route, self.key)


@dataclass(frozen=True, slots=True)
class KeyFound:
    """A key that was there already."""

    body_hash: str
    answer: str
    expired: bool


_ROW = Group(
    "fresh",
    (
        ("id", Id),
        ("tenant", Text()),
        ("mode", Text()),
        ("api_key", Text()),
        ("batch_id", Id),
        ("channel", Text()),
        ("priority", Text()),
        ("status", Text()),
        ("recipient", Json),
        ("recipient_hash", Text()),
        ("content", Json),
        ("options", Json),
        ("topic", Text()),
        ("reference", Text()),
        ("tags", Json),
        ("metadata", Json),
        ("on_uncertain", Text()),
        ("provider", Text()),
        ("units", Integer()),
        ("traceparent", Text()),
        ("request_id", Text()),
        ("created_at", UtcTime()),
        ("send_at", UtcTime()),
        ("expires_at", UtcTime()),
        ("queued_at", UtcTime()),
        ("next_attempt_at", UtcTime()),
        ("message_version", Integer()),
    ),
)
ROW_COLUMNS = _ROW.columns
_KEY = Group(
    "keys",
    (
        ("api_key", Text()),
        ("route", Text()),
        ("key", Text()),
        ("body_hash", Hash),
        ("answer", Text()),
        ("expires_at", UtcTime()),
    ),
)


def database_time(connection: Connection) -> datetime:
    """The database's present moment."""
    moment = connection.execute(_now).scalar_one()
    assert isinstance(moment, datetime)  # noqa: S101 - narrows for the type checker
    return moment


_now = select(db_now())


def stored(new: NewNotification, made: UUID, now: datetime, default_ttl: int) -> Stored:
    """What `new` becomes when it is kept at `now` under the id `made`."""
    later = new.send_at is not None and new.send_at > now
    begins = new.send_at if later and new.send_at is not None else now
    return Stored(
        id=made,
        lane=new.lane,
        status=Status.SCHEDULED if later else Status.QUEUED,
        created_at=now,
        send_at=new.send_at,
        expires_at=begins + timedelta(seconds=new.ttl if new.ttl is not None else default_ttl),
    )


def add_notifications(
    connection: Connection, rows: Sequence[tuple[NewNotification, Stored]], writer: UUID
) -> None:
    """Insert the group in one statement, and enter in `writer`'s books that it was accepted."""
    dialect = connection.dialect.name
    ordered = sorted(rows, key=lambda row: row[1].id)
    values = [row_values(new, made) for new, made in ordered]
    connection.execute(_insert_rows(dialect), _ROW.parameters(dialect, values))
    books.enter(connection, writer, len(rows))


@lru_cache
def _insert_rows(dialect: str) -> Insert:
    given = _ROW.rows(dialect)
    names = [name for name, _ in _ROW.columns]
    return insert(notifications).from_select(names, select(given), include_defaults=False)


def row_values(new: NewNotification, made: Stored) -> tuple[Any, ...]:
    """A new row in the order of `ROW_COLUMNS`; JSON as Python values."""
    scheduled = made.status is Status.SCHEDULED
    return (
        made.id,
        new.tenant,
        str(new.mode),
        new.api_key,
        new.batch_id,
        str(new.lane.channel),
        str(new.lane.priority),
        str(made.status),
        new.recipient.to_json(),
        search_hash(new.tenant, address_key(new.recipient)),
        new.content.to_json(),
        new.options or None,
        new.topic,
        new.reference,
        list(new.tags) or None,
        new.metadata or None,
        str(new.on_uncertain),
        new.provider,
        new.units,
        new.traceparent,
        new.request_id,
        made.created_at,
        made.send_at,
        made.expires_at,
        None if scheduled else made.created_at,
        made.send_at if scheduled else None,
        MESSAGE_VERSION,
    )


def take_keys(connection: Connection, keys: Sequence[KeyClaim]) -> set[tuple[str, str, str]]:
    """Insert those keys that are not there yet, in key order, and name them.

    Waits (up to `lock_timeout`) for another process that is committing one of them.
    """
    dialect = connection.dialect.name
    ordered = sorted(keys, key=lambda key: key.name)
    values = [(k.api_key, k.route, k.key, k.body_hash, k.answer, k.expires_at) for k in ordered]
    taken = connection.execute(_insert_keys(dialect), _KEY.parameters(dialect, values))
    return {(row.api_key, row.route, row.key) for row in taken}


@lru_cache
def _insert_keys(dialect: str) -> Any:
    given = _KEY.rows(dialect)
    names = [name for name, _ in _KEY.columns]
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # SQLite's grammar takes "ON CONFLICT" after a SELECT only behind a WHERE.
    source = (
        select(given).where(given.c.key.is_not(None)).order_by(given.c.api_key, given.c.route, given.c.key)
    )
    statement = maker(idempotency).from_select(names, source, include_defaults=False)
    table = idempotency.c
    return statement.on_conflict_do_nothing().returning(table.api_key, table.route, table.key)


def find_key(connection: Connection, name: tuple[str, str, str]) -> KeyFound | None:
    """The key as another request left it."""
    table = idempotency.c
    statement = select(table.body_hash, table.answer, (table.expires_at <= db_now()).label("expired")).where(
        table.api_key == name[0], table.route == name[1], table.key == name[2]
    )
    row = connection.execute(statement).one_or_none()
    return KeyFound(row.body_hash, row.answer, bool(row.expired)) if row else None


def forget_key(connection: Connection, name: tuple[str, str, str]) -> None:
    """Remove a key whose time is over."""
    table = idempotency.c
    connection.execute(
        delete(idempotency).where(
            table.api_key == name[0],
            table.route == name[1],
            table.key == name[2],
            table.expires_at <= db_now(),
        )
    )


def sweep_keys(connection: Connection, limit: int) -> int:
    """Remove at most `limit` keys whose time is over."""
    table = idempotency.c
    old = (
        select(table.api_key, table.route, table.key)
        .where(table.expires_at <= db_now())
        .order_by(table.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    match = (old.c.api_key == table.api_key) & (old.c.route == table.route) & (old.c.key == table.key)
    # SQLite counts no rows of a statement that begins with WITH.
    removed = delete(idempotency).where(select(old).where(match).exists()).returning(table.key)
    return len(connection.execute(removed).all())
