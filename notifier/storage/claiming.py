"""The claim: the right to make one attempt, given to a group of threads in one statement.

Nearly every claim is plain (queued and due). What a plain claim did not take is looked at one by one
under a lock and judged (`notifier.delivery.takeovers`): a dead worker's claim may be taken over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from notifier.domain import simulator
from notifier.domain.lanes import Channel, Lane
from notifier.domain.lifecycle import Mode, OnUncertain, Status
from notifier.storage.groups import Group
from notifier.storage.kept import Kept, Statement
from notifier.storage.locking import BOUNDS, bounds, locked_rows, within
from notifier.storage.suppressions import reason_of_row
from notifier.storage.tables import notifications, workers
from notifier.storage.types import Id, db_now, db_now_plus


@dataclass(frozen=True, slots=True)
class Wanted:
    """A thread's wish to claim `id`, found in `lane`, under a claim id made for this claim.

    `provider` is the account the grant names; a provider the request asked for goes before it, and before both the
    simulator where a test key sent it.
    """

    id: UUID
    lane: Lane
    claim_id: int
    provider: str = ""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A notification one thread may now attempt; `claimed_at` is the database's time of the claim.

    A struct: a frozen dataclass of so many fields takes five times as long to make.
    """

    id: UUID
    lane: Lane
    tenant: str
    #: Has no default on purpose: what forgot it would send for real.
    mode: Mode
    claim_id: int
    attempt: int
    claimed_at: datetime
    expires_at: datetime
    queued_at: datetime | None
    recipient: dict[str, Any]
    content: dict[str, Any] | None
    options: dict[str, Any] | None
    provider: str | None
    units: int
    on_uncertain: OnUncertain
    claims_unended: int
    uncertain_count: int
    has_former: bool
    request_id: str | None
    traceparent: str | None
    #: Why its recipient is suppressed, None while it is not.
    suppressed: str | None = None
    topic: str | None = None
    #: When it was to be sent, where the request named a moment.
    send_at: datetime | None = None

    @property
    def accepted_at(self) -> datetime:
        """From when on it could be sent: its `send_at`, else when it was accepted, which its id tells."""
        made = datetime.fromtimestamp((self.id.int >> 80) / 1000, UTC)
        return made if self.send_at is None else max(made, self.send_at)

    @property
    def expired(self) -> bool:
        """Whether its time was over when it was claimed."""
        return self.claimed_at >= self.expires_at


#: Looked up, not made: an enumeration's own call costs a microsecond, and a claim would make five.
_LANES = {(str(lane.channel), str(lane.priority)): lane for lane in Lane.all(Channel)}
_ON_UNCERTAIN = {str(one): one for one in OnUncertain}
_MODES = {str(one): one for one in Mode}

_WANTED = Group(
    "wanted",
    (
        ("id", Id),
        ("claim_id", BigInteger()),
        ("channel", Text()),
        ("priority", Text()),
        ("provider", Text()),
    ),
)
_table = notifications.c
# SQLite 3.40 takes "IS NOT NULL" in RETURNING for always true.
_has_former = (func.coalesce(cast(_table.last_attempt, Text), "") != "").label("has_former")
_RETURNED = (
    _table.id, _table.channel, _table.priority, _table.tenant, _table.claim_id, _table.attempt,
    _table.claimed_at, _table.expires_at, _table.queued_at, _table.recipient, _table.content,
    _table.options, _table.provider, _table.units, _table.on_uncertain, _table.claims_unended,
    _table.uncertain_count, _has_former, _table.request_id, _table.traceparent, _table.topic,
    _table.mode, _table.send_at,
    reason_of_row().label("suppressed"),
)  # fmt: skip


def claim_plain(kept: Kept, wanted: Sequence[Wanted], owner: UUID, lease: float) -> list[Claimed]:
    """Claim what is queued and due, and what these very claims hold already (an answer got lost).

    `wanted` in the order of its ids; a transaction of its own.
    """
    rows = [(w.id, w.claim_id, w.lane.channel.value, w.lane.priority.value, w.provider) for w in wanted]
    parameters = _WANTED.parameters(kept.dialect, rows) | bounds(kept.dialect, [one.id for one in wanted])
    return [_claimed(row) for row in kept.rows(_CLAIM, parameters | {"owner": owner, "lease": lease})]


def _claim(dialect: str) -> ReturningUpdate[Any]:
    locked = locked_rows(dialect, _WANTED.rows(dialect), _claimable).cte("locked")
    return _taking(locked.c.row_id, locked.c.claim_id, locked.c.provider).where(within(dialect))


_CLAIM = Statement(_claim, (*_WANTED.names, *BOUNDS, "owner", "lease"))


def _claimable(wanted: Any) -> ColumnElement[bool]:
    """Queued and due in the lane the message names, or claimed by this very claim."""
    same_lane = and_(_table.channel == wanted.channel, _table.priority == wanted.priority)
    due = or_(_table.next_attempt_at.is_(None), _table.next_attempt_at <= db_now())
    fresh = and_(_table.status == Status.QUEUED, due)
    ours = and_(_table.status == Status.SENDING, _table.claim_id == wanted.claim_id)
    return and_(same_lane, or_(fresh, ours))


def _taking(row_id: Any, claim_id: Any, provider: Any) -> ReturningUpdate[Any]:
    already = and_(_table.status == Status.SENDING, _table.claim_id == claim_id)
    return (
        update(notifications)
        .where(_table.id == row_id)
        .values(
            status=Status.SENDING,
            attempt=_table.attempt + case((already, 0), else_=1),
            claims_unended=_table.claims_unended + case((already, 0), else_=1),
            claim_id=claim_id,
            claimed_at=db_now(),
            # NULL stays NULL for a plain claim (and the update heap-only); a row that was due is so no more.
            next_attempt_at=None,
            # The same for a queued row. A retry that a second bell claims before the relay has queued it gets
            # its moment here: whoever seeks lost claims goes by it.
            queued_at=func.coalesce(_table.queued_at, db_now()),
            # The account that the attempt is shown with, should nobody live to record it.
            claimed_provider=case(
                (_table.mode == Mode.TEST, simulator.NAME), else_=func.coalesce(_table.provider, provider)
            ),
            owner=bindparam("owner", type_=Id),
            lease_until=db_now_plus(bindparam("lease", type_=Float())),
        )
        .returning(*_RETURNED)
    )


def take_over(connection: Connection, wanted: Wanted, owner: UUID, lease: float) -> Claimed:
    """Claim a row this transaction has locked and found claimable."""
    statement = _taking(
        literal(wanted.id, Id), literal(wanted.claim_id, BigInteger()), literal(wanted.provider)
    )
    found = connection.execute(statement, {"owner": owner, "lease": lease})
    return _claimed(found.one())


def _claimed(row: Sequence[Any]) -> Claimed:
    """From the columns of `_RETURNED`, in their order."""
    (
        id_, channel, priority, tenant, claim_id, attempt, claimed_at, expires_at, queued_at, recipient, content,
        options, provider, units, on_uncertain, claims_unended, uncertain_count, has_former, request_id,
        traceparent, topic, mode, send_at, suppressed,
    ) = row  # fmt: skip
    return Claimed(
        id=id_,
        lane=_LANES[channel, priority],
        tenant=tenant,
        claim_id=claim_id,
        attempt=attempt,
        claimed_at=claimed_at,
        expires_at=expires_at,
        queued_at=queued_at,
        recipient=recipient,
        content=content,
        options=options,
        provider=provider,
        units=units,
        on_uncertain=_ON_UNCERTAIN[on_uncertain],
        claims_unended=claims_unended,
        uncertain_count=uncertain_count,
        has_former=bool(has_former),
        request_id=request_id,
        traceparent=traceparent,
        suppressed=suppressed,
        topic=topic,
        mode=_MODES[mode],
        send_at=send_at,
    )


def abandoned(connection: Connection, wanted: Wanted, beat_fresh: float) -> Any | None:
    """The row, locked, if a claim on it has ended without an outcome: lease over, not named by a fresh beat."""
    statement = (
        select(
            _table.id, _table.tenant, _table.status, _table.attempt, _table.claim_id, _table.claimed_at,
            _table.owner, _table.on_uncertain, _table.claims_unended, _table.uncertain_count,
            _table.last_attempt, _table.claimed_provider, _table.expires_at,
        )
        .where(_table.id == wanted.id, _table.status == Status.SENDING)
        .where(_table.channel == wanted.lane.channel, _table.priority == wanted.lane.priority)
        .where(_table.lease_until <= db_now())
        .with_for_update()
    )  # fmt: skip
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    beat = select(workers.c.begun).where(
        workers.c.id == row.owner, workers.c.beat_at >= db_now_plus(-beat_fresh)
    )
    named = connection.execute(beat).scalar_one_or_none()
    return None if named and row.claim_id in named else row
