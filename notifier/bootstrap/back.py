"""The back half: broker, middleware and actors of one worker process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dramatiq
import structlog

from notifier.actors.context import CurrentMessage
from notifier.actors.declare import declare_actors
from notifier.actors.finishing import Finishing
from notifier.actors.lifetime import Lifetime
from notifier.bootstrap import engines
from notifier.bootstrap.limits import make_destinations, make_limits, tenant_store
from notifier.bootstrap.providers import make_accounts, make_breakers, make_router, make_simulators
from notifier.bootstrap.relays import StandInRelay, make_relay
from notifier.bootstrap.roads import BrokerParts
from notifier.bootstrap.scheduling import lane_options, make_policy
from notifier.delivery import takeovers
from notifier.delivery.beats import Beats, new_beat
from notifier.delivery.begun import Begun
from notifier.delivery.breakers import Breakers
from notifier.delivery.calling import Calls
from notifier.delivery.claims import ClaimDesk
from notifier.delivery.deliver import Deliverer, DeliveryConfig
from notifier.delivery.pauses import Pauses
from notifier.delivery.recorder import Recorder
from notifier.delivery.tenant_turns import TenantTurns
from notifier.domain.answer_rules import AnswerRules
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.retries import BY_REASON, RetryPolicy, Schedule
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.providers.base import Account
from notifier.providers.captured import Captured
from notifier.queueing.broker import Grant, NotBefore, Proxy
from notifier.queueing.stand_in import StandIn
from notifier.routing import Router
from notifier.scheduling.middleware import LaneScheduling
from notifier.settings import Settings
from notifier.storage import workers
from notifier.storage.provider_states import ProviderKey
from notifier.telemetry.prometheus_dir import metrics_port
from notifier.telemetry.signals import CrashPoints, Signals
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.delivery.tracing import AttemptTrace
    from notifier.storage.claiming import Claimed
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.worker")


@dataclass(frozen=True, slots=True)
class Again:
    """A message on its way back into the lane queue, wrapped as Dramatiq wraps it."""

    message: Proxy


@dataclass(frozen=True, slots=True)
class Back:
    """A worker's parts; the broker has all its middleware and actors."""

    broker: BrokerParts
    scheduling: LaneScheduling
    recorder: Recorder
    stand_in: StandIn
    beats: Beats
    breakers: Breakers


def retry_policy(settings: Settings) -> RetryPolicy:
    """The waits by priority, and the rules for single reasons, that Settings name."""
    return RetryPolicy(
        by_priority={
            Priority.HIGH: Schedule(settings.retry_high_base_seconds, settings.retry_high_cap_seconds),
            Priority.MEDIUM: Schedule(settings.retry_medium_base_seconds, settings.retry_medium_cap_seconds),
            Priority.LOW: Schedule(settings.retry_low_base_seconds, settings.retry_low_cap_seconds),
        },
        by_reason={**BY_REASON, **dict(settings.retry_rules or ())},
        max_resends=settings.uncertain_resends,
    )


def make_gate(router: Router, settings: Settings) -> Callable[[str], Grant | NotBefore]:
    """The seam between the queue's names and the rules of who may send: answers from memory."""
    lanes = {lane.queue(settings.queue_prefix): lane for lane in settings.lanes}
    return lambda queue_name: router.grant(lanes[queue_name])


def make_back(
    settings: Settings,
    broker: BrokerParts,
    *,
    threads: int | None = None,
    capture: Captured | None = None,
    signals: Signals | None = None,
    first: Sequence[dramatiq.Middleware] = (),
    tally: Tally = CLOSED,
    tracing: "Tracing | None" = None,
) -> Back:
    """Give the broker what makes it a worker; `first` goes before all other middleware."""
    threads = threads or settings.worker_threads
    reach = CrashPoints(settings.crash_at).reach
    claims, records = engines.claims(settings), engines.records(settings)
    owner, begun = uuid4(), Begun(settings.lease_seconds)
    recorder = Recorder(records, begun, threads, signals=signals, reach=reach, tally=tally, tracing=tracing)
    accounts, simulators = make_accounts(settings, capture), make_simulators(settings)
    if settings.production:
        _warn_of_console(accounts)
    limits = make_limits(settings, accounts, threads, tally)
    breakers = make_breakers(settings, records, owner, accounts, simulators, tally)
    router = make_router(accounts, limits.permits, breakers)
    scheduling = LaneScheduling(
        make_gate(router, settings),
        policy=make_policy(settings, threads),
        lanes=lane_options(settings),
    )
    keeper = limits.keeper(scheduling)
    breakers.changed = _reopening(scheduling, settings)
    desk = ClaimDesk(
        claims,
        owner,
        begun,
        lease=settings.lease_seconds,
        beat_fresh=settings.beat_fresh_seconds,
        limits=takeovers.Limits(settings.poison_claims, settings.uncertain_resends),
        reach=reach,
        tally=tally,
    )
    quotas, dispose_quotas = tenant_store(settings)
    deliverer = Deliverer(
        desk,
        recorder,
        router,
        accounts,
        retry_policy(settings),
        _delivery_config(settings),
        put_back=_putting_back(scheduling),
        simulators=simulators,
        calls=Calls(
            router,
            permits=limits.permits,
            breakers=breakers,
            answers=AnswerRules(dict(settings.answer_rules or ())),
            reach=reach,
        ),
        links=UnsubscribeLinks(settings.public_url, settings.unsubscribe_secret),
        turns=TenantTurns(dict(settings.tenant_rates), quotas, settings.rate_lease_seconds),
        destinations=make_destinations(settings, accounts, quotas),
        signals=signals,
        tally=tally,
        trace=_tracing(tracing),
    )
    stand_in = _make_stand_in(settings, broker, tally, tracing)
    pauses = Pauses(records, _pausing(scheduling, settings.queue_prefix))
    said = new_beat("worker", tuple(lane.name for lane in settings.lanes), owner)
    beats = Beats(
        records,
        lambda: replace(
            said,
            begun=begun.named(),
            oldest_started=begun.take_started(),
            metrics_port=metrics_port(),
            report={
                "stage": scheduling.stage,
                "census": scheduling.census(),
                "scheduler": scheduling.report(_naming(settings.queue_prefix)),
                "providers": joined(breakers.report(), limits.permits.report()),
            },
        ),
        every=settings.beat_seconds,
        after=_each(pauses.look, breakers.look, stand_in.look),
    )
    current = CurrentMessage()
    for one in (
        *first,
        Lifetime(
            [recorder.start, beats.start, keeper.start],
            [
                stand_in.stop,
                keeper.stop,
                lambda: _stop_recorder(recorder),
                beats.stop,
                limits.dispose,
                dispose_quotas,
                desk.close,
                claims.dispose,
                records.dispose,
            ],
        ),
        scheduling,
        current,
        Finishing(recorder.drain, deliverer.close_thread, settings.drain_seconds),
    ):
        broker.broker.add_middleware(one)
    declare_actors(broker.broker, settings.lanes, settings.queue_prefix, current, deliverer.deliver)
    return Back(broker, scheduling, recorder, stand_in, beats, breakers)


def joined(calls: Mapping[str, Any], permits: Mapping[str, Any]) -> dict[str, Any]:
    """What a beat tells of each provider account: its breaker and calls, and its limit's permits."""
    return {key: {**told, **permits.get(key, {})} for key, told in calls.items()}


def _warn_of_console(accounts: Mapping[Channel, Mapping[str, Account]]) -> None:
    """Printing is not sending, and it shows addresses and content."""
    for channel, names in accounts.items():
        if any(name.startswith("console") for name in names):
            log.warning("console_provider_in_production", channel=str(channel))


def _stop_recorder(recorder: Recorder) -> None:
    recorder.stop(5.0)


def _delivery_config(settings: Settings) -> DeliveryConfig:
    return DeliveryConfig(
        lease=settings.lease_seconds,
        send_margin=settings.send_margin_seconds,
        poison_claims=settings.poison_claims,
        crash_wait=settings.retry_medium_base_seconds,
    )


def _putting_back(scheduling: LaneScheduling) -> Callable[[Proxy, float], None]:
    return lambda proxy, seconds: scheduling.queue.put_back(Again(proxy), seconds)


def _reopening(scheduling: LaneScheduling, settings: Settings) -> Callable[[ProviderKey], None]:
    """What a breaker does when it has changed: the lanes of its channel ask the gate again."""
    lanes = {
        channel: [lane.queue(settings.queue_prefix) for lane in Lane.all((channel,))]
        for channel in settings.channels
    }
    return lambda key: scheduling.queue.reopen(lanes[key.channel]) if scheduling.keeper else None


def _naming(prefix: str) -> Callable[[str], str]:
    """How a report calls a queue: by its lane."""
    return lambda queue_name: queue_name.removeprefix(f"{prefix}.")


def _pausing(scheduling: LaneScheduling, prefix: str) -> Callable[[frozenset[str]], None]:
    return lambda names: scheduling.pause({f"{prefix}.{name}" for name in names})


def _each(*looks: Callable[[], None]) -> Callable[[], None]:
    def look() -> None:
        for one in looks:
            one()

    return look


def _tracing(tracing: "Tracing | None") -> "Callable[[Claimed, float], AttemptTrace | None] | None":
    if tracing is None:
        return None
    from notifier.delivery.tracing import attempt_trace

    return partial(attempt_trace, tracing)


def _make_stand_in(
    settings: Settings, broker: BrokerParts, tally: Tally, tracing: "Tracing | None"
) -> StandIn:
    looks = engines.relay(settings)
    # A relay's last beat counts for a while: that is part of the time it may be missing.
    fresh = min(3 * settings.beat_seconds, settings.relay_missing_seconds / 2)
    return StandIn(
        lambda: StandInRelay(make_relay(settings, broker, tally, tracing)),
        lambda: workers.any_living(looks, fresh, "relay"),
        missing=settings.relay_missing_seconds - fresh,
    )
