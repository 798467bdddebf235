"""Request bodies that a reader of the document can send as they are (the tests do), and answers to expect."""

from typing import Any

_EMAIL: dict[str, Any] = {
    "channel": "email",
    "priority": "high",
    "to": {"email": "ada@example.com", "name": "Ada"},
    "content": {"subject": "Your code", "text": "123456", "html": "<b>123456</b>"},
    "ttl": 300,
    "reference": "order-42",
    "tags": ["checkout"],
    "metadata": {"shop": "acme"},
}
_WITH_FILE: dict[str, Any] = {
    "channel": "email",
    "to": {"email": "ada@example.com"},
    "content": {
        "subject": "Your invoice",
        "text": "It is attached.",
        "attachments": [
            {"filename": "invoice.txt", "content_type": "text/plain", "data": "NDIgRVVSLCB3aXRoIHRoYW5rcwo="}
        ],
    },
}
_SMS: dict[str, Any] = {
    "channel": "sms",
    "to": {"phone": "+14155552671"},
    "content": {"text": "Your code: 123456"},
}
_PUSH: dict[str, Any] = {
    "channel": "push",
    "priority": "low",
    "to": {"push_token": "ab" * 32, "platform": "apns"},
    "content": {"title": "Shipped", "text": "Your order is on its way"},
    "options": {"push": {"collapse_key": "order-42", "data": {"order": "42"}}},
}
_CHAT: dict[str, Any] = {
    "channel": "chat",
    "to": {"chat": "ops"},
    "content": {"title": "Deploy done", "text": "**Version 2** is out"},
    "options": {"chat": {"format": "markdown"}},
}

#: By the type that an operation takes, then by name.
EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "SendRequest": {"email": _EMAIL, "with_a_file": _WITH_FILE, "sms": _SMS, "push": _PUSH, "chat": _CHAT},
    "BatchRequest": {
        "mixed": {"items": [_EMAIL, _SMS]},
        "defaults": {
            "defaults": {"channel": "sms", "content": _SMS["content"]},
            "items": [{"to": {"phone": "+14155552671"}}, {"to": {"phone": "+447911123456"}}],
        },
    },
    "SearchRequest": {
        "email": {"to": {"email": "ada@example.com"}},
        "sms": {"to": {"phone": "+14155552671"}},
    },
    "SuppressRequest": {
        "everything": {"channel": "email", "to": {"email": "ada@example.com"}},
        "one_topic": {"channel": "sms", "to": {"phone": "+14155552671"}, "topic": "news"},
    },
    "SuppressionSearchRequest": {"email": {"to": {"email": "ada@example.com"}}},
    "ResolveRequest": {"sent": {"as": "sent"}, "resend": {"as": "resend"}},
    "ReplayRequest": {
        "outage": {
            "filter": {"reason": "provider_unavailable", "since": "2027-01-01T00:00:00Z"},
            "rate": 5,
            "ttl": 3600,
        },
        "everything": {"filter": {}, "limit": 100, "priority": "low"},
    },
    "LoginRequest": {"key": {"key": "nk_test_k3v9x0ab_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}},
    "DiscardRequest": {"refused": {"filter": {"reason": "invalid_recipient", "channel": "email"}}},
}

_DECISION: dict[str, Any] = {
    "seconds_ago": 3.2,
    "what": "budget",
    "about": "email.low",
    "inputs": {"budget": 5.0, "before": 1.0, "share": 4.571, "demand": 31.2},
}
_LANE: dict[str, Any] = {
    "lane": "email.low",
    "channel": "email",
    "priority": "low",
    "paused": True,
    "paused_by": "k3v9x0ab",
    "paused_at": "2027-01-01T09:00:00.000Z",
    "workers": 2,
    "ready": 98_214,
    "waiting": 37,
    "running": 0,
    "budget": 10,
    "share": 9.143,
    "demand": 62.4,
    "oldest_seconds": 412.5,
    "oldest_running_seconds": None,
    "arrivals_per_second": 41.2,
    "starts_per_second": 40.9,
    "service_seconds": 0.2113,
    "health": "well",
    "why": ["paused"],
    "last_decision": _DECISION,
}
_PROVIDER: dict[str, Any] = {
    "name": "ses-eu",
    "channel": "email",
    "preference": 1,
    "breaker": "open",
    "opened_at": "2027-01-01T09:00:00.000Z",
    "why": "errors",
    "probe_in_seconds": 3.2,
    "disabled": False,
    "disabled_by": None,
    "disabled_at": None,
    "workers": 2,
    "calls": 40,
    "error_rate": 0.625,
    "slow_rate": 0.0,
    "p95_seconds": 0.412,
    "limit_per_second": 14.0,
    "permits_per_second": 7.214,
    "held_seconds": None,
}
_WORKER: dict[str, Any] = {
    "id": "0197f2a4-7c1e-4b3a-9d05-3f6f2b8e4c11",
    "role": "worker",
    "host": "mail-1",
    "pid": 4711,
    "started_at": "2027-01-01T08:00:00.000Z",
    "beat_age_seconds": 0.412,
    "metrics_port": 9191,
    "stage": "running",
    "census": {"threads": 32, "threads_alive": 32, "consumers": 9, "consumers_alive": 9},
    "threads": 32,
    "scheduler": {
        "running": 28,
        "expected_wait_seconds": 0.0071,
        "reserves": {"high": 4, "medium": 0},
        "idle_seconds": {"reserve": 51.3, "empty": 812.0},
        "decisions": [_DECISION],
    },
}

_OPERATION: dict[str, Any] = {
    "operation_id": "opn_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11",
    "kind": "replay",
    "state": "running",
    "by": "k3v9x0ab",
    "request_id": "0f8e6c",
    "filter": {"reason": "content_rejected", "channel": "email"},
    "limit": 10_000,
    "rate": 5.0,
    "priority": None,
    "ttl": None,
    "matched": 300,
    "replayed": 112,
    "dropped": 3,
    "forgotten": 0,
    "discarded": 0,
    "left": 185,
    "created_at": "2027-01-01T09:00:00.000Z",
    "finished_at": None,
    "links": {
        "self": "/v1/operations/opn_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11",
        "cancel": "/v1/operations/opn_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11/cancel",
    },
}
_EVENT: dict[str, Any] = {
    "id": 118,
    "at": "2027-01-01T09:00:42.120Z",
    "kind": "breaker_closed",
    "channel": "email",
    "priority": None,
    "provider": "ses-eu",
    "by": None,
    "reason": None,
    "facts": {"worker": "0197f2a4-7c1e-4b3a-9d05-3f6f2b8e4c11", "out_seconds": 42.12, "failed_probes": 2},
}
_SUMMARY: dict[str, Any] = {
    "group_by": ["reason", "provider"],
    "data": [
        {
            "by": {"reason": "content_rejected", "provider": "smtp-main"},
            "count": 300,
            "oldest_at": "2027-01-01T08:00:00.000Z",
            "newest_at": "2027-01-01T08:59:12.204Z",
        }
    ],
}

_SUPPRESSION: dict[str, Any] = {
    "id": "sup_6f1de7a2-41f7-4a35-9c09-0f0a51f3c2d8",
    "channel": "email",
    "topic": None,
    "reason": "invalid_recipient",
    "source": "provider",
    "notification_id": "ntf_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11",
    "created_at": "2027-01-01T09:00:00.000Z",
}

#: By the type that an operation gives.
ANSWERS: dict[str, dict[str, Any]] = {
    "Lane": _LANE,
    "LaneList": {"data": [_LANE]},
    "WorkerList": {"data": [_WORKER]},
    "Provider": _PROVIDER,
    "ProviderList": {"data": [_PROVIDER]},
    "Operation": _OPERATION,
    "Suppression": _SUPPRESSION,
    "SuppressionList": {"data": [_SUPPRESSION], "more": False},
    "FailureSummary": _SUMMARY,
    "OperatorEventPage": {"data": [_EVENT], "next_cursor": None},
}
