"""What a simulation found, in numbers: for each lane its waits and its part of the threads, and why others idled.

A wait counts for the window in which its message arrived. One that had not started at the end counts with its
age then: a rule that starves a lane is not to look better for it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notifier.scheduling.simulation import LaneResult, Rule, Simulation

#: Simulated seconds between two words about how far it is.
STEP = 1.0


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """One lane within the window; `left` of its messages had not started at the end; waits None: none arrived."""

    lane: str
    arrivals: int
    starts: int
    left: int
    thread_seconds: float
    #: Thread-seconds by those of the policy's threads; threads that stand in for hung ones come on top.
    share: float
    wait_p50_ms: float | None
    wait_p99_ms: float | None
    wait_max_ms: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """One rule, from `since` to `until` (seconds of the simulation)."""

    rule: Rule
    since: float
    until: float
    lanes: tuple[LaneFigures, ...]
    idle_thread_seconds: dict[str, float]


def measure(
    simulation: Simulation, since: float, watch: Callable[[float], None] = lambda _step: None
) -> Figures:
    """Run it to its end; `watch` hears of each second that is done."""
    _advance(simulation, 0.0, since, watch)
    before = simulation.idle_seconds(since)
    _advance(simulation, since, simulation.seconds, watch)
    after = simulation.idle_seconds(simulation.seconds)
    simulation.close()
    lanes = tuple(_of_lane(one, simulation, since) for one in simulation.lanes.values())
    idle = {reason: round(after[reason] - before[reason], 3) for reason in after}
    return Figures(simulation.rule, since, simulation.seconds, lanes, idle)


def _advance(simulation: Simulation, begin: float, end: float, watch: Callable[[float], None]) -> None:
    reached = begin
    while reached < end:
        step = min(STEP, end - reached)
        reached += step
        simulation.advance(reached)
        watch(step)


def _of_lane(result: LaneResult, simulation: Simulation, since: float) -> LaneFigures:
    until = simulation.seconds
    waits = [*result.waits_within(since), *(until - at for at in result.left if at >= since)]
    taken = result.thread_seconds(since, until)
    p50, p99, most = (_milliseconds(waits, share) for share in (0.5, 0.99, 1.0))
    return LaneFigures(
        lane=result.name,
        arrivals=len(waits),
        starts=sum(arrived + wait >= since for arrived, wait in result.waits),
        left=len(result.left),
        thread_seconds=round(taken, 3),
        share=round(taken / (simulation.policy.threads * (until - since)), 4),
        wait_p50_ms=p50,
        wait_p99_ms=p99,
        wait_max_ms=most,
    )


def _milliseconds(waits: Sequence[float], share: float) -> float | None:
    """The quantile by nearest rank."""
    if not waits:
        return None
    return round(1000 * sorted(waits)[math.ceil(share * len(waits)) - 1], 3)
