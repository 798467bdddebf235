"""Suppressions as operators see them: made, found by recipient, shown and taken away by id.

A row gets its id when somebody first looks: a random one, which tells nothing about the recipient, while
anything made of the digest could be tried against every phone number there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.storage.engine import reading, writing
from notifier.storage.suppressions import EVERY_TOPIC
from notifier.storage.tables import suppressions
from notifier.storage.types import db_now

#: One recipient's shown at once: one a topic.
MOST = 1000
_table = suppressions.c


@dataclass(frozen=True, slots=True)
class Whom:
    """A recipient of a tenant's channel, by the digest that `search_hash` gives."""

    tenant: str
    channel: Channel
    recipient_hash: str


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """One suppression; `topic` is None where it goes for everything."""

    id: UUID
    channel: Channel
    topic: str | None
    reason: Reason
    source: str
    notification_id: UUID | None
    created_at: datetime


def add(engine: Engine, whom: Whom, reason: Reason, topic: str | None) -> tuple[SuppressionRow, bool]:
    """Suppress the recipient; False, and what was said first, if that stands already."""
    with writing(engine) as connection:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        values = {
            "tenant": whom.tenant,
            "channel": whom.channel,
            "recipient_hash": whom.recipient_hash,
            "topic": topic or EVERY_TOPIC,
        }
        made = dialect.insert(suppressions).values(
            **values, reason=reason, source="operator", created_at=db_now(), id=uuid4()
        )
        added = connection.execute(made.on_conflict_do_nothing().returning(_table.id)).first() is not None
        where = and_(_of(whom), _table.topic == values["topic"])
        _give_ids(connection, where)
        return _row(connection.execute(select(suppressions).where(where)).one()), added


def of_recipient(engine: Engine, whom: Whom) -> tuple[Sequence[SuppressionRow], bool]:
    """The recipient's suppressions by topic, `MOST` at most, and whether there are more."""
    with writing(engine) as connection:
        _give_ids(connection, _of(whom))
        statement = select(suppressions).where(_of(whom)).order_by(_table.topic).limit(MOST + 1)
        rows = connection.execute(statement).all()
    return [_row(row) for row in rows[:MOST]], len(rows) > MOST


def reason_for(engine: Engine, whom: Whom, topic: str | None) -> Reason | None:
    """Why a notification to the recipient, of this topic or of none, would not be sent; None for one that would be."""
    topics = (EVERY_TOPIC, topic or EVERY_TOPIC)
    statement = (
        select(_table.reason).where(_of(whom), _table.topic.in_(topics)).order_by(_table.topic).limit(1)
    )
    with reading(engine) as connection:
        found = connection.execute(statement).scalar_one_or_none()
    return None if found is None else Reason(found)


def get(engine: Engine, tenant: str, wanted: UUID) -> SuppressionRow | None:
    """The tenant's suppression of this id."""
    with reading(engine) as connection:
        found = connection.execute(select(suppressions).where(_named(tenant, wanted))).one_or_none()
    return None if found is None else _row(found)


def remove(engine: Engine, tenant: str, wanted: UUID) -> SuppressionRow | None:
    """Take it away; what it was, or None if the tenant has none of this id. The next claim sends again."""
    with writing(engine) as connection:
        statement = delete(suppressions).where(_named(tenant, wanted)).returning(*suppressions.c)
        found = connection.execute(statement).one_or_none()
    return None if found is None else _row(found)


def _of(whom: Whom) -> ColumnElement[bool]:
    return and_(
        _table.tenant == whom.tenant,
        _table.channel == whom.channel,
        _table.recipient_hash == whom.recipient_hash,
    )


def _named(tenant: str, wanted: UUID) -> ColumnElement[bool]:
    return and_(_table.tenant == tenant, _table.id == wanted)


def _give_ids(connection: Connection, where: ColumnElement[bool]) -> None:
    """Name those that have no name yet; of two who look at once the first names it."""
    bare = connection.execute(select(_table.tenant, _table.topic).where(where, _table.id.is_(None))).all()
    for row in bare:
        only = and_(where, _table.tenant == row.tenant, _table.topic == row.topic, _table.id.is_(None))
        connection.execute(update(suppressions).where(only).values(id=uuid4()))


def _row(row: Row[Any]) -> SuppressionRow:
    return SuppressionRow(
        id=row.id,
        channel=Channel(row.channel),
        topic=row.topic or None,
        reason=Reason(row.reason),
        source=row.source,
        notification_id=row.notification_id,
        created_at=row.created_at,
    )
