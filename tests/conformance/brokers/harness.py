"""The two brokers behind one small interface, so that one suite holds both to the same promises."""

import itertools
import socket
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pika

from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.broker import Proxy
from notifier.queueing.embedded import EmbeddedBroker
from notifier.queueing.messages import QueueMessage
from notifier.queueing.rabbitmq import NotifierRabbitmqBroker

LANE = Lane(Channel.EMAIL, Priority.HIGH)


def new_messages(count: int, lane: Lane = LANE) -> list[QueueMessage]:
    """Messages for `count` new notifications."""
    now = datetime.now(UTC)
    return [QueueMessage(lane, uuid7(now)) for _ in range(count)]


class Harness:
    """What the suite does to a broker; subclasses say how."""

    broker: EmbeddedBroker | NotifierRabbitmqBroker

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.queue = LANE.queue(prefix)
        self._consumers = []

    def publish(self, messages: Sequence[QueueMessage]) -> list[QueueMessage]:
        """Publish and wait for the confirm."""
        self.publisher.publish(messages).result(60)
        return list(messages)

    def publish_new(self, count: int, lane: Lane = LANE) -> list[QueueMessage]:
        return self.publish(new_messages(count, lane))

    def consumer(self, prefetch: int = 100, lane: Lane = LANE, timeout: int = 200):
        consumer = self.broker.consume(lane.queue(self.prefix), prefetch=prefetch, timeout=timeout)
        self._consumers.append(consumer)
        return consumer

    def ready(self, lane: Lane = LANE) -> int:
        return self.broker.get_queue_message_counts(lane.queue(self.prefix))[0]

    def dead(self, lane: Lane = LANE) -> int:
        return self.broker.get_queue_message_counts(lane.queue(self.prefix))[2]

    def close(self) -> None:
        for consumer in self._consumers:
            consumer.close()
        self.publisher.close()
        self.broker.close()


class EmbeddedHarness(Harness):
    """The broker inside the process."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.broker = EmbeddedBroker(prefix, limit=100_000)
        self.publisher = self.broker.publisher()

    def put_body(self, body: bytes) -> None:
        self.broker.put_body(self.queue, body)

    def kill(self, consumer) -> None:
        consumer.kill()

    def dead_bodies(self) -> list[bytes]:
        return self.broker.dead_letters(self.queue)


class RabbitmqHarness(Harness):
    """A real RabbitMQ; `kill` cuts the consumer's socket."""

    _numbers = itertools.count(1)

    def __init__(self, url: str, lanes: Sequence[Lane]) -> None:
        super().__init__(f"t{next(self._numbers)}{uuid.uuid4().hex[:6]}.v1")
        self.url = url
        self.broker = NotifierRabbitmqBroker(url, prefix=self.prefix, middleware=[], lanes=lanes)
        self.publisher = self.broker.publisher()
        self.broker.declare_all(lanes)

    def put_body(self, body: bytes) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("", self.queue, body, mandatory=True)

    def kill(self, consumer) -> None:
        cut(consumer._link)

    def dead_bodies(self) -> list[bytes]:
        bodies = []
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            while (found := channel.basic_get(f"{self.queue}.XQ", auto_ack=True))[0] is not None:
                bodies.append(found[2])
        return bodies


def cut(link) -> None:
    """Cut a link's socket, as a firewall or a dying host would."""
    link._connection._transport._sock.shutdown(socket.SHUT_RDWR)


def take(consumer, count: int) -> list[Proxy]:
    """The next `count` messages; fails when they do not come."""
    taken: list[Proxy] = []
    idle = 0
    while len(taken) < count:
        proxy = next(consumer)
        if proxy is not None:
            taken.append(proxy)
        else:
            idle += 1
            assert idle < 75, f"only {len(taken)} of {count} messages came"
    return taken


def ids(proxies: Sequence[Proxy]) -> list[uuid.UUID]:
    return [proxy.decoded.id for proxy in proxies]


def nothing_comes(consumer, turns: int = 3) -> bool:
    """Whether the consumer, listening `turns` times its timeout, hears nothing."""
    return all(next(consumer) is None for _ in range(turns))
