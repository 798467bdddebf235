"""The provider accounts that Settings name, and who sends next."""

from collections.abc import Mapping
from typing import TextIO

from notifier.domain.lanes import Channel
from notifier.providers.base import Account
from notifier.providers.captured import Captured
from notifier.providers.registry import ProviderDefaults, accounts
from notifier.routing import Limits, Router
from notifier.settings import Settings


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
    urls = {
        Channel.EMAIL: settings.email_providers,
        Channel.SMS: settings.sms_providers,
        Channel.PUSH: settings.push_providers,
    }
    found = accounts(urls, defaults)
    return {channel: {one.name: one for one in found[channel]} for channel in Channel}


def make_router(known: Mapping[Channel, Mapping[str, Account]], limits: Limits | None = None) -> Router:
    """Who sends next, by name, within their limits."""
    return Router({channel: tuple(names) for channel, names in known.items()}, limits)
