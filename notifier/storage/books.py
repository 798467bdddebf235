"""Promise 2's sum: accepted = pending + held + sent + failed + expired + cancelled + suppressed.

The left side is counted apart from the notifications, in the very transaction that keeps them, so that a
row which disappears is missed. Each writer counts in a row of its own: no two wait for each other. Whatever
deletes notifications must take them off here, in its transaction. A partition that was taken out of the table
(`partitions`) still counts until it is dropped.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Text,
    bindparam,
    column,
    delete,
    func,
    literal,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lifecycle import PENDING, Status
from notifier.storage.engine import reading
from notifier.storage.tables import accepted, notifications
from notifier.storage.types import Id, db_now, db_now_plus

#: Whose row holds what was counted by those who are gone.
GONE = UUID(int=0)
#: How long reading the sum may take: it looks at every notification.
_PATIENCE = "300s"
#: How the name of a partition ends that was taken out.
RETIRED = "_retired"
#: The advisory lock of whoever moves whole partitions; shared by who reads the sum.
_MOVING = 0x6E74665F6D76
_SENT = (Status.SENT, Status.DELIVERED, Status.UNDELIVERED)
_ENDED = (Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.SUPPRESSED)


@dataclass(frozen=True, slots=True)
class Books:
    """Both sides of the sum at one moment: how many were accepted, how many stand in each state."""

    accepted: int
    found: Mapping[Status, int]

    @property
    def parts(self) -> dict[str, int]:
        """The right side, in promise 2's words and order."""
        return {
            "pending": self._of(*PENDING),
            "held": self._of(Status.HELD),
            "sent": self._of(*_SENT),
            **{str(status): self._of(status) for status in _ENDED},
        }

    @property
    def missing(self) -> int:
        """Accepted ones that stand in no state; below zero: rows that nobody accepted."""
        return self.accepted - sum(self.found.values())

    @property
    def balanced(self) -> bool:
        """Whether the sum holds."""
        return self.missing == 0

    def _of(self, *statuses: Status) -> int:
        return sum(self.found.get(status, 0) for status in statuses)


def enter(connection: Connection, writer: UUID, number: int) -> None:
    """`writer` accepts `number` more, if this transaction commits."""
    connection.execute(entry(connection.dialect.name), {"by": writer, "more": number})


@lru_cache
def entry(dialect: str) -> Any:
    """The statement of `enter`; its parameters are `by` and `more`."""
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = maker(accepted).values(
        writer=bindparam("by", type_=Id), number=bindparam("more"), at=db_now()
    )
    more = {"number": accepted.c.number + statement.excluded.number, "at": db_now()}
    return statement.on_conflict_do_update(index_elements=["writer"], set_=more)


def fold(connection: Connection, older_than: float) -> None:
    """Add the rows of writers silent for `older_than` seconds to that of the gone; one who wakes counts anew."""
    table = accepted.c
    silent = (
        select(table.writer)
        .where(table.writer != GONE, table.at <= db_now_plus(-older_than))
        .with_for_update(skip_locked=True)
        .cte("silent")
    )
    removed = delete(accepted).where(table.writer.in_(select(silent.c.writer))).returning(table.number)
    numbers = connection.execute(removed).scalars().all()
    if numbers:
        enter(connection, GONE, sum(numbers))


def read(engine: Engine) -> Books:
    """Both sides in one statement, so of one moment, however many write meanwhile."""
    sides = [
        select(literal("accepted").label("name"), func.coalesce(func.sum(accepted.c.number), 0)),
        select(notifications.c.status, func.count()).group_by(notifications.c.status),
    ]
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.set_config("statement_timeout", _PATIENCE, True)))
            connection.execute(select(func.set_config("lock_timeout", _PATIENCE, True)))
            connection.execute(select(func.pg_advisory_xact_lock_shared(_MOVING)))
            sides += [_in(name) for name in retired(connection)]
        figures: Counter[str] = Counter()
        for name, number in connection.execute(union_all(*sides)):
            figures[name] += int(number)
    number = figures.pop("accepted", 0)
    return Books(number, {Status(name): count for name, count in figures.items()})


def _in(name: str) -> Select[Any]:
    rows = table(name, column("status", Text()))
    return select(rows.c.status, func.count()).group_by(rows.c.status)


def hold(connection: Connection) -> None:
    """Whole partitions move in this transaction: on PostgreSQL nobody reads the sum meanwhile."""
    connection.execute(select(func.pg_advisory_xact_lock(_MOVING)))


_FIND_RETIRED = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND relname ~ :pattern"
    " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'notifications'::regclass) ORDER BY relname"
).bindparams(pattern=rf"^notifications_\d{{8}}_\d{{8}}{RETIRED}$")


def retired(connection: Connection) -> list[str]:
    """The partitions (on PostgreSQL) that were taken out of the table and are not dropped yet."""
    return list(connection.execute(_FIND_RETIRED).scalars())
