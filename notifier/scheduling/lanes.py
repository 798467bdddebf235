"""What the scheduler knows of one lane, and of one call that runs."""

import math

from notifier.scheduling.averages import Moments, Rate
from notifier.scheduling.policy import LaneOptions, Policy
from notifier.scheduling.resources import Resource

#: Seconds for which a gate that said no is taken to limit its lane.
_GATED = 1.0


class Run:
    """One message that a thread works on."""

    __slots__ = ("charged", "lane", "overdue", "probe", "residue", "stalled", "started_at")

    def __init__(self, lane: "LaneState", started_at: float, charged: float) -> None:
        self.lane = lane
        self.started_at = started_at
        #: Thread-seconds that the lane's account was charged in advance.
        self.charged = charged
        #: Older than calls of its resource usually get; older than they ever get.
        self.overdue = self.stalled = False
        #: Started to see whether its resource is back; stalled when that was seen.
        self.probe = self.residue = False


class LaneState:
    """Counts, account and activity of one lane; the scheduler's other modules write it."""

    __slots__ = (
        "account",
        "age",
        "arrivals",
        "backlog",
        "budget",
        "closed_until",
        "credit",
        "demand",
        "drain_goal",
        "fresh",
        "gated_at",
        "highest_lately",
        "last_active",
        "low_from",
        "minimum",
        "most_ahead",
        "name",
        "paused",
        "rank",
        "reason",
        "resource",
        "runnable",
        "running",
        "runs",
        "service",
        "share",
        "since",
        "starts",
        "waiting",
        "weight",
    )

    def __init__(self, options: LaneOptions, policy: Policy, resource: Resource) -> None:
        self.name = options.name
        self.rank = int(options.rank)
        self.resource = resource
        self.weight = policy.weight_of(options)
        self.minimum = options.minimum
        self.age = policy.ages[options.rank]
        self.drain_goal = policy.drain_goals[options.rank]
        #: How far its account may run ahead in the phase of credit, and at all (thread-seconds / weight).
        self.credit = policy.credit / self.weight
        self.most_ahead = policy.most_credits * self.credit
        #: Messages here that have not started; those that run, and of them those that are not overdue.
        self.waiting = self.running = self.fresh = 0
        self.runs: set[Run] = set()
        #: Thread-seconds taken, divided by the weight: the account of stride scheduling.
        self.account = 0.0
        self.runnable = self.paused = False
        #: Until when its gate said no.
        self.closed_until = float("-inf")
        #: Since when it may be below its minimum with a message waiting: the last start, end or waking.
        self.since = 0.0
        #: Ready at the broker, as this process's part of it.
        self.backlog = 0.0
        #: When its gate last said no, and starts a second: together what its limits allow.
        self.gated_at = float("-inf")
        self.starts = Rate(policy.arrival_half_lives[1])
        self.arrivals = [Rate(half_life) for half_life in policy.arrival_half_lives]
        self.service = Moments(policy.service_half_life)
        self.demand = self.share = 0.0
        self.budget = self.highest_lately = 0
        self.low_from: float | None = None
        self.last_active = float("-inf")
        #: Why no thread took its message when one last looked; empty when one did.
        self.reason = ""

    def arrival_rate(self, now: float) -> float:
        """Messages a second: the larger of a quick and a slow average."""
        return max(rate.read(now) for rate in self.arrivals)

    def permits(self, now: float) -> float:
        """Starts a second that its gate allows, as far as has been seen: no limit until it says no."""
        if now - self.gated_at > _GATED:
            return float("inf")
        return 1.0 + 1.2 * self.starts.read(now)

    def service_seconds(self, now: float, first: float) -> float:
        """What a call lasts, corrected by the age of what still runs: a hang shows though nothing ends."""
        mean = self.expected(first)
        # Exact, since a set has no order: the same events are to give the same sum.
        beyond = math.fsum(max(0.0, now - run.started_at - mean) for run in self.runs)
        if not beyond:
            return mean
        return mean + beyond / (len(self.runs) + min(self.service.weight, len(self.runs)))

    def expected(self, first: float) -> float:
        """What its next call is charged in advance; `first` before any has ended."""
        return self.service.mean if self.service.known else first
