"""Where `notifier send` and `notifier status` find a running service: NOTIFIER_URL with NOTIFIER_API_KEY."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from notifier.domain.keys import key_id_of
from notifier.settings.reading import source
from notifier.settings.values import SettingsError

_URL, _KEY = "NOTIFIER_URL", "NOTIFIER_API_KEY"
_SCHEMES = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Remote:
    """A service's address, without a slash at its end, and the key it is asked with."""

    url: str
    key: str = field(repr=False)


def load_remote(environ: Mapping[str, str] | None = None) -> Remote | None:
    """The service named by the environment and `.env`, or by `environ` alone; None when neither is set.

    Raises `SettingsError`, never with the key: one of the two is missing, or has not the right form.
    """
    env = source(environ)
    url, key = ((env.take(name) or "").strip() for name in (_URL, _KEY))
    if not url and not key:
        return None
    problems = []
    if not url:
        problems.append((_URL, f"must be set together with {_KEY}, or neither of them"))
    elif not _is_address(url):
        problems.append((_URL, "must be http://HOST:PORT or https://HOST without a user, ? or #"))
    if not key:
        problems.append((_KEY, f"must be set together with {_URL}, or neither of them"))
    elif key_id_of(key) is None:
        problems.append((_KEY, "must be an API key, nk_live_… (its value is not shown)"))
    if problems:
        raise SettingsError(problems)
    return Remote(url.rstrip("/"), key)


def _is_address(text: str) -> bool:
    if not text.isprintable() or not text.isascii() or " " in text or "?" in text or "#" in text:
        return False
    try:
        url = urlsplit(text)
        _ = url.port  # raises ValueError itself
    except ValueError:
        return False
    return url.scheme in _SCHEMES and bool(url.hostname) and "@" not in url.netloc
