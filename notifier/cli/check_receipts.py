"""Doctor's look at receipts: whether a provider is told to report to this service, and where it should."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from notifier.cli.checks import Finding, ok, warning
from notifier.domain.lanes import Channel
from notifier.providers.schemes import SCHEMES
from notifier.providers.urls import ProviderUrl

_ROUTE = "/v1/receipts/"
_NOBODY = "https://YOUR-HOST"


def check_receipts(channel: Channel, url: ProviderUrl, public_url: str | None) -> Iterator[Finding]:
    """What is to be said of one account's; nothing where its provider reports none that are read here."""
    scheme = SCHEMES[url.scheme]
    if scheme.receipts is None:
        return
    check, route = f"{channel} receipts", f"{_ROUTE}{url.name}"
    wanted = f"{(public_url or _NOBODY).rstrip('/')}{route}"
    need = scheme.receipts_need(url)
    told = url.options.get("receipts_url")
    if need is not None:
        yield ok(
            check, f"{url.name} has none: it needs the option {need}; its receipts_url would be {wanted}"
        )
    elif isinstance(told, str) and not urlsplit(told).path.endswith(route):
        advice = f"set receipts_url={wanted} in its URL, percent-encoded, unless a proxy leads it there"
        yield warning(check, f"{url.name} is told to report to another path than {route}", advice)
    elif isinstance(told, str) and urlsplit(told).scheme != "https":
        yield warning(check, f"{url.name} reports over http, unencrypted", "take an https:// receipts_url")
    else:
        yield ok(check, f"{url.name} reports to {route}")
