"""What the door needs to know: plain values that `bootstrap` takes from Settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.domain.lanes import Channel, Lane, Priority, channels_with
from notifier.domain.recipients import ChatDestination, Platform, PushToken, Recipient
from notifier.domain.retries import DEFAULT_TTL


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Limits, deadlines and names of the door. Sizes are in bytes, times in seconds."""

    version: str = ""
    #: A production door refuses addresses that only make sense in tests (RFC 2606).
    production: bool = False
    #: The names of the provider accounts of each channel, the preferred one first.
    providers: Mapping[Channel, tuple[str, ...]] = field(default_factory=dict)
    #: Whose tokens each push account can send to, by its name; None, or no entry: those of every platform.
    platforms: Mapping[str, frozenset[Platform] | None] = field(default_factory=dict)
    #: Channels (in truth e-mail) whose first provider takes non-ASCII local parts (SMTPUTF8).
    utf8_addresses: bool = False

    #: How long a notification lives when the request names no ttl.
    default_ttl: Mapping[Priority, int] = field(default_factory=lambda: dict(DEFAULT_TTL))

    #: Hours for which an Idempotency-Key of an operation gives that operation.
    key_hours: float = 24.0

    #: Largest body of one request; of a batch. Past it the answer is 413, from Content-Length at once.
    body_limit: int = 256 * 1024
    batch_limit: int = 5 * 1024 * 1024
    #: Largest body of a request with attachments: 10 MB are 13.4 MB in base64. What stands beside the files still
    #: keeps `body_limit`. So many bodies above that are read and kept at once: while one is written, others wait.
    attachments_limit: int = 15 * 1024 * 1024
    large_bodies: int = 2
    batch_items: int = 1000
    #: Largest body of receipts: what SendGrid sends at once is the largest, 768 KB.
    receipts_limit: int = 1024 * 1024
    #: So many bodies of receipts above `body_limit`, or packed, are read at once, apart from those of callers.
    large_receipts: int = 4
    #: Threads that judge and store receipts, how many may wait, and for how long; a provider waits ten seconds or more.
    receipt_threads: int = 4
    receipt_queue: int = 64
    receipt_deadline: float = 9.0
    #: A connection that has begun no request by then, or not ended its headers, is closed.
    header_deadline: float = 10.0
    #: A body that is not whole by then is answered 408.
    body_deadline: float = 10.0
    #: An idle connection is closed after this long.
    keepalive: float = 75.0
    #: Past this many connections the one that has been idle longest is closed.
    connections: int = 900

    #: Rows a page of a list looks at before it ends early.
    examined: int = 10_000
    #: The longest a request waits for a read of storage before it is answered 503.
    read_deadline: float = 2.0
    #: Threads that read storage, and how many reads may wait for them.
    read_threads: int = 8
    read_queue: int = 256
    #: How long a key's row is believed without asking storage again; promise 16's bound.
    key_ttl: float = 2.0
    #: How many may follow the lanes' events at once in this process; the next is answered 503.
    lane_viewers: int = 50
    #: How long an answer of `/readyz` may be reused.
    health_ttl: float = 1.0
    #: A process whose last beat is older counts as gone.
    beat_fresh: float = 5.0

    #: At a stop: how long connections are still taken after "not ready", and how long answers may take.
    linger: float = 2.0
    drain: float = 10.0

    #: The channels in use: chat only where it has a provider. Every request asks for them.
    channels: tuple[Channel, ...] = field(init=False)
    _senders: Mapping[Platform, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", channels_with(self.providers))
        push = self.providers.get(Channel.PUSH, ())
        served = {
            one: tuple(name for name in push if one in (self.platforms.get(name) or Platform))
            for one in Platform
        }
        object.__setattr__(self, "_senders", served)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane in use."""
        return Lane.all(self.channels)

    def senders(self, recipient: Recipient) -> tuple[str, ...]:
        """The accounts that can send to `recipient`, the preferred one first."""
        names = self.providers.get(recipient.channel, ())
        if isinstance(recipient, ChatDestination):
            return tuple(name for name in names if name == recipient.name)
        if not isinstance(recipient, PushToken):
            return names
        return self._senders[recipient.platform]
