"""The parameters of the OpenAPI document."""

from typing import Any

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.operator_events import EventKind
from notifier.domain.replays import FailureState, FailureStatus
from notifier.http.queries import DEFAULT_PAGE, MAX_PAGE, MAX_SEQUENCE
from notifier.storage.dead_letters import GROUPS

_BOOLEAN = {"type": "boolean"}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
_GROUP = "|".join(GROUPS)
_TIME = {"type": "string", "format": "date-time"}


def parameters() -> dict[str, Any]:
    """Every parameter by its key in the document's components."""
    query = {
        "dry_run": (_BOOLEAN, "Check everything, keep nothing: 200 with the lane and provider chosen"),
        "strict": (_BOOLEAN, "Refuse a suppressed recipient: 422 instead of 202 and an end as suppressed"),
        "atomic": (_BOOLEAN, "Refuse the whole batch if one item is bad"),
        "events": (
            {"type": "integer", "minimum": 1, "maximum": 1_000_000},
            "End after so many; without it the stream goes on",
        ),
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
        "until": (_TIME, "Ended before this moment"),
        "kind": (_enum(EventKind), "What happened"),
        "after": (
            {"type": "integer", "minimum": 0, "maximum": MAX_SEQUENCE},
            "The id of the last event that is known already: only later ones",
        ),
        "state": (
            {"type": "string", "enum": [*FailureState, "all"], "default": "open"},
            "What became of the failure; open: nobody has decided",
        ),
        "group_by": (
            {"type": "string", "pattern": f"^({_GROUP})(,({_GROUP}))*$", "maxLength": 255},
            "What to count by; reason,provider unless said",
        ),
    }
    made: dict[str, Any] = {
        name: {"name": name, "in": "query", "schema": schema, "description": text}
        for name, (schema, text) in query.items()
    }
    made["id"] = _in_path("id", "ntf_ and a UUID; whatever else is 404")
    for name, kind in (("channel", Channel), ("priority", Priority)):
        made[f"lane_{name}"] = {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _enum(kind),
            "description": f"The lane's {name}; whatever else is 404",
        }
    made["provider_name"] = _in_path("name", "The account's name, as Settings give it; whatever else is 404")
    made["receipts_of"] = _in_path(
        "provider", "The name of an account that has receipts; whatever else is 404"
    )
    made["token"] = _in_path("token", "As it stands in an e-mail's List-Unsubscribe; whatever else is 404")
    made["file"] = _in_path("file", "The file's name; whatever else is 404")
    made["proof"] = {
        "name": "X-Notifier-Console",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "enum": ["1"]},
        "description": "What no other site can have a browser send",
    }
    made["suppression"] = _in_path("suppression", "sup_ and a UUID; whatever else is 404")
    made["event_provider"] = made["provider"] | {"description": "The account that it happened to"}
    made["failure_status"] = made["status"] | {"schema": _enum(FailureStatus)}
    made["operation"] = _in_path("operation", "opn_ and a UUID; whatever else is 404")
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


def _in_path(name: str, description: str) -> dict[str, Any]:
    """A part of the path that may be any text."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": description,
    }
