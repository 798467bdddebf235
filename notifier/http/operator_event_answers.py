"""The shapes of answers about what happened to providers and lanes."""

from notifier.domain.lanes import Channel, Priority
from notifier.domain.operator_events import EventKind
from notifier.http.answer_types import Shape


class OperatorEvent(Shape):
    """What happened to an account (`provider`) or a lane (`priority`); a later one has a higher `id`.

    `by` is the API key's id where an operator said so, null for the command line and for breakers. A breaker opens
    for a `reason` (``errors``, ``slow`` or ``config``); `facts` has the `worker` that told of it, and of one that
    closed `out_seconds` and `failed_probes`.
    """

    id: int
    at: str
    kind: EventKind
    channel: Channel
    priority: Priority | None
    provider: str | None
    by: str | None
    reason: str | None
    facts: dict[str, str | float]


class OperatorEventPage(Shape):
    """A page, newest first; `next_cursor` is null on the last one."""

    data: list[OperatorEvent]
    next_cursor: str | None


ALL = (OperatorEvent, OperatorEventPage)
