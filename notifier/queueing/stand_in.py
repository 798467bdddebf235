"""Runs the relay's loop in a worker process while no relay beats anywhere.

The launcher starts its forks after the workers, never restarts them and never notices their death.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger("notifier.relay")

#: Seconds that the process's stop waits for the loop's last batch.
_LAST_BATCH = 10.0


class Loop(Protocol):
    """A relay's loop with parts of its own."""

    def run(self) -> None:
        """Until stopped."""

    def stop(self) -> None:
        """End after the present batch; returns at once."""

    def close(self) -> None:
        """Let go of the parts, after the loop has ended."""


class StandIn:
    """`look()` is called about once a second; `relay_lives` asks storage, `make` builds a fresh relay."""

    def __init__(
        self,
        make: Callable[[], Loop],
        relay_lives: Callable[[], bool],
        *,
        missing: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._relay_lives = relay_lives
        self._missing = missing
        self._clock = clock
        self._seen = clock()
        self._running: tuple[Loop, threading.Thread] | None = None

    @property
    def running(self) -> bool:
        """Whether the loop runs here at present."""
        return self._running is not None

    def look(self) -> None:
        """Start the loop once no relay has been seen for `missing` seconds; end it when one is back."""
        if self._relay_lives():
            self._seen = self._clock()
            # Not waited for: the caller is the beat, and a silent worker is taken for dead.
            self._dismiss()
        elif self._running is None and self._clock() - self._seen >= self._missing:
            loop = self._make()
            thread = threading.Thread(target=_run, args=(loop,), name="relay-stand-in", daemon=True)
            self._running = (loop, thread)
            thread.start()
            log.warning("relay_stand_in_started", missing_s=self._missing)

    def stop(self) -> None:
        """End the loop, if it runs here, and wait for it."""
        thread = self._dismiss()
        if thread is not None:
            thread.join(_LAST_BATCH)

    def _dismiss(self) -> threading.Thread | None:
        if self._running is None:
            return None
        loop, thread = self._running
        self._running = None
        loop.stop()
        return thread


def _run(loop: Loop) -> None:
    try:
        loop.run()
    finally:
        loop.close()
        log.info("relay_stand_in_stopped")
