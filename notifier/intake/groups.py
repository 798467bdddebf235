"""One group of submissions in one transaction: keys, notifications and bells together."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.errors import (
    InvalidInput,
    KeyInUse,
    KeyReused,
    NotifierError,
    OutcomeUnknown,
    Unavailable,
)
from notifier.domain.ids import uuid7s
from notifier.domain.lifecycle import Status
from notifier.domain.notification import NewNotification
from notifier.domain.retries import DEFAULT_TTL
from notifier.intake.submissions import Kept, Stored, Ticket
from notifier.storage import accepting, faults, outbox
from notifier.storage.clock import HeardTime
from notifier.storage.engine import one_statement, reading, writing
from notifier.storage.keeping import keep_group, session_of, was_kept
from notifier.storage.outbox import Bell, OutboxRow
from notifier.telemetry.metrics import ACCEPTED, GROUP_SIZE
from notifier.telemetry.tally import CLOSED, Tally

Result = Kept | NotifierError
_Fresh = tuple[NewNotification, Stored]
log = structlog.get_logger("notifier.intake")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """A submission with the ids and the answer it gets if it is kept."""

    ticket: Ticket
    stored: Sequence[Stored]
    answer: str


class GroupWriter:
    """Writes groups. `ttl` gives each priority's default lifetime in seconds, `key_hours` how long a key is
    kept, `grace` the seconds until a relay may publish in our place; `reach` is a crash point.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        ttl: dict[str, int] | None = None,
        key_hours: float = 24,
        grace: float = 3.0,
        reach: Callable[[str], None] = lambda _: None,
        tally: Tally = CLOSED,
    ) -> None:
        self._tally = tally
        self._engine = engine
        # Its row in the books: no other process waits for it.
        self._id = uuid4()
        self._ttl = ttl or {str(priority): seconds for priority, seconds in DEFAULT_TTL.items()}
        self._key_life = timedelta(hours=key_hours)
        self._grace = grace
        self._reach = reach
        self._clock = HeardTime()

    def write(self, tickets: Sequence[Ticket]) -> tuple[dict[Ticket, Result], list[OutboxRow]]:
        """What became of each ticket, and the bells to publish now."""
        for attempt in range(_TRIES):
            committing: list[bool] = []
            try:
                return self._transaction(tickets, committing)
            except Exception as error:  # noqa: BLE001 - each caller hears of its own fault
                if committing:
                    return _all(tickets, OutcomeUnknown("the commit was under way; the key tells")), []
                again = faults.is_clash(error) or (attempt == 0 and faults.is_disconnect(error))
                if again and attempt + 1 < _TRIES:
                    continue
                if faults.is_data_fault(error) or faults.is_lock_timeout(error):
                    return self._halve(tickets, error)
                if faults.is_away(error):
                    return _all(tickets, Unavailable("storage can't be reached right now")), []
                # Our own code failed, on one of these requests: the others shall not hear of it.
                return self._halve(tickets, error)
        raise AssertionError("unreachable")

    def _halve(
        self, tickets: Sequence[Ticket], error: Exception
    ) -> tuple[dict[Ticket, Result], list[OutboxRow]]:
        """Between requests, never inside one, until the request at fault stands alone."""
        if len(tickets) == 1:
            return _all(tickets, _alone(tickets[0], error)), []
        middle = len(tickets) // 2
        results, rows = self.write(tickets[:middle])
        more, more_rows = self.write(tickets[middle:])
        return results | more, rows + more_rows

    def _transaction(
        self, tickets: Sequence[Ticket], committing: list[bool]
    ) -> tuple[dict[Ticket, Result], list[OutboxRow]]:
        if self._engine.dialect.name == "postgresql" and not any(map(_needs_keys, tickets)):
            return self._at_once(tickets, committing)
        results: dict[Ticket, Result] = {}
        with writing(self._engine) as connection:
            now = self._now(connection)
            drafts = self._drafts(tickets, now)
            winners = self._keyed(connection, drafts, now, results)
            fresh = _fresh(winners)
            rows = self._keep(connection, fresh) if fresh else []
            self._reach("before_commit")
            committing.append(True)
        return self._kept(winners, fresh, results), rows

    def _at_once(
        self, tickets: Sequence[Ticket], committing: list[bool]
    ) -> tuple[dict[Ticket, Result], list[OutboxRow]]:
        """The same for a group without keys, in one round trip: nothing has to be asked before it is kept."""
        drafts: list[Draft] = []
        session = 0
        try:
            with one_statement(self._engine) as connection:
                now = self._now(connection)
                drafts = self._drafts(tickets, now)
                fresh = _fresh(drafts)
                session = session_of(connection)
                self._reach("before_commit")
                committing.append(True)
                rows = self._keep(connection, fresh)
        except Exception as error:
            if not committing or not faults.may_be_kept(error):
                committing.clear()
                raise
            if not self._was_kept(session, drafts, committing):
                raise
            # Its bells are a relay's now.
            rows = []
        return self._kept(drafts, fresh, {}), rows

    def _was_kept(self, session: int, drafts: Sequence[Draft], committing: list[bool]) -> bool:
        """Whether a group was kept whose answer was lost; `committing` is cleared where it surely was not."""
        first = next((one.id for draft in drafts for one in draft.stored), None)
        if first is None:  # nothing was to be kept
            return True
        try:
            with reading(self._engine) as connection:
                kept = was_kept(connection, session, first)
        except SQLAlchemyError:
            return False
        if kept is False:
            committing.clear()
        return bool(kept)

    def _now(self, connection: Connection) -> datetime:
        """The database's moment, in whole milliseconds."""
        now = self._clock.now()
        if now is None or connection.dialect.name != "postgresql":
            now = accepting.database_time(connection)
            self._clock.heard(now)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _keep(self, connection: Connection, fresh: Sequence[_Fresh]) -> list[OutboxRow]:
        bells = [
            Bell(m.lane, m.id, n.units, traceparent=n.traceparent)
            for n, m in fresh
            if m.status is Status.QUEUED
        ]
        if connection.dialect.name == "postgresql":
            rows, moment = keep_group(connection, fresh, bells, self._id, self._grace)
            if moment is not None:
                self._clock.heard(moment)
            return rows
        accepting.add_notifications(connection, fresh, self._id)
        return outbox.add(connection, bells, self._grace)

    def _kept(
        self, winners: Sequence[Draft], fresh: Sequence[_Fresh], results: dict[Ticket, Result]
    ) -> dict[Ticket, Result]:
        self._reach("after_commit")
        self._count([made for _, made in fresh])
        for draft in winners:
            results[draft.ticket] = Kept(draft.answer.encode())
        return results

    def _count(self, kept: Sequence[Stored]) -> None:
        if kept:
            self._tally.add(GROUP_SIZE, ("accept",), len(kept))
        for lane, number in Counter(one.lane for one in kept).items():
            self._tally.add(ACCEPTED, (str(lane.channel), str(lane.priority)), number)

    def _drafts(self, tickets: Sequence[Ticket], now: datetime) -> list[Draft]:
        ids = iter(uuid7s(now, sum(len(ticket.submission.notifications) for ticket in tickets)))
        return [self._draft(ticket, now, ids) for ticket in tickets]

    def _draft(self, ticket: Ticket, now: datetime, ids: Iterator[UUID]) -> Draft:
        made = [
            accepting.stored(new, next(ids), now, self._ttl[new.lane.priority])
            for new in ticket.submission.notifications
        ]
        return Draft(ticket, made, ticket.submission.respond(made).decode())

    def _keyed(
        self, connection: Connection, drafts: Sequence[Draft], now: datetime, results: dict[Ticket, Result]
    ) -> list[Draft]:
        """Those drafts that are first with their key (or have none); the others get their answer."""
        claims = [
            accepting.KeyClaim(
                api_key=name[0],
                route=name[1],
                key=name[2],
                body_hash=draft.ticket.submission.body_hash.hex(),
                answer=draft.answer,
                expires_at=now + self._key_life,
            )
            for draft in drafts
            if (name := draft.ticket.key_name) and draft.ticket.refusal is None
        ]
        taken = accepting.take_keys(connection, claims) if claims else set()
        winners = []
        # In key order, as every process: two that renew the same keys must not wait for each other.
        for draft in sorted(drafts, key=lambda one: one.ticket.key_name or ("", "", "")):
            name = draft.ticket.key_name
            if draft.ticket.refusal is not None:
                results[draft.ticket] = self._first_answer(connection, draft.ticket)
            elif name is None or name in taken or self._renewed(connection, draft, claims, results):
                winners.append(draft)
        return winners

    def _first_answer(self, connection: Connection, ticket: Ticket) -> Result:
        """What may not be kept now can still have been kept before."""
        found = accepting.find_key(connection, ticket.key_name or ("", "", ""))
        if found is not None and not found.expired:
            return _replay(found, ticket)
        return ticket.refusal or Unavailable()

    def _renewed(
        self,
        connection: Connection,
        draft: Draft,
        claims: Sequence[accepting.KeyClaim],
        results: dict[Ticket, Result],
    ) -> bool:
        """Answer from the key's first request; True if its time was over and the key is ours now."""
        name = draft.ticket.key_name
        assert name is not None  # noqa: S101 - only keyed drafts come here
        found = accepting.find_key(connection, name)
        if found is not None and not found.expired:
            results[draft.ticket] = _replay(found, draft.ticket)
            return False
        accepting.forget_key(connection, name)
        mine = [claim for claim in claims if claim.name == name]
        if name in accepting.take_keys(connection, mine):
            return True
        results[draft.ticket] = KeyInUse("another request took this key just now")
        return False


def _needs_keys(ticket: Ticket) -> bool:
    return ticket.key_name is not None or ticket.refusal is not None


def _fresh(drafts: Sequence[Draft]) -> list[_Fresh]:
    return [
        (new, made)
        for draft in drafts
        for new, made in zip(draft.ticket.submission.notifications, draft.stored, strict=True)
    ]


def _replay(found: accepting.KeyFound, ticket: Ticket) -> Result:
    if found.body_hash != ticket.submission.body_hash.hex():
        return KeyReused("this Idempotency-Key was used with another request")
    return Kept(found.answer.encode(), replayed=True)


def _alone(ticket: Ticket, error: Exception) -> NotifierError:
    if faults.is_lock_timeout(error):
        return _locked(ticket)
    if faults.is_data_fault(error):
        return InvalidInput("unstorable", "holds a value that can't be stored")
    log.error("intake_request_failed", error=type(error).__name__, route=ticket.submission.route)
    return Unavailable("storage failed unexpectedly")


def _locked(ticket: Ticket) -> NotifierError:
    if ticket.key_name:
        return KeyInUse("the first request with this key is still running")
    return Unavailable("storage is locked right now")


def _all(tickets: Sequence[Ticket], error: NotifierError) -> dict[Ticket, Result]:
    return dict.fromkeys(tickets, error)
