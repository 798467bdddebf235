"""Claims of threads that start at the same time go to the database as one statement.

The first thread that finds nobody at work leads: it claims for all that wait, hands out the answers,
and passes the lead on if others have come meanwhile. No thread of its own, no added delay.
"""

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine, text

from notifier.delivery.begun import Begun
from notifier.delivery.measuring import buried
from notifier.delivery.takeovers import Limits, abandoned_attempt, judge
from notifier.domain.lifecycle import OnUncertain, Reason, Status
from notifier.storage import claiming, faults, parked_receipts, recording
from notifier.storage.claiming import Claimed, Wanted
from notifier.storage.engine import writing
from notifier.storage.kept import Kept
from notifier.storage.provider_states import ProviderKey
from notifier.telemetry.metrics import GROUP_SIZE
from notifier.telemetry.tally import CLOSED, Tally

_GROUP = 256
_TRIES = 5


#: Seeded by the operating system. Asking that for each claim costs a turn at the interpreter's lock each time.
_bits = random.Random()
os.register_at_fork(after_in_child=_bits.seed)


def new_claim_id() -> int:
    """64 random bits made for one claim, as a signed integer: an attempt number alone could be given twice.

    Told apart it must be, not kept secret.
    """
    return _bits.getrandbits(64) - 2**63


def _closed_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class _Ticket:
    wanted: Wanted
    #: Closed until there is an answer or the lead; opened once. An event would cost three locks for each claim.
    ready: threading.Lock = field(default_factory=_closed_lock)
    claimed: Claimed | None = None
    error: BaseException | None = None
    leads: bool = False


class ClaimDesk:
    """Gives claims to this process's threads. `owner` is the worker's id, `lease` in seconds."""

    def __init__(
        self,
        engine: Engine,
        owner: UUID,
        begun: Begun,
        *,
        lease: float = 60.0,
        beat_fresh: float = 5.0,
        limits: Limits | None = None,
        reach: Callable[[str], None] = lambda _: None,
        tally: Tally = CLOSED,
    ) -> None:
        self._engine = engine
        self._kept = Kept(engine)
        self._tally = tally
        self._owner = owner
        self._begun = begun
        self._lease = lease
        self._beat_fresh = beat_fresh
        self._limits = limits or Limits()
        self._reach = reach
        self._waiting: list[_Ticket] = []
        self._busy = False
        self._lock = threading.Lock()

    def claim(self, wanted: Wanted) -> Claimed | None:
        """The notification, now this thread's to attempt, or None: there is nothing to do for its message.

        Raises what the database raises. Asking again with the same claim id is safe: a claim whose answer
        got lost is found again.
        """
        self._begun.begin(wanted.claim_id)
        ticket = _Ticket(wanted)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._busy
            self._busy = True
        if not ticket.leads:
            ticket.ready.acquire()
        if ticket.leads:
            self._lead()
        return self._answer(ticket)

    def close(self) -> None:
        """Let go of its connection, when no thread claims any more."""
        self._kept.close()

    def _answer(self, ticket: _Ticket) -> Claimed | None:
        if ticket.error is not None:
            raise ticket.error
        if ticket.claimed is None:
            self._begun.end(ticket.wanted.claim_id)
        else:
            self._begun.started(ticket.claimed.lane, ticket.claimed.queued_at)
        return ticket.claimed

    def _lead(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
        try:
            self._claim_group(group)
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._busy = heir is not None
            if heir is not None:
                heir.leads = True
                heir.ready.release()
            for ticket in group[1:]:  # who leads is the first, and waits for nobody
                ticket.ready.release()

    def _claim_group(self, group: list[_Ticket]) -> None:
        try:
            self._tally.add(GROUP_SIZE, ("claim",), len(group))
            claimed = self._plain([ticket.wanted for ticket in group])
            for ticket in group:
                ticket.claimed = claimed.get(ticket.wanted.claim_id) or self._abandoned(ticket.wanted)
        except BaseException as error:  # noqa: BLE001 - each waiting thread hears of it
            for ticket in group:
                if ticket.claimed is None:
                    ticket.error = error
        self._reach("after_claim")

    def _plain(self, wanted: list[Wanted]) -> dict[int, Claimed]:
        # Two copies of one message in one group: the statement may take a row only once.
        # A copy from another lane stays: only one of the two lanes is the row's own.
        once = list({(one.id, one.lane): one for one in wanted}.values())
        once.sort(key=lambda one: one.id)
        for attempt in range(_TRIES):
            try:
                found = claiming.claim_plain(self._kept, once, self._owner, self._lease)
                return {claimed.claim_id: claimed for claimed in found}
            except Exception as error:
                again = faults.is_clash(error) or (attempt == 0 and faults.is_disconnect(error))
                if not again or attempt + 1 == _TRIES:
                    raise
        raise AssertionError("unreachable")

    def _abandoned(self, wanted: Wanted) -> Claimed | None:
        """Take over, hold or end a row whose last claim ended without an outcome; None if there is none."""
        with writing(self._engine) as connection:
            row = claiming.abandoned(connection, wanted, self._beat_fresh)
            if row is None:
                return None
            if connection.dialect.name == "postgresql":
                # An ending must outlive a crash of the database, unlike a plain claim.
                connection.execute(text("SET LOCAL synchronous_commit = on"))
            shown = abandoned_attempt(row, row.claimed_at)
            account = ProviderKey(wanted.lane.channel, row.claimed_provider or "")
            if parked_receipts.is_told(connection, account, row.id):
                # The provider has it, so it is not sent again: it waits, and at once ends as was reported.
                recording.end_abandoned(
                    connection, row, status=Status.HELD, reason=Reason.UNCERTAIN, shown=shown
                )
                parked_receipts.look_for(connection, row.id)
                return None
            verdict = judge(
                claims_unended=row.claims_unended,
                uncertain_count=row.uncertain_count,
                on_uncertain=OnUncertain(row.on_uncertain),
                limits=self._limits,
            )
            recording.end_abandoned(
                connection,
                row,
                status=verdict.status,
                reason=verdict.reason,
                shown=shown,
            )
            if verdict.status is Status.SENDING:
                return claiming.take_over(connection, wanted, self._owner, self._lease)
        buried(self._tally, wanted.lane, verdict.status, verdict.reason)
        return None
