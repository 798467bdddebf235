"""Gauges that somebody slow must be asked for: read by a thread of its own, told from memory.

A database that does not answer may hold that thread; the process still says that it lives.
"""

import threading
from collections.abc import Callable

import structlog

from notifier.telemetry.reporter import Look, Reading

log = structlog.get_logger("notifier.metrics")

EVERY = 5.0


class Watch:
    """Asks `look` every few seconds; itself a look that gives what was last answered."""

    def __init__(self, look: Look, every: float = EVERY, *, ends: Callable[[], None] = lambda: None) -> None:
        self._look = look
        self._every = every
        self._ends = ends
        self._last: Reading = ()
        self._silent = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-watch", daemon=True)

    def __call__(self) -> Reading:
        """The last answer; nothing before the first."""
        return self._last

    def start(self) -> None:
        """Begin; the first answer comes soon."""
        self._thread.start()

    def stop(self) -> None:
        """End; `ends` lets go of what was asked."""
        self._stop.set()
        self._thread.join(5.0)
        self._ends()

    def once(self) -> None:
        """Ask now."""
        try:
            self._last = tuple(self._look())
        except Exception as error:  # noqa: BLE001 - who is away is asked again
            if not self._silent:
                log.warning("metrics_unread", part="storage", error=type(error).__name__)
            self._silent = True
        else:
            self._silent = False

    def _run(self) -> None:
        while True:
            self.once()
            if self._stop.wait(self._every):
                return
