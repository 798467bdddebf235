"""Operations on failures: asked for and marked in one transaction, counted as they go, kept for the audit.

An operation owns its failures from the moment it is asked for, so a second one with the same filter finds
none of them: idempotent per failure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from notifier.domain.errors import KeyInUse, KeyReused
from notifier.domain.ids import uuid7
from notifier.domain.lanes import Priority
from notifier.domain.replays import FailureState, OperationKind, OperationState
from notifier.storage import accepting
from notifier.storage.accepting import KeyClaim, database_time
from notifier.storage.dead_letters import FailureFilter, matches
from notifier.storage.engine import reading, writing
from notifier.storage.tables import dead_letters, notifications, operations
from notifier.storage.types import db_now, db_now_plus

_letter, _row, _operation = dead_letters.c, notifications.c, operations.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for. `by` is an API key's id (None: the command line), `asked` the filter as JSON values.

    For a replay: `rate` a second, down the lanes of `priority` (None: each its own), each worth sending for
    `ttl` seconds from its release (None: until its own `expires_at`). `limit` is at most `MAX_LIMIT`.
    """

    kind: OperationKind
    tenant: str
    by: str | None
    request_id: str | None
    wanted: FailureFilter
    asked: Mapping[str, Any]
    limit: int
    rate: float | None = None
    priority: Priority | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """An Idempotency-Key with the digest of its request, kept for `hours`."""

    api_key: str
    route: str
    key: str
    body_hash: str
    hours: float


@dataclass(frozen=True, slots=True)
class Begun:
    """An operation, and whether its order had come before."""

    row: "OperationRow"
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an order would do now: of `matched`, how many would be dropped, or have no content any more."""

    matched: int
    dropped: int
    forgotten: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRow:
    """An operation as it stands; `more` failures may match than it has taken."""

    id: UUID
    kind: OperationKind
    state: OperationState
    by: str | None
    request_id: str | None
    filter: dict[str, Any]
    at_most: int
    rate: float | None
    priority: Priority | None
    ttl: int | None
    matched: int
    replayed: int
    dropped: int
    forgotten: int
    discarded: int
    created_at: datetime
    finished_at: datetime | None


def preview(engine: Engine, order: Order) -> Preview:
    """What it would do, changing nothing."""
    chosen = _chosen(order, order.limit + 1).subquery("chosen")
    judged = (
        select(is_forgotten().label("forgotten"), is_late(order.ttl).label("late"))
        .select_from(chosen)
        .outerjoin(notifications, _row.id == chosen.c.notification_id)
        .order_by(chosen.c.notification_id)
        .limit(order.limit)
        .subquery("judged")
    )
    figures = select(
        func.count(),
        func.coalesce(func.sum(case((judged.c.forgotten, 1), else_=0)), 0),
        func.coalesce(func.sum(case((and_(~judged.c.forgotten, judged.c.late), 1), else_=0)), 0),
        select(func.count()).select_from(chosen).scalar_subquery(),
    )
    with reading(engine) as connection:
        matched, forgotten, over, all_found = connection.execute(figures).one()
    return Preview(matched=matched, dropped=over, forgotten=forgotten, more=all_found > matched)


def begin(engine: Engine, order: Order, key: OrderKey | None = None) -> Begun:
    """Take what matches and keep the operation, in one transaction; a discard is done with that.

    The same `key` again gives the first operation as it stands; raises `KeyReused`, or `KeyInUse`.
    """
    with writing(engine) as connection:
        now = database_time(connection)
        made = uuid7(now)
        former = _named_before(connection, key, made, now) if key is not None else None
        if former is not None:
            return Begun(_get(connection, order.tenant, former), replayed=True)
        number = _mark(connection, order, made)
        discards = order.kind is OperationKind.DISCARD
        runs = number > 0 and not discards
        connection.execute(
            insert(operations).values(
                id=made,
                tenant=order.tenant,
                kind=order.kind,
                state=OperationState.RUNNING if runs else OperationState.DONE,
                by=order.by,
                request_id=order.request_id,
                filter=dict(order.asked),
                at_most=order.limit,
                rate=order.rate,
                priority=order.priority,
                ttl=order.ttl,
                matched=number,
                discarded=number if discards else 0,
                created_at=db_now(),
                finished_at=None if runs else db_now(),
            )
        )
        return Begun(_get(connection, order.tenant, made), replayed=False)


def _named_before(connection: Connection, key: OrderKey, made: UUID, now: datetime) -> UUID | None:
    """The operation that `key` stands for; None if it stands for `made` from now on."""
    claim = KeyClaim(
        api_key=key.api_key,
        route=key.route,
        key=key.key,
        body_hash=key.body_hash,
        answer=str(made),
        expires_at=now + timedelta(hours=key.hours),
    )
    accepting.forget_key(connection, claim.name)
    if accepting.take_keys(connection, [claim]):
        return None
    found = accepting.find_key(connection, claim.name)
    if found is None:
        raise KeyInUse("another request took this key just now")
    if found.body_hash != key.body_hash:
        raise KeyReused("this Idempotency-Key was used with another request")
    return UUID(found.answer)


def _mark(connection: Connection, order: Order, operation: UUID) -> int:
    # Locked one by one in the order of their ids: another operation waits here, then finds them taken.
    chosen = _chosen(order, order.limit).with_for_update().cte("chosen")
    discards = order.kind is OperationKind.DISCARD
    taken = (
        update(dead_letters)
        .where(_letter.notification_id.in_(select(chosen.c.notification_id)))
        .values(
            state=FailureState.DISCARDED if discards else FailureState.REPLAYING,
            operation_id=operation,
            settled_at=db_now() if discards else None,
        )
        .returning(_letter.notification_id)
    )
    return len(connection.execute(taken).all())


def _chosen(order: Order, limit: int) -> Select[Any]:
    """The oldest of the open failures that the order means."""
    open_ones = [*matches(order.tenant, order.wanted), _letter.state == FailureState.OPEN]
    return select(_letter.notification_id).where(*open_ones).order_by(_letter.notification_id).limit(limit)


def is_forgotten() -> ColumnElement[bool]:
    """Whether nothing is left to send: the row is gone, or its content is."""
    return or_(_row.id.is_(None), and_(_row.content.is_(None), _row.template_key.is_(None)))


def is_late(ttl: int | None) -> ColumnElement[bool]:
    """Whether its time is over; never where the operation gives it a new one."""
    if ttl is not None:
        return false()
    return and_(_row.expires_at.is_not(None), _row.expires_at <= db_now())


def get(engine: Engine, tenant: str, wanted: UUID) -> OperationRow | None:
    """The tenant's operation with this id."""
    with reading(engine) as connection:
        found = connection.execute(_of(tenant, wanted)).mappings().one_or_none()
    return _from(found) if found else None


def cancel(engine: Engine, tenant: str, wanted: UUID) -> OperationRow | None:
    """Replay no more of it: what was not released yet is open again. Done ones stay as they are."""
    with writing(engine) as connection:
        stopped = connection.execute(
            update(operations)
            .where(_operation.id == wanted, _operation.tenant == tenant)
            .where(_operation.state == OperationState.RUNNING)
            .values(state=OperationState.CANCELLED, finished_at=db_now())
            .returning(_operation.id)
        ).all()
        if stopped:
            connection.execute(
                update(dead_letters)
                .where(_letter.operation_id == wanted, _letter.state == FailureState.REPLAYING)
                .values(state=FailureState.OPEN, operation_id=None)
            )
        found = connection.execute(_of(tenant, wanted)).mappings().one_or_none()
    return _from(found) if found else None


def sweep(connection: Connection, older_than: float, limit: int) -> int:
    """Forget at most `limit` operations that ended over `older_than` seconds ago."""
    old = select(_operation.id).where(_operation.finished_at <= db_now_plus(-older_than)).limit(limit)
    removed = delete(operations).where(_operation.id.in_(old)).returning(_operation.id)
    return len(connection.execute(removed).all())


_SHOWN: Sequence[str] = tuple(OperationRow.__dataclass_fields__)


def _of(tenant: str, wanted: UUID) -> Select[Any]:
    columns = [_operation[name] for name in _SHOWN]
    return select(*columns).where(_operation.id == wanted, _operation.tenant == tenant)


def _get(connection: Connection, tenant: str, wanted: UUID) -> OperationRow:
    return _from(connection.execute(_of(tenant, wanted)).mappings().one())


def _from(found: Any) -> OperationRow:
    values = {name: found[name] for name in _SHOWN}
    values["kind"] = OperationKind(values["kind"])
    values["state"] = OperationState(values["state"])
    values["priority"] = Priority(values["priority"]) if values["priority"] else None
    return OperationRow(**values)
