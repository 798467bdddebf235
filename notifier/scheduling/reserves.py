"""Threads that only high (or only high and medium) may take, while a wait would be too long without them.

With short calls nothing needs to idle, with long ones something must: the reserve is engaged while the
expected wait exceeds the class's goal and the class has been active lately.
"""

import math

from notifier.scheduling.policy import Policy

#: Threads of demand that the one on top covers: what a class asked for minutes ago fades but never ends, and kept it a second
#: thread for as long.
_COVERED = 0.05


class Reserve:
    """The reserve of one class."""

    __slots__ = ("_goal", "_low_from", "_release_after", "engaged", "threads")

    def __init__(self, goal: float, release_after: float) -> None:
        self._goal = goal
        self._release_after = release_after
        self._low_from: float | None = None
        self.engaged = False
        #: How many threads it keeps now; 0 while it is not engaged.
        self.threads = 0

    def look(self, now: float, wait: float, active: bool, size: int) -> None:
        """Engage, keep or release it, `size` threads large."""
        if not active or size == 0 or wait < self._goal / 2:
            self.engaged = False
        elif wait > self._goal:
            self.engaged, self._low_from = True, None
        elif self.engaged:
            self._low_from = now if self._low_from is None else self._low_from
            self.engaged = now - self._low_from < self._release_after
        self.threads = size if self.engaged else 0
        if not self.engaged:
            self._low_from = None


def sizes(policy: Policy, demands: tuple[float, float]) -> tuple[int, int]:
    """(high's, medium's) when engaged: their demand and one, an eighth and a sixteenth at most, a quarter together."""
    high, medium = (
        min(math.ceil(policy.threads / part), 1 + math.ceil(max(0.0, demand - _COVERED))) if part else 0
        for part, demand in zip(policy.reserve_parts, demands, strict=True)
    )
    high = min(high, policy.quarter)
    return high, min(medium, policy.quarter - high)


def unused(reserves: tuple[int, int], fresh: tuple[int, int]) -> tuple[int, int]:
    """Of each reserve what its class does not use; high fills its own first, then medium's.

    `fresh` counts the calls of high and of medium that are not overdue: a hung one gives its place back.
    """
    left_high = max(0, reserves[0] - fresh[0])
    surplus = max(0, fresh[0] - reserves[0])
    return left_high, max(0, reserves[1] - fresh[1] - surplus)
