"""What every provider is: built once per worker thread, given a deadline, answering an outcome.

Rules that the conformance suite (`tests/conformance/test_providers.py`) holds every provider to:

* `send` returns an outcome within the deadline and never raises for anything the network,
  the provider or the recipient did;
* after the request may have been written, no answer means `Uncertain`; before, `Deferred`;
* the raw answer is cut to 500 characters and holds no address, secret or body;
* one instance is used by one thread only; `close` may be called twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from notifier.domain.lanes import Channel
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Outcome
from notifier.domain.push_tokens import Platform
from notifier.domain.receipts import Reading, ReceiptRequest

if TYPE_CHECKING:  # only its name is needed here, and it builds on this module
    from notifier.providers.captured import Captured


class Deadline:
    """The moment by which a whole call must have ended, on the monotonic clock."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0


class SetupError(Exception):
    """A provider can't be built: a file that can't be read or is not what it should be. Its text is for operators."""


class Provider(Protocol):
    """A connection of one thread to one provider account."""

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """Make one attempt."""

    def close(self) -> None:
        """Let go of sockets."""


class ReceiptReader(Protocol):
    """Judges and reads what came to ``/v1/receipts/NAME`` for one account.

    Built once for each process and called by several threads at once, off the event loop: it may ask the network (for
    a certificate), within its `Deadline`. It never raises for anything that came in or that the network did.
    """

    def read(self, request: ReceiptRequest, deadline: Deadline) -> Reading:
        """The receipts in a request of the provider's; a request of anybody else's is `Forged`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A configured provider account: what its URL in Settings said.

    `name` identifies it in rows, logs and metrics (no secret in it); `build` makes a `Provider` for
    the calling thread; `timeout` is the whole call's bound in seconds.
    """

    name: str
    channel: Channel
    timeout: float
    build: Callable[[], Provider] = field(repr=False)
    #: Its part of the channel's messages, beside the others that name one; None: in the order of the list.
    weight: int | None = None
    #: What the account may send, in units a second and at once (None: the usual burst for the rate).
    rate: float | None = None
    burst: int | None = None
    #: Whether addresses with a non-ASCII local part can be sent to (SMTPUTF8, RFC 6531).
    utf8_addresses: bool = False
    #: Whose push tokens it can send to; None: those of every platform.
    platforms: frozenset[Platform] | None = None
    #: Makes what reads the account's receipts; None: it has none. Raises `SetupError` as `build` does.
    receipts: Callable[[], ReceiptReader] | None = field(default=None, repr=False)
    #: The status that tells the provider that a receipt is stored.
    receipts_status: int = 204


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDefaults:
    """What a provider's URL need not say: Settings' bounds in seconds, the senders, the dev aids.

    `capture` and `console_stream` (None: the standard output) are for the console provider only.
    """

    provider_timeout: float = 20.0
    smtp_timeout: float = 30.0
    connect_timeout: float = 5.0
    email_from: str = "notifier@localhost"
    sms_from: str | None = None
    capture: "Captured | None" = None
    console_stream: TextIO | None = None
