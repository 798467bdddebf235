"""When a provider is taken out: a pure rolling window over how its calls ended and how long they took.

A provider is out when most of its recent calls failed, when most of them were slow, when some in a row failed
however few there are, or at once when it refuses our credentials. What it says of a recipient, of a message or of
our rate is an answer like any other: it shows that the provider works (delivery.md, "Fail-over").
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import ceil

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Deferred, Outcome, Refused, Uncertain


class Health(Enum):
    """What one call says of its provider."""

    WELL = "well"
    ILL = "ill"
    #: Our account or sender is wrong there: no other message will fare better.
    CONFIG = "config"


#: Calls whose seconds are kept.
_KEPT = 500
#: Endings without an answer, or with the answer that the provider itself can't.
_ILL = frozenset({Reason.PROVIDER_UNAVAILABLE, Reason.PROVIDER_TIMEOUT})


def health_of(outcome: Outcome) -> Health:
    """What an outcome says of the provider; a wait that was asked for (greylisting, 429) speaks of a message."""
    match outcome:
        case Uncertain():
            return Health.ILL
        case Deferred(Reason.AUTH_FAILED):
            return Health.CONFIG
        case Deferred(reason, None) if reason in _ILL:
            return Health.ILL
        case Accepted() | Deferred() | Refused():
            return Health.WELL
    # No outcome at all: whoever answers so is not well.
    return Health.ILL


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """A window of `window` seconds, judged from `calls` calls on; `in_a_row` ill ones are enough by themselves.

    `errors` and `slow` are shares (0 to 1); a call of `slow_seconds` or more is slow. An open breaker lets a
    probe through after `first_wait` seconds, twice as long after each that fails, up to `longest_wait`.
    """

    window: float = 30.0
    calls: int = 20
    in_a_row: int = 5
    errors: float = 0.5
    slow: float = 0.5
    slow_seconds: float = 10.0
    first_wait: float = 5.0
    longest_wait: float = 60.0

    def wait(self, openings: int) -> float:
        """Seconds until a probe after so many openings in a row (1 is the first)."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(max(openings, 1) - 1, 32))


class Window:
    """The recent calls of one provider, in buckets of a second; not thread-safe."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        #: [second, calls, ill ones, slow ones], the latest at the end.
        self._buckets: deque[list[int]] = deque()
        self._in_a_row = 0
        #: (when, seconds) of the latest calls, for their 95th percentile.
        self._took: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def add(self, health: Health, seconds: float, now: float) -> str | None:
        """Count a call; why the provider should be taken out now, or None."""
        second = int(now)
        if not self._buckets or self._buckets[-1][0] != second:
            self._buckets.append([second, 0, 0, 0])
        bucket = self._buckets[-1]
        bucket[1] += 1
        bucket[2] += health is not Health.WELL
        bucket[3] += seconds >= self._policy.slow_seconds
        self._took.append((now, seconds))
        self._in_a_row = 0 if health is Health.WELL else self._in_a_row + 1
        if health is Health.CONFIG:
            return "config"
        return self._judged(now)

    def _judged(self, now: float) -> str | None:
        policy = self._policy
        if self._in_a_row >= policy.in_a_row:
            return "errors"
        calls, ill, slow = self._counts(now)
        if calls < policy.calls:
            return None
        if ill >= policy.errors * calls:
            return "errors"
        return "slow" if slow >= policy.slow * calls else None

    def _counts(self, now: float) -> tuple[int, int, int]:
        while self._buckets and self._buckets[0][0] <= now - self._policy.window:
            self._buckets.popleft()
        calls, ill, slow = (sum(bucket[place] for bucket in self._buckets) for place in (1, 2, 3))
        return calls, ill, slow

    def told(self, now: float) -> dict[str, float]:
        """``{"calls": 40, "errors": 0.5, "slow": 0.0, "p95": 0.31}`` of the window until now; shares, seconds."""
        calls, ill, slow = self._counts(now)
        took = sorted(seconds for at, seconds in self._took if at > now - self._policy.window)
        return {
            "calls": calls,
            "errors": ill / calls if calls else 0.0,
            "slow": slow / calls if calls else 0.0,
            "p95": took[max(1, ceil(len(took) * 0.95)) - 1] if took else 0.0,
        }

    def clear(self) -> None:
        """Begin anew: what was before a recovery says nothing of it."""
        self._buckets.clear()
        self._in_a_row = 0
