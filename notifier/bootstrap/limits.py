"""The rate limits that Settings name: of provider accounts, by their URLs, and of lanes."""

import random
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from notifier.bootstrap import engines
from notifier.bootstrap.scheduling import make_policy
from notifier.delivery.destination_turns import DestinationTurns
from notifier.delivery.fallback import Fallback
from notifier.delivery.permit_keeper import PermitKeeper
from notifier.delivery.permit_stock import PermitStock
from notifier.delivery.permits import Permits, account_limit, lane_limit
from notifier.domain.lanes import Channel, Lane
from notifier.domain.limits import Limit, usual_burst
from notifier.providers.base import Account
from notifier.scheduling.middleware import LaneScheduling
from notifier.settings import Settings
from notifier.storage.limit_stores import LimitStore, LocalLimits, SharedLimits
from notifier.telemetry.tally import CLOSED, Tally

Accounts = Mapping[Channel, Mapping[str, Account]]


def named_limits(settings: Settings, accounts: Accounts) -> dict[str, tuple[Limit, tuple[Lane, ...]]]:
    """Every limit by its name, with the lanes that take from it."""

    def limit(name: str, rate: float, burst: int | None = None) -> Limit:
        return Limit(
            name,
            1 / rate,
            burst or usual_burst(rate),
            settings.rate_lease_seconds,
            settings.rate_recovery_seconds,
        )

    found: dict[str, tuple[Limit, tuple[Lane, ...]]] = {}
    for channel, names in accounts.items():
        lanes = Lane.all((channel,))
        for account in names.values():
            if account.rate is not None:
                name = account_limit(channel, account.name)
                found[name] = (limit(name, account.rate, account.burst), lanes)
    for lane_name, rate in settings.lane_rates:
        lane = Lane.parse(lane_name)
        found[lane_limit(lane)] = (limit(lane_limit(lane), rate), (lane,))
    return found


@dataclass(frozen=True, slots=True)
class Limits:
    """A worker's permits, and what makes their keeper once there is a scheduler; `dispose` at the end."""

    permits: Permits
    keeper: Callable[[LaneScheduling], PermitKeeper]
    dispose: Callable[[], None]


def make_limits(settings: Settings, accounts: Accounts, threads: int, tally: Tally = CLOSED) -> Limits:
    """The limits of one worker process."""
    woken, asked = threading.Event(), _Consumers()
    weights = make_policy(settings, threads).weights
    # A chat's account is known only after the claim: see `destination_turns`.
    chats = {account_limit(Channel.CHAT, name) for name in accounts.get(Channel.CHAT, ())}
    stocks = {
        name: PermitStock(
            limit,
            Fallback(
                limit,
                asked.of([lane.queue(settings.queue_prefix) for lane in lanes]),
                part=settings.rate_fallback_percent / 100,
                dice=random.random,
            ),
            weights=weights,
            reach=threads,
            wake=woken.set,
            slows=settings.rate_after_throttle == "halve",
        )
        for name, (limit, lanes) in named_limits(settings, accounts).items()
        if name not in chats
    }
    permits = Permits(stocks, accounts, wake=woken.set, tally=tally)
    store, dispose = _store(settings)

    def keeper(scheduling: LaneScheduling) -> PermitKeeper:
        asked.ask = scheduling.consumers
        prefix = settings.queue_prefix
        queues = {lane: lane.queue(prefix) for lane in settings.lanes}
        return PermitKeeper(
            permits,
            store,
            waiting=lambda: _startable(scheduling, queues),
            reopen=lambda lanes: scheduling.queue.reopen([queues[lane] for lane in lanes]),
            woken=woken,
        )

    return Limits(permits, keeper, dispose)


class _Consumers:
    """Who knows how many consumers there are: the scheduler, which is made after the limits."""

    def __init__(self) -> None:
        self.ask: Callable[[Collection[str]], int | None] = lambda _: None

    def of(self, queue_names: Collection[str]) -> Callable[[], int | None]:
        return lambda: self.ask(queue_names)


def _startable(scheduling: LaneScheduling, queues: Mapping[Lane, str]) -> dict[Lane, int]:
    """How many messages of each lane wait here and may start; none before the worker has booted."""
    if scheduling.keeper is None:
        return {}
    waiting: dict[str, int] = scheduling.queue.look(
        lambda core: {name: 0 if lane.paused else lane.waiting for name, lane in core.lanes.items()}
    )
    return {lane: waiting.get(name, 0) for lane, name in queues.items()}


def make_destinations(settings: Settings, accounts: Accounts, store: LimitStore) -> DestinationTurns:
    """The limits of chats, each taken at the moment of use."""
    limits = {name: limit for name, (limit, _) in named_limits(settings, accounts).items()}
    own = {name: limits.get(account_limit(Channel.CHAT, name)) for name in accounts.get(Channel.CHAT, ())}
    return DestinationTurns({name: limit for name, limit in own.items() if limit is not None}, store)


def tenant_store(settings: Settings) -> tuple[LimitStore, Callable[[], None]]:
    """Where tenants' quotas are kept, and what lets go of it; no connection is made while no tenant has one.

    Chats' limits, which are taken in the same way, are kept there too.
    """
    if not (settings.tenant_rates or settings.chat_providers) or settings.database_url.startswith("sqlite"):
        return LocalLimits(), lambda: None
    engine = engines.quotas(settings)
    return SharedLimits(engine), engine.dispose


def _store(settings: Settings) -> tuple[LimitStore, Callable[[], None]]:
    if settings.database_url.startswith("sqlite"):
        return LocalLimits(), lambda: None
    engine = engines.limits(settings)
    return SharedLimits(engine), engine.dispose
