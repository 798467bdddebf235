"""A provider's URL as text: which schemes a channel takes, which options, and what they may say.

Light on purpose: Settings check their provider URLs with it, and no provider's module is imported.
No error repeats a value of the URL, for any part of it may be a secret that was not percent-encoded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from notifier.domain.lanes import Channel
from notifier.domain.texts import has_control
from notifier.providers.options import OPTIONS, NotAllowed, Value

#: The schemes each channel takes.
SCHEMES: Mapping[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("console", "smtp", "smtp+starttls", "smtps"),
    Channel.SMS: ("console",),
    Channel.PUSH: ("console",),
}
_DEFAULT_PORTS: Mapping[str, int] = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_OPTION_NAME = re.compile(r"[a-z][a-z_]{0,30}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45}", re.IGNORECASE)
_ENCODE = "characters such as / ? # @ : % in a user or password must be percent-encoded"


class ProviderUrlError(ValueError):
    """A provider's URL that can't be taken; names the scheme or option and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUrl:
    """A checked provider URL: everything in it is percent-decoded, and every option has its type."""

    scheme: str
    host: str = ""
    port: int = 0
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The account's name: `?name=`, else the scheme's kind with the host."""
        named = self.options.get("name")
        if isinstance(named, str):
            return named
        kind = self.scheme.partition("+")[0].replace("smtps", "smtp")
        return f"{kind}-{self.host.lower()}"[:63] if self.host else kind


def parse_url(channel: Channel, url: str) -> ProviderUrl:
    """`url` checked for `channel`; raises `ProviderUrlError`, never with a secret in its text."""
    scheme = _scheme(channel, url)
    if has_control(url) or any(character.isspace() for character in url):
        raise ProviderUrlError(
            f"{scheme}: must not contain blanks or control characters; write %20 for a blank"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProviderUrlError(f"{scheme}: the host or port can't be read; {_ENCODE}") from None
    if parts.path not in {"", "/"} or parts.fragment:
        raise ProviderUrlError(f"{scheme}: nothing but ?options may follow the host; {_ENCODE}")
    if scheme == "console":
        return _console(parts)
    return _smtp(scheme, parts, port)


def _scheme(channel: Channel, url: str) -> str:
    allowed = ", ".join(f"{scheme}://" for scheme in SCHEMES[channel])
    found = _SCHEME.match(url)
    if found is None:
        raise ProviderUrlError(f"must begin with one of {allowed} for {channel}")
    scheme = found[1].lower()
    if scheme not in SCHEMES[channel]:
        raise ProviderUrlError(f"{scheme}:// is no provider for {channel}; it takes {allowed}")
    return scheme


def _console(parts: SplitResult) -> ProviderUrl:
    if parts.netloc:
        raise ProviderUrlError("console: takes no host, user or password; write console://")
    return ProviderUrl(scheme="console", options=_options("console", parts.query))


def _smtp(scheme: str, parts: SplitResult, port: int | None) -> ProviderUrl:
    host = _host(scheme, parts.hostname)
    if port == 0:
        raise ProviderUrlError(f"{scheme}: the port must be 1 to 65535")
    user, password = (
        _decoded(scheme, "the user or password", text) for text in (parts.username, parts.password)
    )
    if (not user) != (not password):
        raise ProviderUrlError(f"{scheme}: a user needs a password, and a password a user")
    options = _options(scheme, parts.query)
    if scheme == "smtp" and user and host not in _LOOPBACK and not options.get("dangerous_plain_auth"):
        raise ProviderUrlError(
            "smtp: would send the password unencrypted; take smtp+starttls:// or smtps://, "
            "or say dangerous_plain_auth=true"
        )
    if ("dkim_selector" in options) != ("dkim_key_file" in options) or (
        "dkim_domain" in options and "dkim_key_file" not in options
    ):
        raise ProviderUrlError(
            f"{scheme}: to sign, both dkim_selector and dkim_key_file are needed; dkim_domain only beside them"
        )
    port = port or _DEFAULT_PORTS[scheme]
    return ProviderUrl(
        scheme=scheme, host=host, port=port, user=user or None, password=password or None, options=options
    )


def _host(scheme: str, host: str | None) -> str:
    try:
        ascii_host = (host or "").encode("idna").decode("ascii")
    except UnicodeError:
        ascii_host = ""
    if _HOST.fullmatch(ascii_host) is None:
        raise ProviderUrlError(f"{scheme}: needs a host name or address, as in {scheme}://mail.example.com")
    return ascii_host


def _options(scheme: str, query: str) -> dict[str, Value]:
    allowed = OPTIONS[scheme]
    names = ", ".join(allowed)
    options: dict[str, Value] = {}
    for pair in query.split("&") if query else ():
        name, _, raw = pair.partition("=")
        if name not in allowed:
            # A name with an @ behind it may well be the rest of a password with a bare ? in it.
            shown = f"the option {name}" if _OPTION_NAME.fullmatch(name) and "@" not in raw else "an option"
            raise ProviderUrlError(f"{scheme}: {shown} is unknown; allowed: {names}")
        if name in options:
            raise ProviderUrlError(f"{scheme}: the option {name} stands twice")
        try:
            options[name] = allowed[name](_decoded(scheme, f"the option {name}", raw) or "")
        except NotAllowed as wrong:
            raise ProviderUrlError(f"{scheme}: the option {name} {wrong}") from None
    if "burst" in options and "rate" not in options:
        raise ProviderUrlError(f"{scheme}: the option burst needs a rate beside it, as in ?rate=14/s&burst=5")
    return options


def _decoded(scheme: str, what: str, text: str | None) -> str | None:
    if text is None:
        return None
    if _BAD_ESCAPE.search(text):
        raise ProviderUrlError(f"{scheme}: a % in {what} must be written %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ProviderUrlError(f"{scheme}: {what} must be percent-encoded UTF-8") from None
    if has_control(decoded):
        raise ProviderUrlError(f"{scheme}: {what} must not hold control characters")
    return decoded
