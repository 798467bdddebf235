"""The queues of RabbitMQ: each lane's and its dead-letter queue (``.XQ``); no delay queues.

The arguments are fixed per prefix: declaring a queue again with any other is refused by the broker
(406), so a change takes a new prefix (``notifier.v2``). Measured on 3.10.8; see docs of quorum queues.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pika.channel import Channel

from notifier.domain.errors import NotifierError
from notifier.queueing.rabbitmq_link import ChannelLost, Link

QueueType = Literal["quorum", "classic"]

#: Milliseconds a dead letter stays for the relay to count and re-ring: 7 days.
DEAD_TTL = 7 * 24 * 3600 * 1000
_ACCESS_REFUSED, _NOT_FOUND, _PRECONDITION_FAILED = 403, 404, 406


class QueueMismatch(NotifierError):
    """A queue exists with other arguments than ours, or is missing and we may not create it."""


@dataclass(frozen=True, slots=True)
class Topology:
    """How queues are made: their type, and how many deliveries a message may have before it is dead.

    The limit counts every redelivery, also those of deploys, for all that was prefetched; never -1,
    which drops a message on its first redelivery before RabbitMQ 4.0.
    """

    queue_type: QueueType = "quorum"
    delivery_limit: int = 50

    def __post_init__(self) -> None:
        if self.queue_type not in {"quorum", "classic"}:
            raise ValueError("the queue type is quorum or classic")
        if self.delivery_limit < 1:
            raise ValueError("the delivery limit must be positive")

    def main_arguments(self, queue_name: str) -> dict[str, Any]:
        """The arguments of a lane's queue."""
        dead_letters = {
            "x-queue-type": self.queue_type,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead_name(queue_name),
        }
        if self.queue_type == "classic":
            return dead_letters
        return {
            **dead_letters,
            **_QUORUM,
            "x-delivery-limit": self.delivery_limit,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",  # at-least-once falls back in silence without it
        }

    def dead_arguments(self) -> dict[str, Any]:
        """The arguments of a dead-letter queue."""
        ends = {"x-queue-type": self.queue_type, "x-message-ttl": DEAD_TTL}
        return ends if self.queue_type == "classic" else {**ends, **_QUORUM}


_QUORUM = {"x-quorum-initial-group-size": 3, "x-queue-leader-locator": "balanced"}


def dead_name(queue_name: str) -> str:
    """The name of the dead-letter queue of `queue_name`."""
    return f"{queue_name}.XQ"


def declare(link: Link, topology: Topology, queue_names: Iterable[str]) -> Channel:
    """Declare lanes' queues and their ``.XQ``; returns a channel that is open.

    Where the user may not configure, it is enough that they exist. Raises `QueueMismatch` naming the
    queue and what differs.
    """
    channel = link.channel()
    for name in queue_names:
        # The dead-letter queue first: nothing may be dead-lettered into the void.
        channel = _declare(link, channel, dead_name(name), topology.dead_arguments())
        channel = _declare(link, channel, name, topology.main_arguments(name))
    return channel


def counts(link: Link, channel: Channel, queue_name: str) -> tuple[int, int] | None:
    """(ready messages, consumers) of a queue; None, and a closed channel, if there is none."""
    try:
        frame = link.call(
            channel, lambda done: channel.queue_declare(queue_name, passive=True, callback=done)
        )
    except ChannelLost as error:
        if error.code == _NOT_FOUND:
            return None
        raise
    return frame.method.message_count, frame.method.consumer_count


def _declare(link: Link, channel: Channel, name: str, arguments: dict[str, Any]) -> Channel:
    try:
        link.call(
            channel,
            lambda done: channel.queue_declare(name, durable=True, arguments=arguments, callback=done),
        )
    except ChannelLost as error:
        if error.code == _PRECONDITION_FAILED:
            raise QueueMismatch(f"queue {name} exists with other arguments: {error.text}") from None
        if error.code != _ACCESS_REFUSED:
            raise
        channel = link.channel()
        if counts(link, channel, name) is None:
            raise QueueMismatch(f"queue {name} is missing and this user may not create it") from None
    return channel
