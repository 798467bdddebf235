"""A discrete-event simulation of one worker process that runs the production core, not a copy of it.

What it models: messages arriving at broker queues, prefetch, threads, calls that last, providers that hang,
limits of a lane. What it does not: locks, the interpreter, the network. `rule="heap"` is Dramatiq's own
order beside it: strict by class, then first in, first out.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from notifier.scheduling.lanes import LaneState, Run
from notifier.scheduling.policy import LaneOptions, Policy
from notifier.scheduling.prefetch import wanted_prefetch
from notifier.scheduling.scheduler import Move, Scheduler

Rule = Literal["lanes", "heap"]
#: Draws one call's length in seconds, at a moment of the simulation.
Length = Callable[[random.Random, float], tuple[float, bool]]

#: Seconds between ticks, and between questions to the broker; and what is no time at all.
TICK, COUNTED = 0.25, 1.0
_MOMENT = 1e-6


@dataclass(frozen=True, slots=True)
class Traffic:
    """A lane's messages: `backlog` at `start`, then `rate` a second (Poisson) until `stop`."""

    lane: LaneOptions
    length: Length
    rate: float = 0.0
    backlog: int = 0
    start: float = 0.0
    stop: float = float("inf")
    #: Starts a second that a limit allows.
    limit: float = float("inf")


@dataclass(slots=True)
class LaneResult:
    """What became of a lane: waits (s, arrival to start), thread-seconds taken, calls begun and ended.

    `left` are the arrivals of those that had not started at the end.
    """

    name: str
    waits: list[tuple[float, float]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    started: int = 0
    ended: int = 0

    def thread_seconds(self, since: float, until: float) -> float:
        """Thread-seconds within a window."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in self.spans)

    def waits_within(self, since: float, until: float = float("inf")) -> list[float]:
        """Waits of those that arrived in a window, in order of size."""
        return sorted(wait for at, wait in self.waits if since <= at < until)

    def finished_within(self, since: float, until: float) -> int:
        """Calls that ended in a window."""
        return sum(since <= end < until for _, end in self.spans)


class Simulation:
    """`run()` once, or `advance` in steps and `close`; then `lanes`, `moves` and `scheduler` tell."""

    def __init__(
        self,
        policy: Policy,
        traffic: Sequence[Traffic],
        *,
        seconds: float,
        seed: int = 1,
        rule: Rule = "lanes",
    ) -> None:
        self.policy, self.rule, self.seconds = policy, rule, seconds
        self.scheduler = Scheduler(policy, [one.lane for one in traffic])
        self.lanes = {one.lane.name: LaneResult(one.lane.name) for one in traffic}
        self.moves: list[Move] = []
        #: (moment, lane) of each start, in order, and the budgets at each tick.
        self.starts: list[tuple[float, str]] = []
        self.budgets: list[tuple[float, dict[str, int]]] = []
        #: (moment, threads) at each tick: what the reserves keep free for the classes above just then.
        self.kept: list[tuple[float, int]] = []
        self._dice = random.Random(seed)
        self._traffic = {one.lane.name: one for one in traffic}
        self._remote: dict[str, deque[float]] = {name: deque() for name in self.lanes}
        self._local: dict[str, deque[float]] = {name: deque() for name in self.lanes}
        self._prefetch = dict.fromkeys(self.lanes, 2 * policy.threads)
        self._next_grant = dict.fromkeys(self.lanes, 0.0)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._woken_at = float("inf")
        for one in self._traffic.values():
            self._at(one.start, partial(self._begin, one))
        self._at(0.0, self._tick)
        self._at(0.0, self._count)

    def run(self) -> "Simulation":
        """From 0 to `seconds`; what still runs then is cut off there."""
        self.advance(self.seconds)
        self.close()
        return self

    def advance(self, until: float) -> None:
        """All that happens up to a moment; in how many steps changes nothing."""
        until = min(until, self.seconds)
        while self._events and self._events[0][0] <= until:
            now, _, act = heapq.heappop(self._events)
            act(now)
            self._dispatch(now)

    def close(self) -> None:
        """The end: what runs is cut off, and what waits is written down with its age."""
        for lane in self.scheduler.lanes.values():
            result = self.lanes[lane.name]
            # By their starts: a set has no order of its own, and the same seed is to tell the same.
            for begin in sorted(run.started_at for run in lane.runs):
                result.spans.append((begin, self.seconds))
            result.left = [*self._local[lane.name], *self._remote[lane.name]]

    def idle_seconds(self, now: float) -> dict[str, float]:
        """Idle thread-seconds by reason, from 0 to this moment, which has been reached."""
        self.scheduler.idle.upto(now, self.scheduler.threads - self.scheduler.running)
        return dict(self.scheduler.idle.seconds)

    def _at(self, moment: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    # Traffic.

    def _begin(self, one: Traffic, now: float) -> None:
        name = one.lane.name
        self._remote[name].extend([now] * one.backlog)
        self._fetch(name, now)
        if one.rate:
            self._at(now + self._dice.expovariate(one.rate), partial(self._arrive, one))

    def _arrive(self, one: Traffic, now: float) -> None:
        if now >= one.stop:
            return
        self._remote[one.lane.name].append(now)
        self._fetch(one.lane.name, now)
        self._at(now + self._dice.expovariate(one.rate), partial(self._arrive, one))

    def _fetch(self, name: str, now: float) -> None:
        """The broker delivers as much as prefetch allows."""
        lane, remote = self.scheduler.lanes[name], self._remote[name]
        while remote and lane.waiting + lane.running < self._prefetch[name]:
            self._local[name].append(remote.popleft())
            if self.scheduler.arrived(lane, now):
                self._rebudget(now)

    # The worker.

    def _tick(self, now: float) -> None:
        self._rebudget(now)
        self.budgets.append((now, {name: lane.budget for name, lane in self.scheduler.lanes.items()}))
        self.kept.append((now, sum(self.scheduler.unused())))
        self._at(now + TICK, self._tick)

    def _rebudget(self, now: float) -> None:
        self.moves += self.scheduler.tick(now)
        if self.rule == "lanes":
            self.scheduler.threads = self.policy.threads + self.scheduler.overdue()

    def _count(self, now: float) -> None:
        for name, remote in self._remote.items():
            lane = self.scheduler.lanes[name]
            lane.backlog = float(len(remote))
            if self.rule == "lanes":
                self._prefetch[name] = wanted_prefetch(max(lane.budget, lane.running), lane.arrival_rate(now))
                self._fetch(name, now)
        self._at(now + COUNTED, self._count)

    def _dispatch(self, now: float) -> None:
        while self.scheduler.running < self.scheduler.threads:
            run = self._pick(now)
            if run is None:
                break
            self._start(run, now)
        if self.rule == "heap":
            return  # It knows no gates or probes to wait for.
        wait = self.scheduler.next_moment(now)
        if wait is not None and not now < self._woken_at <= now + wait:
            self._woken_at = now + max(wait, _MOMENT)
            self._at(self._woken_at, _look)

    def _pick(self, now: float) -> Run | None:
        if self.rule == "lanes":
            return self.scheduler.pick(now, lambda lane: self._gate(lane, now))
        waiting = [lane for lane in self.scheduler.lanes.values() if lane.waiting]
        if not waiting:
            return None
        self.scheduler.idle.upto(now, self.scheduler.threads - self.scheduler.running)
        first = min(waiting, key=lambda lane: (lane.rank, self._local[lane.name][0]))
        return self.scheduler.start(first, 0, now)

    def _gate(self, lane: LaneState, now: float) -> float:
        limit = self._traffic[lane.name].limit
        if limit == float("inf"):
            return 0.0
        wait = self._next_grant[lane.name] - now
        if wait > _MOMENT:
            return wait
        self._next_grant[lane.name] = max(now, self._next_grant[lane.name]) + 1 / limit
        return 0.0

    def _start(self, run: Run, now: float) -> None:
        name = run.lane.name
        result = self.lanes[name]
        arrived = self._local[name].popleft()
        result.waits.append((arrived, now - arrived))
        result.started += 1
        self.starts.append((now, name))
        length, ok = self._traffic[name].length(self._dice, now)
        self._at(now + length, partial(self._end, run, ok))

    def _end(self, run: Run, ok: bool, now: float) -> None:
        result = self.lanes[run.lane.name]
        result.ended += 1
        result.spans.append((run.started_at, now))
        self.scheduler.ended(run, now, ok)
        least = self.policy.threads + self.scheduler.overdue()
        self.scheduler.threads = max(self.policy.threads, min(self.scheduler.threads, least))
        self._fetch(run.lane.name, now)


def _look(_now: float) -> None:
    """Nothing by itself: after every event the threads look for work."""
