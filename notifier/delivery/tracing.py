"""An attempt's spans: its wait in the queue, its claim, its permit, its call; it ends when its outcome is stored.

Parts of one attempt's trace, below the request that made the notification; a retry is a further attempt there. Named by
OpenTelemetry's conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).
"""

from opentelemetry.trace import Span

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Lane
from notifier.domain.outcomes import Accepted, Outcome
from notifier.providers.base import Account
from notifier.queueing.broker import NotBefore
from notifier.storage.claiming import Claimed
from notifier.storage.recording import Record
from notifier.telemetry.tracing import Facts, SpanKind, Tracing, ago, end


class AttemptTrace:
    """One attempt that is sampled. Its methods are called by one thread after another."""

    def __init__(self, tracing: Tracing, claimed: Claimed, span: Span, start: int) -> None:
        self._tracing = tracing
        self._lane = claimed.lane
        self._error: str | None = None
        self.span = span
        if claimed.queued_at is not None:
            queued, taken = (int(at.timestamp() * 1e9) for at in (claimed.queued_at, claimed.claimed_at))
            queue = claimed.lane.queue(tracing.prefix)
            tracing.past(f"queue {queue}", SpanKind.INTERNAL, span, {}, start=queued, stop=max(queued, taken))
        tracing.past("claim", SpanKind.INTERNAL, span, {}, start=start)

    def permit(self, provider: str, waited: float, found: object) -> None:
        """The account may be called, or not yet; the lane's message waited so many seconds for its permit."""
        facts: Facts = {
            "notifier.provider": provider,
            "notifier.permit.granted": not isinstance(found, NotBefore),
        }
        self._tracing.past("permit", SpanKind.INTERNAL, self.span, facts, start=ago(waited))

    def called(self, account: Account, outcome: Outcome, seconds: float) -> None:
        """The provider was called for so many seconds."""
        reason = None if isinstance(outcome, Accepted) else str(_reason(outcome))
        facts = {
            "notifier.provider": account.name,
            "notifier.channel": str(account.channel),
            "notifier.outcome": type(outcome).__name__.lower(),
        }
        self._tracing.past(
            f"send {account.name}", SpanKind.CLIENT, self.span, facts, start=ago(seconds), error=reason
        )

    def attempted(self, record: Record) -> None:
        """It ended so; what is left is to store it."""
        shown = record.shown
        self.span.set_attribute("notifier.status", str(record.status))
        if shown is not None:
            self.span.set_attribute("notifier.outcome", shown["outcome"])
            if shown["outcome"] != "accepted":
                self._error = shown["reason"]
        elif record.reason is not None:
            self.span.set_attribute("notifier.reason", record.reason)

    def recorded(self) -> None:
        """Its outcome is durable, and its message acknowledged."""
        end(self.span, self._error)


def attempt_trace(tracing: Tracing, claimed: Claimed, seconds: float) -> AttemptTrace | None:
    """The trace of an attempt that asked for its claim so many seconds ago; None if it is not sampled."""
    start = ago(seconds)
    queue = claimed.lane.queue(tracing.prefix)
    facts: Facts = {
        **_messaging(tracing, claimed.lane, "process"),
        "messaging.message.id": notification_id(claimed.id),
        "notifier.attempt": claimed.attempt,
        "notifier.tenant": claimed.tenant,
    }
    span = tracing.begin(f"process {queue}", SpanKind.CONSUMER, claimed.traceparent, facts, start=start)
    return AttemptTrace(tracing, claimed, span, start) if span.is_recording() else None


def _messaging(tracing: Tracing, lane: Lane, operation: str) -> dict[str, str]:
    return {
        "messaging.system": tracing.system,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": lane.queue(tracing.prefix),
        "notifier.lane": lane.name,
    }


def _reason(outcome: Outcome) -> object:
    return getattr(outcome, "reason", "uncertain")
