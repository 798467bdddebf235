"""Bells owed to the broker: one row for a group and lane, deleted once the broker confirmed all of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.notification import MESSAGE_VERSION
from notifier.storage.groups import Group
from notifier.storage.tables import outbox
from notifier.storage.types import Json, db_now, db_now_plus

#: So that a row always fits into an embedded queue and into one publish window.
BELLS_PER_ROW = 500


class Bell(msgspec.Struct, frozen=True):
    """One notification to ring for."""

    lane: Lane
    id: UUID
    units: int
    version: int = MESSAGE_VERSION
    #: The notification's trace, where it is known without asking; not kept.
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Bells of one lane that are owed together."""

    id: int
    lane: Lane
    bells: tuple[Bell, ...]


_OWED = Group(
    "owed",
    (("place", Integer()), ("channel", Text()), ("priority", Text()), ("bells", Json)),
)


def add(connection: Connection, bells: Iterable[Bell], grace: float) -> list[OutboxRow]:
    """Owe these bells; a relay takes them after `grace` seconds unless they were published by then."""
    owed = by_lane(bells)
    if not owed:
        return []
    dialect = connection.dialect.name
    values = [
        (place, str(lane.channel), str(lane.priority), named(some)) for place, (lane, some) in enumerate(owed)
    ]
    made = connection.execute(_insert_rows(dialect), _OWED.parameters(dialect, values) | {"grace": grace})
    # The ids ascend in the order of the places, whatever order they are returned in.
    return numbered(sorted(made.scalars()), owed)


def by_lane(bells: Iterable[Bell]) -> list[tuple[Lane, list[Bell]]]:
    """What goes into one row each."""
    found: dict[Lane, list[Bell]] = defaultdict(list)
    for bell in bells:
        found[bell.lane].append(bell)
    return [
        (lane, of_lane[start : start + BELLS_PER_ROW])
        for lane, of_lane in found.items()
        for start in range(0, len(of_lane), BELLS_PER_ROW)
    ]


def named(bells: Iterable[Bell]) -> list[list[Any]]:
    """Bells as a row holds them."""
    return [[bell.id.hex, bell.units, bell.version] for bell in bells]


def numbered(ids: Sequence[int], owed: Sequence[tuple[Lane, list[Bell]]]) -> list[OutboxRow]:
    """The rows that were made for `owed`, by their ids in order."""
    return [OutboxRow(number, lane, tuple(some)) for number, (lane, some) in zip(ids, owed, strict=True)]


@lru_cache
def _insert_rows(dialect: str) -> Any:
    """All rows in one statement: a group over nine lanes must not cost nine round trips."""
    given = _OWED.rows(dialect)
    due = db_now_plus(bindparam("grace", type_=Float()))
    source = select(given.c.channel, given.c.priority, given.c.bells, db_now(), due).order_by(given.c.place)
    names = ["channel", "priority", "bells", "created_at", "due_at"]
    return insert(outbox).from_select(names, source, include_defaults=False).returning(outbox.c.id)


def take_due(
    connection: Connection,
    limit: int,
    grace: float,
    lanes: Sequence[Lane] | None = None,
    *,
    bells: int | None = None,
) -> list[OutboxRow]:
    """Rows (of `lanes`) nobody published in time; no other relay takes them for `grace` seconds.

    At most `limit` rows, and no more once they hold `bells` bells (at least one row).
    """
    due = select(outbox.c.id, outbox.c.due_at, _length(connection).label("bells"))
    due = due.where(outbox.c.due_at <= db_now())
    if lanes is not None and len(lanes) < len(Lane.all(Channel)):
        names = [(str(lane.channel), str(lane.priority)) for lane in lanes]
        due = due.where(tuple_(outbox.c.channel, outbox.c.priority).in_(names))
    taken = due.order_by(outbox.c.due_at).limit(limit).with_for_update(skip_locked=True).cte("taken")
    before = func.sum(taken.c.bells).over(order_by=[taken.c.due_at, taken.c.id]) - taken.c.bells
    summed = select(taken.c.id, before.label("before")).subquery("summed")
    few = select(summed.c.id)
    if bells is not None:
        few = few.where(summed.c.before < max(bells, 1))
    statement = (
        update(outbox)
        .where(outbox.c.id.in_(few))
        .values(due_at=db_now_plus(grace))
        .returning(outbox.c.id, outbox.c.channel, outbox.c.priority, outbox.c.bells)
    )
    rows = []
    for found in sorted(connection.execute(statement), key=lambda row: row.id):
        lane = Lane(Channel(found.channel), Priority(found.priority))
        owed = tuple(Bell(lane, UUID(hex=bell[0]), bell[1], bell[2]) for bell in found.bells)
        rows.append(OutboxRow(found.id, lane, owed))
    return rows


def _length(connection: Connection) -> ColumnElement[int]:
    if connection.dialect.name == "postgresql":
        return func.jsonb_array_length(outbox.c.bells)
    return func.json_array_length(outbox.c.bells)


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """The broker has confirmed these rows."""
    connection.execute(_removal(connection.dialect.name), {"ids": list(ids)})


@lru_cache
def _removal(dialect: str) -> Any:
    """Made once: an expanding IN is written anew for each number of ids."""
    ids = bindparam("ids", type_=ARRAY(BigInteger()))
    if dialect == "postgresql":
        return delete(outbox).where(outbox.c.id == any_(ids))
    return delete(outbox).where(outbox.c.id.in_(bindparam("ids", expanding=True)))


def release(connection: Connection, ids: Sequence[int], seconds: float) -> None:
    """The broker refused these rows: a relay may take them in `seconds`."""
    connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(due_at=db_now_plus(seconds)))


def oldest(connection: Connection) -> datetime | None:
    """When the oldest row still owed was made."""
    found = connection.execute(select(func.min(outbox.c.created_at))).scalar_one()
    return found if isinstance(found, datetime) else None


def oldest_age(connection: Connection) -> float | None:
    """Its age in seconds, by the database's clock; None when nothing is owed."""
    found, now = connection.execute(select(func.min(outbox.c.created_at), db_now())).one()
    return None if found is None else float((now - found).total_seconds())
