"""A chat's own limit: each destination has one account, and only the claim knows which a message is for.

The gate grants before anybody has read the recipient, so it can hold back a lane but not the messages of one
destination in it: those are put off by a due time of their own, and neither hold a thread nor spend an attempt. The
permit is taken from storage at the moment of use, for a leased one would lapse on the way (as `tenant_turns`).
"""

import time
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from notifier.delivery.moments import Moments
from notifier.domain.lanes import Lane
from notifier.domain.limits import Limit
from notifier.storage.limit_stores import LimitStore, take_one

log = structlog.get_logger("notifier.delivery")

#: Nobody is put off for longer, in seconds: what is out may be well again, and a rate may be raised.
LONGEST = 300.0
#: Seconds between two that come back where no rate says so.
_INTERVAL = 0.02
#: Without storage nothing could be recorded either: in so many seconds it is asked again.
_AWAY = 1.0


class DestinationTurns:
    """Thread-safe. `limits` by the account's name; one without is held up only by its breaker and its own word."""

    def __init__(
        self,
        limits: Mapping[str, Limit] | None = None,
        store: LimitStore | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = dict(limits or {})
        self._store = store
        self._moments = Moments(LONGEST, clock)

    def wait(self, lane: Lane, name: str) -> float:
        """0: a message of the lane may go there now; else the seconds until it should ask again."""
        limit = self._limits.get(name)
        if limit is None or self._store is None:
            return 0.0
        try:
            found = take_one(self._store, limit)
        except SQLAlchemyError as error:
            log.warning("destination_limit_unread", error=type(error).__name__)
            return _AWAY
        return 0.0 if found.granted else self.put_off(lane, name, found.wait)

    def put_off(self, lane: Lane, name: str, seconds: float) -> float:
        """The seconds, at least so many, after which one of the lane's that wait for this account should ask again."""
        limit = self._limits.get(name)
        interval = _INTERVAL if limit is None else limit.interval
        return self._moments.after(f"{lane}/{name}", max(seconds, interval), interval)
