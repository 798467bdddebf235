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

#: Seconds for which the quickest answer is believed: longer, and two clocks might have drifted apart.
BELIEVED = 5.0


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


class HeardTime:
    """The database's moment by what its answers said: never ahead of it, and behind by the quickest answer's way.

    For one thread. Whoever writes anyway hears it for nothing, where `DatabaseClock` would ask.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ahead: float | None = None
        self._heard = 0.0

    def heard(self, moment: datetime) -> None:
        """An answer has just come, for which the database had looked at its clock at `moment`."""
        at = self._monotonic()
        ahead = moment.timestamp() - at
        if self._ahead is None or ahead >= self._ahead or at - self._heard > BELIEVED:
            self._ahead, self._heard = ahead, at

    def now(self) -> datetime | None:
        """The present moment, aware UTC; None where nothing was heard for long."""
        at = self._monotonic()
        if self._ahead is None or at - self._heard > BELIEVED:
            return None
        return datetime.fromtimestamp(self._ahead + at, UTC)
