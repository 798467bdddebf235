"""An OpenTelemetry collector for tests: takes spans over OTLP/HTTP from any process and keeps them in memory.

What it takes is decoded by OpenTelemetry's own protobuf classes (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.nodes.web import Heard, Said, web_server

#: As the protocol numbers them.
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Told:
    """A span as a process told it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    facts: dict[str, Any]
    failed: bool
    process: dict[str, Any]
    start: int
    stop: int


@dataclass
class Collector:
    """`spans` in the order they came."""

    port: int = 0
    spans: list[Told] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def environment(self) -> dict[str, str]:
        """What sends a process's spans here, at once."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def named(self, start: str) -> list[Told]:
        """Those whose names begin so, by when they began."""
        with self._changed:
            return sorted(
                (one for one in self.spans if one.name.startswith(start)), key=lambda one: one.start
            )

    def wait_for(self, start: str, number: int, timeout: float = 30) -> list[Told]:
        """Until so many have come."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: sum(one.name.startswith(start) for one in self.spans) >= number, timeout
            )
            assert found, f"no {number} spans {start!r}: {[one.name for one in self.spans]}"
        return self.named(start)

    def take(self, heard: Heard) -> Said:
        """A POST of /v1/traces."""
        with self._changed:
            self.spans += _spans(ExportTraceServiceRequest.FromString(heard.body))
            self._changed.notify_all()
        return Said(200, b"", {"Content-Type": "application/x-protobuf"})


@contextmanager
def collector() -> Iterator[Collector]:
    """Listening inside the block."""
    made = Collector()
    with web_server(made.take) as server:
        made.port = server.port
        yield made


def _spans(asked: ExportTraceServiceRequest) -> Iterator[Told]:
    for resource in asked.resource_spans:
        process = _facts(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _told(span, process)


def _told(span: Span, process: dict[str, Any]) -> Told:
    return Told(
        name=span.name,
        kind=KINDS[span.kind],
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.trace_id.hex() for link in span.links),
        facts=_facts(span.attributes),
        failed=span.status.code == 2,
        process=process,
        start=span.start_time_unix_nano,
        stop=span.end_time_unix_nano,
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
