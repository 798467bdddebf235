"""Every message that is published in a virtual host, as RabbitMQ's firehose copies it (rabbitmq.com/firehose)."""

from collections import Counter
from types import TracebackType
from typing import Self

import pika

from notifier.domain.ids import notification_id
from notifier.queueing.messages import peek_id
from tests.nodes.rabbitmq import RabbitmqNode

_EXCHANGE = "amq.rabbitmq.trace"
_QUEUE = "storm.published"


class Firehose:
    """Use it as a context: inside, publishes are copied into a queue of ours that `published` empties."""

    def __init__(self, node: RabbitmqNode, vhost_url: str) -> None:
        self._node, self._vhost = node, vhost_url.rpartition("/")[2]
        parameters = pika.URLParameters(vhost_url)
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._channel.queue_declare(_QUEUE, exclusive=True)
        self._channel.queue_bind(_QUEUE, _EXCHANGE, "publish.#")
        self._node.ctl("trace_on", "-p", self._vhost)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._node.ctl("trace_off", "-p", self._vhost)
        self._connection.close()

    def published(self) -> Counter[str]:
        """How many messages were published so far for each notification, by its id."""
        while True:
            method, _, body = self._channel.basic_get(_QUEUE, auto_ack=True)
            if method is None:
                return self._counts
            found = peek_id(body or b"")
            if found is not None:
                self._counts[notification_id(found)] += 1
