"""From the outbox to the broker: publish, and delete the row once every bell of it is confirmed.

Nobody waits for it. A row that was not confirmed stays owed and is published by a relay; a bell that
rings twice costs a claim that finds nothing to do.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.queueing.broker import Publisher
from notifier.queueing.messages import QueueMessage
from notifier.queueing.tracing import published, with_traces
from notifier.storage import outbox
from notifier.storage.engine import one_statement
from notifier.storage.outbox import OutboxRow

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.queueing")

#: Seconds that a confirmed row stays for others to be cleared away with, while any is under way.
_GATHERING = 0.02


class Handover:
    """Publishes rows and clears them away in groups, from a thread of its own.

    `refused_wait`: how soon, in seconds, a relay may take a row that the broker refused (None: when its
    grace is over).
    """

    def __init__(
        self,
        engine: Engine,
        publisher: Publisher,
        *,
        refused_wait: float | None = None,
        reach: Callable[[str], None] = lambda _: None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._tracing = tracing
        self._engine = engine
        self._publisher = publisher
        self._refused_wait = refused_wait
        self._reach = reach
        self._confirmed: list[int] = []
        self._refused: list[int] = []
        self._under_way = 0
        self._flowing = True
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="handover", daemon=True)

    def start(self) -> None:
        """Begin to clear away."""
        self._thread.start()

    def offer(self, rows: Sequence[OutboxRow]) -> list["Future[None]"]:
        """Publish these rows; returns at once, with a future for each."""
        futures = []
        began = 0
        if self._tracing is not None:
            began, rows = time.time_ns(), with_traces(self._engine, rows)
        for row in rows:
            messages = [QueueMessage(bell.lane, bell.id, bell.units, bell.version) for bell in row.bells]
            with self._changed:
                self._under_way += len(messages)
            future = self._publish(messages)
            future.add_done_callback(lambda done, row=row: self._ended(row, done, began))  # type: ignore[misc]
            futures.append(future)
        self._reach("after_publish")
        return futures

    @property
    def under_way(self) -> int:
        """How many bells are published and neither confirmed nor refused yet."""
        return self._under_way

    @property
    def flowing(self) -> bool:
        """Whether the broker took the last group that it answered for; True before the first."""
        return self._flowing

    def _publish(self, messages: list[QueueMessage]) -> "Future[None]":
        try:
            return self._publisher.publish(messages)
        except Exception as error:  # noqa: BLE001 - closed, or a lane it doesn't know: still owed
            failed: Future[None] = Future()
            failed.set_exception(error)
            return failed

    def _ended(self, row: OutboxRow, done: "Future[None]", began: int) -> None:
        failed = done.cancelled() or done.exception() is not None
        if not failed:
            self._reach("after_confirm")
        if self._tracing is not None:
            published(self._tracing, row, began, failed=failed)
        with self._changed:
            self._under_way -= len(row.bells)
            self._flowing = not failed
            first = not self._confirmed and not self._refused
            (self._refused if failed else self._confirmed).append(row.id)
            if first or not self._under_way:
                self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is under way and everything confirmed is cleared away."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout)

    def _idle(self) -> bool:
        return not self._under_way and not self._confirmed and not self._refused

    def stop(self, timeout: float = 5.0) -> None:
        """Wait briefly for what is under way; what stays owed is a relay's."""
        self.wait(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._confirmed or self._refused or self._stopping)
                if pause and not self._stopping:
                    self._changed.wait_for(lambda: self._stopping, pause)
                # Others are confirmed in a moment: a statement for each would cost more than its work.
                self._changed.wait_for(lambda: self._stopping or not self._under_way, _GATHERING)
                confirmed, refused = list(self._confirmed), list(self._refused)
                if not confirmed and not refused:
                    return
            cleared = self._clear(confirmed, refused)
            pause = 0.0 if cleared else min(2.0, pause * 2 or 0.1)
            with self._changed:
                if cleared or self._stopping:
                    del self._confirmed[: len(confirmed)]
                    del self._refused[: len(refused)]
                self._changed.notify_all()

    def _clear(self, confirmed: list[int], refused: list[int]) -> bool:
        try:
            if confirmed:
                with one_statement(self._engine) as connection:
                    outbox.remove(connection, sorted(confirmed))
            if refused and self._refused_wait is not None:
                with one_statement(self._engine) as connection:
                    outbox.release(connection, sorted(refused), self._refused_wait)
        except SQLAlchemyError as error:
            # Harmless: the rows stay owed and ring again.
            log.warning("outbox_not_cleared", rows=len(confirmed), error=type(error).__name__)
            return False
        return True
