"""The process of a `dramatiq` launch that tells its metrics and answers its probes; it holds no connection.

The launcher imports `main` by its name and forks it beside the workers (`actors.metrics`).
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from notifier.settings import Settings, SettingsError, load_settings
from notifier.telemetry import probes
from notifier.telemetry.logs import BoundedStream, configure_logs
from notifier.telemetry.parents import end_with_parent
from notifier.telemetry.probes import Verdict
from notifier.telemetry.prometheus_dir import prepare_prometheus_dir, remember_port

log = structlog.get_logger("notifier.metrics")

#: Seconds between two looks whether somebody is left to tell of.
_LOOK_EVERY = 0.25


def main() -> int:
    """Serve until the workers are gone, whatever is signalled before; 0 at a stop in order."""
    folder = prepare_prometheus_dir()
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - nothing else is set up yet
        return 2
    configure_logs(settings.log_format, settings.log_level, BoundedStream(sys.stderr))
    stop, orphaned = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: stop.set())
    end_with_parent(orphaned.set)
    serve(settings, folder, stop, orphaned)
    return 0


def serve(settings: Settings, folder: Path, stop: threading.Event, orphaned: threading.Event) -> None:
    """Answer until `stop` is set and no worker lives any more, or until there is no launcher."""
    # Only here: prometheus_client chooses its mode when it is imported.
    from notifier.telemetry import book
    from notifier.telemetry.exposition import Exposition, free_socket, metrics_page, verdict_page

    sock = free_socket(settings.metrics_host, settings.metrics_port)
    if sock is None:
        log.error("metrics_port_taken", host=settings.metrics_host, port=settings.metrics_port)
        return
    judge = _judging(folder)
    exposition = Exposition(
        sock,
        {
            "/metrics": metrics_page(lambda: book.told(None)),
            "/livez": verdict_page(lambda: judge(probes.alive), "alive", "not_alive"),
            "/readyz": verdict_page(lambda: judge(probes.ready), "ready", "not_ready"),
        },
    )
    exposition.start()
    remember_port(folder, exposition.port)
    log.info("metrics_serving", host=settings.metrics_host, port=exposition.port)
    while not orphaned.wait(_LOOK_EVERY):
        if stop.is_set() and not any(one.role == "worker" for one in probes.said(folder)):
            break
    exposition.stop()


def _judging(folder: Path) -> Callable[[Callable[..., Verdict]], Verdict]:
    began = time.monotonic()
    return lambda rule: rule(probes.said(folder), time.monotonic(), began)
