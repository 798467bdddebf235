"""The database's clock, carried on by this host's monotonic one between two looks.

A host whose clock is hours wrong changes nothing: only the first look before storage could ever be
reached falls back to it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from notifier.storage.accepting import database_time
from notifier.storage.engine import reading


class DatabaseClock:
    """`now()` from memory; `sync()` looks (a round trip) and is called about once a second."""

    def __init__(self, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self._seen: tuple[datetime, float] | None = None

    def sync(self) -> None:
        """Look at the database's clock; raises what the driver raises."""
        with reading(self._engine) as connection:
            before = self._monotonic()
            now = database_time(connection)
            self._seen = (now, (before + self._monotonic()) / 2)

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        if self._seen is None:
            return datetime.now(UTC)
        moment, at = self._seen
        return moment + timedelta(seconds=self._monotonic() - at)
