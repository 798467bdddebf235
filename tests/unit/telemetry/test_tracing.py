"""Spans: joined by traceparent, sampled by the parent's flag or by the ratio, linked where several share one."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from notifier.telemetry import tracing as module
from notifier.telemetry.tracing import SpanKind, Tracing, ago, end, exporting, traceparent

ROOT = Path(__file__).parents[3]
ONE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TWO = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01"
UNSAMPLED = ONE[:-1] + "0"


class Made:
    """Traces that are kept in memory."""

    def __init__(self, ratio: float) -> None:
        self.exporter = InMemorySpanExporter()
        provider = exporting(InMemorySpanExporter(), ratio, "test")
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing(provider, "rabbitmq", "notifier")

    @property
    def spans(self):
        return self.exporter.get_finished_spans()


@pytest.fixture
def made():
    one = Made(ratio=0.0)
    yield one
    one.tracing.stop()


@pytest.fixture
def all_made():
    one = Made(ratio=1.0)
    yield one
    one.tracing.stop()


def test_a_span_goes_on_from_a_traceparent(made):
    """And what goes on from it has its id."""
    span = made.tracing.begin("POST", SpanKind.SERVER, ONE, {"http.route": "/v1/notifications"})
    below = made.tracing.begin("process", SpanKind.CONSUMER, traceparent(span), {})
    end(below)
    end(span)
    inner, outer = made.spans
    assert f"{outer.context.trace_id:032x}" == f"{inner.context.trace_id:032x}" == ONE[3:35]
    assert f"{outer.parent.span_id:016x}" == ONE[36:52]
    assert inner.parent.span_id == outer.context.span_id
    assert traceparent(span) == f"{ONE[:36]}{outer.context.span_id:016x}-01"


def test_the_parents_flag_decides(made, all_made):
    """A trace that its caller does not sample costs no span, and those who go on from it know."""
    for one in (made, all_made):
        span = one.tracing.begin("POST", SpanKind.SERVER, UNSAMPLED, {})
        assert not span.is_recording()
        assert traceparent(span)[-2:] == "00"
        one.tracing.group("record", SpanKind.INTERNAL, [UNSAMPLED, None], {}, start=ago(1))
        assert one.spans == ()


@pytest.mark.parametrize(("ratio", "spans"), [(0.0, 0), (1.0, 1)])
def test_the_ratio_decides_where_nobody_has(ratio, spans):
    one = Made(ratio)
    end(one.tracing.begin("POST", SpanKind.SERVER, None, {}))
    assert len(one.spans) == spans
    one.tracing.stop()


def test_a_group_of_one_is_part_of_its_trace(made):
    made.tracing.group("accept", SpanKind.INTERNAL, [ONE, None, ONE], {"n": 2}, start=ago(2.0))
    (span,) = made.spans
    assert f"{span.context.trace_id:032x}" == ONE[3:35]
    assert span.links == ()
    assert 2.0 <= (span.end_time - span.start_time) / 1e9 < 3.0


def test_a_group_of_several_is_linked_to_those_that_are_sampled(made):
    """A trace of its own, kept because they are; 128 links at the most."""
    made.tracing.group("accept", SpanKind.INTERNAL, [ONE, TWO, UNSAMPLED, None], {}, start=ago(0))
    (span,) = made.spans
    assert span.parent is None
    assert {f"{link.context.trace_id:032x}" for link in span.links} == {ONE[3:35], TWO[3:35]}
    many = [f"00-{number:032x}-00f067aa0ba902b8-01" for number in range(1, 400)]
    made.tracing.group("accept", SpanKind.INTERNAL, many, {}, start=ago(0))
    assert len(made.spans[-1].links) == 128


def test_an_error_is_a_word(made):
    made.tracing.past("send", SpanKind.CLIENT, ONE, {}, start=ago(1), error="throttled")
    (span,) = made.spans
    assert (span.attributes["error.type"], span.status.is_ok) == ("throttled", False)
    assert span.events == ()


def test_the_operators_names_go_before_ours(monkeypatch):
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, as for any other service."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "alerts")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    one = Made(1.0)
    end(one.tracing.begin("POST", SpanKind.SERVER, None, {}))
    facts = one.spans[0].resource.attributes
    assert facts["service.name"] == "alerts"
    assert facts["deployment.environment.name"] == "staging"
    assert facts["notifier.role"] == "test"
    one.tracing.stop()


def test_a_sdk_that_is_turned_off_leaves_the_callers_trace(monkeypatch):
    """OTEL_SDK_DISABLED."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    one = Made(1.0)
    assert traceparent(one.tracing.begin("POST", SpanKind.SERVER, None, {})) is None
    one.tracing.group("accept", SpanKind.INTERNAL, [ONE, TWO], {}, start=ago(0))
    one.tracing.stop()


class Stuck(SpanExporter):
    """A collector that takes the connection and never answers."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()

    def export(self, spans):
        self.asked.set()
        self.released.wait()
        return SpanExportResult.SUCCESS


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch):
    """What it has not taken by then is lost; the process has to go."""
    monkeypatch.setattr(module, "_LAST_EXPORT", 0.01)
    stuck = Stuck()
    made = Tracing(exporting(stuck, 1.0, "test"), "rabbitmq", "notifier")
    end(made.begin("POST", SpanKind.SERVER, None, {}))
    stopping = threading.Thread(target=made.stop, daemon=True)
    stopping.start()
    stopping.join(5)
    assert stuck.asked.wait(5)
    assert not stopping.is_alive()
    stuck.released.set()


OFF = """
import sys
from notifier.settings import load_settings
from notifier.bootstrap.tracing import make_tracing
import notifier.bootstrap.back, notifier.bootstrap.front, notifier.bootstrap.dev, notifier.http.app
print(make_tracing(load_settings({}), "http"), [name for name in sys.modules if "opentelemetry" in name])
"""
LACKING = """
import sys
sys.modules["opentelemetry"] = None
from notifier.settings import SettingsError, load_settings
from notifier.bootstrap.tracing import make_tracing
try:
    make_tracing(load_settings({"NOTIFIER_TRACE_RATIO": "1"}), "http")
except SettingsError as error:
    print(error)
"""


WRONG = LACKING.replace('sys.modules["opentelemetry"] = None', "")


def printed(code: str, **more: str) -> str:
    environment = {**os.environ, **more}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_off_nothing_is_imported():
    assert printed(OFF) == "None []\n"


def test_without_the_extra_it_says_what_to_install():
    assert "NOTIFIER_TRACE_RATIO: needs the extra otel" in printed(LACKING)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1", "max_queue_size"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
    ],
)
def test_a_wrong_variable_of_opentelemetrys_stops_the_start_like_our_own(name, value, word):
    """With a line that says what is wrong, and no traceback."""
    told = printed(WRONG, **{name: value})
    assert "NOTIFIER_TRACE_RATIO: asks for traces" in told
    assert word in told
