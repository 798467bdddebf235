"""A group of requests that was written in one transaction, as a span: part of a single request's trace, else linked to all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from notifier.domain.errors import NotifierError
from notifier.intake.submissions import Kept, Ticket

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing


def traced(tracing: "Tracing", results: "Mapping[Ticket, Kept | NotifierError]", began: int) -> None:
    """What became of the group that was begun at this moment (nanoseconds)."""
    notifications = [ticket.submission.notifications for ticket in results]
    kept = sum(isinstance(result, Kept) for result in results.values())
    tracing.group(
        "accept",
        tracing.internal,
        [one[0].traceparent for one in notifications if one],
        {
            "notifier.group.requests": len(results),
            "notifier.group.notifications": sum(map(len, notifications)),
            "notifier.group.kept": kept,
        },
        start=began,
        error=None if kept else "not_kept",
    )
