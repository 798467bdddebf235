"""What goes into a provider's HTTP client and what comes out of it. None of it shows a secret in its repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.domain.lifecycle import Reason

#: Bytes of an answer that are read; providers say what they have to say in a few hundred.
MAX_BODY = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a provider listens; times in seconds.

    `idle_seconds`: servers close connections that are quiet for long, and a request that meets the closing is one
    that nobody knows about, so ours is left first. `plain` is HTTP without TLS.
    """

    host: str
    port: int
    plain: bool = False
    ca_file: str | None = None
    connect_timeout: float = 5.0
    idle_seconds: float = 20.0
    #: The host was named from outside: connect only if each of its addresses is public (see `public_addresses`).
    public_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `path` with its query. Its parts never show in a repr: they are secrets and addresses."""

    method: str = field(default="POST", repr=False)
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing was processed: no connection, or one that took no whole request.

    `reason` is one of `Deferred`'s; with `for_good` (the host may not be called at all) one of `Refused`'s.
    """

    reason: Reason
    text: str
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have been processed, and no answer came."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: names of `headers` in lower case; `body` is cut at `MAX_BODY`, `whole` tells whether it is all."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    whole: bool = True


Result = NotSent | NoAnswer | Reply
