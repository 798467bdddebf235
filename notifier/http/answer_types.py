"""The shapes of answers, for the OpenAPI document and for the tests that check answers."""

from typing import Literal

import msgspec

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Mode, OnUncertain, Reason, Status


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


class Moment(Shape, omit_defaults=True):
    """Something that happened; of a receipt also whose it was and what it said."""

    at: str
    event: str
    provider: str = ""
    code: str | None = None
    reason: Reason | None = None


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


class Decision(Shape):
    """Something a scheduler decided: what, about which lane, provider or class, and from which figures."""

    seconds_ago: float
    what: str
    about: str
    inputs: dict[str, float]


class Lane(Shape):
    """One lane over all living workers; `why` says what keeps its messages, empty while nothing does."""

    lane: str
    channel: Channel
    priority: Priority
    paused: bool
    paused_by: str | None
    paused_at: str | None
    workers: int
    ready: int | None
    waiting: int
    running: int
    budget: int
    share: float
    demand: float
    oldest_seconds: float | None
    oldest_running_seconds: float | None
    arrivals_per_second: float
    starts_per_second: float
    service_seconds: float | None
    health: Literal["well", "suspect", "stalled"] | None
    why: list[str]
    last_decision: Decision | None


class LaneList(Shape):
    """Every lane, channel by channel, high first."""

    data: list[Lane]


class WorkerScheduler(Shape):
    """What one worker's scheduler does; thread-seconds that idled since its start, by reason."""

    running: int
    expected_wait_seconds: float
    reserves: dict[str, int]
    idle_seconds: dict[str, float]
    decisions: list[Decision]


class Worker(Shape):
    """A process that beats; all but workers have null from `stage` on."""

    id: str
    role: str
    host: str
    pid: int
    started_at: str
    beat_age_seconds: float
    metrics_port: int | None
    stage: str | None
    census: dict[str, int] | None
    threads: int | None
    scheduler: WorkerScheduler | None


class WorkerList(Shape):
    """Every process that beats, the longest running first."""

    data: list[Worker]


class Provider(Shape):
    """One provider account over all living workers; rates are shares (0 to 1) of the calls of the last 30 s.

    `preference` 1 is asked first. `why` is ``errors``, ``slow`` or ``config`` while the breaker is not closed.
    Of its limit (null without one) `permits_per_second` are given now, fewer for a while after the provider said "too
    fast"; it is held for `held_seconds` yet, null where it is not.
    """

    name: str
    channel: Channel
    preference: int
    breaker: Literal["closed", "open", "half_open"]
    opened_at: str | None
    why: str | None
    probe_in_seconds: float | None
    disabled: bool
    disabled_by: str | None
    disabled_at: str | None
    workers: int
    calls: int
    error_rate: float | None
    slow_rate: float | None
    p95_seconds: float | None
    limit_per_second: float | None
    permits_per_second: float | None
    held_seconds: float | None


class ProviderList(Shape):
    """Every configured account, channel by channel, the preferred one first."""

    data: list[Provider]


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
    Lane, LaneList, WorkerList, Provider, ProviderList, Root, Alive, Ready,
)  # fmt: skip
