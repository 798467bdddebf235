"""A corner of the run's RabbitMQ: ours and each peer have their own, on the same server."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from benchmarks.stage import Stage
from tests.nodes.waiting import wait_until


class VirtualHost:
    """Made new; `url` leads there."""

    def __init__(self, stage: Stage, name: str) -> None:
        stage.rabbitmq.create_vhost(name)
        self.url = stage.rabbitmq.vhost_url(name)

    def ready_messages(self, queue: str) -> int:
        """Messages in a queue that nobody holds; 0 where there is no such queue yet."""
        with self._channel() as channel, contextlib.suppress(ChannelClosedByBroker):
            return int(channel.queue_declare(queue, passive=True).method.message_count)
        return 0

    def purge(self, queue: str) -> None:
        """Drop them, if there is such a queue."""
        wait_until(lambda: self._purged(queue), 15, f"{queue} to be purged")

    def _purged(self, queue: str) -> bool:
        try:
            with self._channel() as channel, contextlib.suppress(ChannelClosedByBroker):
                channel.queue_purge(queue)
        except ConnectionClosedByBroker:
            # 541: a quorum queue that is just being made has no leader yet.
            return False
        return True

    @contextlib.contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()
