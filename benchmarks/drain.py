"""One drain: worker processes empty nine loaded lanes; how fast, and on whose CPU."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import calls, split
from benchmarks.checks import same
from benchmarks.service import Service
from benchmarks.split import Part
from benchmarks.stage import Stage
from tests.nodes.waiting import wait_until

_DRAIN_SECONDS = 300.0
#: CPU counts once this part of the calls is made: before, the worker and its relay, a fork that starts last, still start.
_UNDER_WAY = 3
#: By the database's clock: from the first claim to the last outcome stored.
_SPAN = "SELECT extract(epoch FROM max(finished_at) - min(claimed_at)) * 1000000 FROM notifications"
_SENT = "SELECT count(*) FROM notifications WHERE status = 'sent' AND attempt = 1"


@dataclass(frozen=True, slots=True)
class Drained:
    """Notifications a second; CPU µs of each part for one of them, and the cores of each, once it is under way."""

    rate: float
    cpu_us: Mapping[str, float]
    cores: Mapping[str, float]


def drain(
    stage: Stage,
    service: Service,
    door: int,
    count: int,
    threads: int,
    *,
    program: str = "benchmarks.worker",
    settings: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Drained:
    """`count` notifications that worker processes send, record and ack."""
    service.reset()
    service.fill(door, count)
    ledger = stage.folder / "drains.calls"
    ledger.unlink(missing_ok=True)
    with service.working(threads, ledger, program=program, settings=settings, processes=processes) as launch:
        wait_until(lambda: calls.count(ledger) >= count // _UNDER_WAY, 60, "the worker to be under way")
        parts = [*split.launched(launch.pid, processes), *servers(stage)]
        before, begun = split.read(parts), calls.count(ledger)
        wait_until(lambda: calls.count(ledger) >= count, _DRAIN_SECONDS, "the worker's drain")
        ended = split.read(parts)
        wait_until(lambda: service.number(_SENT) == count, 30, "the last outcomes to be stored")
        after = split.read(parts)
    _check(service, ledger, count)
    return Drained(
        count / (service.number(_SPAN) / 1e6),
        split.microseconds(before, after, max(1, count - begun)),
        split.cores(before, ended, len(os.sched_getaffinity(0))),
    )


def servers(stage: Stage) -> list[Part]:
    """The run's RabbitMQ and PostgreSQL."""
    return [Part("rabbitmq", (stage.rabbitmq.pid,)), Part("postgresql", (stage.postgres.pid,))]


def _check(service: Service, ledger: Path, count: int) -> None:
    """Each was sent once, each is stored as sent, and the broker holds none any more."""
    same("provider calls", len(calls.read(ledger)), count)
    same("rows sent at the first attempt", service.number(_SENT), count)
    same("messages left in the lanes", service.ready_messages(), 0)
