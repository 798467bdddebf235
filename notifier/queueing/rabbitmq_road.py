"""RabbitMQ, as the relay sees it: over the publishing connection, so that it costs none of its own."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

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

#: Seconds that one look at dead letters may keep the publishing thread; a confirm is due within 5.
LOOK_SECONDS = 2.0


class RabbitmqRoad:
    """See `notifier.queueing.roads.Road`."""

    def __init__(self, broker: NotifierRabbitmqBroker) -> None:
        self._broker = broker
        self._queues = {lane: name for name, lane in broker.bodies.lanes.items()}
        self._dead_names = [dead_name(name) for name in self._queues.values()]
        self._dead = _DeadLetters()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """See `notifier.queueing.roads.Road`."""
        return tuple(self._queues)

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
        try:
            self._broker.over_connection(self._dead.give_back)
            names = [name for name, (ready, _) in self._broker.counts(self._dead_names).items() if ready]
            if not names:
                return 0
            found = self._broker.over_connection(lambda link: self._dead.get(link, names, limit))
            ids = [one for one in found if one is not None]
            if ids:
                ring(ids)
            self._broker.over_connection(self._dead.ack)
        except ConnectionClosed as error:
            log.info("dead_letters_not_drained", error=type(error).__name__)
            return 0
        return len(found)


class _DeadLetters:
    """What is got from the dead-letter queues; all but the making runs in the publishing thread.

    Its channel stays open from one look to the next: a quorum queue takes the acks of some thirty gets at
    once and the rest later, and closing the channel before would put those back.
    """

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._held = 0
        self._answer: Callable[[bytes | None], None] = lambda _body: None

    def get(self, link: Link, names: Sequence[str], limit: int) -> list[UUID | None]:
        """The ids (None: without one) in up to `limit` messages of these queues, unacked until `ack`."""
        if self._channel is None or not self._channel.is_open:
            self._channel, self._held = self._open(link), 0
        try:
            return list(self._look(link, self._channel, names, limit))
        except ChannelLost:
            # A queue has gone just now, and with the channel what the others had given goes back.
            self._channel, self._held = None, 0
            return []

    def ack(self, _link: Link) -> None:
        """They have been rung for."""
        if self._held and self._channel is not None and self._channel.is_open:
            self._channel.basic_ack(0, multiple=True)
        self._held = 0

    def give_back(self, _link: Link) -> None:
        """What is still unacked could not be rung for, or nobody waited for it any more."""
        if self._held:
            if self._channel is not None and self._channel.is_open:
                self._channel.close()
            self._channel, self._held = None, 0

    def _open(self, link: Link) -> Channel:
        channel = link.channel()
        channel.add_callback(lambda _frame: self._answer(None), [spec.Basic.GetEmpty], one_shot=False)
        return channel

    def _ask(self, channel: Channel, name: str, done: Callable[[Any], None]) -> None:
        self._answer = done
        channel.basic_get(name, callback=lambda _channel, _method, _properties, body: done(body))

    def _look(self, link: Link, channel: Channel, names: Sequence[str], limit: int) -> Iterator[UUID | None]:
        end = time.monotonic() + LOOK_SECONDS
        for name in names:
            while self._held < limit and time.monotonic() < end:
                body = link.call(channel, partial(self._ask, channel, name))
                if body is None:
                    break
                self._held += 1
                # Only its id is kept: a poison may be as long as the broker lets it.
                yield peek_id(body)
