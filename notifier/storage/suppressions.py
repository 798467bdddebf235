"""Recipients that nothing is sent to any more, because a provider said for good that they can't be reached.

Each is known by the digest that its notifications are found by, within its tenant and channel; the address itself
is not kept here. A claim looks it up, so what was accepted before is not sent either.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lifecycle import Reason
from notifier.storage.tables import notifications, suppressions
from notifier.storage.types import db_now, db_now_plus

#: One such answer is enough.
AT_ONCE = (Reason.INVALID_RECIPIENT, Reason.RECIPIENT_OPTED_OUT)
#: A full mailbox may be emptied: only the third within seven days suppresses (reliability.md, SMTP 5.2.2).
TIMES, WITHIN = 3, 7 * 86_400.0
SUPPRESSING = frozenset({*AT_ONCE, Reason.UNREACHABLE_RECIPIENT})

_row = notifications.c


def reason_of_row() -> "ScalarSelect[str]":
    """Why a row of `notifications` is not to be sent; NULL for one that may be."""
    table = suppressions.c
    # By name: for SQLite a RETURNING's columns are written without their table's, and `tenant = tenant` is true.
    row: dict[str, ColumnElement[str]] = {
        name: literal_column(f"notifications.{name}") for name in ("tenant", "channel", "recipient_hash")
    }
    statement = select(table.reason).where(*(table[name] == column for name, column in row.items()))
    return statement.scalar_subquery()


def suppress(connection: Connection, ended: Sequence[UUID]) -> None:
    """Suppress the recipients of those of these rows that have just failed for such a reason."""
    source = select(
        _row.tenant, _row.channel, _row.recipient_hash, _row.reason, literal("provider"), _row.id, db_now()
    ).where(
        _row.id.in_(ended),
        or_(
            _row.reason.in_(AT_ONCE), and_(_row.reason == Reason.UNREACHABLE_RECIPIENT, _often_unreachable())
        ),
    )
    target = "tenant channel recipient_hash reason source notification_id created_at".split()
    maker = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = maker(suppressions).from_select(target, source, include_defaults=False)
    connection.execute(statement.on_conflict_do_nothing())


def _often_unreachable() -> ColumnElement[bool]:
    other = notifications.alias("other").c
    number = (
        select(func.count())
        .where(other.tenant == _row.tenant, other.recipient_hash == _row.recipient_hash)
        .where(other.channel == _row.channel, other.reason == Reason.UNREACHABLE_RECIPIENT)
        .where(other.finished_at >= db_now_plus(-WITHIN))
        .correlate(notifications)
        .scalar_subquery()
    )
    return number >= TIMES
