"""From a provider's URL to an account: the module behind a scheme is imported by the first `build`.

So a process that only wants names and timeouts (the HTTP process, `doctor`) imports no provider; one that gets a receipt
imports what reads those of that account, and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import cast

from notifier.domain.lanes import Channel
from notifier.providers import schemes
from notifier.providers.base import Account, Provider, ProviderDefaults, ReceiptReader
from notifier.providers.senders import parse_sender
from notifier.providers.urls import ProviderUrl, ProviderUrlError, missing_sender, parse_url

__all__ = ["ProviderDefaults", "ProviderUrlError", "accounts", "named_urls", "parse_provider_url"]


def parse_provider_url(channel: Channel, url: str, defaults: ProviderDefaults) -> Account:
    """The account that `url` describes for `channel`; raises `ProviderUrlError`, never with a secret."""
    return _account(channel, parse_url(channel, url), defaults)


def accounts(
    channel_urls: Mapping[Channel, Sequence[str]], defaults: ProviderDefaults
) -> dict[Channel, list[Account]]:
    """Each channel's accounts in the order of preference, their names unique within the channel.

    A name that is taken gets ``-2``, ``-3`` and so on. Raises `ProviderUrlError`.
    """
    return {
        channel: [_account(channel, url, defaults) for url in named_urls(channel, urls)]
        for channel, urls in channel_urls.items()
    }


def named_urls(channel: Channel, urls: Sequence[str]) -> list[ProviderUrl]:
    """`urls` read, each with the name that its account has. Raises `ProviderUrlError`."""
    found: dict[str, ProviderUrl] = {}
    for url in [parse_url(channel, url) for url in urls]:
        name, number = url.name, 1
        while name in found:
            number += 1
            name = f"{url.name[:60]}-{number}"
        found[name] = replace(url, options={**url.options, "name": name})
    return list(found.values())


def _account(channel: Channel, url: ProviderUrl, defaults: ProviderDefaults) -> Account:
    scheme = schemes.SCHEMES[url.scheme]
    _check_sender(url, defaults)
    usual = getattr(defaults, scheme.timeout)

    def build() -> Provider:
        module = import_module(scheme.module)
        return cast("Provider", module.build(url, channel, defaults))

    return Account(
        name=url.name,
        channel=channel,
        timeout=float(cast("float", url.options.get("timeout", usual))),
        build=build,
        weight=cast("int | None", url.options.get("weight")),
        rate=cast("float | None", url.options.get("rate")),
        burst=cast("int | None", url.options.get("burst")),
        utf8_addresses=bool(url.options.get("smtputf8", False)),
        platforms=scheme.platforms,
        receipts=_receipts(url, defaults),
        receipts_status=scheme.receipts_status,
    )


def _receipts(url: ProviderUrl, defaults: ProviderDefaults) -> Callable[[], ReceiptReader] | None:
    scheme = schemes.SCHEMES[url.scheme]
    module = scheme.receipts
    if module is None or scheme.receipts_need(url) is not None:
        return None
    return lambda: cast("ReceiptReader", import_module(module).build_receipts(url, defaults))


def _check_sender(url: ProviderUrl, defaults: ProviderDefaults) -> None:
    missing = missing_sender(url, defaults.sms_from)
    if missing is not None:
        raise ProviderUrlError(missing)
    if schemes.SCHEMES[url.scheme].sender is not Channel.EMAIL or "from" in url.options:
        return
    try:
        parse_sender(defaults.email_from)
    except ValueError as wrong:
        raise ProviderUrlError(f"{url.scheme}: the sender for e-mail {wrong}") from None
