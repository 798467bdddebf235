"""A group kept in one round trip: its rows, the bells owed for them and the entry in the books are one statement.

Each round trip of a busy door also waits for the interpreter's lock, which takes longer than the trip. The group
travels as one JSON text: the driver would otherwise write, and PostgreSQL read, every value as a literal of its own.
PostgreSQL only: SQLite has no such statement and no trip to save (`accepting`, `outbox`, `books`).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    Connection,
    Float,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql.expression import FromClause

from notifier.domain.lanes import Lane
from notifier.domain.notification import NewNotification
from notifier.storage import books, outbox
from notifier.storage.accepting import ROW_COLUMNS, Stored, row_values
from notifier.storage.outbox import Bell, OutboxRow
from notifier.storage.tables import notifications
from notifier.storage.tables import outbox as outbox_table
from notifier.storage.types import Json, db_now, db_now_plus

_encode = msgspec.json.Encoder().encode
_NAMES = tuple(name for name, _ in ROW_COLUMNS)
#: How often, and how many seconds apart, it is seen whether a silent session still lives.
_LOOKS, _BETWEEN_LOOKS = 10, 0.05
_alive = table("pg_stat_activity", column("pid", Integer()))
#: A row as JSON, without what is null.
_Row: Any = msgspec.defstruct("_Row", [(name, Any, None) for name in _NAMES], omit_defaults=True)
_OWED = (("place", Integer()), ("channel", Text()), ("priority", Text()), ("bells", Json))


def keep_group(
    connection: Connection,
    rows: Sequence[tuple[NewNotification, Stored]],
    bells: Sequence[Bell],
    writer: UUID,
    grace: float,
) -> tuple[list[OutboxRow], datetime | None]:
    """Keep `rows`, owe `bells` and enter them in `writer`'s books, in one statement.

    Returns the outbox's rows and the database's moment (None where no bell was owed).
    """
    ordered = sorted(rows, key=lambda row: row[1].id)
    owed = outbox.by_lane(bells)
    given = {
        "fresh": _encode([_document(new, made) for new, made in ordered]).decode(),
        "owed": _encode([_owed(place, *row) for place, row in enumerate(owed)]).decode(),
        "by": writer,
        "more": len(rows),
        "grace": grace,
    }
    made = connection.execute(_statement(), given).all()
    # The ids ascend in the order of the places, whatever order they are returned in.
    ids = sorted(row.id for row in made)
    return outbox.numbered(ids, owed), made[0].now if made else None


def session_of(connection: Connection) -> int:
    """The server's process behind a connection; asks the server nothing."""
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


def was_kept(connection: Connection, session: int, first: UUID) -> bool | None:
    """Whether a group with this row was kept by a session that never answered; None if that session lives on."""
    for _ in range(_LOOKS):
        if connection.execute(select(_alive.c.pid).where(_alive.c.pid == session)).first() is None:
            break
        # It may be about to see that its road is gone.
        connection.execute(select(func.pg_sleep(_BETWEEN_LOOKS)))
        connection.rollback()
    else:
        return None
    # Another statement, so that it sees what that session has committed last of all.
    connection.rollback()
    return (
        connection.execute(select(notifications.c.id).where(notifications.c.id == first)).first() is not None
    )


def _document(new: NewNotification, made: Stored) -> Any:
    """The columns that are not null; JSON stands in it as it is."""
    return _Row(*row_values(new, made))


def _owed(place: int, lane: Lane, bells: Sequence[Bell]) -> dict[str, Any]:
    return {"place": place, "channel": lane.channel, "priority": lane.priority, "bells": outbox.named(bells)}


@lru_cache
def _statement() -> Any:
    fresh, owed = _recordset("fresh", ROW_COLUMNS), _recordset("owed", _OWED)
    values = select(*(fresh.c[name] for name in _NAMES))
    kept = insert(notifications).from_select(_NAMES, values, include_defaults=False)
    due = db_now_plus(bindparam("grace", type_=Float()))
    names = ["channel", "priority", "bells", "created_at", "due_at"]
    source = select(owed.c.channel, owed.c.priority, owed.c.bells, db_now(), due).order_by(owed.c.place)
    owing = insert(outbox_table).from_select(names, source, include_defaults=False)
    owing = owing.add_cte(kept.cte("kept"), books.entry("postgresql").cte("entered"))
    return owing.returning(outbox_table.c.id, db_now().label("now"))


def _recordset(name: str, columns: Sequence[tuple[str, Any]]) -> FromClause:
    """The rows of the JSON parameter `name`; a column that a row leaves out is null."""
    given = func.json_to_recordset(cast(bindparam(name, type_=Text()), JSON()))
    typed = [column(one, kind) for one, kind in columns]
    return given.table_valued(*typed, name=f"{name}_rows").render_derived(with_types=True)
