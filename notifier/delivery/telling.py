"""What the log says of an attempt that has ended."""

from typing import Any

import structlog

from notifier.delivery import endings
from notifier.domain.ids import notification_id
from notifier.domain.traces import trace_id
from notifier.storage.recording import Record
from notifier.telemetry.logs import log_clean
from notifier.telemetry.redaction import clean

_LOGGER = "notifier.delivery"
log = structlog.get_logger(_LOGGER)


def tell_attempt(ended: endings.Ended, record: Record) -> None:
    """One event for each attempt, with facts, without personal data."""
    claimed, shown = ended.claimed, record.shown or {}
    facts = {
        "notification": notification_id(claimed.id),
        "lane": claimed.lane.name,
        "attempt": claimed.attempt,
        "provider": ended.provider,
        "outcome": shown["outcome"],
        "reason": shown["reason"],
        "status": str(record.status),
        "duration_ms": ended.duration_ms,
        "request_id": claimed.request_id,
        "trace_id": trace_id(claimed.traceparent),
    }
    match facts["outcome"]:
        case "accepted":
            _tell_accepted(facts)
        case "deferred":
            log.warning("attempt_deferred", **facts)
        case "refused":
            log.warning("attempt_refused", **facts)
        case _:
            log.warning("attempt_uncertain", **facts)


def _tell_accepted(facts: dict[str, Any]) -> None:
    """The one that is told thousands of times a second: all of it is our own words but the caller's request id."""
    asked = facts["request_id"]
    ours = facts if asked is None else {**facts, "request_id": clean(asked)}
    if not log_clean("attempt_accepted", {**ours, "logger": _LOGGER}):
        log.info("attempt_accepted", **facts)
