"""The relay: whatever is owed in storage is rung for again - due times, lost bells, dead workers, orphans.
It also makes new notifications of the failures that somebody asked to have replayed, sweeps old ones, and looks again
at receipts that came too early.

Any number run at once; each takes rows no other has locked. Every step is a bounded batch in one
transaction of its own; bells are published only after their transaction.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from notifier.domain.lanes import Lane
from notifier.queueing.handover import Handover
from notifier.queueing.orphans import OrphanHunt
from notifier.queueing.receipts import ParkedReceipts
from notifier.queueing.replays import Replays
from notifier.queueing.roads import Road
from notifier.storage import (
    books,
    changes,
    dead_letters,
    faults,
    operations,
    operator_events,
    outbox,
    relaying,
    workers,
)
from notifier.storage.engine import reading, writing
from notifier.storage.outbox import Bell
from notifier.telemetry.metrics import DEAD_LETTERS
from notifier.telemetry.tally import CLOSED, Tally

log = structlog.get_logger("notifier.relay")

#: Bells that this process has given to the broker and that are not confirmed yet, at the most.
BELLS_UNDER_WAY = 10_000

#: Seconds that a worker's last claim may be younger than its last beat.
_BEAT_SLACK = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayConfig:
    """Times in seconds; `batch` bounds the rows of one step. `keep_failures` 0 keeps them for ever.

    Of operators' events the last `keep_events` are kept.
    """

    poll: float = 1.0
    batch: int = 500
    grace: float = 3.0
    lease: float = 60.0
    orphan: float = 60.0
    ring_again: float = 300.0
    beat_fresh: float = 5.0
    after_return: float = 10.0
    backlog_limit: int = 5_000_000
    sweep_every: float = 30.0
    count_every: float = 10.0
    keep_failures: float = 30 * 86_400.0
    keep_events: int = operator_events.KEPT


@dataclass(slots=True)
class Pass:
    """What one pass did."""

    due: int = 0
    expired: int = 0
    published: int = 0
    taken_back: int = 0
    orphans: int = 0
    replayed: int = 0
    receipts: int = 0
    #: Seconds after which a replay wants to be looked at; infinite without any.
    replay_in: float = float("inf")
    more: bool = False


class Relay:
    """One loop; `run` until stopped, or `pass_once` for a test or a command."""

    def __init__(
        self,
        engine: Engine,
        handover: Handover,
        road: Road,
        config: RelayConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        reach: Callable[[str], None] = lambda _: None,
        tally: Tally = CLOSED,
        receipts: ParkedReceipts | None = None,
    ) -> None:
        self._tally = tally
        self._engine = engine
        self._handover = handover
        self._road = road
        self._config = config
        self._clock = clock
        self._reach = reach
        self._orphans = OrphanHunt(engine, road, config)
        self._replays = Replays(engine, longest_call=config.lease, batch=config.batch)
        self._receipts = receipts or ParkedReceipts(engine, config.batch, tally)
        self._away_since_pass = False
        self._events_unread = False
        self._patient_until = 0.0
        self._swept = 0.0
        self._next_count = 0.0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.turns = 0

    def wake(self, *_: object) -> None:
        """Look again at once."""
        self._wake.set()

    def stop(self) -> None:
        """End after the present batch."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Pass after pass, until stopped; an error of storage or broker only makes it wait."""
        # Storage may have been away until a moment ago: who was silent meanwhile need not be dead.
        self._patient_until = self._clock() + self._config.after_return
        while not self._stop.is_set():
            wait = self._config.poll
            try:
                done = self.pass_once()
                wait = 0.0 if done.more else min(wait, done.replay_in, self._until_due())
                self._returned()
            except SQLAlchemyError as error:
                self._failed(error)
            except Exception:
                # The loop must outlive any one pass: the next one sees the same rows again.
                log.exception("relay_pass_failed")
            self.turns += 1
            self._wake.wait(max(wait, 0.01))
            self._wake.clear()

    def _failed(self, error: SQLAlchemyError) -> None:
        if faults.is_clash(error) or faults.is_lock_timeout(error):
            log.info("relay_pass_clashed", error=type(error).__name__)
            return
        if not self._away_since_pass:
            log.warning("relay_storage_away", error=type(error).__name__)
        self._away_since_pass = True

    def pass_once(self) -> Pass:
        """Everything that is due, one batch of each kind."""
        done = Pass()
        with writing(self._engine) as connection:
            expired = changes.expire_overdue(connection, self._config.batch)
        done.expired = len(expired)
        for one in expired:
            self._tally.add(DEAD_LETTERS, (one.channel, one.reason))
        done.due = self._ring(lambda c: relaying.queue_due(c, self._config.batch))
        done.published, full = self._publish_owed()
        if self._clock() >= self._patient_until and not self._away_since_pass:
            done.taken_back = self._take_back()
            done.orphans = self._orphans.hunt(self._clock(), self._ring)
        done.replayed, done.replay_in = self._replays.step(self._ring)
        done.receipts = self._receipts.step()
        self._sweep()
        done.more = not full and self._config.batch in {done.due, done.expired, done.published, done.receipts}
        return done

    def _returned(self) -> None:
        """Storage is back after a time away: let living workers beat and store what they hold first."""
        if self._away_since_pass:
            self._away_since_pass = False
            self._patient_until = self._clock() + self._config.after_return
            log.info("relay_storage_back", waits_s=self._config.after_return)

    def _ring(self, find: Callable[[Connection], list[Bell]]) -> int:
        """One transaction finds and marks, and owes the bells; then they are published."""
        with writing(self._engine) as connection:
            bells = find(connection)
            rows = outbox.add(connection, bells, self._config.grace) if bells else []
        if rows:
            self._reach("relay_after_update")
            self._handover.offer(rows)
        return len(bells)

    def _publish_owed(self) -> tuple[int, bool]:
        """Publish rows that nobody published in time; the second value says that more has to wait.

        While the broker takes nothing, one row at a time asks it; what is taken is bounded by what is
        still under way, so that no backlog moves from storage into memory.
        """
        room = BELLS_UNDER_WAY - self._handover.under_way
        lanes = [lane for lane in self._road.lanes if self._has_room(lane)]
        waits = len(lanes) < len(self._road.lanes) or not self._handover.flowing
        if room <= 0 or not lanes:
            return 0, True
        limit = self._config.batch if self._handover.flowing else 1
        with writing(self._engine) as connection:
            rows = outbox.take_due(connection, limit, self._config.grace * 3, lanes, bells=room)
        if rows:
            self._handover.offer(rows[:1])
            self._reach("relay_mid_publish")
            self._handover.offer(rows[1:])
        return len(rows), waits

    def _has_room(self, lane: Lane) -> bool:
        try:
            return self._road.has_room(lane)
        except Exception as error:  # noqa: BLE001 - the broker is away: publishing finds out
            log.debug("relay_broker_silent", lane=lane.name, error=type(error).__name__)
            return True

    def _take_back(self) -> int:
        """Ring for what silent workers had claimed; the next claim judges each one."""
        config = self._config
        with writing(self._engine) as connection:
            # Its last claims may be younger than its last beat.
            silent = relaying.silent_workers(connection, config.lease + _BEAT_SLACK)
        taken = 0
        for worker in silent:
            found = self._ring(
                lambda c, owner=worker.id: relaying.ring_abandoned(  # type: ignore[misc]
                    c, owner, config.batch, config.lease
                )
            )
            taken += found
            if found < config.batch:
                with writing(self._engine) as connection:
                    relaying.bury_worker(connection, worker.id)
                log.warning("worker_buried", worker=str(worker.id), claims=found)
        return taken

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept >= self._config.sweep_every:
            self._swept = now
            with writing(self._engine) as connection:
                workers.sweep(connection, 86_400)
                books.fold(connection, 3600)
            if self._config.keep_failures and not self._replays.blind:
                self._forget_failures()
            self._forget_events()
            self._receipts.sweep()
        if now >= self._next_count:
            try:
                self._count()
            finally:
                # A count over millions takes a while: never spend more than a twentieth of the time on it.
                ended = self._clock()
                self._next_count = ended + max(self._config.count_every, 19 * (ended - now))

    def _forget_failures(self) -> None:
        """Some batches at each sweep: what a long outage left goes bit by bit."""
        age, limit, forgotten = self._config.keep_failures, self._config.batch, 0
        for _ in range(20):
            with writing(self._engine) as connection:
                forgotten += (last := dead_letters.sweep(connection, age, limit))
                operations.sweep(connection, age, limit)
            if last < limit:
                break
        if forgotten:
            log.info("failures_forgotten", number=forgotten)

    def _forget_events(self) -> None:
        try:
            with writing(self._engine) as connection:
                operator_events.sweep(connection, self._config.keep_events, self._config.batch)
        except SQLAlchemyError as error:
            # The migration may be ahead of us; if all of storage is away, the next step says so.
            if not self._events_unread:
                log.warning("operator_events_unread", error=type(error).__name__)
            self._events_unread = True
        else:
            self._events_unread = False

    def _count(self) -> None:
        with writing(self._engine) as connection:
            size = relaying.database_bytes(connection)
            workers.set_gauge(connection, "database_bytes", size)
        try:
            with reading(self._engine) as connection:
                pending = relaying.count_pending(connection, int(self._config.backlog_limit * 1.25) + 1)
        except OperationalError as error:
            # Too slow under this load: the figure stays what it was; storage itself is there.
            log.warning("pending_not_counted", error=type(error).__name__)
            return
        with writing(self._engine) as connection:
            workers.set_gauge(connection, "pending", pending)

    def _until_due(self) -> float:
        with reading(self._engine) as connection:
            seconds = relaying.seconds_to_next_due(connection)
        return self._config.poll if seconds is None else max(0.0, seconds)
