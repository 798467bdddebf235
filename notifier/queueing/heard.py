"""What receipts add to the metrics and traces of their notifications; the door tells it, and the relay of early ones."""

import time
from typing import TYPE_CHECKING

from notifier.storage.receipts import Effects
from notifier.telemetry.metrics import DELIVERED_SECONDS
from notifier.telemetry.tally import Tally

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Facts, Tracing


def heard(effects: Effects, tally: Tally, tracing: "Tracing | None", began: int) -> None:
    """Once they are durable. `began` is when they were taken up, in nanoseconds; a parked one has waited since it came."""
    for lane, seconds in effects.delivered:
        tally.add(DELIVERED_SECONDS, (str(lane.channel), str(lane.priority)), seconds)
    if tracing is None:
        return
    for traceparent, one in effects.traces:
        waited = effects.waited.get(one)
        facts: Facts = {
            "notifier.provider": one.key.name,
            "notifier.status": str(one.receipt.status),
            "notifier.receipt.early": waited is not None,
        }
        start = began - int((waited or 0.0) * 1e9)
        tracing.past(f"receipt {one.key.name}", tracing.internal, traceparent, facts, start=start)


def clock() -> int:
    """Now, for `heard`."""
    return time.time_ns()
