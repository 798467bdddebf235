"""The scheduler's core: events in, picks out. No threads, no clock of its own, no input or output.

Whoever drives it (the lane queue, the simulator) says what arrived, asks `pick`, says what ended, and calls
`tick` four times a second and when a lane wakes. The same events give the same picks.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from notifier.scheduling import reserves, shares
from notifier.scheduling.averages import halved
from notifier.scheduling.idle import IdleTime
from notifier.scheduling.lanes import LaneState, Run
from notifier.scheduling.order import Ask, Order
from notifier.scheduling.policy import LaneOptions, Policy, Rank, check_lanes
from notifier.scheduling.reserves import Reserve
from notifier.scheduling.resources import Resource
from notifier.scheduling.waits import FreedThreads, wait_of_running

#: A demand of fewer threads is none.
_NOTHING = 1e-4


@dataclass(frozen=True, slots=True)
class Move:
    """Something the scheduler decided on a tick: what, about whom, and from which inputs."""

    at: float
    what: str
    about: str
    inputs: Mapping[str, float]


class Scheduler:
    """For `policy.threads` threads and the extra ones of `threads`; lanes are added as they are seen."""

    def __init__(self, policy: Policy, lanes: Iterable[LaneOptions] = ()) -> None:
        self.policy = policy
        self.lanes: dict[str, LaneState] = {}
        self.resources: dict[str, Resource] = {}
        self.high = Reserve(policy.wait_goals[0], policy.release_after)
        self.medium = Reserve(policy.wait_goals[1], policy.release_after)
        #: How many threads there are; more than the policy's while extra ones stand in for overdue messages.
        self.threads = policy.threads
        self.running = 0
        #: What a message of high would wait for a thread, in seconds, as of the last tick.
        self.expected_wait = 0.0
        self.idle = IdleTime()
        #: The phase in which the last pick won.
        self.phase = 0
        self._freed = FreedThreads(policy)
        self._all: list[LaneState] = []
        self._order = Order(self._all)
        #: When `tick` was last called.
        self.ticked_at = 0.0
        options = list(lanes)
        check_lanes(options)
        for one in options:
            self.add(one)

    def add(self, options: LaneOptions) -> LaneState:
        """A lane that was not there yet."""
        resource = self.resources.setdefault(options.resource, Resource(options.resource, self.policy))
        lane = self.lanes[options.name] = LaneState(options, self.policy, resource)
        self._all.append(lane)
        return lane

    # Events.

    def arrived(self, lane: LaneState, now: float) -> bool:
        """A message is there; answers whether the lane was asleep, so that a tick is due."""
        for rate in lane.arrivals:
            rate.add(now)
        lane.last_active = lane.resource.last_active = now
        return self.returned(lane, now)

    def returned(self, lane: LaneState, now: float) -> bool:
        """A message that was put back is there again; it is no new arrival."""
        lane.waiting += 1
        if lane.waiting > 1:
            return False
        lane.since = now
        lane.runnable = False
        return not lane.running

    def withdrawn(self, lane: LaneState) -> None:
        """A message left without having started."""
        lane.waiting -= 1

    def reopen(self, names: Iterable[str]) -> None:
        """Whatever their gates last said of later does not hold any more."""
        for name in names:
            if name in self.lanes:
                self.lanes[name].closed_until = float("-inf")

    def pick(self, now: float, ask: Ask) -> Run | None:
        """Start a message: the caller gives it to its thread; None when none may start now."""
        found = self._order.pick(now, self.headroom(), ask)
        self.idle.upto(now, self.threads - self.running)
        if found is None:
            self.idle.because(self._all)
            return None
        return self.start(*found, now)

    def start(self, lane: LaneState, phase: int, now: float) -> Run:
        """A message of this lane starts, which won in this phase."""
        self.phase = phase
        run = Run(lane, now, min(lane.expected(self.policy.first_service), lane.resource.stall_age))
        lane.account += run.charged / lane.weight
        lane.waiting -= 1
        lane.running += 1
        lane.fresh += 1
        lane.runs.add(run)
        lane.since = lane.last_active = now
        lane.starts.add(now)
        self.running += 1
        lane.resource.started(run, now)
        self._freed.started(now, self.running)
        return run

    def ended(self, run: Run, now: float, ok: bool | None = True) -> None:
        """A message's thread is free again; `ok` None: it never came to ask the resource."""
        lane = run.lane
        self.idle.upto(now, self.threads - self.running)
        self._freed.ended(now, self.running)
        self.running -= 1
        lane.running -= 1
        lane.fresh -= not run.overdue
        lane.runs.discard(run)
        lane.since = lane.last_active = now
        took = now - run.started_at
        # A hang is charged until it is seen as one; nobody is to pay for it for minutes.
        lane.account += (min(took, lane.resource.stall_age) - run.charged) / lane.weight
        lane.account = min(lane.account, self._order.virtual + lane.most_ahead)
        if ok is not None:
            lane.service.add(now, took)
        lane.resource.ended(run, now, ok)

    def tick(self, now: float, backlogs: Mapping[str, float] | None = None) -> list[Move]:
        """Judge resources, reserves, bulkheads and budgets anew; answers what has changed.

        `backlogs` is, for each lane that is known, what of the broker's queue is this process's part.
        """
        for name, number in (backlogs or {}).items():
            if name in self.lanes:
                self.lanes[name].backlog = number
        self.idle.upto(now, self.threads - self.running)
        return [*self._look_at_resources(now), *self._look_at_reserves(now), *self._look_at_budgets(now)]

    def _look_at_resources(self, now: float) -> list[Move]:
        moves = []
        for resource in self.resources.values():
            before = resource.health
            resource.look(now)
            if resource.health != before:
                moves.append(Move(now, resource.health, resource.name, {"running": len(resource.runs)}))
        demanded: defaultdict[str, float] = defaultdict(float)
        for lane in self._all:
            self._look_at_demand(lane, now)
            demanded[lane.resource.name] += lane.demand
        total = sum(demanded.values())
        for resource in self.resources.values():
            resource.keep_to(self._bulkhead(resource, total - demanded[resource.name], now))
        return moves

    def _look_at_demand(self, lane: LaneState, now: float) -> None:
        """Little's law; up at once, down with the half-life. A paused lane asks for nothing, however much waits."""
        if lane.paused:
            lane.demand = 0.0
            return
        wanted = lane.arrival_rate(now) + (lane.waiting + lane.backlog) / lane.drain_goal
        asked = min(wanted, lane.permits(now)) * lane.service_seconds(now, self.policy.first_service)
        kept = lane.demand * halved(now - self.ticked_at, self.policy.demand_half_life)
        lane.demand = max(asked, kept) if max(asked, kept) > _NOTHING else 0.0

    def _bulkhead(self, resource: Resource, others: float, now: float) -> int:
        active = any(
            one is not resource and now - one.last_active < self.policy.active_for
            for one in self.resources.values()
        )
        if not active:
            return self.policy.threads
        room = min(self.policy.room, max(0, math.ceil(2 * others - 0.2)))
        return max(1, self.policy.threads - room)

    def _look_at_reserves(self, now: float) -> list[Move]:
        policy = self.policy
        self.expected_wait = self._expected_wait(now)
        demands = [0.0, 0.0, 0.0]
        active = [False, False, False]
        for lane in self._all:
            demands[lane.rank] += lane.demand
            active[lane.rank] |= now - lane.last_active < policy.active_for
        wanted = reserves.sizes(policy, (demands[Rank.HIGH], demands[Rank.MEDIUM]))
        moves = []
        for rank, reserve in enumerate((self.high, self.medium)):
            before = reserve.threads
            reserve.look(now, self.expected_wait, active[rank], wanted[rank])
            if reserve.threads != before:
                inputs = {"threads": reserve.threads, "before": before, "wait": self.expected_wait}
                moves.append(Move(now, "reserve", Rank(rank).name.lower(), inputs))
        return moves

    def _expected_wait(self, now: float) -> float:
        # While half of the threads idle nobody waits for one.
        if self.running < self.policy.threads / 2:
            return 0.0
        of_running = wait_of_running(self._all, self.policy.first_service)
        return max(self._freed.wait(now), of_running)

    def _look_at_budgets(self, now: float) -> list[Move]:
        self.ticked_at = now
        caps = {name: float(resource.cap) for name, resource in self.resources.items()}
        found = shares.shares_of(self.policy.threads - sum(self.unused()), self._all, caps)
        moves = []
        for lane, share in zip(self._all, found, strict=True):
            lane.share, before = share, lane.budget
            if shares.set_budget(lane, now, self.policy):
                inputs = {"budget": lane.budget, "before": before, "share": share, "demand": lane.demand}
                moves.append(Move(now, "budget", lane.name, inputs))
        return moves

    # Looks.

    def headroom(self) -> tuple[bool, bool, bool]:
        """For each class, whether it may take a thread and leave the reserves of those above."""
        idle = self.threads - self.running
        high, medium = self.unused()
        return idle > 0, idle > high, idle > high + medium

    def wants_thread(self) -> bool:
        """Whether a message waits whose class may take a thread."""
        room = self.headroom()
        return any(lane.waiting and room[lane.rank] for lane in self._all)

    def unused(self) -> tuple[int, int]:
        """Threads of each reserve that its class does not use."""
        kept = self.high.threads, self.medium.threads
        if kept == (0, 0):
            return kept
        fresh = [0, 0, 0]
        for lane in self._all:
            fresh[lane.rank] += lane.fresh
        return reserves.unused(kept, (fresh[0], fresh[1]))

    def overdue(self) -> int:
        """How many running messages are overdue: each has a thread more to stand in for it, up to a limit."""
        return min(self.policy.most_extra, sum(lane.running - lane.fresh for lane in self._all))

    def next_moment(self, now: float) -> float | None:
        """Seconds until something that keeps a waiting message may be over; None if only an event ends it."""
        return self._order.next_moment(now)
