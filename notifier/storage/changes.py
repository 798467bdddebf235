"""The moves a person asks for: cancel and resolve, each one compare-and-set."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, case, func, select, update

from notifier.domain.errors import NotFound, NotHeld, TooLate
from notifier.domain.lifecycle import Reason, Status
from notifier.storage.dead_letters import bury
from notifier.storage.engine import writing
from notifier.storage.notifications import NotificationRow, get_on
from notifier.storage.tables import notifications
from notifier.storage.types import db_now

_table = notifications.c


def cancel(engine: Engine, tenant: str, wanted: UUID) -> NotificationRow:
    """Cancel it; once this returns it will not be sent. Raises `NotFound`, or `TooLate` after the claim.

    Cancelling what is cancelled already is the same answer again.
    """
    with writing(engine) as connection:
        statement = (
            update(notifications)
            .where(_table.id == wanted, _table.tenant == tenant)
            .where(_table.status.in_([Status.SCHEDULED, Status.QUEUED]))
            .values(
                status=Status.CANCELLED,
                reason=Reason.CANCELLED,
                finished_at=db_now(),
                next_attempt_at=None,
            )
        )
        connection.execute(statement)
        row = _present(connection, tenant, wanted)
        if row.status is not Status.CANCELLED:
            raise TooLate(row.status)
        return row


def resolve(engine: Engine, tenant: str, wanted: UUID, verdict: str) -> NotificationRow:
    """End `held`: as "sent", as "failed", or "resend" (queued again at once).

    Raises `NotFound`, or `NotHeld` for any other state.
    """
    with writing(engine) as connection:
        held = update(notifications).where(
            _table.id == wanted, _table.tenant == tenant, _table.status == Status.HELD
        )
        if verdict == "resend":
            # A row already past its end is swept by the relay as expired, never sent.
            held = held.values(status=Status.QUEUED, reason=None, next_attempt_at=db_now(), queued_at=None)
        else:
            ended = Status.SENT if verdict == "sent" else Status.FAILED
            held = held.values(
                status=ended,
                finished_at=db_now(),
                reason=None if ended is Status.SENT else func.coalesce(_table.reason, Reason.UNCERTAIN),
            )
        changed = connection.execute(held).rowcount
        row = _present(connection, tenant, wanted)
        if not changed:
            raise NotHeld(row.status)
        if row.status is Status.FAILED:
            bury(connection, [wanted])
        return row


def _present(connection: Connection, tenant: str, wanted: UUID) -> NotificationRow:
    row = get_on(connection, tenant, wanted)
    if row is None:
        raise NotFound
    return row


def counts(engine: Engine, tenant: str | None = None) -> dict[Status, int]:
    """How many notifications stand in each state: the right side of promise 2's sum (see `books`)."""
    statement = select(_table.status, func.count()).group_by(_table.status)
    if tenant is not None:
        statement = statement.where(_table.tenant == tenant)
    with engine.connect() as connection:
        found = {Status(name): int(number) for name, number in connection.execute(statement)}
    return {status: found.get(status, 0) for status in Status}


@dataclass(frozen=True, slots=True)
class Expired:
    """A notification whose time was over."""

    id: UUID
    channel: str
    reason: str


def expire_overdue(connection: Connection, limit: int) -> list[Expired]:
    """End what waited past its `expires_at` (scheduled or queued), at most `limit` rows.

    The reason is the last attempt's, where there was one: it says why nothing got through.
    """
    overdue = (
        select(_table.id)
        .where(_table.finished_at.is_(None), _table.expires_at <= db_now())
        .where(_table.status.in_([Status.SCHEDULED, Status.QUEUED]))
        .order_by(_table.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("overdue")
    )
    last_reason = _table.last_attempt["reason"].as_string()
    statement = (
        update(notifications)
        .where(_table.id.in_(select(overdue.c.id)))
        .values(
            status=Status.EXPIRED,
            reason=case((last_reason.is_not(None), last_reason), else_=Reason.EXPIRED.value),
            finished_at=db_now(),
            next_attempt_at=None,
        )
        .returning(_table.id, _table.channel, _table.reason)
    )
    ended = [Expired(row.id, row.channel, row.reason) for row in connection.execute(statement)]
    if ended:
        bury(connection, [one.id for one in ended])
    return ended
