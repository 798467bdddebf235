"""What one worker's scheduler does at this moment, as a small JSON value for its beat.

Read while the core stands still. Times and ages are in seconds, rates per second; None where there is
nothing to tell. A beat is written once a second, so numbers are short and nothing is told that can be
reckoned from the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from notifier.scheduling.lanes import LaneState
from notifier.scheduling.scheduler import Move, Scheduler

#: How many of the latest decisions a report has.
DECISIONS = 20

#: How a queue is called in a report.
Naming = Callable[[str], str]


def report_of(
    scheduler: Scheduler,
    now: float,
    *,
    ready: Mapping[str, int],
    decisions: Iterable[Move],
    name_of: Naming = str,
) -> dict[str, Any]:
    """The whole report.

    ``{"threads", "running", "expected_wait", "reserves": {"high", "medium"}, "idle": {reason: seconds},
    "lanes": {name: …}, "decisions": [{"ago", "what", "about", "inputs"}]}``, the latest decision first.
    `ready` is what the broker last told of each queue; a queue that it told nothing of has None.
    """
    full = scheduler.running >= scheduler.threads
    return {
        "threads": scheduler.threads,
        "running": scheduler.running,
        "expected_wait": _short(scheduler.expected_wait),
        "reserves": {"high": scheduler.high.threads, "medium": scheduler.medium.threads},
        "idle": {reason: round(seconds, 1) for reason, seconds in scheduler.idle.seconds.items() if seconds},
        "lanes": {
            name_of(lane.name): _lane(lane, now, full=full, ready=ready.get(lane.name))
            for lane in scheduler.lanes.values()
        },
        "decisions": [_decision(move, now, name_of) for move in list(decisions)[: -DECISIONS - 1 : -1]],
    }


def why(lane: LaneState, *, full: bool) -> str:
    """Why what waits in a lane does not start: a reason of `idle`, or ``threads``: all are taken; else empty."""
    if lane.paused:
        return "paused"
    if not lane.waiting:
        return ""
    # While no thread is free none looks, so what the last one found may be over.
    return "threads" if full else lane.reason


def _lane(lane: LaneState, now: float, *, full: bool, ready: int | None) -> dict[str, Any]:
    oldest = min((run.started_at for run in lane.runs), default=None)
    return {
        "ready": ready,
        "waiting": lane.waiting,
        "running": lane.running,
        "budget": lane.budget,
        "share": _short(lane.share),
        "demand": _short(lane.demand),
        "arrivals": _short(lane.arrival_rate(now)),
        "starts": _short(lane.starts.read(now)),
        "service": _short(lane.service.mean) if lane.service.known else None,
        "oldest_running": None if oldest is None else _short(now - oldest),
        "why": why(lane, full=full),
        "paused": lane.paused,
        "health": lane.resource.health,
        "bulkhead": lane.resource.cap,
    }


def _decision(move: Move, now: float, name_of: Naming) -> dict[str, Any]:
    inputs = {name: _short(float(value)) for name, value in move.inputs.items()}
    return {"ago": round(now - move.at, 1), "what": move.what, "about": name_of(move.about), "inputs": inputs}


def _short(value: float) -> float:
    """Four digits that matter: 0.01234, 123.5; what is all but nothing is nothing."""
    return float(f"{value:.4g}") if abs(value) >= 1e-4 else 0.0  # noqa: PLR2004
