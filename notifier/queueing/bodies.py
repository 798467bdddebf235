"""The door of both brokers: bodies become proxies or are counted as bad; nothing else gets in.

Both brokers speak only of lanes: a queue that is no lane's, a foreign encoder or a delay is refused
by name, because each of them breaks a promise in silence.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import dramatiq
import structlog
from dramatiq.encoder import JSONEncoder
from dramatiq.errors import ActorNotFound

from notifier.domain.lanes import STANDING, Lane
from notifier.queueing.broker import Epoch, Proxy, Settlement
from notifier.queueing.messages import BadMessage, QueueMessage, decode

log = structlog.get_logger(__name__)

#: Ends the delivery with this tag: True acks it, False nacks it.
Settle = Callable[[int, bool], None]


class BodyCheck:
    """Turns bodies into proxies; counts those that are not ours, by reason."""

    def __init__(
        self,
        prefix: str,
        on_bad_message: Callable[[str, str], None] | None = None,
        lanes: Iterable[Lane] | None = None,
    ) -> None:
        self.prefix: Final = prefix
        self.lanes: Final = {lane.queue(prefix): lane for lane in (lanes or Lane.all(STANDING))}
        self.bad_messages: Final[Counter[str]] = Counter()
        self._on_bad_message = on_bad_message
        self._lock = threading.Lock()

    def proxy(self, body: bytes, queue_name: str, tag: int, epoch: Epoch, settle: Settle) -> Proxy | None:
        """The proxy for `body`; a bad one is counted, logged without its text and nacked: None."""
        try:
            decoded, message = decode(body, queue_name, self.prefix)
        except BadMessage as bad:
            self._note(bad.reason, queue_name, len(body))
            settle(tag, False)
            return None
        return Proxy(message, decoded, epoch, Settlement(partial(settle, tag)))

    def checked(self, message: "dramatiq.Message[Any]", delay: int | None) -> QueueMessage:
        """The queue message in a Dramatiq message someone enqueues; raises `ValueError` if it is none."""
        if delay is not None:
            raise ValueError("messages can't be delayed at the broker: store a due time (send_at) instead")
        try:
            decoded, _ = decode(message.encode(), message.queue_name, self.prefix)
        except BadMessage as bad:
            raise ValueError(
                f"this is no message for {message.queue_name} ({bad.reason}): "
                "kwargs must be v, lane, id and units, and options must be empty"
            ) from None
        return decoded

    def require_lane(self, queue_name: str) -> Lane:
        """The lane of `queue_name`; raises `ValueError` for any other queue."""
        try:
            return self.lanes[queue_name]
        except KeyError:
            raise ValueError(
                f"queue {queue_name!r} is no lane's: actors take Lane.queue({self.prefix!r})"
            ) from None

    def _note(self, reason: str, queue_name: str, size: int) -> None:
        with self._lock:
            self.bad_messages[reason] += 1
        log.warning("bad_message", queue=queue_name, reason=reason, size=size)
        if self._on_bad_message is not None:
            try:
                self._on_bad_message(queue_name, reason)
            except Exception:
                log.exception("bad_message_hook_failed", queue=queue_name)


def require_json_encoder() -> None:
    """Raise `RuntimeError` unless Dramatiq speaks its own JSON: pickled bodies run code when read."""
    encoder = dramatiq.get_encoder()
    if type(encoder) is not JSONEncoder:
        raise RuntimeError(f"Dramatiq's encoder must be JSONEncoder, not {type(encoder).__name__}")


def nack_unknown_actor(message: dramatiq.MessageProxy) -> None:
    """Settle a message as dead when Dramatiq gave it up because no such actor is declared."""
    if isinstance(message, Proxy) and isinstance(message._exception, ActorNotFound):  # noqa: SLF001
        message.settlement.nack()
