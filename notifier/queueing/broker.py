"""The road between the halves: what both brokers (RabbitMQ and embedded) offer, and their proxies.

A message proxy carries three things besides the message:

* an **epoch**: the life of the connection that delivered it. When that ends, the broker will deliver
  the message again, so a copy that has not started must be dropped (`Epoch.over`);
* a **settlement**: the only way to end the message at the broker. Dramatiq's own `ack` and `nack` do
  nothing here, because Dramatiq acks an actor that raised. The recorder settles after its commit;
* a **grant**: leave from the gate to start now, through which provider account.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import dramatiq

from notifier.queueing.messages import QueueMessage


class Epoch:
    """The life of one consumer's connection; `over` once it is gone."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False

    def end(self) -> None:
        """From now on nothing this connection delivered may start or be settled."""
        self.over = True


class Settlement:
    """Ends one message at the broker, once, from any thread; late or second calls do nothing."""

    __slots__ = ("_done", "_settle")

    def __init__(self, settle: Callable[[bool], None]) -> None:
        self._settle = settle
        self._done = False

    @property
    def done(self) -> bool:
        """Whether it was settled."""
        return self._done

    def ack(self) -> None:
        """The message has done its work."""
        if not self._done:
            self._done = True
            self._settle(True)

    def nack(self) -> None:
        """The message is not ours or of a newer version: to the dead-letter queue with it."""
        if not self._done:
            self._done = True
            self._settle(False)


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to start one message now, through one provider account."""

    provider: str
    #: What the limits gave for it, one permit each; whoever does not use them hands them back.
    permits: tuple[Any, ...] = ()
    #: It is the one call by which the fleet finds out whether the account is well again.
    probe: bool = False


@dataclass(frozen=True, slots=True)
class NotBefore:
    """No leave yet: ask again `seconds` from now.

    `asking`: the answer is under way, so it is too early to go elsewhere.
    """

    seconds: float
    asking: bool = False


class Proxy(dramatiq.MessageProxy):
    """A delivered message with its epoch, settlement and, once started, its grant."""

    def __init__(
        self, message: dramatiq.Message[Any], decoded: QueueMessage, epoch: Epoch, settlement: Settlement
    ) -> None:
        super().__init__(message)
        self.decoded = decoded
        self.epoch = epoch
        self.settlement = settlement
        self.grant: Grant | None = None
        #: How the call went, for whoever hands out threads: well, badly, or (None) there was none.
        self.ok: bool | None = None
        #: Made at the first claim and kept, so that asking again can't find a stranger's claim.
        self.claim_id: int | None = None
        #: The spans of the attempt, where it is traced.
        self.trace: Any = None


class Publisher(Protocol):
    """Puts messages on the road; any thread may call it."""

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached right now."""

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        """Resolves when every message is confirmed; fails with `NotConfirmed` when any is not.

        Never blocks on the network. A failed group may have been taken in part: publish it again,
        a copy costs one claim that finds nothing to do.
        """

    def close(self) -> None:
        """Wait briefly for what is under way, then let go of the connection."""
