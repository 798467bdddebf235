"""The partitions of `notifications` on PostgreSQL: made ahead, taken out behind, each step one short transaction.

No step waits longer than `LOCK_SECONDS` for a lock that would hold up others: it is given up, and tried at the next
look. What was taken out stands beside the table until it was counted and its attempts are gone; `books` counts it
meanwhile, so that promise 2's sum holds at each moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import DDL, Connection, column, func, select, table, text

from notifier.domain.partitions import Stretch, bounds_of, stretch_named
from notifier.storage import books
from notifier.storage.types import Id

#: Seconds a step waits for a lock.
LOCK_SECONDS = 0.3
#: Rows that are moved while a partition is taken out; more of them make it wait.
MOVED = 1000
#: From this size on the default partition is looked through before, not while, nobody can use it.
LARGE = 8 * 1024 * 1024

#: Held by whichever relay looks after partitions and retention, for one look.
_TURN = 0x6E74665F7274
_LONG = "600s"
_CHECK = "notifications_ahead"
_DEFAULT = "notifications_default"


@dataclass(frozen=True, slots=True)
class Partitions:
    """What the table consists of: the partitions with bounds by name, those taken out; the default one's bytes."""

    made: dict[str, Stretch]
    retired: list[str]
    default_bytes: int
    guarded: bool

    @property
    def stretches(self) -> list[Stretch]:
        """Of those with bounds."""
        return sorted(self.made.values())


def take_turn(connection: Connection) -> bool:
    """Whether this session looks after partitions now: one at a time does. `end_turn`, or its end, gives it up."""
    return bool(connection.execute(select(func.pg_try_advisory_lock(_TURN))).scalar_one())


def end_turn(connection: Connection) -> None:
    """Let another have its turn."""
    connection.execute(select(func.pg_advisory_unlock(_TURN)))


_PARTS = text(
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'notifications'::regclass ORDER BY c.relname"
)
_GUARD = text(
    "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass(:name) AND conname = :check"
).bindparams(name=_DEFAULT, check=_CHECK)
_SIZE = text("SELECT coalesce(pg_relation_size(to_regclass(:name)), 0)").bindparams(name=_DEFAULT)


def look(connection: Connection) -> Partitions:
    """What there is."""
    parts = [(name, bounds_of(bound or "")) for name, bound in connection.execute(_PARTS)]
    return Partitions(
        made={name: stretch for name, stretch in parts if stretch is not None},
        retired=books.retired(connection),
        default_bytes=int(connection.execute(_SIZE).scalar_one()),
        guarded=bool(connection.execute(_GUARD).scalar_one()),
    )


def has_rows(connection: Connection, begin: UUID) -> bool:
    """Whether the default partition has rows with this id or a later one."""
    rows = table(_DEFAULT, column("id", Id))
    return connection.execute(select(rows.c.id).where(rows.c.id >= begin).limit(1)).first() is not None


def guard(connection: Connection, stretches: Sequence[Stretch]) -> None:
    """Promise that the default partition has no row of these stretches, and see that it is so, beside the traffic.

    Then no attach of them has to look, which holds up everybody meanwhile. `unguard` it before they begin.
    """
    apart = " AND ".join(f"(id < '{low}' OR id >= '{high}')" for low, high in (one.ids for one in stretches))
    with connection.begin():
        _be_quick(connection, _DEFAULT)
        _alter(connection, "ALTER TABLE %(t)s ADD CONSTRAINT %(c)s CHECK (%(apart)s) NOT VALID", apart=apart)
    with connection.begin():
        connection.execute(select(func.set_config("statement_timeout", _LONG, True)))
        _alter(connection, "ALTER TABLE %(t)s VALIDATE CONSTRAINT %(c)s")


def unguard(connection: Connection) -> None:
    """Let the default partition take any row again."""
    with connection.begin():
        _be_quick(connection, _DEFAULT)
        _alter(connection, "ALTER TABLE %(t)s DROP CONSTRAINT IF EXISTS %(c)s")


def make(connection: Connection, stretch: Stretch) -> None:
    """A partition for `stretch`; fails if the default one has rows of it."""
    low, high = stretch.ids
    with connection.begin():
        _be_quick(connection, _DEFAULT)
        # Made beside the table and then attached: CREATE TABLE … PARTITION OF would lock all of it.
        _alter(connection, _CREATE, name=stretch.name)
        _alter(connection, _ATTACH, name=stretch.name, low=low, high=high)


_CREATE = "CREATE TABLE %(name)s (LIKE notifications INCLUDING DEFAULTS) WITH (fillfactor = 70)"
_ATTACH = "ALTER TABLE notifications ATTACH PARTITION %(name)s FOR VALUES FROM ('%(low)s') TO ('%(high)s')"
_STAYING = """
SELECT id FROM {name} WHERE finished_at IS NULL OR finished_at > statement_timestamp() - make_interval(secs => :age)
UNION
SELECT p.id FROM dead_letters d JOIN {name} p ON p.id = d.notification_id
WHERE d.notification_id >= CAST(:low AS uuid) AND d.notification_id < CAST(:high AS uuid) AND d.state IN ('open', 'replaying')
LIMIT :limit
"""


def staying(connection: Connection, stretch: Stretch, kept: timedelta) -> list[UUID]:
    """Rows of it that must outlive it, at most one more than may be moved: what is not final, what has been so for less
    than `kept`, what can still be replayed.
    """
    low, high = stretch.ids
    statement = text(_STAYING.format(name=stretch.name)).columns(id=Id)
    values = {"age": kept.total_seconds(), "low": low, "high": high, "limit": MOVED + 1}
    with connection.begin():
        connection.execute(select(func.set_config("statement_timeout", _LONG, True)))
        return list(connection.execute(statement, values).scalars())


#: Columns by name: a partition that an older version made may have them in another order.
_COLUMNS = text(
    "SELECT quote_ident(attname) FROM pg_attribute"
    " WHERE attrelid = 'notifications'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_MOVE = """
WITH moved AS (
  DELETE FROM {name} WHERE finished_at IS NULL OR id = ANY (CAST(:stay AS uuid[])) RETURNING {names}
) INSERT INTO notifications ({names}) SELECT {names} FROM moved RETURNING id
"""


def retire(connection: Connection, stretch: Stretch, stay: Sequence[UUID]) -> int:
    """Take its partition out of the table. `stay`, and whatever is not final, goes to the default partition in the same
    moment; how many those were.
    """
    name = stretch.name
    with connection.begin():
        _be_quick(connection, _DEFAULT, name)
        books.hold(connection)
        _alter(connection, "ALTER TABLE notifications DETACH PARTITION %(name)s", name=name)
        names = ", ".join(connection.execute(_COLUMNS).scalars())
        # What is not final by its state under the lock, not as it was found before.
        moving = text(_MOVE.format(name=name, names=names))
        moved = len(connection.execute(moving, {"stay": [str(one) for one in stay]}).all())
        _alter(connection, "ALTER TABLE %(name)s RENAME TO %(new)s", name=name, new=retired_name(stretch))
    return moved


def retired_name(stretch: Stretch) -> str:
    """What a partition is called once it was taken out."""
    return f"{stretch.name}{books.RETIRED}"


_ATTEMPTS = text("""
DELETE FROM attempts WHERE (notification_id, n, claim_id) IN (
  SELECT a.notification_id, a.n, a.claim_id FROM attempts a
  WHERE a.notification_id >= CAST(:low AS uuid) AND a.notification_id < CAST(:high AS uuid)
    AND NOT EXISTS (SELECT FROM notifications n WHERE n.id = a.notification_id)
  LIMIT :limit
) RETURNING n
""")


def forget_attempts(connection: Connection, name: str, limit: int) -> int:
    """Forget at most `limit` attempts of what was in this table, which was taken out; how many those were."""
    stretch = stretch_named(name.removesuffix(books.RETIRED))
    if stretch is None:
        return 0
    low, high = stretch.ids
    with connection.begin():
        return len(connection.execute(_ATTEMPTS, {"low": low, "high": high, "limit": limit}).all())


def drop(connection: Connection, name: str) -> int:
    """Drop a table that was taken out, and take its rows off the books; how many those were."""
    with connection.begin():
        connection.execute(select(func.set_config("statement_timeout", _LONG, True)))
        _be_quick(connection)
        books.hold(connection)
        rows = connection.execute(select(func.count()).select_from(table(name))).scalar_one()
        books.enter(connection, books.GONE, -rows)
        _alter(connection, "DROP TABLE %(name)s", name=name)
    return int(rows)


def _be_quick(connection: Connection, *names: str) -> None:
    """For locks that hold up others. First a lighter one on these tables, which holds up nobody: PostgreSQL ends an
    autovacuum for whoever has waited for a second, and no later wait here is as long.
    """
    for name in names:
        _alter(connection, "LOCK TABLE %(name)s IN SHARE UPDATE EXCLUSIVE MODE", name=name)
    connection.execute(select(func.set_config("lock_timeout", f"{LOCK_SECONDS * 1000:.0f}ms", True)))


def _alter(connection: Connection, statement: str, **names: str) -> None:
    """Names and bounds can't be parameters; those are all of our own making (`Stretch`), or the catalog's."""
    ddl = DDL(statement, context={"t": _DEFAULT, "c": _CHECK} | names)  # type: ignore[no-untyped-call]
    connection.execute(ddl)
