"""From a provider's URL to its HTTP endpoint: what the options of every HTTP provider say."""

from typing import Any, cast

from notifier.providers.base import ProviderDefaults
from notifier.providers.http_client import Endpoint
from notifier.providers.schemes import ProviderUrl


def endpoint_of(url: ProviderUrl, defaults: ProviderDefaults, host: str | None = None) -> Endpoint:
    """Where `url` leads, over TLS unless it says `dangerous_plain`; `host` where the URL's is another name for it."""
    said = cast("dict[str, Any]", url.options)
    limits = {name: said[name] for name in ("idle_seconds",) if name in said}
    return Endpoint(
        host=host or url.host,
        port=url.port,
        plain=bool(said.get("dangerous_plain", False)),
        ca_file=said.get("ca_file"),
        connect_timeout=defaults.connect_timeout,
        **limits,
    )
