"""P4, P5, L6 and L9: one worker process empties nine loaded lanes.

Beside it Dramatiq and Celery that do nothing, and the same worker on Dramatiq's heap, without the scheduler,
or without metrics and logs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import calls
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs, best_of
from benchmarks.peers.celery_stock import CeleryStock
from benchmarks.peers.dramatiq_stock import DramatiqStock
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from tests.nodes.waiting import wait_until

IDS = ("P4", "P5", "L6", "L9")
_DRAIN_SECONDS = 300.0
_PREFORK = 2
#: A worker that measures nothing and says nothing but what is broken.
_SILENT = {"NOTIFIER_METRICS_PORT": "0", "NOTIFIER_LOG_LEVEL": "error"}
#: By the database's clock: from the first claim to the last outcome stored.
_SPAN = "SELECT extract(epoch FROM max(finished_at) - min(claimed_at)) * 1000000 FROM notifications"
_SENT = "SELECT count(*) FROM notifications WHERE status = 'sent' AND attempt = 1"

Samples = list[dict[int, float]]


@dataclass(slots=True)
class _Rounds:
    """By thread count, a dict for each round."""

    ours: Samples = field(default_factory=list)
    heap: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    dramatiq: Samples = field(default_factory=list)
    celery: list[dict[str, float]] = field(default_factory=list)


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """In each round ours, then the wanted peers, with every thread count."""
    service, dramatiq = Service(stage, "drains"), DramatiqStock(stage, "drains-peer")
    celery, found = CeleryStock(stage, "drains-celery"), _Rounds()
    with service.serving() as door:
        for number in range(sizes.rounds):
            stage.say(f"drains: round {number + 1} of {sizes.rounds}")
            found.ours.append({})
            found.dramatiq.append({})
            for threads in sizes.threads:
                found.ours[-1][threads] = _ours(stage, service, door, sizes.drain, threads)
                if "P4" in wanted:
                    found.dramatiq[-1][threads] = dramatiq.drain(sizes.peer_drain, threads)
            if "L6" in wanted:
                found.heap.append(
                    _ours(stage, service, door, sizes.drain, sizes.heap_threads, "benchmarks.heap_worker")
                )
            if "L9" in wanted:
                found.silent.append(
                    _ours(stage, service, door, sizes.drain, sizes.heap_threads, settings=_SILENT)
                )
            if "P5" in wanted:
                found.celery.append(_celery(celery, sizes))
    return _findings(found, wanted, sizes.heap_threads)


def _celery(celery: CeleryStock, sizes: Sizes) -> dict[str, float]:
    by_threads = {
        f"threads {threads}": celery.drain(sizes.peer_drain // 2, "threads", threads)
        for threads in sizes.threads
    }
    return by_threads | {"prefork": celery.drain(sizes.peer_drain // 2, "prefork", _PREFORK)}


def _findings(found: _Rounds, wanted: frozenset[str], heap_threads: int) -> list[Finding]:
    ours = best_of(found.ours)
    findings = []
    if "P4" in wanted:
        extra = {"ours_by_threads": found.ours, "peer_by_threads": found.dramatiq}
        pairs = Pairs(ours, best_of(found.dramatiq))
        findings.append(Finding(target=TARGETS["P4"], pairs=pairs, extra=extra))
    if "P5" in wanted:
        more = {"ours_by_threads": found.ours, "peer_by_pool": found.celery}
        pairs = Pairs(ours, best_of(found.celery))
        findings.append(Finding(target=TARGETS["P5"], pairs=pairs, extra=more))
    if "L6" in wanted:
        same_threads = tuple(samples[heap_threads] for samples in found.ours)
        findings.append(Finding(target=TARGETS["L6"], pairs=Pairs(same_threads, tuple(found.heap))))
    if "L9" in wanted:
        told = tuple(samples[heap_threads] for samples in found.ours)
        findings.append(Finding(target=TARGETS["L9"], pairs=Pairs(told, tuple(found.silent))))
    return findings


def _ours(
    stage: Stage,
    service: Service,
    door: int,
    count: int,
    threads: int,
    program: str = "benchmarks.worker",
    settings: Mapping[str, str] | None = None,
) -> float:
    """Notifications a second that one worker process sends, records and acks."""
    service.reset()
    service.fill(door, count)
    ledger = stage.folder / "drains.calls"
    ledger.unlink(missing_ok=True)
    with service.working(threads, ledger, program=program, settings=settings):
        wait_until(lambda: calls.count(ledger) >= count, _DRAIN_SECONDS, "the worker's drain")
        wait_until(lambda: service.number(_SENT) == count, 30, "the last outcomes to be stored")
    _check(service, ledger, count)
    return count / (service.number(_SPAN) / 1e6)


def _check(service: Service, ledger: Path, count: int) -> None:
    """Each was sent once, each is stored as sent, and the broker holds none any more."""
    same("provider calls", len(calls.read(ledger)), count)
    same("rows sent at the first attempt", service.number(_SENT), count)
    same("messages left in the lanes", service.ready_messages(), 0)
