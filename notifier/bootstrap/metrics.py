"""The metrics of each kind of process: its notes, and what reports them once a second.

Port 0 turns all of it off, the notes included. To be imported after `prepare_prometheus_dir` in a launch of
several processes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from notifier import __version__
from notifier.bootstrap import engines, gauges
from notifier.bootstrap.back import Back
from notifier.domain.lanes import Lane
from notifier.scheduling.idle import REASONS
from notifier.settings import Settings
from notifier.telemetry import book, metrics, probes
from notifier.telemetry.probes import State
from notifier.telemetry.prometheus_dir import prometheus_dir
from notifier.telemetry.reporter import Look, Reading, Reporter
from notifier.telemetry.tally import Tally
from notifier.telemetry.watch import Watch

#: No call outlasts its lease: a worker in which nothing ends for twice as long hangs.
_LEASES = 2


@dataclass(frozen=True, slots=True)
class Metrics:
    """What reports a process's notes: started and stopped with it; `told` is the text of a scrape."""

    start: Callable[[], None]
    stop: Callable[[], None]
    told: Callable[[], bytes]


def new_tally(settings: Settings) -> Tally:
    """Notes are kept unless metrics are turned off."""
    return Tally(on=bool(settings.metrics_port))


def make_metrics(
    settings: Settings, role: str, tally: Tally, *, back: Back | None = None, storage: bool = False
) -> Metrics:
    """Of a process in `role`: with `back` its worker's too, with `storage` what only storage knows."""
    if not tally.on:
        return Metrics(_nothing, _nothing, lambda: b"")
    worker = None if back is None else gauges.WorkerGauges(back, settings.lanes, settings.queue_prefix)
    watches: list[Watch] = []
    if storage:
        engine = engines.metrics(settings)
        watches.append(
            Watch(gauges.storage_gauges(engine, settings.lanes, settings.queue_prefix), ends=engine.dispose)
        )
    looks: list[Look] = [lambda: _of_process(role), *watches]
    if worker is not None:
        looks.append(worker.read)
    totals = [] if worker is None else worker.totals()
    _prime(tally, role, back, settings.lanes)
    patience = _LEASES * settings.lease_seconds
    reporter = Reporter(tally, looks, totals, say=_saying(role, back, patience))
    return Metrics(
        _in_turn([*(one.start for one in watches), reporter.start]),
        _in_turn([reporter.stop, *(one.stop for one in watches)]),
        lambda: book.told(reporter.book),
    )


def _of_process(role: str) -> Reading:
    yield metrics.BUILD, (__version__,), 1.0
    yield metrics.PROCESSES, (role,), 1.0


def _prime(tally: Tally, role: str, back: Back | None, known: Sequence[Lane]) -> None:
    """What is counted by lane, account or reason alone begins at 0: else its first step would be no growth to Prometheus."""
    lanes = [(str(lane.channel), str(lane.priority)) for lane in known]
    if role in {"http", "dev"}:
        for lane in lanes:
            tally.add(metrics.ACCEPTED, lane, 0.0)
    if back is not None:
        for lane in lanes:
            for direction in ("up", "down"):
                tally.add(metrics.BUDGET_MOVES, (*lane, direction), 0.0)
        for account in back.breakers.states():
            for move in ("open", "half_open", "closed"):
                tally.add(metrics.BREAKER_MOVES, (str(account.channel), account.name, move), 0.0)
        for reason in REASONS:
            tally.add(metrics.IDLE_SECONDS, (reason,), 0.0)


def _saying(role: str, back: Back | None, patience: float) -> Callable[[], None]:
    """Only where others probe this process: in a launch."""
    folder = prometheus_dir()
    if folder is None:
        return _nothing
    return lambda: probes.say(folder, _state(role, back, patience))


def _state(role: str, back: Back | None, patience: float) -> State:
    state = probes.own_state(role)
    if back is None:
        return state
    stage = back.scheduling.stage
    parts = {"recorder": back.recorder.alive, "beats": back.beats.alive} if stage == "running" else {}
    return msgspec.structs.replace(
        state,
        stage=stage,
        parts_ended=tuple(name for name, alive in parts.items() if not alive),
        stalled=gauges.stalled(back),
        patience=patience,
        **back.scheduling.census(),
    )


def _nothing() -> None:
    """Metrics are off."""


def _in_turn(steps: Sequence[Callable[[], None]]) -> Callable[[], None]:
    def each() -> None:
        for step in steps:
            step()

    return each
