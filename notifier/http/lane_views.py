"""Lanes and workers as an operator sees them: what each process last told, joined. Pure.

A beat may be another version's: what it does not tell counts as nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.domain.lanes import Lane
from notifier.http.times import shown
from notifier.storage.lane_controls import Control
from notifier.storage.workers import Process

#: The worse, the larger.
_HEALTH = {"well": 0, "suspect": 1, "stalled": 2}
#: Why nothing of a lane starts although nobody holds it.
NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one moment: every process that beats, what was said of lanes, each lane's age in seconds."""

    processes: list[Process]
    controls: Mapping[str, Control]
    ages: Mapping[Lane, float | None]


def lanes(facts: Facts) -> list[dict[str, Any]]:
    """Every lane in use, in the order of `Lane.all`."""
    return [lane_document(facts, lane) for lane in facts.ages]


def lane_document(facts: Facts, lane: Lane) -> dict[str, Any]:
    """One lane, over all living workers."""
    told = [found for process in facts.processes if (found := _scheduler(process)["lanes"].get(lane.name))]
    control = facts.controls.get(lane.name)
    held = control if control is not None and control.paused else None
    return {
        "lane": lane.name,
        "channel": lane.channel,
        "priority": lane.priority,
        "paused": held is not None,
        "paused_by": held.by if held else None,
        "paused_at": shown(held.at) if held else None,
        "workers": len(told),
        # All workers see the same queue, but not at the same moment.
        "ready": max((one["ready"] for one in told if one.get("ready") is not None), default=None),
        "waiting": _sum(told, "waiting"),
        "running": _sum(told, "running"),
        "budget": _sum(told, "budget"),
        "share": round(_sum(told, "share"), 3),
        "demand": round(_sum(told, "demand"), 3),
        "oldest_seconds": _rounded(facts.ages.get(lane)),
        "oldest_running_seconds": max(
            (one["oldest_running"] for one in told if one.get("oldest_running") is not None), default=None
        ),
        "arrivals_per_second": round(_sum(told, "arrivals"), 3),
        "starts_per_second": round(_sum(told, "starts"), 3),
        "service_seconds": _service(told),
        "health": max(
            (one["health"] for one in told if one.get("health") in _HEALTH),
            key=_HEALTH.__getitem__,
            default=None,
        ),
        "why": _why(told, paused=held is not None),
        "last_decision": _last_decision(facts.processes, lane),
    }


def threads(processes: Iterable[Process]) -> int:
    """How many threads all of them have for sending."""
    return sum(_scheduler(process).get("threads", 0) for process in processes)


def workers(processes: Iterable[Process]) -> list[dict[str, Any]]:
    """Every process that beats; those that send have a stage, a census and a scheduler."""
    return [_worker(process) for process in processes]


def _worker(process: Process) -> dict[str, Any]:
    scheduler = process.report.get("scheduler") or None
    return {
        "id": str(process.id),
        "role": process.role,
        "host": process.host,
        "pid": process.pid,
        "started_at": shown(process.started_at),
        "beat_age_seconds": _rounded(process.beat_age.total_seconds()),
        "metrics_port": process.metrics_port,
        "stage": process.report.get("stage"),
        "census": process.report.get("census"),
        "threads": scheduler["threads"] if scheduler else None,
        "scheduler": _summary(process) if scheduler else None,
    }


def _summary(process: Process) -> dict[str, Any]:
    told = _scheduler(process)
    return {
        "running": told.get("running", 0),
        "expected_wait_seconds": told.get("expected_wait", 0.0),
        "reserves": told.get("reserves", {}),
        "idle_seconds": told.get("idle", {}),
        "decisions": [_decision(one, process) for one in told["decisions"]],
    }


def _scheduler(process: Process) -> dict[str, Any]:
    return {"lanes": {}, "decisions": [], **process.report.get("scheduler", {})}


def _decision(told: Mapping[str, Any], process: Process) -> dict[str, Any]:
    # Its age was told with the beat, which has aged since.
    ago = told["ago"] + max(0.0, process.beat_age.total_seconds())
    return {"seconds_ago": round(ago, 1), **{name: told[name] for name in ("what", "about", "inputs")}}


def _last_decision(processes: Iterable[Process], lane: Lane) -> dict[str, Any] | None:
    """The latest about the lane or its channel's providers, of those that beats still tell."""
    found = [
        _decision(one, process)
        for process in processes
        for one in _scheduler(process)["decisions"]
        if one["about"] in {lane.name, str(lane.channel)}
    ]
    return min(found, key=lambda one: one["seconds_ago"], default=None)


def _why(told: Iterable[Mapping[str, Any]], *, paused: bool) -> list[str]:
    """Every reason, each once: storage's word on a pause comes before what workers have seen of it."""
    reasons = {one["why"] for one in told if one.get("why")} - {"paused"}
    if not told:
        reasons.add(NO_WORKER)
    return [*(["paused"] if paused else []), *sorted(reasons)]


def _service(told: Iterable[Mapping[str, Any]]) -> float | None:
    """The mean over workers, each counted by how much it starts."""
    known = [(one["service"], one.get("starts") or 1e-6) for one in told if one.get("service") is not None]
    total = sum(weight for _, weight in known)
    return round(sum(mean * weight for mean, weight in known) / total, 4) if known else None


def _sum(told: Iterable[Mapping[str, Any]], name: str) -> Any:
    return sum(one.get(name) or 0 for one in told)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(0.0, seconds), 3)
