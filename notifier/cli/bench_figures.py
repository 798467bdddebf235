"""What `notifier bench` measured, in numbers and as one verdict. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from notifier.cli.bench_plan import Plan
from notifier.domain.lanes import Lane

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
#: A request that left this much after its moment, in seconds, was late by this client's own fault.
LATE = 0.1
#: How long, in seconds, the last answer may come after the last request's moment, and the last of what was
#: accepted may be sent after it was accepted, in a system that keeps up.
SETTLED = 2.0
_GOOD = frozenset({"sent", "delivered", "undelivered"})


@dataclass(slots=True)
class Measured:
    """What happened, as it is gathered; times in seconds."""

    #: By lane, from the moment a request was due until its 202, for each notification in it.
    accepts: dict[Lane, list[float]] = field(default_factory=dict)
    #: By lane, from `created_at` to `finished_at` by the service's own clock.
    sends: dict[Lane, list[float]] = field(default_factory=dict)
    #: Notifications that were not accepted, by status and problem code, or by how no answer came.
    errors: Counter[str] = field(default_factory=Counter)
    #: How each accepted one that has ended did.
    endings: Counter[str] = field(default_factory=Counter)
    #: How late each request left, where nothing but this client kept it.
    late: list[float] = field(default_factory=list)
    #: Notifications in requests that have left.
    asked: int = 0
    #: From the first request's moment to the last answer, and from the last request's moment to it.
    seconds: float = 0.0
    after: float = 0.0
    #: First `created_at` to last `finished_at`.
    span: float = 0.0
    interrupted: bool = False
    #: Why endings could not be read, None where they could.
    unread: str | None = None

    @property
    def accepted(self) -> int:
        """Notifications that were answered 202."""
        return sum(map(len, self.accepts.values()))

    @property
    def ended(self) -> int:
        """Notifications known to have come to an end."""
        return self.endings.total()


def milliseconds(samples: Sequence[float]) -> dict[str, float] | None:
    """Quantiles by nearest rank, None without samples."""
    if not samples:
        return None
    ordered = sorted(samples)
    return {
        name: round(1000 * ordered[max(1, math.ceil(share * len(ordered))) - 1], 3)
        for name, share in SHARES.items()
    }


def document(plan: Plan, found: Measured, run: str, *, live: bool) -> dict[str, Any]:
    """Everything, for a program: nothing in it tells a recipient, a text or a key."""
    kept_up, words = verdict(plan, found)
    lanes = [
        _figures(lane.name, found.accepts.get(lane, ()), found.sends.get(lane, ())) for lane, _ in plan.mix
    ]
    return {
        "reference": run,
        "mode": "live" if live else "test",
        "asked": {
            "rate": plan.rate,
            "seconds": plan.seconds,
            "batch": plan.batch,
            "notifications": plan.count,
            "mix": {lane.name: weight for lane, weight in plan.mix},
        },
        "requested": found.asked,
        "accepted_per_second": round(found.accepted / found.seconds, 1) if found.seconds else None,
        "sent_per_second": round(found.ended / found.span, 1) if found.span else None,
        "all": _figures("all", _joined(found.accepts), _joined(found.sends)),
        "lanes": lanes,
        "errors": dict(found.errors.most_common()),
        "endings": dict(found.endings.most_common()),
        "endings_unread": found.unread,
        "client_late_ms": milliseconds(found.late),
        "interrupted": found.interrupted,
        "kept_up": kept_up,
        "verdict": words,
    }


def _figures(name: str, accepts: Sequence[float], sends: Sequence[float]) -> dict[str, Any]:
    return {
        "lane": name,
        "accepted": len(accepts),
        "accept_ms": milliseconds(accepts),
        "sent": len(sends),
        "sent_ms": milliseconds(sends),
    }


def _joined(samples: Mapping[Lane, Sequence[float]]) -> list[float]:
    return [one for some in samples.values() for one in some]


def verdict(plan: Plan, found: Measured) -> tuple[bool, str]:
    """Whether the installation kept up with what was asked of it, and why not, the first cause first."""
    faults = [*_client(found), *_door(plan, found), *_workers(found)]
    told = f"{found.accepted:,} of {plan.count:,} accepted at {plan.rate:g}/s, {found.ended:,} ended"
    early = "ended early, so far: " if found.interrupted else ""
    if not found.accepted and not found.errors:
        return False, f"{early}nothing was measured"
    if faults:
        return False, f"{early}did not keep up: {'; '.join(faults)} ({told})"
    if found.unread:
        return True, f"{early}the door kept up; the sends were not seen: {found.unread} ({told})"
    return True, f"{early}kept up: {told}"


def _client(found: Measured) -> list[str]:
    late = milliseconds(found.late)
    if late is None or late["p99"] <= 1000 * LATE:
        return []
    return [
        f"this client itself was late (p99 {late['p99']:,.0f} ms): use a lower --rate, a --batch or more clients"
    ]


def _door(plan: Plan, found: Measured) -> list[str]:
    faults, unsent = [], plan.count - found.asked
    if found.errors:
        worst = found.errors.most_common(1)[0][0]
        faults.append(f"{found.errors.total():,} were not accepted, most: {worst}")
    if unsent > 0 and not found.interrupted:
        faults.append(f"{unsent:,} were not sent any more")
    if found.after > SETTLED:
        faults.append(f"the last answer came {found.after:.1f} s after its request was due")
    return faults


def _workers(found: Measured) -> list[str]:
    if found.unread:
        return []
    faults, open_ = [], found.accepted - found.ended
    bad = sum(number for ending, number in found.endings.items() if ending not in _GOOD)
    slowest = max(_joined(found.sends), default=0.0)
    if open_ > 0 and not found.interrupted:
        faults.append(f"{open_:,} had not ended when the wait was over")
    if bad:
        faults.append(f"{bad:,} ended otherwise than sent")
    if slowest > SETTLED:
        faults.append(f"the slowest was sent {slowest:.1f} s after it was accepted")
    return faults
