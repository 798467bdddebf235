"""RabbitMQ, as the relay sees it: over the publishing connection, so that it costs none of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from dramatiq.errors import ConnectionClosed
from pika import spec
from pika.channel import Channel

from notifier.domain.lanes import Lane
from notifier.queueing.messages import peek_id
from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.queueing.rabbitmq_link import ChannelLost, Link
from notifier.queueing.rabbitmq_topology import dead_name
from notifier.queueing.roads import Ring

log = structlog.get_logger("notifier.relay")


class RabbitmqRoad:
    """See `notifier.queueing.roads.Road`."""

    def __init__(self, broker: NotifierRabbitmqBroker, prefix: str) -> None:
        self._broker = broker
        self._queues = {lane: lane.queue(prefix) for lane in Lane.all()}

    def ready(self) -> Mapping[Lane, int] | None:
        """By passive declares; a queue that is gone counts as empty."""
        try:
            counts = self._broker.counts(list(self._queues.values()))
        except ConnectionClosed:
            return None
        return {lane: counts.get(name, (0, 0))[0] for lane, name in self._queues.items()}

    def has_room(self, lane: Lane) -> bool:
        """A quorum queue takes what the connection carries."""
        return self._broker.publisher().connected

    def drain_dead(self, ring: Ring, limit: int) -> int:
        """Get them unacked, ring, and only then ack: a death in between repeats a bell, never loses one."""
        if not self._broker.publisher().connected:
            return 0
        names = [dead_name(name) for name in self._queues.values()]
        try:
            channel, bodies = self._broker.over_connection(lambda link: _get(link, names, limit))
            ids = [found for body in bodies if (found := peek_id(body)) is not None]
            if ids:
                ring(ids)
            self._broker.over_connection(lambda link: _ack_all(link, channel, bool(bodies)))
        except ConnectionClosed as error:
            log.info("dead_letters_not_drained", error=type(error).__name__)
            return 0
        return len(bodies)


def _get(link: Link, names: Sequence[str], limit: int) -> tuple[Channel, list[bytes]]:
    channel = link.channel()
    bodies: list[bytes] = []
    for name in names:
        while len(bodies) < limit:
            try:
                body = link.call(channel, _getting(channel, name))
            except ChannelLost:
                # The queue is not there (yet), and with the channel what it had given goes back.
                return link.channel(), []
            if body is None:
                break
            bodies.append(body)
    return channel, bodies


def _getting(channel: Channel, name: str) -> Callable[[Callable[[Any], None]], None]:
    def start(done: Callable[[Any], None]) -> None:
        channel.add_callback(lambda _frame: done(None), [spec.Basic.GetEmpty], one_shot=True)
        channel.basic_get(name, callback=lambda _channel, _method, _properties, body: done(body))

    return start


def _ack_all(link: Link, channel: Channel, any_got: bool) -> None:
    if any_got and channel.is_open:
        channel.basic_ack(0, multiple=True)
    if channel.is_open:
        channel.close()
