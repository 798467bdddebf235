"""The provider accounts that Settings name, and who sends next."""

from collections.abc import Mapping
from typing import TextIO
from uuid import UUID

from sqlalchemy import Engine

from notifier.delivery.breaker import BreakerPolicy
from notifier.delivery.breakers import Breakers
from notifier.domain.lanes import Channel
from notifier.providers import simulator
from notifier.providers.base import Account
from notifier.providers.captured import Captured
from notifier.providers.readers import LateReader
from notifier.providers.registry import ProviderDefaults, accounts
from notifier.routing import Limits, Router
from notifier.settings import Settings
from notifier.storage.provider_states import ProviderKey
from notifier.telemetry.tally import CLOSED, Tally


def make_accounts(
    settings: Settings, capture: Captured | None = None, stream: TextIO | None = None
) -> dict[Channel, dict[str, Account]]:
    """Each channel's accounts by name, in order of preference."""
    defaults = ProviderDefaults(
        provider_timeout=settings.provider_timeout_seconds,
        smtp_timeout=settings.smtp_timeout_seconds,
        connect_timeout=settings.connect_timeout_seconds,
        email_from=settings.email_from,
        sms_from=settings.sms_from,
        capture=capture,
        console_stream=stream,
    )
    found = accounts(settings.providers, defaults)
    return {channel: {one.name: one for one in found[channel]} for channel in Channel}


def make_simulators(settings: Settings) -> dict[Channel, Account]:
    """The account for test keys of each channel in use; its calls are bound as a real provider's."""
    found = simulator.accounts(settings.provider_timeout_seconds)
    return {channel: found[channel] for channel in settings.channels}


def provider_names(settings: Settings) -> dict[Channel, tuple[str, ...]]:
    """The names of each channel's accounts, the preferred one first."""
    return {channel: tuple(known) for channel, known in make_accounts(settings).items()}


def receipt_readers(known: Mapping[Channel, Mapping[str, Account]]) -> dict[ProviderKey, LateReader]:
    """What reads the receipts of those accounts that have any."""
    return {
        ProviderKey(channel, name): LateReader(one.receipts, one.receipts_status)
        for channel, names in known.items()
        for name, one in names.items()
        if one.receipts is not None
    }


def make_router(
    known: Mapping[Channel, Mapping[str, Account]],
    limits: Limits | None = None,
    breakers: Breakers | None = None,
) -> Router:
    """Who sends next, by name, within their limits and as long as they are well."""
    weights = {channel: {name: one.weight for name, one in names.items()} for channel, names in known.items()}
    served = {name: one.platforms for name, one in known.get(Channel.PUSH, {}).items()}
    return Router(weights, limits, breakers, served)


def make_breakers(
    settings: Settings,
    engine: Engine,
    owner: UUID,
    known: Mapping[Channel, Mapping[str, Account]],
    simulators: Mapping[Channel, Account],
    tally: Tally = CLOSED,
) -> Breakers:
    """A worker's breakers over all accounts; those of the simulators are their own."""
    everyone = [*simulators.values(), *(one for names in known.values() for one in names.values())]
    timeouts = {ProviderKey(one.channel, one.name): one.timeout for one in everyone}
    policy = BreakerPolicy(
        window=settings.breaker_window_seconds,
        errors=settings.breaker_percent / 100,
        slow=settings.breaker_percent / 100,
        slow_seconds=settings.breaker_slow_seconds,
        first_wait=settings.breaker_wait_seconds,
        longest_wait=settings.breaker_longest_wait_seconds,
    )
    return Breakers(engine, owner, timeouts, policy, tally=tally)
