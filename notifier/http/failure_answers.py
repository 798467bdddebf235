"""The shapes of answers about failures and what is done with them."""

from typing import Literal

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.replays import FailureState, OperationKind, OperationState
from notifier.http.answer_types import Attempt, Links, Shape


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
    age_seconds: float
    state: FailureState
    operation_id: str | None
    settled_at: str | None
    replayed_as: str | None
    links: FailureLinks


class FailurePage(Shape):
    """A page; `next_cursor` is null on the last one."""

    data: list[Failure]
    next_cursor: str | None


class FailureGroup(Shape):
    """Failures that are alike in `by`."""

    by: dict[str, str | None]
    count: int
    oldest_at: str
    newest_at: str


class FailureSummary(Shape):
    """Failures counted by what was asked for, the most frequent first."""

    group_by: list[str]
    data: list[FailureGroup]


class Preview(Shape):
    """What an operation would do now: `dropped` and `forgotten` of `matched` could not be sent again."""

    dry_run: Literal[True]
    matched: int
    dropped: int
    forgotten: int
    more: bool


class OperationFilter(Shape, omit_defaults=True):
    """The filter as it was asked for."""

    since: str = ""
    until: str = ""
    status: str = ""
    reason: str = ""
    channel: str = ""
    priority: str = ""
    provider: str = ""


class Operation(Shape):
    """A replay or a discard as it stands.

    Of `matched`, `dropped` had expired when their turn came, `forgotten` had no content any more, `left` wait.
    """

    operation_id: str
    kind: OperationKind
    state: OperationState
    by: str | None
    request_id: str | None
    filter: OperationFilter
    limit: int
    rate: float | None
    priority: Priority | None
    ttl: int | None
    matched: int
    replayed: int
    dropped: int
    forgotten: int
    discarded: int
    left: int
    created_at: str
    finished_at: str | None
    links: Links


ALL = (FailurePage, FailureSummary, Preview, Operation)
