"""What the scheduler is told: lanes with their options, and the figures of its rules, each with its unit.

The defaults are the table of the design; `Policy` refuses what could not work, naming the figure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

#: How many priority classes there are; every tuple below has a figure for each, high first.
CLASSES = 3
#: The greatest weight and minimum.
MOST = 1000


class Rank(IntEnum):
    """The priority class of a lane: high before medium before low."""

    HIGH = 0
    MEDIUM = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """One lane: its queue, its class, and the resource it shares with others (a channel's providers).

    `weight` None takes the class's. `minimum` threads are its due at least now and then.
    """

    name: str
    rank: Rank = Rank.MEDIUM
    resource: str = ""
    weight: float | None = None
    minimum: int = 1

    def __post_init__(self) -> None:
        if self.weight is not None and not (0 < self.weight <= MOST):
            raise ValueError(f"the weight of {self.name} must be above 0 and at most {MOST}")
        if not 0 <= self.minimum <= MOST:
            raise ValueError(f"the minimum of {self.name} must be 0 to {MOST} threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules' figures for a worker of `threads` threads; times in seconds."""

    threads: int
    #: Long-run shares of thread-seconds when all lanes are busy.
    weights: tuple[float, float, float] = (4.0, 2.0, 1.0)
    #: Mean wait for a free thread that high and medium should not exceed.
    wait_goals: tuple[float, float] = (0.005, 0.1)
    #: The largest reserve of high and of medium: a thread for each so many, rounded up; 0: none.
    reserve_parts: tuple[int, int] = (8, 16)
    #: How long a lane below its minimum waits until it goes first.
    ages: tuple[float, float, float] = (0.1, 0.25, 1.0)
    #: How fast a backlog should go.
    drain_goals: tuple[float, float, float] = (1.0, 5.0, 30.0)
    #: Thread-seconds, for each thread, that a lane may run ahead of its weight and still go by class.
    credit_per_thread: float = 0.02
    #: How far ahead of the others a lane's account may get, in credits.
    most_credits: float = 10.0
    #: A message is overdue, or stalled, when it runs longer than this and than `patience` times the p95.
    overdue: float = 0.25
    stalled: float = 2.0
    patience: float = 4.0
    #: Between two probes of a resource that seems to hang.
    probe_every: float = 5.0
    #: Who was active so lately keeps its room and its reserve.
    active_for: float = 600.0
    #: A reserve is released when the wait has been below its goal for so long.
    release_after: float = 5.0
    #: A budget falls when its share has been below it for so long.
    lower_after: float = 30.0
    demand_half_life: float = 3.0
    arrival_half_lives: tuple[float, float] = (0.5, 3.0)
    gap_half_life: float = 3.0
    service_half_life: float = 3.0
    #: What a call is taken to last before any has ended.
    first_service: float = 0.05
    #: How many of a resource's latest successes its p95 is taken from.
    successes_kept: int = 256
    #: Threads that no resource may take while others are active; None: a quarter, rounded up.
    most_room: int | None = field(default=None)

    def __post_init__(self) -> None:
        _positive(self, "threads", "credit_per_thread", "overdue", "stalled", "patience", "probe_every")
        _positive(self, "demand_half_life", "gap_half_life", "service_half_life", "first_service")
        for name in ("weights", "wait_goals", "ages", "drain_goals", "arrival_half_lives"):
            if min(getattr(self, name)) <= 0:
                raise ValueError(f"{name} must be positive")
        if min(self.reserve_parts) < 0:
            raise ValueError("reserve_parts must not be negative")
        if self.most_room is not None and not 0 <= self.most_room < self.threads:
            raise ValueError("most_room must be 0 to fewer than all threads")

    @property
    def credit(self) -> float:
        """Thread-seconds a lane of weight 1 may run ahead."""
        return self.credit_per_thread * self.threads

    @property
    def quarter(self) -> int:
        """The threads that all reserves together may have."""
        return self.threads // 4

    @property
    def suspect_cap(self) -> int:
        """How many calls a resource may have in flight that seems to hang."""
        return max(1, self.threads // 4)

    @property
    def most_probes(self) -> int:
        """How many probes of a hanging resource may be outstanding."""
        return max(1, self.threads // 8)

    @property
    def most_extra(self) -> int:
        """How many threads may be added for overdue messages."""
        return self.threads // 2

    @property
    def room(self) -> int:
        """The most threads a bulkhead keeps from one resource."""
        return math.ceil(self.threads / 4) if self.most_room is None else self.most_room

    def weight_of(self, lane: LaneOptions) -> float:
        """The lane's own weight, or its class's."""
        return self.weights[lane.rank] if lane.weight is None else lane.weight


def _positive(policy: Policy, *names: str) -> None:
    for name in names:
        if not getattr(policy, name) > 0:
            raise ValueError(f"{name} must be positive")


def check_lanes(lanes: Sequence[LaneOptions]) -> None:
    """Raises `ValueError` for a lane that is named twice."""
    names = [lane.name for lane in lanes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"lane {name} is named twice")
