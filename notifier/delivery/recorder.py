"""Outcomes are committed in groups by one thread; a message is settled only after that commit.

The worker thread is free at once, unless as many outcomes as the process has threads wait already: that
bound is what a crash can lose (promise 3). With storage away the recorder holds what it has and tries
until it is back; nothing is settled meanwhile.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, Engine

from notifier.delivery.begun import Begun
from notifier.domain.ids import notification_id
from notifier.queueing.broker import Settlement
from notifier.storage import faults, recording
from notifier.storage.engine import writing
from notifier.storage.kept import Kept
from notifier.storage.recording import Record
from notifier.telemetry.metrics import GROUP_SIZE
from notifier.telemetry.signals import Signals
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.delivery.tracing import AttemptTrace
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.delivery")

_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Owed:
    """A record that is to be stored, and the message to settle after it."""

    record: Record
    settlement: Settlement
    #: The spans of the attempt, where it is traced.
    trace: "AttemptTrace | None" = None


class Recorder:
    """One for each worker process; `bound` is the number of its threads."""

    def __init__(
        self,
        engine: Engine,
        begun: Begun,
        bound: int,
        *,
        signals: Signals | None = None,
        reach: Callable[[str], None] = lambda _: None,
        tally: Tally = CLOSED,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._tracing = tracing
        self._tally = tally
        #: Whether storage did not take the last group: then threads wait for it, and rightly so.
        self.holding = False
        self._engine = engine
        self._kept = Kept(engine)
        self._begun = begun
        self._bound = bound
        self._signals = signals or Signals()
        self._reach = reach
        self._waiting: list[Owed] = []
        self._writing = 0
        self._submitted = 0
        self._stored = 0
        self._stopping = False
        self._lock = threading.Lock()
        #: Three conditions, so that an outcome wakes the recorder and not every thread that waits for room.
        self._arrived = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._progress = threading.Condition(self._lock)
        #: Never set: a pause that neither a stop nor a new outcome cuts short.
        self._quiet = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def submit(self, owed: Owed) -> None:
        """Store it soon; blocks while `bound` outcomes wait."""
        with self._lock:
            while len(self._waiting) + self._writing >= self._bound:
                self._room.wait()
            self._waiting.append(owed)
            self._submitted += 1
            self._arrived.notify()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything submitted before this call is stored; False if time ran out first."""
        with self._lock:
            mark = self._submitted
            return self._progress.wait_for(lambda: self._stored >= mark, timeout)

    def stop(self, timeout: float) -> bool:
        """Store what waits, then end."""
        with self._lock:
            self._stopping = True
            self._arrived.notify()
        self._thread.join(timeout)
        ended = not self._thread.is_alive()
        if ended:
            self._kept.close()
        return ended

    def _run(self) -> None:
        while True:
            with self._lock:
                self._arrived.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    return
                group, self._waiting = self._waiting, []
                self._writing = len(group)
            try:
                self._store_until_done(group)
            finally:
                with self._lock:
                    self._writing = 0
                    self._stored += len(group)
                    self._room.notify(len(group))
                    self._progress.notify_all()

    def _store_until_done(self, group: list[Owed]) -> None:
        pause, began = 0.1, 0 if self._tracing is None else time.time_ns()
        while True:
            try:
                self._store(group)
                break
            except Exception as error:  # noqa: BLE001 - an outcome is never dropped
                if faults.is_data_fault(error):
                    self._apart(group)
                    return
                if not faults.is_clash(error):
                    self.holding = True
                    log.warning("outcomes_held", outcomes=len(group), error=type(error).__name__)
                    self._quiet.wait(pause)
                    pause = min(_LONGEST_PAUSE, pause * 2)
        self.holding = False
        self._tally.add(GROUP_SIZE, ("record",), len(group))
        if self._tracing is not None:
            facts = {"notifier.group.notifications": len(group)}
            spans = [owed.trace.span for owed in group if owed.trace is not None]
            self._tracing.group("record", self._tracing.internal, spans, facts, start=began)
        self._settle(group)

    def _apart(self, group: list[Owed]) -> None:
        """A record that storage refuses is found by halving and stored without the provider's words."""
        if len(group) > 1:
            middle = len(group) // 2
            self._store_until_done(group[:middle])
            self._store_until_done(group[middle:])
            return
        (owed,) = group
        plain = _without_words(owed.record)
        if plain == owed.record:
            # Nothing is left to leave out: its lease ends, and another attempt is judged anew.
            log.error("outcome_lost", notification=notification_id(owed.record.id))
            self._begun.end(owed.record.claim_id)
            return
        log.error("outcome_unstorable", notification=notification_id(owed.record.id))
        self._store_until_done([replace(owed, record=plain)])

    def _store(self, group: list[Owed]) -> None:
        records = [owed.record for owed in group]
        if recording.is_one_statement(records):
            left = recording.record_plain(self._kept, records)
            # Stopped in between, the whole group is stored again: what is stored already is found to be.
            endings = self._store_late(left) if left else []
        else:
            with writing(self._engine) as connection:
                endings = _stored_late(connection, recording.record(connection, records))
        self._reach("after_store")
        for record, became in endings:
            log.warning(
                "outcome_came_late",
                notification=notification_id(record.id),
                attempt=record.attempt,
                became=became,
            )

    def _store_late(self, left: list[Record]) -> list[tuple[Record, str]]:
        with writing(self._engine) as connection:
            return _stored_late(connection, left)

    def _settle(self, group: list[Owed]) -> None:
        self._reach("before_ack")
        for owed in group:
            owed.settlement.ack()
            self._begun.end(owed.record.claim_id)
            if owed.trace is not None:
                owed.trace.recorded()
            self._signals.emit("recorded", id=owed.record.id, status=owed.record.status)


def _stored_late(connection: Connection, left: list[Record]) -> list[tuple[Record, str]]:
    """Store what no longer matches its claim, in key order; what became of each."""
    ordered = sorted(left, key=lambda record: record.id)
    return [(record, recording.store_unmatched(connection, record)) for record in ordered]


def _without_words(record: Record) -> Record:
    shown = record.shown
    words = {"code": None, "answer": None, "reference": None}
    return replace(record, shown=None if shown is None else shown | words, awaits=None, follows=())
