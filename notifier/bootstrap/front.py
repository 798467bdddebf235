"""The front half: intake with its publisher, and the door before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from notifier import __version__
from notifier.bootstrap import engines
from notifier.bootstrap.limits import tenant_store
from notifier.bootstrap.providers import make_accounts, receipt_readers
from notifier.bootstrap.roads import BrokerParts, start_publishing
from notifier.delivery.beats import Beats, new_beat
from notifier.domain.lanes import Channel, Priority
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.feedback.receipts import ReceiptDesk
from notifier.http.config import HttpConfig
from notifier.http.parts import DoorParts
from notifier.http.sessions import Sessions
from notifier.intake.accept import Intake
from notifier.intake.admission import Admission, Level, Limits
from notifier.intake.groups import GroupWriter
from notifier.intake.quotas import TenantQuotas
from notifier.queueing.handover import Handover
from notifier.settings import Settings
from notifier.storage import workers
from notifier.storage.clock import DatabaseClock
from notifier.telemetry.signals import CrashPoints
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing


def default_ttl(settings: Settings) -> dict[Priority, int]:
    """How long each priority lives unless its request says otherwise, in seconds."""
    return {
        Priority.HIGH: settings.ttl_high_seconds,
        Priority.MEDIUM: settings.ttl_medium_seconds,
        Priority.LOW: settings.ttl_low_seconds,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What accepts: start it, submit to `intake`, stop it."""

    engine: Engine
    writes: Engine
    clearing: Engine
    intake: Intake
    admission: Admission
    handover: Handover
    broker: BrokerParts
    clock: DatabaseClock
    beats: Beats
    quotas: TenantQuotas
    dispose_quotas: Callable[[], None]
    receipts: Engine
    tally: Tally
    tracing: "Tracing | None" = None

    def start(self) -> None:
        """Connect what can be connected and begin to accept."""
        start_publishing(self.broker)
        self.handover.start()
        self.intake.start()
        self.beats.start()

    def stop(self) -> None:
        """Write what waits, publish what can be published, let go."""
        self.intake.stop()
        self.handover.stop()
        self.beats.stop()
        self.broker.publisher.close()
        self.engine.dispose()
        self.writes.dispose()
        self.clearing.dispose()
        self.receipts.dispose()
        self.dispose_quotas()


def make_front(
    settings: Settings,
    broker: BrokerParts,
    tally: Tally = CLOSED,
    metrics_port: int | None = None,
    tracing: "Tracing | None" = None,
) -> Front:
    """The front half on a broker; `metrics_port` is where its process tells its metrics."""
    reads, writes, clearing = (
        make(settings) for make in (engines.door_reads, engines.door_writes, engines.clearing)
    )
    reach = CrashPoints(settings.crash_at).reach
    admission = Admission(Limits(settings.backlog_limit, settings.database_budget_bytes))
    handover = Handover(
        clearing, broker.publisher, refused_wait=broker.refused_wait, reach=reach, tracing=tracing
    )
    writer = GroupWriter(
        writes,
        ttl={str(priority): seconds for priority, seconds in default_ttl(settings).items()},
        key_hours=settings.idempotency_hours,
        grace=settings.outbox_grace_seconds,
        reach=reach,
        tally=tally,
    )
    intake = Intake(
        writer,
        admission,
        handover.offer,
        wait=settings.accept_wait_seconds,
        waiting_limit=settings.accept_waiting_limit,
        tracing=tracing,
    )
    clock = DatabaseClock(reads)
    first = replace(new_beat("http"), metrics_port=metrics_port)

    def look() -> None:
        clock.sync()
        found = workers.read_gauges(reads)
        admission.level = Level(found.get("pending", 0), found.get("database_bytes", 0))

    store, dispose = tenant_store(settings)
    beats = Beats(reads, lambda: replace(first), every=settings.beat_seconds, after=look)
    return Front(
        engine=reads,
        writes=writes,
        clearing=clearing,
        intake=intake,
        admission=admission,
        handover=handover,
        broker=broker,
        clock=clock,
        beats=beats,
        quotas=TenantQuotas(dict(settings.tenant_rates), store, settings.rate_lease_seconds),
        dispose_quotas=dispose,
        receipts=engines.receipts(settings),
        tally=tally,
        tracing=tracing,
    )


def make_door(
    settings: Settings, front: Front, captured: Callable[[], Sequence[dict[str, Any]]] | None = None
) -> tuple[DoorParts, HttpConfig]:
    """What the HTTP application is built from."""
    known = make_accounts(settings)
    emails = list(known[Channel.EMAIL].values())
    config = HttpConfig(
        version=__version__,
        production=settings.production,
        providers={channel: tuple(names) for channel, names in known.items()},
        platforms={name: one.platforms for name, one in known[Channel.PUSH].items()},
        utf8_addresses=bool(emails) and emails[0].utf8_addresses,
        default_ttl=default_ttl(settings),
        key_hours=settings.idempotency_hours,
        body_limit=settings.body_limit_bytes,
        attachments_limit=settings.attachments_body_limit_bytes,
        large_bodies=settings.large_bodies_limit,
        batch_limit=settings.batch_body_limit_bytes,
        header_deadline=settings.header_deadline_seconds,
        body_deadline=settings.body_deadline_seconds,
        connections=settings.http_connections_limit,
        examined=settings.page_examine_limit,
        read_deadline=settings.accept_wait_seconds,
        # Beats and health checks must find a connection however many callers read.
        read_threads=max(1, settings.database_pool_size - 2),
        health_ttl=settings.health_fresh_seconds / 2,
        beat_fresh=settings.beat_fresh_seconds,
        linger=settings.stop_accepting_seconds,
    )
    parts = DoorParts(
        engine=front.engine,
        intake=front.intake,
        now=front.clock.now,
        broker_up=lambda: front.broker.publisher.connected,
        backlog_full=lambda: front.admission.full or front.intake.full or not front.intake.alive,
        captured=captured,
        quotas=front.quotas,
        receipts=ReceiptDesk(front.receipts, receipt_readers(known), front.tracing, front.tally),
        tally=front.tally,
        tracing=front.tracing,
        links=UnsubscribeLinks(settings.public_url, settings.unsubscribe_secret),
        sessions=Sessions(settings.unsubscribe_secret),
    )
    return parts, config
