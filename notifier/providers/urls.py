"""A provider's URL as text: which schemes a channel takes, which options, and what they may say.

Light on purpose: Settings check their provider URLs with it, and no provider's module is imported.
No error repeats a value of the URL, for any part of it may be a secret that was not percent-encoded.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit

from notifier.domain.lanes import Channel
from notifier.domain.texts import has_control
from notifier.providers import schemes
from notifier.providers.options import NotAllowed, Value
from notifier.providers.schemes import Part, ProviderUrl, Scheme

__all__ = ["SCHEMES", "ProviderUrl", "ProviderUrlError", "missing_extra", "missing_sender", "parse_url"]

#: The schemes each channel takes.
SCHEMES: Mapping[Channel, tuple[str, ...]] = {
    channel: tuple(name for name, one in schemes.SCHEMES.items() if channel in one.channels)
    for channel in Channel
}
#: The setting that names the sender of SMS.
_SMS_SENDER = "NOTIFIER_SMS_FROM"

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_OPTION_NAME = re.compile(r"[a-z][a-z_]{0,30}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45}", re.IGNORECASE)
_ENCODE = "characters such as / ? # @ : % in a user or password must be percent-encoded"


class ProviderUrlError(ValueError):
    """A provider's URL that can't be taken; names the scheme or option and what is allowed."""


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
    one = schemes.SCHEMES[scheme]
    if (one.path is Part.REFUSED and parts.path not in {"", "/"}) or parts.fragment:
        raise ProviderUrlError(f"{scheme}: nothing but ?options may follow the host; {_ENCODE}")
    found = _parsed(one, parts, port)
    for check in one.checks:
        wrong = check(found)
        if wrong is not None:
            raise ProviderUrlError(f"{scheme}: {wrong}")
    return found


def missing_sender(url: ProviderUrl, sms_from: str | None) -> str | None:
    """What is wrong when `url` needs a sender of SMS and neither it nor `sms_from` names one, else None."""
    one = schemes.SCHEMES[url.scheme]
    if one.sender is not Channel.SMS or sms_from or any(name in url.options for name in one.sender_options):
        return None
    ways = ", ".join(f"?{name}=" for name in one.sender_options)
    return f"{url.scheme}: needs a sender: {ways} or {_SMS_SENDER}"


def missing_extra(url: ProviderUrl) -> str | None:
    """What is wrong when what `url`'s provider builds on is not installed, else None. Imports none of it."""
    one = schemes.SCHEMES[url.scheme]
    return None if is_installed(one) else f"{url.scheme}: needs more to be installed: {how_to_install(one)}"


def is_installed(scheme: Scheme) -> bool:
    """Whether everything that the scheme's module imports from its extra can be found."""
    try:
        return all(find_spec(name) is not None for name in scheme.imports)
    except ModuleNotFoundError:  # the package around it is missing
        return False


def how_to_install(scheme: Scheme) -> str:
    """The command to give."""
    return f"pip install 'notifier[{scheme.extra}]'"


def _scheme(channel: Channel, url: str) -> str:
    allowed = ", ".join(f"{scheme}://" for scheme in SCHEMES[channel])
    found = _SCHEME.match(url)
    if found is None:
        raise ProviderUrlError(f"must begin with one of {allowed} for {channel}")
    scheme = found[1].lower()
    if scheme not in SCHEMES[channel]:
        raise ProviderUrlError(f"{scheme}:// is no provider for {channel}; it takes {allowed}")
    return scheme


def _parsed(one: Scheme, parts: SplitResult, port: int | None) -> ProviderUrl:
    scheme = one.name
    if parts.netloc and {one.host, one.user, one.password} == {Part.REFUSED}:
        raise ProviderUrlError(f"{scheme}: takes no host, user or password; write {one.example}")
    host = _host(one, parts.hostname)
    if port == 0:
        raise ProviderUrlError(f"{scheme}: the port must be 1 to 65535")
    user, password = _credentials(one, parts)
    kind = one.kind or scheme
    return ProviderUrl(
        scheme=scheme,
        host=host or one.default_host,
        port=port or one.port,
        path=_path(one, parts.path),
        user=user,
        password=password,
        options=_options(one, parts.query),
        usual_name=f"{kind}-{host.lower()}"[:63] if host else kind,
    )


def _path(one: Scheme, path: str) -> str:
    if one.path is Part.NEEDED and path in {"", "/"}:
        raise ProviderUrlError(f"{one.name}: needs a path after the host, as in {one.example}")
    return "" if one.path is Part.REFUSED else _decoded(one.name, "the path", path) or ""


def _credentials(one: Scheme, parts: SplitResult) -> tuple[str | None, str | None]:
    """The user and the password, as far as the scheme takes them."""
    user, password = (
        _decoded(one.name, "the user or password", text) or None for text in (parts.username, parts.password)
    )
    if one.user is one.password is Part.ALLOWED and (user is None) != (password is None):
        raise ProviderUrlError(f"{one.name}: a user needs a password, and a password a user")
    for rule, text, means in ((one.user, user, one.user_means), (one.password, password, one.password_means)):
        if rule is Part.NEEDED and text is None:
            raise ProviderUrlError(f"{one.name}: needs the {means}, as in {one.example}")
        if rule is Part.REFUSED and text is not None:
            raise ProviderUrlError(f"{one.name}: takes no {means}; write {one.example}")
    return user, password


def _host(one: Scheme, host: str | None) -> str:
    if not host and one.host is not Part.NEEDED:
        return ""
    if one.host is Part.REFUSED:
        raise ProviderUrlError(f"{one.name}: takes no host; write {one.example}")
    try:
        ascii_host = (host or "").encode("idna").decode("ascii")
    except UnicodeError:
        ascii_host = ""
    if _HOST.fullmatch(ascii_host) is None:
        raise ProviderUrlError(f"{one.name}: needs a host name or address, as in {one.example}")
    return ascii_host


def _options(one: Scheme, query: str) -> dict[str, Value]:
    scheme, allowed = one.name, one.options
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
            options[name] = allowed[name].read(_decoded(scheme, f"the option {name}", raw) or "")
        except NotAllowed as wrong:
            raise ProviderUrlError(f"{scheme}: the option {name} {wrong}") from None
    missing = [name for name in one.needed if name not in options]
    if missing:
        raise ProviderUrlError(f"{scheme}: needs the option {missing[0]}, as in {one.example}")
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
