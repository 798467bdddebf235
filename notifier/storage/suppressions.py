"""Recipients that nothing is sent to any more: a provider said for good that they can't be reached, or they left.

Each is known by the digest that its notifications are found by, within its tenant and channel; the address itself
is not kept here. Who left a topic is still sent to about others. A claim looks it up, so what was accepted before
is not sent either.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ScalarSelect,
    Select,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode, Reason
from notifier.storage.engine import writing
from notifier.storage.tables import notifications, suppressions
from notifier.storage.types import db_now, db_now_plus

#: One such answer is enough.
AT_ONCE = (Reason.INVALID_RECIPIENT, Reason.RECIPIENT_OPTED_OUT)
#: A full mailbox may be emptied: only the third within seven days suppresses (reliability.md, SMTP 5.2.2).
TIMES, WITHIN = 3, 7 * 86_400.0
#: In place of a topic: all of them.
EVERY_TOPIC = ""
SUPPRESSING = frozenset({*AT_ONCE, Reason.UNREACHABLE_RECIPIENT})

_row = notifications.c


def reason_of_row() -> "ScalarSelect[str]":
    """Why a row of `notifications` is not to be sent; NULL for one that may be."""
    table = suppressions.c
    # By name: for SQLite a RETURNING's columns are written without their table's, and `tenant = tenant` is true.
    row: dict[str, ColumnElement[str]] = {
        name: literal_column(f"notifications.{name}") for name in ("tenant", "channel", "recipient_hash")
    }
    # Both at once is one reason too many for a subquery; '' is first, and goes for everything.
    own: ColumnElement[str] = literal_column("notifications.topic")
    topics = (literal(EVERY_TOPIC), func.coalesce(own, EVERY_TOPIC))
    statement = (
        select(table.reason)
        .where(*(table[name] == column for name, column in row.items()), table.topic.in_(topics))
        .order_by(table.topic)
        .limit(1)
    )
    return statement.scalar_subquery()


def leave_topic(engine: Engine, wanted: UUID) -> bool:
    """Suppress the reader of an e-mail for its topic; False if there is no such e-mail. Twice is the same as once."""
    of_email = and_(_row.id == wanted, _row.channel == Channel.EMAIL, _row.topic.is_not(None))
    source = select(
        _row.tenant, _row.channel, _row.recipient_hash, _row.topic, literal(str(Reason.RECIPIENT_OPTED_OUT)),
        literal("recipient"), _row.id, db_now(),
    ).where(of_email)  # fmt: skip
    with writing(engine) as connection:
        if connection.execute(select(_row.id).where(of_email)).one_or_none() is None:
            return False
        _add(connection, source)
    return True


def suppress(connection: Connection, ended: Sequence[UUID]) -> None:
    """Suppress the recipients of those of these rows that have just failed for such a reason.

    Not what a test key sent: a bounce that is forced must come each time.
    """
    source = select(
        _row.tenant, _row.channel, _row.recipient_hash, literal(EVERY_TOPIC), _row.reason, literal("provider"),
        _row.id, db_now(),
    ).where(
        _row.id.in_(ended),
        _row.mode == Mode.LIVE,
        or_(
            _row.reason.in_(AT_ONCE), and_(_row.reason == Reason.UNREACHABLE_RECIPIENT, _often_unreachable())
        ),
    )  # fmt: skip
    _add(connection, source)


def suppress_told(connection: Connection, told: Sequence[UUID], reason: Reason) -> None:
    """Suppress the recipients of these rows for what a receipt said of them; `reason` is one of `AT_ONCE`.

    As there, not what a test key sent. The row itself may have ended otherwise: a complaint follows a delivery.
    """
    source = select(
        _row.tenant, _row.channel, _row.recipient_hash, literal(EVERY_TOPIC), literal(str(reason)),
        literal("provider"), _row.id, db_now(),
    ).where(_row.id.in_(told), _row.mode == Mode.LIVE)  # fmt: skip
    _add(connection, source)


def _add(connection: Connection, source: Select[Any]) -> None:
    """Keep the rows of `source`; whoever is suppressed already stays so, as it was said first."""
    target = "tenant channel recipient_hash topic reason source notification_id created_at".split()
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
