"""Runs the relay's loop in a worker process while no relay beats anywhere.

The launcher starts its forks after the workers, never restarts them and never notices their death.
"""

import threading
import time
from collections.abc import Callable

import structlog

from notifier.queueing.relay import Relay

log = structlog.get_logger("notifier.relay")


class StandIn:
    """`look()` is called about once a second; `relay_lives` asks storage, `make` builds a fresh relay."""

    def __init__(
        self,
        make: Callable[[], Relay],
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
        self._running: tuple[Relay, threading.Thread] | None = None

    @property
    def running(self) -> bool:
        """Whether the loop runs here at present."""
        return self._running is not None

    def look(self) -> None:
        """Start the loop once no relay has beaten for `missing` seconds; stop it when one is back."""
        if self._relay_lives():
            self._seen = self._clock()
            self.stop()
        elif self._running is None and self._clock() - self._seen >= self._missing:
            relay = self._make()
            thread = threading.Thread(target=relay.run, name="relay-stand-in", daemon=True)
            self._running = (relay, thread)
            thread.start()
            log.warning("relay_stand_in_started", missing_s=self._missing)

    def stop(self) -> None:
        """End the loop, if it runs here."""
        if self._running is None:
            return
        relay, thread = self._running
        self._running = None
        relay.stop()
        thread.join(10.0)
        log.info("relay_stand_in_stopped")
