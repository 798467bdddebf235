"""The relay: as a fork of a `dramatiq` launch, as a thread of `notifier dev`, or standing in for a lost one."""

import signal
import sys
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine

from notifier.bootstrap import engines
from notifier.bootstrap.roads import BrokerParts, make_broker, start_publishing
from notifier.bootstrap.tracing import make_tracing
from notifier.delivery.beats import Beats, new_beat
from notifier.queueing.handover import Handover
from notifier.settings import Settings, SettingsError, load_settings
from notifier.telemetry.logs import BoundedStream, configure_logs
from notifier.telemetry.parents import end_with_parent
from notifier.telemetry.prometheus_dir import prepare_prometheus_dir
from notifier.telemetry.signals import CrashPoints
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # a worker needs no relay while another process has one; tracing is an extra
    from notifier.queueing.relay import Relay, RelayConfig
    from notifier.queueing.retention import Retention
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.relay")


def relay_config(settings: Settings) -> "RelayConfig":
    """What Settings say about the relay."""
    from notifier.queueing.relay import RelayConfig

    return RelayConfig(
        poll=settings.relay_poll_seconds,
        batch=settings.relay_batch,
        grace=settings.outbox_grace_seconds,
        lease=settings.lease_seconds,
        orphan=settings.orphan_seconds,
        ring_again=settings.ring_again_seconds,
        beat_fresh=settings.beat_fresh_seconds,
        after_return=settings.database_return_seconds,
        backlog_limit=settings.backlog_limit,
        keep_failures=settings.failures_days * 86_400.0,
    )


@dataclass(frozen=True, slots=True)
class RelayParts:
    """A relay with its own engine, handover, retention and beat."""

    relay: "Relay"
    handover: Handover
    retention: "Retention"
    beats: Beats
    engine: Engine

    def start(self) -> None:
        """Everything but the loop itself."""
        self.handover.start()
        self.retention.start()
        self.beats.start()

    def stop(self) -> None:
        """After the loop has ended."""
        self.retention.stop()
        self.handover.stop()
        self.retention.close()
        self.beats.stop()
        self.engine.dispose()


class StandInRelay:
    """A relay in a worker process. Its beat stays unsaid: it runs only until a real relay beats."""

    def __init__(self, parts: RelayParts) -> None:
        self._parts = parts

    def run(self) -> None:
        """The loop, until stopped."""
        self._parts.handover.start()
        self._parts.retention.start()
        self._parts.relay.run()

    def stop(self) -> None:
        """End after the present batch; returns at once."""
        self._parts.retention.stop()
        self._parts.relay.stop()

    def close(self) -> None:
        """After the loop has ended."""
        self._parts.handover.stop()
        self._parts.retention.close()
        self._parts.engine.dispose()


def make_relay(
    settings: Settings, broker: BrokerParts, tally: Tally = CLOSED, tracing: "Tracing | None" = None
) -> RelayParts:
    """A relay on a broker."""
    from notifier.queueing.receipts import ParkedReceipts
    from notifier.queueing.relay import Relay
    from notifier.queueing.retention import Retention, RetentionConfig

    engine = engines.relay(settings)
    reach = CrashPoints(settings.crash_at).reach
    handover = Handover(
        engine, broker.publisher, refused_wait=broker.refused_wait, reach=reach, tracing=tracing
    )
    receipts = ParkedReceipts(engine, settings.relay_batch, tally, tracing)
    relay = Relay(
        engine, handover, broker.road, relay_config(settings), reach=reach, tally=tally, receipts=receipts
    )
    first = new_beat("relay")
    beats = Beats(engine, lambda: replace(first), every=settings.beat_seconds)
    config = RetentionConfig(days=settings.retention_days, batch=settings.relay_batch)
    retention = Retention(engines.retention(settings), config, tally=tally)
    return RelayParts(relay, handover, retention, beats, engine)


def main() -> int:
    """The relay process: runs until SIGTERM or until its launcher is gone; 0 at a stop in order."""
    prepare_prometheus_dir()
    # Not before: prometheus_client chooses its mode when it is imported.
    from notifier.bootstrap.metrics import make_metrics, new_tally

    try:
        settings = load_settings()
        tracing = make_tracing(settings, "relay")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - nothing else is set up yet
        return 2
    configure_logs(settings.log_format, settings.log_level, BoundedStream(sys.stderr))
    broker = make_broker(settings)
    tally = new_tally(settings)
    metrics = make_metrics(settings, "relay", tally)
    parts = make_relay(settings, broker, tally, tracing)
    # Dramatiq's handler would leave at once, in the middle of a batch.
    signal.signal(signal.SIGTERM, lambda *_: parts.relay.stop())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: parts.relay.stop())
    end_with_parent(parts.relay.stop)
    start_publishing(broker)
    metrics.start()
    parts.start()
    log.info("relay_started")
    parts.relay.run()
    parts.stop()
    if tracing is not None:
        tracing.stop()
    metrics.stop()
    broker.publisher.close()
    log.info("relay_stopped")
    return 0


def run_in_thread(parts: RelayParts) -> threading.Thread:
    """The relay's loop in a thread of this process."""
    parts.start()
    thread = threading.Thread(target=parts.relay.run, name="relay", daemon=True)
    thread.start()
    return thread
