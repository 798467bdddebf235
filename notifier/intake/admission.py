"""Who is turned away when too much is pending: Low first, then Medium, High last (promise 7)."""

from dataclasses import dataclass

from notifier.domain.errors import BacklogFull
from notifier.domain.lanes import Priority

#: At how many percent of the limit each priority is refused.
_PENDING_PERCENT = {Priority.LOW: 100, Priority.MEDIUM: 110, Priority.HIGH: 120}
_DISK_PERCENT = {Priority.LOW: 80, Priority.MEDIUM: 88, Priority.HIGH: 95}


@dataclass(frozen=True, slots=True)
class Limits:
    """`pending` notifications and `disk_bytes` of database (0: no budget) at which refusals begin."""

    pending: int = 5_000_000
    disk_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """How full storage is, as last counted."""

    pending: int = 0
    disk_bytes: int = 0


def admits(priority: Priority, level: Level, limits: Limits) -> bool:
    """Whether one more notification of this priority is taken."""
    if level.pending * 100 >= limits.pending * _PENDING_PERCENT[priority]:
        return False
    return not limits.disk_bytes or level.disk_bytes * 100 < limits.disk_bytes * _DISK_PERCENT[priority]


class Admission:
    """The door's present knowledge of how full it is; `level` is renewed from outside each second."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.level = Level()

    def check(self, priority: Priority) -> None:
        """Raise `BacklogFull` if this priority is turned away right now."""
        if not admits(priority, self.level, self._limits):
            raise BacklogFull(
                f"too much is pending for {priority} priority; higher priorities may still be taken",
                retry_after=10,
            )

    @property
    def full(self) -> bool:
        """Whether even High is turned away."""
        return not admits(Priority.HIGH, self.level, self._limits)
