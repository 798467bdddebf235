"""A limit while the store is silent: this process's part of it, less a fifth, and how it goes back.

Bound: what the store gave last may be used until the limit's horizon has passed, so nothing is given before
that. When the store answers again its bucket starts with the burst spent, and for `GRACE` seconds nobody takes
more than its part from it: others may not have noticed yet.
"""

from collections.abc import Callable

from notifier.domain.limits import Ask, Lease, Limit

#: Seconds that all processes have to notice that the store is back: the time of one attempt to connect, and more.
GRACE = 3.0
#: Seconds until it is looked again how many consumers there are, where nobody knows yet.
_UNKNOWN_WAIT = 1.0


class Fallback:
    """Times in seconds of the stock's clock. `consumers` says how many processes share the limit, None: unknown."""

    def __init__(
        self,
        limit: Limit,
        consumers: Callable[[], int | None],
        *,
        part: float = 0.8,
        dice: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.active = False
        self._limit = limit
        self._consumers = consumers
        self._part = part
        self._dice = dice
        #: As the store said last: a throttled limit stays slow without it.
        self._interval = limit.interval
        self._at = 0.0
        self._steady_at: float | None = None
        self._allowed, self._allowed_at = 0.0, 0.0

    def take(self, now: float) -> float:
        """When a permit is this process's: it has it now unless that is later than now."""
        interval = self._own_interval()
        if interval is None:
            return now + _UNKNOWN_WAIT
        if self._at <= now:
            # Nobody asks at the very moment: what that loses is made up for, but never more than half a permit.
            self._at = max(self._at, now - interval / 2) + interval
            return now
        return self._at

    def owe(self, units: int, now: float) -> None:
        """Units that were used beyond their permits."""
        self._at = max(self._at, now) + units * (self._own_interval() or 0.0)

    def allowance(self, now: float) -> int:
        """How many permits this process may have of the store now."""
        if self._steady_at is None or now >= self._steady_at:
            self._steady_at = None
            return 1 << 30
        interval = self._own_interval()
        if interval is None:
            return 0
        self._allowed += (now - self._allowed_at) / interval
        self._allowed = min(self._allowed, max(1.0, 2 * self._limit.lead / interval))
        self._allowed_at = now
        return int(self._allowed)

    def store_silent(self, now: float) -> bool:
        """The store does not answer; whether that is new."""
        new, self.active = not self.active, True
        if new:
            # Not all processes at the same moment.
            self._at = now + self._limit.spent + self._dice() * (self._own_interval() or 0.0)
        return new

    def store_answered(self, ask: Ask, lease: Lease, now: float) -> None:
        """Only an answer that began with the burst spent ends it: what was asked before knew of nothing."""
        self._interval = lease.interval
        if self.active and ask.empty:
            self.active = False
            self._steady_at = now + GRACE
            self._allowed, self._allowed_at = 0.0, now
        elif self._steady_at is not None:
            self._allowed = max(0.0, self._allowed - lease.granted)

    def _own_interval(self) -> float | None:
        consumers = self._consumers()
        return None if consumers is None else self._interval * max(1, consumers) / self._part
