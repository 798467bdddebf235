"""Acks that can wait a moment are written together: one thread wakes the consumers that have some.

A wake-up costs the same for one ack as for fifty, and with nine lanes a recorded group ends a message or two of each.
Nothing depends on an early ack but the broker's next deliveries, and for those a consumer does not wait (`_settle`).
"""

import threading
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

#: Seconds that an ack waits at most for others of its lane: less than the half second of messages that the lane has at hand.
PAUSE: Final = 0.2


class AckClock:
    """Calls each `wake` that was handed to `soon` about `seconds` later; its thread starts with the first."""

    def __init__(self, seconds: float = PAUSE) -> None:
        self._seconds = seconds
        self._asked: list[Callable[[], None]] = []
        self._any = threading.Event()
        #: Never set: a pause that nothing cuts short.
        self._quiet = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def soon(self, wake: Callable[[], None]) -> None:
        """From any thread; `wake` must not block."""
        with self._lock:
            self._asked.append(wake)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="acks", daemon=True)
                self._thread.start()
        self._any.set()

    def _run(self) -> None:
        while True:
            self._any.wait()
            self._quiet.wait(self._seconds)
            self._any.clear()
            with self._lock:
                asked, self._asked = self._asked, []
            for wake in asked:
                try:
                    wake()
                except Exception as error:  # noqa: BLE001 - a connection that is gone; the others' acks go out
                    log.debug("acks_not_woken", error=type(error).__name__)
