"""P4, P5, P13, L6 and L9: worker processes empty nine loaded lanes.

Beside one of them Dramatiq, Celery and taskiq that do nothing, two of them, and the same worker on Dramatiq's heap, without
the scheduler, or without metrics and logs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import split
from benchmarks.drain import Drained, drain
from benchmarks.figures import Finding, Pairs, best_of
from benchmarks.peers.celery_stock import CeleryStock
from benchmarks.peers.dramatiq_stock import DramatiqStock
from benchmarks.peers.taskiq_stock import TaskiqStock
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS

IDS = ("P4", "P5", "P13", "L6", "L9")
_TWO = 2
#: A worker that measures nothing and says nothing but what is broken.
_SILENT = {"NOTIFIER_METRICS_PORT": "0", "NOTIFIER_LOG_LEVEL": "error"}

Samples = list[dict[int, Drained]]


@dataclass(slots=True)
class _Rounds:
    """By thread count, a dict for each round; the others have one count of their own."""

    ours: Samples = field(default_factory=list)
    heap: list[Drained] = field(default_factory=list)
    told: list[Drained] = field(default_factory=list)
    silent: list[Drained] = field(default_factory=list)
    two: list[Drained] = field(default_factory=list)
    dramatiq: list[dict[int, float]] = field(default_factory=list)
    celery: list[dict[str, float]] = field(default_factory=list)
    taskiq: list[dict[str, float]] = field(default_factory=list)


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """In each round ours, then the wanted peers, with every thread count."""
    service, found = Service(stage, "drains"), _Rounds()
    dramatiq, celery = DramatiqStock(stage, "drains-peer"), CeleryStock(stage, "drains-celery")
    taskiq = TaskiqStock(stage, "drains-taskiq")
    # What only compares ours with ours needs one count.
    counts = sizes.threads if wanted & {"P4", "P5"} else (sizes.heap_threads,)
    with service.serving() as door:

        def ours(threads: int, times: int = 1, **more: Any) -> Drained:
            return drain(stage, service, door, times * sizes.drain, threads, **more)

        for number in range(sizes.rounds):
            stage.say(f"drains: round {number + 1} of {sizes.rounds}")
            found.ours.append({})
            found.dramatiq.append({})
            for threads in counts:
                found.ours[-1][threads] = ours(threads)
                if "P4" in wanted:
                    found.dramatiq[-1][threads] = dramatiq.drain(sizes.peer_drain, threads)
            _others(found, ours, sizes.heap_threads, wanted)
            if "P5" in wanted:
                found.celery.append(celery.drains(sizes.peer_drain // 2, sizes.threads))
                found.taskiq.append(taskiq.drains(sizes.peer_drain // 2))
    return _findings(found, wanted, sizes.heap_threads)


def _others(found: _Rounds, ours: Callable[..., Drained], threads: int, wanted: frozenset[str]) -> None:
    """Ours in another form, all with the same thread count."""
    if "P13" in wanted:
        found.two.append(ours(threads, processes=_TWO))
    if "L6" in wanted:
        found.heap.append(ours(threads, program="benchmarks.heap_worker"))
    if "L9" in wanted:
        # Three times as long: the process that tells the metrics starts with the drain, and takes 0.2 s of CPU for that.
        found.told.append(ours(threads, 3))
        found.silent.append(ours(threads, 3, settings=_SILENT))


def _findings(found: _Rounds, wanted: frozenset[str], heap_threads: int) -> list[Finding]:
    rates = [{threads: one.rate for threads, one in samples.items()} for samples in found.ours]
    best = [max(samples.values(), key=lambda one: one.rate) for samples in found.ours]
    ours, same_threads = best_of(rates), [samples[heap_threads] for samples in found.ours]
    extra: dict[str, Any] = {"ours_by_threads": rates, "cpu_us": split.medians([one.cpu_us for one in best])}
    findings = []
    if "P4" in wanted:
        more = {**extra, "peer_by_threads": found.dramatiq}
        findings.append(Finding(target=TARGETS["P4"], pairs=Pairs(ours, best_of(found.dramatiq)), extra=more))
    if "P5" in wanted:
        for name, peer in (("celery", found.celery), ("taskiq", found.taskiq)):
            pairs = Pairs(ours, best_of(peer))
            more = {"ours_by_threads": rates, "peer_by_pool": peer}
            findings.append(Finding(target=TARGETS[f"P5 {name}"], pairs=pairs, extra=more))
    if "P13" in wanted:
        findings.append(_pair(found.two, same_threads))
    for name, mine, peers in (("L6", same_threads, found.heap), ("L9", found.told, found.silent)):
        if name in wanted:
            findings.append(Finding(target=TARGETS[name], pairs=_pairs(mine, peers)))
    return findings


def _pair(two: list[Drained], one: list[Drained]) -> Finding:
    """P13, with the cores that each part kept busy with two worker processes and with one."""
    shares: dict[str, Mapping[str, float]] = {
        "cores": split.medians([each.cores for each in two]),
        "cores_of_one": split.medians([each.cores for each in one]),
    }
    return Finding(target=TARGETS["P13"], pairs=_pairs(two, one), extra=shares)


def _pairs(ours: list[Drained], peer: list[Drained]) -> Pairs:
    return Pairs(tuple(one.rate for one in ours), tuple(one.rate for one in peer))
