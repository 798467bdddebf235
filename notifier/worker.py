"""What `dramatiq notifier.worker` loads: the broker with its middleware and an actor for each lane.

`notifier work` wraps the same. Settings come from the environment and `.env`.
"""

# ruff: noqa: E402 - the Prometheus directory must be set before anything imports prometheus_client
import gc

# What is imported stays: to look through it again and again for garbage only makes the start longer.
gc.disable()

from notifier.telemetry.light_structlog import import_structlog
from notifier.telemetry.prometheus_dir import prepare_prometheus_dir

prepare_prometheus_dir()
import_structlog()

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

import dramatiq

from notifier.actors.lifetime import Lifetime
from notifier.actors.metrics import Measuring
from notifier.actors.relay_fork import RelayFork
from notifier.bootstrap import metrics_fork, relays
from notifier.bootstrap.back import make_back
from notifier.bootstrap.metrics import make_metrics, new_tally
from notifier.bootstrap.roads import make_broker
from notifier.bootstrap.tracing import make_tracing
from notifier.settings import Settings, SettingsError, load_settings
from notifier.telemetry.logs import BoundedStream, configure_logs
from notifier.telemetry.parents import end_with_parent

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

# Nor does any later collection look through it (for forks as well: pages that nobody writes to stay shared).
gc.freeze()
gc.enable()


def threads_asked(arguments: list[str]) -> int | None:
    """The `--threads` of the `dramatiq` command line; None when it was not named (its 8 is a default)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--threads", "-t", type=int)
    return parser.parse_known_args(arguments)[0].threads  # type: ignore[no-any-return]


def _settings() -> Settings:
    try:
        settings = load_settings()
        settings.require_servers("dramatiq")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs need settings
        raise SystemExit(2) from None
    return settings


def _traces(settings: Settings) -> "Tracing | None":
    try:
        return make_tracing(settings, "worker")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as for any other setting
        raise SystemExit(2) from None


def _stop_in_order() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def load() -> dramatiq.Broker:
    """The broker of this worker process."""
    settings = _settings()
    # A pipe that the launcher copies on: when that stalls, no worker thread may.
    configure_logs(settings.log_format, settings.log_level, BoundedStream(sys.stderr))
    parts = make_broker(settings)
    tally = new_tally(settings)
    tracing = _traces(settings)
    back = make_back(
        settings,
        parts,
        threads=threads_asked(sys.argv[1:]),
        # Endings are told in the opposite order: traces end when nobody makes spans any more.
        first=[*([] if tracing is None else [Lifetime((), (tracing.stop,))]), RelayFork(relays.main)],
        tally=tally,
        tracing=tracing,
    )
    metrics = make_metrics(settings, "worker", tally, back=back, storage=True)
    teller = metrics_fork.main if tally.on else None
    parts.broker.add_middleware(Measuring(metrics.start, metrics.stop, teller), before=Lifetime)
    dramatiq.set_broker(parts.broker)
    end_with_parent(_stop_in_order)
    return parts.broker


broker = load()
