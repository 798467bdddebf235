"""Durable before 202: one writer takes all submissions that waited while the last group committed.

Idle, a submission is committed at once; under load groups grow by themselves to hundreds, with no
added delay. The caller waits at most `wait` seconds: if its group has not begun by then it is
withdrawn and nothing is kept (`Unavailable`), if the commit is under way nobody knows (`OutcomeUnknown`).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import TYPE_CHECKING

import structlog

from notifier.domain.errors import NotifierError, OutcomeUnknown, Unavailable
from notifier.intake.admission import Admission
from notifier.intake.groups import GroupWriter, Result
from notifier.intake.submissions import Kept, Stored, Submission, Ticket
from notifier.intake.tracing import traced
from notifier.storage.outbox import OutboxRow
from notifier.telemetry.places import places_of

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

__all__ = ["Intake", "Kept", "Stored", "Submission"]

#: Notifications in one transaction at the most.
GROUP_LIMIT = 1000

_Answer = tuple["asyncio.Future[Kept] | Future[Kept]", Result]

log = structlog.get_logger("notifier.intake")


class Intake:
    """The front half's keeper. `hand_over` gets the committed bells and must not block."""

    def __init__(
        self,
        writer: GroupWriter,
        admission: Admission,
        hand_over: Callable[[list[OutboxRow]], object],
        *,
        wait: float = 2.0,
        waiting_limit: int = 10_000,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._tracing = tracing
        self._writer = writer
        self._admission = admission
        self._hand_over = hand_over
        self._wait = wait
        self._limit = waiting_limit
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        #: The loop that is about to wake the writer.
        self._waker: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="intake-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Write what waits, then end; later submissions are refused."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the writer's thread runs."""
        return self._thread.is_alive()

    @property
    def full(self) -> bool:
        """Whether the waiting list has no room."""
        return len(self._waiting) >= self._limit

    async def submit(self, submission: Submission, *, waited: float = 0.0) -> Kept:
        """Keep it; returns once it is durable. `waited` seconds of the caller's time are gone already.

        Raises `BacklogFull`, `Unavailable`, `OutcomeUnknown`, `KeyReused`, `KeyInUse` or `InvalidInput`.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Kept] = loop.create_future()
        ticket = Ticket(submission, result, loop)
        self._enter(ticket)
        if self._waker is not loop:
            # Once the loop has been round: requests that came together are written together, and the writer does not
            # fight the loop for the interpreter's lock meanwhile.
            self._waker = loop
            loop.call_soon(self._wake)
        # A timer and a future are all a waiting request costs; `asyncio.wait` would make a task of each.
        late = loop.call_later(max(0.0, self._wait - waited), self._end_late, ticket, result)
        try:
            return await result
        finally:
            late.cancel()

    def _end_late(self, ticket: Ticket, result: "asyncio.Future[Kept]") -> None:
        if not result.done():
            result.set_exception(self._too_long(ticket))

    def submit_and_wait(self, submission: Submission) -> Kept:
        """The same for a caller without an event loop."""
        result: Future[Kept] = Future()
        ticket = Ticket(submission, result)
        self._enter(ticket)
        self._wake()
        try:
            return result.result(timeout=self._wait)
        except Late:
            raise self._too_long(ticket) from None

    def _too_long(self, ticket: Ticket) -> NotifierError:
        if ticket.withdraw():
            return Unavailable("storage did not answer in time; nothing was kept")
        return OutcomeUnknown("the commit was under way when time ran out; the Idempotency-Key tells")

    def _enter(self, ticket: Ticket) -> None:
        ticket.refusal = self._refusal(ticket)
        if ticket.refusal is not None and ticket.key_name is None:
            raise ticket.refusal
        with self._changed:
            if self._stopping:
                raise Unavailable("the service is stopping")
            if self.full:
                raise Unavailable("too many requests are waiting")
            self._waiting.append(ticket)

    def _wake(self) -> None:
        self._waker = None
        with self._changed:
            self._changed.notify()

    def _refusal(self, ticket: Ticket) -> NotifierError | None:
        try:
            wanted = ticket.submission.notifications
            if len(wanted) == 1:
                self._admission.check(wanted[0].lane.priority)
            else:
                for priority in {new.lane.priority for new in wanted}:
                    self._admission.check(priority)
        except NotifierError as refusal:
            return refusal
        return None

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if not self._waiting:
                    return
                group = self._next_group()
            if group:
                self._write(group)

    def _next_group(self) -> list[Ticket]:
        """All that wait, up to the limit; the second with a key stays behind the first."""
        group: list[Ticket] = []
        later: list[Ticket] = []
        keys: set[tuple[str, str, str]] = set()
        size = 0
        while self._waiting and size < GROUP_LIMIT:
            ticket = self._waiting.popleft()
            if ticket.key_name in keys:
                later.append(ticket)
            elif ticket.begin():
                group.append(ticket)
                size += len(ticket.submission.notifications)
                if ticket.key_name:
                    keys.add(ticket.key_name)
        self._waiting.extendleft(reversed(later))
        return group

    def _write(self, group: list[Ticket]) -> None:
        began = 0 if self._tracing is None else time.time_ns()
        try:
            results, rows = self._writer.write(group)
        except Exception as error:  # noqa: BLE001 - and told without its text, which may hold content
            # The writer must outlive any one group: every caller hears, and the next group is tried.
            kind, where = type(error).__name__, places_of(error)
            log.error("intake_group_failed", size=len(group), error=kind, where=where)
            results = dict.fromkeys(group, Unavailable("storage failed unexpectedly"))
            rows = []
        if self._tracing is not None:
            traced(self._tracing, results, began)
        try:
            if rows:
                self._hand_over(rows)
        except Exception as error:  # noqa: BLE001
            # What is owed is durable: a relay publishes it.
            kind, where = type(error).__name__, places_of(error)
            log.error("intake_hand_over_failed", rows=len(rows), error=kind, where=where)
        _answer(results)


def _answer(results: Mapping[Ticket, Result]) -> None:
    """One wake-up for each event loop, not one for each request."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Answer]] = {}
    for ticket, result in results.items():
        by_loop.setdefault(ticket.loop, []).append((ticket.result, result))
    for loop, pairs in by_loop.items():
        if loop is None:
            _set_all(pairs)
            continue
        try:
            loop.call_soon_threadsafe(_set_all, pairs)
        except RuntimeError:
            # The loop has ended, and its callers with it.
            log.warning("intake_caller_gone", answers=len(pairs))


def _set_all(pairs: list[_Answer]) -> None:
    for future, result in pairs:
        if future.done():
            continue
        if isinstance(result, Kept):
            future.set_result(result)
        else:
            future.set_exception(result)
            if isinstance(future, asyncio.Future):
                # Its caller may have left; an unasked error is no warning in the log.
                future.exception()
