"""The shapes of answers and parameters, for the OpenAPI document and for the tests that check answers."""

from typing import Any, Literal

import msgspec

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Mode, OnUncertain, Reason, Status
from notifier.http.queries import DEFAULT_PAGE, MAX_PAGE


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON object with exactly these names."""


class WrongField(Shape):
    """One wrong field: a JSON pointer (RFC 6901), or ``?name`` for a query parameter."""

    pointer: str
    code: str
    detail: str


class Problem(Shape, omit_defaults=True):
    """An error (RFC 9457); `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    errors: list[WrongField] = []
    errors_left_out: int = 0
    state: str = ""
    event_id: str = ""
    request_id: str = ""


class Links(Shape):
    """Where to go from a notification."""

    self: str
    cancel: str


class Accepted(Shape):
    """A notification that was durably kept."""

    id: str
    status: Status
    channel: Channel
    priority: Priority
    reference: str | None
    created_at: str
    send_at: str | None
    expires_at: str
    links: Links


class DryRun(Shape):
    """What would become of a notification."""

    dry_run: Literal[True]
    channel: Channel
    priority: Priority
    provider: str | None
    units: int
    reference: str | None
    send_at: str | None
    expires_at: str


class ItemError(Shape, omit_defaults=True):
    """Why one item of a batch was not kept."""

    code: str
    detail: str
    errors: list[WrongField] = []


class BatchResult(Shape, omit_defaults=True):
    """One item of a batch: its id, or its error."""

    index: int
    id: str = ""
    error: ItemError | None = None


class BatchAccepted(Shape):
    """A batch whose good items were kept, in order."""

    batch_id: str
    accepted: int
    rejected: int
    results: list[BatchResult]


class Attempt(Shape):
    """One call to a provider."""

    n: int
    provider: str
    started_at: str
    duration_ms: float | None
    outcome: str
    reason: str | None
    possible_duplicate: bool
    code: str | None
    answer: str | None
    next_attempt_at: str | None


class Moment(Shape):
    """Something that happened."""

    at: str
    event: str


class ListedNotification(Shape):
    """A notification as it stands."""

    id: str
    status: Status
    reason: Reason | None
    channel: Channel
    priority: Priority
    mode: Mode
    reference: str | None
    tags: list[str]
    metadata: dict[str, str]
    topic: str | None
    batch_id: str | None
    provider: str | None
    units: int
    on_uncertain: OnUncertain
    attempt: int
    created_at: str
    send_at: str | None
    expires_at: str
    next_attempt_at: str | None
    finished_at: str | None
    resent_from: str | None
    request_id: str | None
    links: Links


class Notification(ListedNotification):
    """A notification with its attempts and its timeline."""

    attempts: list[Attempt]
    timeline: list[Moment]


class NotificationPage(Shape):
    """A page; `next_cursor` is null on the last one."""

    data: list[ListedNotification]
    next_cursor: str | None


class FailureLinks(Shape):
    """Where the notification is read."""

    self: str


class Failure(Shape):
    """A final failure."""

    id: str
    status: Status
    reason: Reason
    channel: Channel
    priority: Priority
    provider: str | None
    attempts: int
    last_attempt: Attempt | None
    created_at: str
    finished_at: str
    links: FailureLinks


class FailurePage(Shape):
    """A page; `next_cursor` is null on the last one."""

    data: list[Failure]
    next_cursor: str | None


class Root(Shape):
    """What this is."""

    name: str
    version: str
    links: dict[str, str]


class Alive(Shape):
    """The process turns."""

    status: Literal["alive"]


class Ready(Shape, omit_defaults=True):
    """Whether notifications can be accepted."""

    status: Literal["ready", "not_ready"]
    degraded: list[str]
    checks: dict[str, Literal["ok", "failed"]] = {}


ALL = (
    Problem, Accepted, DryRun, BatchAccepted, ListedNotification, Notification, NotificationPage,
    FailurePage, Root, Alive, Ready,
)  # fmt: skip

_BOOLEAN = {"type": "boolean"}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
_TIME = {"type": "string", "format": "date-time"}


def parameters() -> dict[str, Any]:
    """Every parameter by its key in the document's components."""
    query = {
        "dry_run": (_BOOLEAN, "Check everything, keep nothing: 200 with the lane and provider chosen"),
        "strict": (_BOOLEAN, "Refuse what would be accepted but not sent"),
        "atomic": (_BOOLEAN, "Refuse the whole batch if one item is bad"),
        "verbose": (
            {"type": "string", "enum": ["", "true", "false"]},
            "Show each check; a bare ?verbose does",
        ),
        "limit": ({"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}, "Rows"),
        "cursor": ({"type": "string"}, "next_cursor of the page before, with the same filter"),
        "status": (_enum(Status), "Its state"),
        "channel": (_enum(Channel), "Its channel"),
        "priority": (_enum(Priority), "Its priority"),
        "reason": (_enum(Reason), "Why it ended"),
        "reference": (_TEXT, "Your own name for it"),
        "tag": (_TEXT, "One of its tags"),
        "provider": (_TEXT, "The provider of its last attempt"),
        "batch_id": (_TEXT, "The batch it came with"),
        "created_after": (_TIME, "From this moment on"),
        "created_before": (_TIME, "Before this moment"),
        "since": (_TIME, "Ended at this moment or later"),
    }
    made: dict[str, Any] = {
        name: {"name": name, "in": "query", "schema": schema, "description": text}
        for name, (schema, text) in query.items()
    }
    made["id"] = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "ntf_ and a UUID; whatever else is 404",
    }
    made["idempotency_key"] = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "The same key with the same request gets the first answer again for 24 h",
    }
    return made


def parameter_key(name: str) -> str:
    """The key of a parameter in the document's components."""
    return name.lower().replace("-", "_")


def _enum(kind: Any) -> dict[str, Any]:
    return {"type": "string", "enum": [one.value for one in kind]}
