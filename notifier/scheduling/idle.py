"""Why threads idle: thread-seconds by reason, so that nobody has to guess what a lane waits for."""

from collections.abc import Iterable

from notifier.scheduling.lanes import LaneState

#: Every reason, the one that is named first when several hold: nothing to do, kept for a class above, a
#: bulkhead for others, a resource that seems to hang or hangs, a gate (a limit, a breaker), a pause.
REASONS = ("reserve", "bulkhead", "suspect", "stalled", "gate", "paused", "empty")


class IdleTime:
    """Adds up idle threads over time; the reason is the one found when a thread last got nothing."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(REASONS, 0.0)
        self.reason = "empty"
        self._at: float | None = None

    def upto(self, now: float, idle: int) -> None:
        """So many threads have idled since the last call."""
        if self._at is not None and idle > 0:
            self.seconds[self.reason] += idle * (now - self._at)
        self._at = now

    def because(self, lanes: Iterable[LaneState]) -> None:
        """A thread got nothing: remember why."""
        found = {lane.reason for lane in lanes if lane.waiting}
        self.reason = next((reason for reason in REASONS if reason in found), "empty")
