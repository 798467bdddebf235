"""How things look to a caller: rows and new notifications as JSON values.

Neither recipient nor content is shown: whoever may read states need not be able to read one-time codes.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from notifier.domain.ids import notification_id, operation_id
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Status
from notifier.domain.notification import NewNotification
from notifier.http.queries import BATCH_PREFIX
from notifier.http.times import shown
from notifier.storage.accepting import Stored
from notifier.storage.dead_letters import DeadLetterRow, FailureGroup
from notifier.storage.notifications import NotificationRow
from notifier.storage.operations import OperationRow, Preview


def batch_name(value: UUID) -> str:
    """The public form of a batch's id."""
    return f"{BATCH_PREFIX}{value}"


def path_of(value: UUID) -> str:
    """Where a notification is read."""
    return f"/v1/notifications/{notification_id(value)}"


class _Links(msgspec.Struct, frozen=True):
    self: str
    cancel: str


class _Accepted(msgspec.Struct, frozen=True):
    id: str
    status: Status
    channel: Channel
    priority: Priority
    reference: str | None
    created_at: str | None
    send_at: str | None
    expires_at: str | None
    links: _Links


def accepted(stored: Stored, asked: NewNotification) -> Any:
    """The answer to one accepted notification, as what JSON is made of; a struct, for every request has one."""
    name = notification_id(stored.id)
    path = f"/v1/notifications/{name}"
    return _Accepted(
        name,
        stored.status,
        stored.lane.channel,
        stored.lane.priority,
        asked.reference,
        shown(stored.created_at),
        shown(stored.send_at),
        shown(stored.expires_at),
        _Links(path, f"{path}/cancel"),
    )


def listed(row: NotificationRow) -> dict[str, Any]:
    """A notification in a list."""
    return {
        "id": notification_id(row.id),
        "status": row.status,
        "reason": row.reason,
        **_lane(row.lane),
        "mode": row.mode,
        "reference": row.reference,
        "tags": row.tags,
        "metadata": row.metadata,
        "topic": row.topic,
        "batch_id": batch_name(row.batch_id) if row.batch_id else None,
        "provider": row.provider,
        "units": row.units,
        "on_uncertain": row.on_uncertain,
        "attempt": row.attempt,
        "created_at": shown(row.created_at),
        "send_at": shown(row.send_at),
        "expires_at": shown(row.expires_at),
        "next_attempt_at": shown(row.next_attempt_at),
        "finished_at": shown(row.finished_at),
        "resent_from": notification_id(row.resent_from) if row.resent_from else None,
        "request_id": row.request_id,
        "links": _links(row.id),
    }


def detailed(row: NotificationRow, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """A notification by itself, with its attempts and its timeline."""
    return {**listed(row), "attempts": attempts, "timeline": timeline(row, attempts)}


def timeline(row: NotificationRow, attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened when, in order: ``[{at, event}]``; a receipt with its ``provider``, ``code`` and ``reason``."""
    events: list[tuple[datetime, str]] = [(row.created_at, "accepted")]
    if row.send_at is not None and (row.finished_at is None or row.finished_at >= row.send_at):
        events.append((row.send_at, "due"))
    for attempt in attempts:
        started = datetime.fromisoformat(attempt["started_at"])
        ended = started + timedelta(milliseconds=attempt.get("duration_ms") or 0)
        events += [(started, f"attempt {attempt['n']} started"), (ended, _ending(attempt))]
    if row.status is Status.SENDING and row.claimed_at is not None:
        events.append((row.claimed_at, f"attempt {row.attempt} started"))
    events.sort(key=lambda event: event[0])
    if row.finished_at is not None:
        # Last by nature: an attempt's end is reckoned from its start, a few milliseconds off.
        told = row.status in {Status.DELIVERED, Status.UNDELIVERED}
        events.append((row.finished_at, str(Status.SENT if told else row.status)))
    own = [{"at": shown(at) or "", "event": event} for at, event in events]
    return own + [_receipt(one) for one in row.receipts]


def _receipt(one: dict[str, Any]) -> dict[str, Any]:
    at = shown(datetime.fromisoformat(one["at"])) or ""
    reason = one.get("reason")
    event = f"{one['status']}{f': {reason}' if reason else ''}"
    return {
        "at": at,
        "event": event,
        "provider": one["provider"],
        "code": one.get("code"),
        "reason": reason,
    }


def failure(row: DeadLetterRow) -> dict[str, Any]:
    """A final failure in a list."""
    return {
        "id": notification_id(row.notification_id),
        "status": row.status,
        "reason": row.reason,
        **_lane(row.lane),
        "provider": row.provider,
        "attempts": row.attempts,
        "last_attempt": _without_claim(row.last_attempt),
        "created_at": shown(row.created_at),
        "finished_at": shown(row.finished_at),
        "age_seconds": round(row.age_seconds, 3),
        "state": row.state,
        "operation_id": operation_id(row.operation_id) if row.operation_id else None,
        "settled_at": shown(row.settled_at),
        "replayed_as": notification_id(row.replayed_as) if row.replayed_as else None,
        "links": {"self": path_of(row.notification_id)},
    }


def failure_group(group: FailureGroup) -> dict[str, Any]:
    """Failures that are alike, counted."""
    return {
        "by": group.by,
        "count": group.count,
        "oldest_at": shown(group.oldest),
        "newest_at": shown(group.newest),
    }


def operation_path(value: UUID) -> str:
    """Where an operation is read."""
    return f"/v1/operations/{operation_id(value)}"


def operation(row: OperationRow) -> dict[str, Any]:
    """An operation as it stands; `left` failures wait for their turn."""
    settled = row.replayed + row.dropped + row.forgotten + row.discarded
    return {
        "operation_id": operation_id(row.id),
        "kind": row.kind,
        "state": row.state,
        "by": row.by,
        "request_id": row.request_id,
        "filter": row.filter,
        "limit": row.at_most,
        "rate": row.rate,
        "priority": row.priority,
        "ttl": row.ttl,
        "matched": row.matched,
        "replayed": row.replayed,
        "dropped": row.dropped,
        "forgotten": row.forgotten,
        "discarded": row.discarded,
        "left": row.matched - settled if row.finished_at is None else 0,
        "created_at": shown(row.created_at),
        "finished_at": shown(row.finished_at),
        "links": {"self": operation_path(row.id), "cancel": f"{operation_path(row.id)}/cancel"},
    }


def preview(found: Preview) -> dict[str, Any]:
    """What an operation would do."""
    return {
        "dry_run": True,
        "matched": found.matched,
        "dropped": found.dropped,
        "forgotten": found.forgotten,
        "more": found.more,
    }


def _without_claim(attempt: dict[str, Any] | None) -> dict[str, Any] | None:
    """The attempt without the id of its claim, which only fences our own writes."""
    return attempt and {name: value for name, value in attempt.items() if name != "claim_id"}


def _ending(attempt: dict[str, Any]) -> str:
    reason = f": {attempt['reason']}" if attempt.get("reason") else ""
    return f"attempt {attempt['n']} {attempt['outcome']}{reason}"


def _lane(lane: Lane) -> dict[str, str]:
    return {"channel": lane.channel, "priority": lane.priority}


def _links(value: UUID) -> dict[str, str]:
    return {"self": path_of(value), "cancel": f"{path_of(value)}/cancel"}
