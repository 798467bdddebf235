"""What this process is working on: its begun claims, and how far each lane has got."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from notifier.domain.lanes import Lane


class Begun:
    """The registry behind the worker's beat; any thread may call it."""

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._oldest = 2 * lease
        self._claims: dict[int, float] = {}
        self._started: dict[Lane, datetime] = {}
        self._lock = threading.Lock()

    def begin(self, claim_id: int) -> None:
        """From now on the beat names this claim, so that nobody takes it over."""
        with self._lock:
            self._claims.setdefault(claim_id, self._clock())

    def started(self, lane: Lane, queued_at: datetime | None) -> None:
        """A row of this lane, queued at that moment, was claimed."""
        if queued_at is None:
            return
        with self._lock:
            self._started[lane] = min(queued_at, self._started.get(lane, queued_at))

    def end(self, claim_id: int) -> None:
        """Its outcome is stored, or it was not to be had."""
        with self._lock:
            self._claims.pop(claim_id, None)

    def named(self) -> tuple[int, ...]:
        """The claims to name in a beat; one older than two leases is named no more."""
        with self._lock:
            since = self._clock() - self._oldest
            self._claims = {claim: at for claim, at in self._claims.items() if at >= since}
            return tuple(self._claims)

    def take_started(self) -> dict[str, str]:
        """By lane name the oldest `queued_at` (RFC 3339) started since the last call."""
        with self._lock:
            started, self._started = self._started, {}
        return {lane.name: at.isoformat() for lane, at in started.items()}
