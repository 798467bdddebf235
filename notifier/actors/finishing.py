"""At a stop each worker thread waits for its outcomes to be committed before it ends.

Dramatiq joins the threads before it stops the consumers, so the acks that follow the commit still go
out. What could not be committed in time stays unacked and comes again.
"""

from collections.abc import Callable

import dramatiq
import structlog

log = structlog.get_logger("notifier.delivery")


class Finishing(dramatiq.Middleware):
    """`drain(seconds)` waits for the recorder; `close_thread` lets go of the thread's providers."""

    def __init__(
        self, drain: Callable[[float], bool], close_thread: Callable[[], None], drain_seconds: float
    ) -> None:
        self._drain = drain
        self._close_thread = close_thread
        self._seconds = drain_seconds

    def before_worker_thread_shutdown(self, broker: dramatiq.Broker, thread: object) -> None:
        """In the worker's thread, after its last message."""
        self._close_thread()
        if not self._drain(self._seconds):
            log.error("outcomes_not_stored_in_time", waited_s=self._seconds)
