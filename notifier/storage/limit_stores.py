"""Where a limit's bucket is kept: in the database that all processes share, or in the only process there is."""

import threading
import time
from collections.abc import Callable, Collection
from typing import Protocol

from sqlalchemy import Engine

from notifier.domain import limits
from notifier.domain.limits import Ask, Bucket, Lease, Limit
from notifier.storage import rate_limits


class LimitStore(Protocol):
    """Raises what the database raises."""

    def lease(self, limit: Limit, ask: Ask) -> Lease:
        """Take permits, and tell what is to be told."""

    def blocked(self, names: Collection[str]) -> dict[str, float]:
        """For how many seconds yet each of these limits is blocked, where it is."""


class SharedLimits:
    """PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def lease(self, limit: Limit, ask: Ask) -> Lease:
        """One statement."""
        return rate_limits.lease(self._engine, limit, ask)

    def blocked(self, names: Collection[str]) -> dict[str, float]:
        """One statement."""
        return rate_limits.blocked(self._engine, names)


class LocalLimits:
    """SQLite: one process, so its memory will do. After a restart a limit begins
    with its burst spent, a tenant's quota (which starts full) with all of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def lease(self, limit: Limit, ask: Ask) -> Lease:
        """By the arithmetic alone."""
        with self._lock:
            bucket, lease = limits.lease(limit, self._buckets.get(limit.name), ask, self._clock())
            self._buckets[limit.name] = bucket
            return lease

    def blocked(self, names: Collection[str]) -> dict[str, float]:
        """From memory."""
        now = self._clock()
        with self._lock:
            found = {name: self._buckets[name].blocked_until - now for name in names if name in self._buckets}
        return {name: seconds for name, seconds in found.items() if seconds > 0}


def take_one(store: LimitStore, limit: Limit) -> Lease:
    """One permit for use at once. Where a limit starts full, the first asking makes its row and the next is given."""
    found = store.lease(limit, Ask(wanted=1))
    if not found.granted and found.wait <= 0:
        found = store.lease(limit, Ask(wanted=1))
    return found
