"""Spans over OpenTelemetry (the extra ``otel``); imported only where tracing is on.

A trace is joined by the `traceparent` that stands in a notification's row: requests, queues and attempts are days and
machines apart, so nothing is kept in a context of this process. What handles several notifications at once is linked to
their traces instead of being part of one (OpenTelemetry, "Messaging spans", batches). Attributes come from closed sets, ids
and names of Settings: no address, text, token or key, and no error's own words.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from notifier import __version__

__all__ = ["Facts", "SpanKind", "Tracing", "ago", "end", "exporting", "traceparent"]

Facts = Mapping[str, str | int | float | bool]
#: Links that one span may have: the SDK keeps no more.
_LINKS = 128
_SECOND = 1_000_000_000
#: Seconds that a process which ends waits for its last spans to be taken: a collector that hangs would hold it for half
#: a minute, in which nothing else is left to do.
_LAST_EXPORT = 5.0


class _ByLinks(Sampler):
    """A span without a parent that is linked to sampled ones is sampled: they decided for it."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        """See `Sampler`."""
        chosen = ALWAYS_ON if links else self._ratio
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """See `Sampler`."""
        return f"ByLinks{{{self._ratio.get_description()}}}"


def exporting(exporter: SpanExporter, ratio: float, role: str) -> TracerProvider:
    """A provider that exports in the background; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours."""
    ours = Resource({"service.name": "notifier", "service.version": __version__, "notifier.role": role})
    provider = TracerProvider(
        sampler=ParentBased(_ByLinks(ratio)), resource=ours.merge(OTELResourceDetector().detect())
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """Makes spans; any thread may. `system` is the broker's name, `prefix` that of its queues."""

    #: For modules that are loaded without the extra.
    internal, producer = SpanKind.INTERNAL, SpanKind.PRODUCER

    def __init__(self, provider: TracerProvider, system: str, prefix: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("notifier", __version__)
        self.system = system
        self.prefix = prefix

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str | Span | None,
        facts: Facts,
        *,
        start: int | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        """A span below a `traceparent` or another span (None: a trace of its own), from `start` (nanoseconds)."""
        span = parent if isinstance(parent, Span) else _remote(parent)
        context = Context() if span is None else trace.set_span_in_context(span, Context())
        return self._tracer.start_span(
            name, context, kind, dict(facts), links=links, start_time=start, record_exception=False
        )

    def past(
        self,
        name: str,
        kind: SpanKind,
        parent: str | Span | None,
        facts: Facts,
        *,
        start: int,
        stop: int | None = None,
        error: str | None = None,
    ) -> None:
        """A span that is over."""
        end(self.begin(name, kind, parent, facts, start=start), error, stop)

    def group(
        self,
        name: str,
        kind: SpanKind,
        parents: Sequence["str | Span | None"],
        facts: Facts,
        *,
        start: int,
        error: str | None = None,
    ) -> None:
        """What was done from `start` until now for all of these: part of a single one's trace, else linked to them."""
        sampled = [one for one in map(_sampled, parents) if one is not None]
        contexts = list({(one.trace_id, one.span_id): one for one in sampled}.values())
        if not contexts:
            return
        alone = len(contexts) == 1
        parent = NonRecordingSpan(contexts[0]) if alone else None
        links = () if alone else [Link(one) for one in contexts[:_LINKS]]
        end(self.begin(name, kind, parent, facts, start=start, links=links), error)

    def stop(self) -> None:
        """Export what there is within `_LAST_EXPORT` seconds, and end."""
        last = threading.Thread(target=self._provider.shutdown, name="last-export", daemon=True)
        last.start()
        last.join(_LAST_EXPORT)


def end(span: Span, error: str | None = None, stop: int | None = None) -> None:
    """End a span; `error` is a word of a closed set."""
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end(stop)


def ago(seconds: float) -> int:
    """The moment so many seconds ago, as spans have it."""
    return time.time_ns() - int(seconds * _SECOND)


def traceparent(span: Span) -> str | None:
    """The span for those who go on from it; None where the SDK is turned off."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def _remote(text: str | None) -> Span | None:
    return None if text is None else NonRecordingSpan(_context(text))


def _context(text: str) -> SpanContext:
    """Of a checked traceparent."""
    _, trace_id, span_id, flags = text.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16) & 1)
    )


def _sampled(parent: "str | Span | None") -> SpanContext | None:
    if parent is None:
        return None
    context = parent.get_span_context() if isinstance(parent, Span) else _context(parent)
    return context if context.is_valid and context.trace_flags.sampled else None
