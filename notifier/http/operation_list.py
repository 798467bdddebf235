"""Every operation of the door, as `/openapi.json` tells it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path: what it takes, gives and refuses."""

    method: str
    path: str
    summary: str
    scope: str | None
    status: int
    gives: str
    takes: str | None = None
    parameters: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    also: tuple[tuple[int, str], ...] = ()


_READ = ("invalid_request", "unavailable")
_TAKE = (
    "bad_request", "invalid_json", "invalid_header", "request_timeout", "body_too_large", "unsupported_media_type",
    "unsupported_content_encoding", "invalid_request", "unavailable",
)  # fmt: skip
_KEEP = (
    *_TAKE,
    "rate_limited",
    "idempotency_key_reused",
    "idempotency_key_in_use",
    "backlog_full",
    "outcome_unknown",
)
_BEGIN = (*_TAKE, "idempotency_key_reused", "idempotency_key_in_use", "outcome_unknown")
_ONE = ("not_found",)
_NO_BODY = (
    "bad_request",
    "invalid_json",
    "request_timeout",
    "body_too_large",
    "unsupported_content_encoding",
)
_FORM = ("bad_request", "request_timeout", "body_too_large", "unsupported_content_encoding")
_PAGE = ("limit", "cursor")
_LIST = (
    "status", "channel", "priority", "reference", "tag", "provider", "reason", "batch_id",
    "created_after", "created_before", *_PAGE,
)  # fmt: skip
_ONE_PATH = "/v1/notifications/{id}"
_OPERATION_PATH = "/v1/operations/{operation}"
_FAILURES = ("state", "since", "until", "failure_status", "reason", "channel", "priority", "provider")
_SESSION_PATH = "/console/session"
_LANE_PATH = "/v1/lanes/{channel}/{priority}"
_SUPPRESSION_PATH = "/v1/suppressions/{suppression}"
_PROVIDER_PATH = "/v1/providers/{name}"

OPERATIONS = (
    Operation(
        method="post", path="/v1/notifications", scope="send", status=202, gives="Accepted",
        summary="Send one notification; 202 after the durable commit", takes="SendRequest",
        parameters=("dry_run", "strict", "Idempotency-Key"), refuses=_KEEP, also=((200, "DryRun"),),
    ),
    Operation(
        method="get", path="/v1/notifications", scope="read", status=200, gives="NotificationPage",
        summary="Notifications, newest first; of the last 7 days unless created_after says otherwise",
        parameters=_LIST, refuses=(*_READ, "invalid_cursor"),
    ),
    Operation(
        method="post", path="/v1/notifications/batch", scope="send", status=202, gives="BatchAccepted",
        summary="Send up to 1,000; the good ones in one transaction, the bad ones answered in place",
        takes="BatchRequest", parameters=("atomic", "Idempotency-Key"), refuses=_KEEP,
    ),
    Operation(
        method="post", path="/v1/notifications/search", scope="read", status=200, gives="NotificationPage",
        summary="One recipient's notifications; the address stands in the body, never in a URL",
        takes="SearchRequest", parameters=_LIST, refuses=(*_TAKE, "invalid_cursor"),
    ),
    Operation(
        method="get", path=_ONE_PATH, scope="read", status=200, gives="Notification",
        summary="One notification with its attempts and timeline", parameters=("id",),
        refuses=(*_READ, *_ONE),
    ),
    Operation(
        method="post", path=f"{_ONE_PATH}/cancel", scope="send", status=200, gives="ListedNotification",
        summary="Cancel; 200 means it will not be sent", parameters=("id",),
        refuses=(*_NO_BODY, *_READ, *_ONE, "too_late"),
    ),
    Operation(
        method="post", path=f"{_ONE_PATH}/resolve", scope="send", status=200, gives="ListedNotification",
        summary="End a held notification", takes="ResolveRequest", parameters=("id",),
        refuses=(*_TAKE, *_ONE, "not_held"),
    ),
    Operation(
        method="get", path="/v1/failures", scope="read", status=200, gives="FailurePage",
        summary="What finally failed or expired and is still open", parameters=(*_FAILURES, *_PAGE),
        refuses=(*_READ, "invalid_cursor"),
    ),
    Operation(
        method="get", path="/v1/failures/summary", scope="read", status=200, gives="FailureSummary",
        summary="Failures counted by reason, provider and the like", parameters=(*_FAILURES, "group_by"),
        refuses=_READ,
    ),
    Operation(
        method="post", path="/v1/failures/replay", scope="admin", status=202, gives="Operation",
        summary="Send failures again, one after another, each once; dry_run: 200 with their number",
        takes="ReplayRequest", parameters=("Idempotency-Key",), refuses=_BEGIN, also=((200, "Preview"),),
    ),
    Operation(
        method="post", path="/v1/failures/discard", scope="admin", status=200, gives="Discarded",
        summary="Put failures aside; the notifications stay what they are", takes="DiscardRequest",
        parameters=("Idempotency-Key",), refuses=_BEGIN,
    ),
    Operation(
        method="get", path=_OPERATION_PATH, scope="read", status=200, gives="Operation",
        summary="How far a replay has come", parameters=("operation",), refuses=(*_READ, *_ONE),
    ),
    Operation(
        method="post", path=f"{_OPERATION_PATH}/cancel", scope="admin", status=200, gives="Operation",
        summary="Replay no more of it; what was not replayed yet is open again", parameters=("operation",),
        refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="post", path="/v1/suppressions", scope="admin", status=201, gives="Suppression",
        summary="Send a recipient nothing more; 200 with what stands already", takes="SuppressRequest",
        refuses=_TAKE, also=((200, "Suppression"),),
    ),
    Operation(
        method="post", path="/v1/suppressions/search", scope="read", status=200, gives="SuppressionList",
        summary="One recipient's suppressions; the address stands in the body, never in a URL",
        takes="SuppressionSearchRequest", refuses=_TAKE,
    ),
    Operation(
        method="get", path=_SUPPRESSION_PATH, scope="read", status=200, gives="Suppression",
        summary="One suppression", parameters=("suppression",), refuses=(*_READ, *_ONE),
    ),
    Operation(
        method="delete", path=_SUPPRESSION_PATH, scope="admin", status=200, gives="Suppression",
        summary="Send to the recipient again; gives what was taken away", parameters=("suppression",),
        refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="get", path="/v1/unsubscribe/{token}", scope=None, status=200, gives="Page",
        summary="A page with a button; changes nothing", parameters=("token",),
        refuses=("invalid_request", *_ONE),
    ),
    Operation(
        method="post", path="/v1/unsubscribe/{token}", scope=None, status=200, gives="Page",
        summary="Leave the e-mail's topic with one click (RFC 8058); once more is the same",
        parameters=("token",), refuses=(*_FORM, *_READ, *_ONE),
    ),
    Operation(
        method="post", path="/v1/receipts/{provider}", scope=None, status=204, gives="Nothing",
        summary="What a provider reports of its messages; its signature stands for a key, and twice is the same as once",
        parameters=("receipts_of",), refuses=(*_FORM, "forged_receipt", *_READ, *_ONE), also=((200, "Answer"),),
    ),
    Operation(
        method="get", path="/v1/lanes", scope="read", status=200, gives="LaneList", refuses=_READ,
        summary="Every lane as it is now, joined over all living workers",
    ),
    Operation(
        method="get", path="/v1/lanes/events", scope="read", status=200, gives="LaneEvents",
        summary="Every lane each second, until somebody ends it", parameters=("events",), refuses=_READ,
    ),
    Operation(
        method="post", path=f"{_LANE_PATH}/pause", scope="admin", status=200, gives="Lane",
        summary="Start nothing more of a lane, within two seconds; what runs goes on, what is accepted waits",
        parameters=("lane_channel", "lane_priority"), refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="post", path=f"{_LANE_PATH}/resume", scope="admin", status=200, gives="Lane",
        summary="Let a paused lane go on",
        parameters=("lane_channel", "lane_priority"), refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="get", path="/v1/providers", scope="read", status=200, gives="ProviderList", refuses=_READ,
        summary="Every provider account as it is now: breaker, errors, times, joined over all living workers",
    ),
    Operation(
        method="post", path=f"{_PROVIDER_PATH}/disable", scope="admin", status=200, gives="Provider",
        summary="Send nothing more through an account, within two seconds; what runs goes on",
        parameters=("provider_name", "channel"), refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="post", path=f"{_PROVIDER_PATH}/enable", scope="admin", status=200, gives="Provider",
        summary="Let an account send again; its breaker judges it as before",
        parameters=("provider_name", "channel"), refuses=(*_NO_BODY, *_READ, *_ONE),
    ),
    Operation(
        method="get", path="/v1/operator-events", scope="read", status=200, gives="OperatorEventPage",
        summary="What happened to providers and lanes, newest first: breakers, and what operators said",
        parameters=("kind", "channel", "event_provider", "after", *_PAGE), refuses=(*_READ, "invalid_cursor"),
    ),
    Operation(
        method="get", path="/v1/workers", scope="read", status=200, gives="WorkerList", refuses=_READ,
        summary="Every process that beats, and what its scheduler decided lately",
    ),
    Operation(
        method="get", path="/console", scope=None, status=200, gives="Page",
        summary="The console: lanes, notifications, failures and providers in a browser",
        refuses=("invalid_request",),
    ),
    Operation(
        method="get", path="/docs", scope=None, status=200, gives="Page", summary="This document, to read",
        refuses=("invalid_request",),
    ),
    Operation(
        method="get", path="/console/{file}", scope=None, status=200, gives="File",
        summary="What the two pages are made of", parameters=("file",), refuses=("invalid_request", *_ONE),
    ),
    Operation(
        method="get", path=_SESSION_PATH, scope="read", status=200, gives="ConsoleSession",
        summary="Whose session it is", refuses=_READ,
    ),
    Operation(
        method="post", path=_SESSION_PATH, scope=None, status=200, gives="ConsoleSession",
        summary="A session for a key, as a cookie that is good for an hour and holds nothing of the key",
        takes="LoginRequest", parameters=("proof",), refuses=(*_TAKE, "unauthorized", "forbidden"),
    ),
    Operation(
        method="delete", path=_SESSION_PATH, scope=None, status=204, gives="Nothing",
        summary="End the session and its renewed copies, and have the browser forget it", parameters=("proof",),
        refuses=(*_NO_BODY, "invalid_request", "forbidden", "unavailable"),
    ),
    Operation(
        method="post", path=f"{_SESSION_PATH}/renew", scope="read", status=200, gives="ConsoleSession",
        summary="Another hour, at most twelve hours from the log-in", refuses=(*_NO_BODY, *_READ),
    ),
    Operation(
        method="get", path="/", scope=None, status=200, gives="Root", summary="Name, version, links",
        refuses=("invalid_request",),
    ),
    Operation(
        method="get", path="/livez", scope=None, status=200, gives="Alive", summary="The loop turns",
        refuses=("invalid_request",),
    ),
    Operation(
        method="get", path="/readyz", scope=None, status=200, gives="Ready", parameters=("verbose",),
        also=((503, "Ready"),), refuses=("invalid_request",),
        summary="Whether notifications can be accepted now; 503 with the same body when not",
    ),
    Operation(
        method="get", path="/health", scope=None, status=200, gives="Ready", parameters=("verbose",),
        also=((503, "Ready"),), refuses=("invalid_request",),
        summary="The same as /readyz",
    ),
    Operation(
        method="get", path="/openapi.json", scope=None, status=200, gives="Document", summary="This document",
        refuses=("invalid_request",),
    ),
)  # fmt: skip
