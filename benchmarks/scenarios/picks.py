"""L5: what one pick costs when all lanes wait and all but one thread run."""

import time

from benchmarks.figures import Finding, Pairs
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.scheduling.scheduler import Scheduler

IDS = ("L5",)
_PICKS, _THREADS = 20_000, 32
#: Simulated seconds between two picks, and picks between two ticks: a thousand a second.
_STEP, _TICK = 0.001, 250
_PARTS = {"nine": (9, 10.0), "sixty": (60, 40.0)}


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """Both sizes in each round."""
    found: dict[str, list[float]] = {name: [] for name in _PARTS}
    for number in range(sizes.rounds):
        stage.say(f"picks: round {number + 1} of {sizes.rounds}")
        for name, (lanes, _) in _PARTS.items():
            found[name].append(_microseconds(lanes))
    return [
        Finding(target=TARGETS[f"L5 {name}"], pairs=Pairs(tuple(found[name]), (bound,) * sizes.rounds))
        for name, (_, bound) in _PARTS.items()
    ]


def _microseconds(lanes: int) -> float:
    """The mean of many picks; ends and ticks between them are not timed."""
    options = [LaneOptions(f"l{number}", Rank(number % 3), f"r{number // 3}") for number in range(lanes)]
    scheduler = Scheduler(Policy(threads=_THREADS), options)
    for lane in scheduler.lanes.values():
        for _ in range(_PICKS):
            scheduler.arrived(lane, 0.0)
    now, seconds = 0.0, 0.0
    runs = [scheduler.pick(now, lambda _: 0.0) for _ in range(_THREADS - 1)]
    for number in range(_PICKS):
        now += _STEP
        began = time.perf_counter()
        runs.append(scheduler.pick(now, lambda _: 0.0))
        seconds += time.perf_counter() - began
        oldest = runs.pop(0)
        if oldest is not None:
            scheduler.ended(oldest, now, True)
        if not number % _TICK:
            scheduler.tick(now)
    return seconds / _PICKS * 1e6
