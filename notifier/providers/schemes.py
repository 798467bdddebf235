"""Every scheme that a provider's URL may have: one entry each, and nothing else knows their names.

Light on purpose: Settings check URLs with it, so no provider's module, HTTP library or SDK is imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from notifier.domain.lanes import Channel
from notifier.providers import options
from notifier.providers.options import Option, Value

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


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
    options: Mapping[str, Value] = field(default_factory=dict)
    #: The account's name where the URL gives it none.
    usual_name: str = ""

    @property
    def name(self) -> str:
        """The account's name: `?name=`, else the scheme's kind with the host that the URL names."""
        named = self.options.get("name")
        return named if isinstance(named, str) else self.usual_name or self.scheme


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
    #: The channel whose sender must be known, from one of `sender_options` or from Settings.
    sender: Channel | None = None
    sender_options: tuple[str, ...] = ("from",)
    checks: tuple[Callable[[ProviderUrl], str | None], ...] = ()


def _no_plain_password(url: ProviderUrl) -> str | None:
    if url.user and url.host not in _LOOPBACK and not url.options.get("dangerous_plain_auth"):
        return (
            "would send the password unencrypted; take smtp+starttls:// or smtps://, "
            "or say dangerous_plain_auth=true"
        )
    return None


def plain_only_at_home(url: ProviderUrl) -> str | None:
    """Plain HTTP is for tests on this host; for every provider with the options of `options.HTTP`."""
    if url.options.get("dangerous_plain") and url.host not in _LOOPBACK:
        return f"the option dangerous_plain is only for one of {', '.join(sorted(_LOOPBACK))}"
    return None


def _one_sender(url: ProviderUrl) -> str | None:
    if "from" in url.options and "messaging_service" in url.options:
        return "takes one of from and messaging_service, not both"
    return None


def _smtp(
    name: str, port: int, own: Mapping[str, Option], *checks: Callable[[ProviderUrl], str | None]
) -> Scheme:
    return Scheme(
        name=name,
        channels=frozenset({Channel.EMAIL}),
        module="notifier.providers.smtp",
        options={**options.SMTP, **own},
        example=f"{name}://mail.example.com",
        kind="smtp",
        host=Part.NEEDED,
        port=port,
        user=Part.ALLOWED,
        password=Part.ALLOWED,
        timeout="smtp_timeout",
        sender=Channel.EMAIL,
        checks=checks,
    )


_ALL = (
    Scheme(
        name="console",
        channels=frozenset(Channel),
        module="notifier.providers.console",
        options={**options.NAMED, **options.LIMIT},
        example="console://",
    ),
    _smtp("smtp", 25, options.PLAIN_AUTH, _no_plain_password),
    _smtp("smtp+starttls", 587, options.TLS),
    _smtp("smtps", 465, options.TLS),
    Scheme(
        name="twilio",
        channels=frozenset({Channel.SMS}),
        module="notifier.providers.twilio",
        options={
            **options.HTTP,
            "from": options.SMS_FROM,
            "messaging_service": options.MESSAGING_SERVICE,
            "account": options.TWILIO_ACCOUNT,
            "receipts_url": options.RECEIPTS_URL,
        },
        example="twilio://ACCOUNT_SID:AUTH_TOKEN@",
        host=Part.ALLOWED,
        default_host="api.twilio.com",
        port=443,
        user=Part.NEEDED,
        password=Part.NEEDED,
        user_means="account SID",
        password_means="auth token",  # noqa: S106 - what it is called
        sender=Channel.SMS,
        sender_options=("from", "messaging_service"),
        checks=(plain_only_at_home, _one_sender),
    ),
)

#: Scheme → what is known of it, in the order in which errors name them.
SCHEMES: Mapping[str, Scheme] = {one.name: one for one in _ALL}
