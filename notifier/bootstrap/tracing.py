"""Traces of a process, if Settings ask for them; the extra ``otel`` is imported only then.

Where they go, and how often, is said by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT and others), which its
SDK reads.
"""

from typing import TYPE_CHECKING

from notifier.settings import Settings, SettingsError
from notifier.settings.names import variable

if TYPE_CHECKING:
    from notifier.telemetry.tracing import Tracing


def make_tracing(settings: Settings, role: str) -> "Tracing | None":
    """The traces of a process in `role`, exported in the background; None where Settings ask for none.

    Raises `SettingsError` without the extra, or for a variable of OpenTelemetry's that its SDK does not take.
    """
    if settings.trace_ratio is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from notifier.telemetry.tracing import Tracing, exporting

        provider = exporting(OTLPSpanExporter(), settings.trace_ratio, role)
    except ImportError:
        wanted = "needs the extra otel: pip install 'notifier[otel]'; empty turns traces off"
        raise SettingsError([(variable("trace_ratio"), wanted)]) from None
    except ValueError as error:  # some are read when the SDK is imported
        wanted = f"asks for traces, and of OpenTelemetry's own variables one is wrong: {error}"
        raise SettingsError([(variable("trace_ratio"), wanted)]) from None
    return Tracing(provider, "notifier" if settings.embedded else "rabbitmq", settings.queue_prefix)
