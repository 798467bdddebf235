"""The URLs in Settings: what is well formed, which secrets they hold, and where they lead."""

import ipaddress
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_MASK = "***"
#: What may be shown of a URL's query; any other value may be a token.
_PLAIN_KEYS = frozenset(
    [
        "rate",
        "burst",
        "weight",
        "name",
        "from",
        "region",
        "timeout",
        "heartbeat",
        "host",
        "port",
        "sslmode",
        "sslrootcert",
        "application_name",
        "connect_timeout",
        "passfile",
        "sslcert",
        "sslkey",
    ]
)
#: Passwords that stand in manuals, examples and images: as good as none.
_SAMPLES = frozenset(
    [
        "guest",
        "password",
        "passwd",
        "pass",
        "secret",
        "changeme",
        "change-me",
        "change_me",
        "example",
        "admin",
        "root",
        "test",
        "user",
        "postgres",
        "rabbitmq",
        "notifier",
        "123456",
    ]
)


def database_url(text: str) -> str:
    """`text` with its driver named, if it is a database's URL; else `ValueError`."""
    # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3, which is not installed.
    for short in ("postgresql://", "postgres://"):
        if text.startswith(short):
            text = "postgresql+psycopg2://" + text.removeprefix(short)
    url = _split(text)
    if url.scheme == "sqlite":
        # A database in memory keeps nothing and is a different one for each connection.
        if url.netloc or url.path in {"", "/"} or ":memory:" in url.path or "mode=memory" in url.query:
            raise ValueError
    elif url.scheme != "postgresql+psycopg2" or not url.path.strip("/") or not (url.netloc or url.query):
        raise ValueError
    return text


def broker_url(text: str) -> str:
    """`text` if it is `embedded://` or the URLs of a cluster's nodes; else `ValueError`."""
    if text in {"embedded://", "embedded:"}:
        return "embedded://"
    nodes = [part.strip() for part in text.split(";") if part.strip()]
    if not nodes:
        raise ValueError
    for node in nodes:
        url = _split(node)
        if url.scheme not in {"amqp", "amqps"} or not url.hostname:
            raise ValueError
    return ";".join(nodes)


def provider_urls(text: str) -> tuple[str, ...]:
    """The URLs in `text`, in order; `ValueError` for one that is none, or stands twice."""
    found = tuple(text.split())
    if len(set(found)) < len(found) or not all("://" in one and _split(one).scheme for one in found):
        raise ValueError
    return found


def is_smtp(url: str) -> bool:
    """Whether the provider behind `url` speaks SMTP, which has its own, longer timeout."""
    scheme = url.partition(":")[0].lower()
    return scheme == "smtps" or scheme.partition("+")[0] == "smtp"


def masked(text: str) -> str:
    """`text` without what may be secret: password, a user that stands for a token, path and query values."""
    try:
        url = _split(text)
    except ValueError:
        return _MASK
    netloc = url.netloc
    if "@" in netloc:
        user, colon, _ = netloc.rpartition("@")[0].partition(":")
        netloc = f"{user if colon else ''}{colon}{_MASK}@{netloc.rpartition('@')[2]}"
    query = "&".join(
        f"{key}={value if key in _PLAIN_KEYS else _MASK}"
        for key, value in parse_qsl(url.query, keep_blank_values=True)
    )
    # The path names a file, a database or a virtual host; a provider's may be a token (as in chat hooks).
    known = url.scheme.partition("+")[0] in {"sqlite", "postgresql", "amqp", "amqps"}
    path = url.path if known or url.path in {"", "/"} else f"/{_MASK}"
    return f"{url.scheme}://{netloc}{path}{'?' if query else ''}{query}"


def leads_away(text: str) -> bool:
    """Whether the server behind `text` is on another machine: any of its hosts is not loopback."""
    return any(not _loopback(host) for host in _hosts(_split(text)))


def weak_credentials(text: str) -> str | None:
    """What is wrong with the user and password in `text` for production, or None."""
    url = _split(text)
    if url.scheme in {"sqlite", "embedded"}:
        return None
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    user, password = unquote(url.username or ""), unquote(url.password or query.get("password", ""))
    if not password:
        # A client certificate, a password file or a local socket's owner stand for a password.
        elsewhere = {"sslcert", "passfile"} & query.keys() or not _hosts(url)
        return None if elsewhere else "names no password"
    if password.lower() in _SAMPLES or password == user or password.startswith("<"):
        return "has a sample password"
    return None


def _split(text: str) -> SplitResult:
    """The parts of `text`; `ValueError` for spaces, control characters or a port that is none."""
    if not text.isprintable() or " " in text:
        raise ValueError
    url = urlsplit(text)
    _ = url.port  # raises ValueError itself
    return url


def _hosts(url: SplitResult) -> list[str]:
    """Every host a URL names, in its authority and (as libpq allows) in its query; sockets are none."""
    named = [value for key, value in parse_qsl(url.query) if key == "host"]
    parts = [part for value in named for part in value.split(",")]
    hosts = [urlsplit(f"//{part}").hostname or "" for part in parts if not part.startswith("/")]
    return [host for host in [url.hostname or "", *hosts] if host]


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
