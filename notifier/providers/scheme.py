"""What may be known of a scheme of provider URLs, and a URL that was checked by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from notifier.domain.lanes import Channel
from notifier.domain.push_tokens import Platform
from notifier.providers.options import Option, Value


class Part(Enum):
    """Whether a part of the URL must stand, may stand or must not."""

    NEEDED = "needed"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUrl:
    """A checked provider URL: everything in it is percent-decoded, and every option has its type."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    #: Some are secrets, such as session tokens.
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)
    #: The account's name where the URL gives it none.
    usual_name: str = ""

    @property
    def name(self) -> str:
        """The account's name: `?name=`, else the scheme's kind with the host that the URL names."""
        named = self.options.get("name")
        return named if isinstance(named, str) else self.usual_name or self.scheme


def needs_receipts_url(url: ProviderUrl) -> str | None:
    """Receipts of a provider that is told with each message where to report."""
    return None if "receipts_url" in url.options else "receipts_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One scheme. `module` has ``build(url, channel, defaults) -> Provider`` and is imported by the first build.

    `example` is shown where something is missing. Of `user` and `password` that are both `ALLOWED` neither
    may stand alone; `user_means` and `password_means` are what the provider calls them. `checks` look at the whole
    URL and say what is wrong with it, without any value that may be a secret.
    """

    name: str
    channels: frozenset[Channel]
    module: str
    options: Mapping[str, Option]
    example: str
    #: The account's usual name, "" for the scheme itself.
    kind: str = ""
    host: Part = Part.REFUSED
    default_host: str = ""
    port: int = 0
    path: Part = Part.REFUSED
    user: Part = Part.REFUSED
    password: Part = Part.REFUSED
    user_means: str = "user"
    password_means: str = "password"  # noqa: S105 - what it is called
    #: Whose bound a call has unless the URL says `?timeout=`: a field of `ProviderDefaults`.
    timeout: str = "provider_timeout"
    #: Whose push tokens it can send to; None: those of every platform.
    platforms: frozenset[Platform] | None = None
    #: The channel whose sender must be known, from one of `sender_options` or from Settings.
    sender: Channel | None = None
    sender_options: tuple[str, ...] = ("from",)
    #: Options without which there is no account.
    needed: tuple[str, ...] = ()
    #: The extra of the distribution that has what it builds on, and what is imported from there.
    extra: str | None = None
    imports: tuple[str, ...] = ()
    checks: tuple[Callable[[ProviderUrl], str | None], ...] = ()
    #: The module that reads its receipts, with ``build_receipts(url, defaults) -> ReceiptReader``; imported by the
    #: first receipt. None: nobody reads any.
    receipts: str | None = None
    #: Which option an account still needs to have receipts, None where it has all.
    receipts_need: Callable[[ProviderUrl], str | None] = needs_receipts_url
    #: What the provider is answered once a receipt is stored: 204, or 200 where it takes nothing else for a success.
    receipts_status: int = 204
