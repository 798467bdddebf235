"""Dramatiq's broker on RabbitMQ, made safe: see `rabbitmq_consumer` and `rabbitmq_publisher`.

A process keeps one connection per consumed lane and one for all else. Nothing connects before it is
used, so the broker may be made before a fork.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed, QueueJoinTimeout

from notifier.domain.lanes import STANDING, Lane
from notifier.queueing import rabbitmq_topology
from notifier.queueing.ack_clock import AckClock
from notifier.queueing.bodies import BodyCheck, require_json_encoder
from notifier.queueing.hooks import QuickHooks
from notifier.queueing.rabbitmq_consumer import RabbitmqConsumer
from notifier.queueing.rabbitmq_hosts import Hosts
from notifier.queueing.rabbitmq_link import ChannelLost, Link, LinkLost
from notifier.queueing.rabbitmq_parameters import parameters
from notifier.queueing.rabbitmq_publisher import RabbitmqPublisher
from notifier.queueing.rabbitmq_publishing import Act
from notifier.queueing.rabbitmq_topology import QueueType, Topology, dead_name

#: What AMQP's 16 bits hold.
MAX_PREFETCH = 65535
#: Seconds to wait for an answer about queues.
_CALL_SECONDS = 15.0


class NotifierRabbitmqBroker(QuickHooks, RabbitmqBroker):
    """Lanes on RabbitMQ: no delay queues, confirmed publishes, settlements instead of acks.

    `url` may name several brokers, separated by ``;``; `lanes` (by default those that there always are) are those
    whose queues the publisher declares on each of its connections. Raises `ValueError` for a URL that can't be
    read and `RuntimeError` for a foreign encoder.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        queue_type: QueueType = "quorum",
        delivery_limit: int = 50,
        middleware: list[dramatiq.Middleware] | None = None,
        confirm_seconds: float = 5.0,
        lanes: Sequence[Lane] | None = None,
        ca_file: str | None = None,
        on_bad_message: Callable[[str, str], None] | None = None,
    ) -> None:
        require_json_encoder()
        super().__init__(middleware=middleware or [])
        self.parameters = parameters(url, ca_file=ca_file, name="notifier consumer")
        self._hosts = Hosts(self.parameters)
        self.topology = Topology(queue_type, delivery_limit)
        # Those that there always are may be consumed even where somebody else declares them.
        known = dict.fromkeys((*Lane.all(STANDING), *(lanes or ())))
        self.bodies = BodyCheck(prefix, on_bad_message, known)
        self._publisher = RabbitmqPublisher(
            url,
            prefix=prefix,
            confirm_seconds=confirm_seconds,
            topology=self.topology,
            lanes=lanes,
            ca_file=ca_file,
        )
        self._confirm_seconds = confirm_seconds
        self._ack_clock = AckClock()
        self._consumers: dict[str, RabbitmqConsumer] = {}
        self._prefetch: dict[str, int] = {}
        self._consumers_lock = threading.Lock()

    @property
    def bad_messages(self) -> Counter[str]:
        """How many bodies were not ours, by reason."""
        return self.bodies.bad_messages

    def publisher(self) -> RabbitmqPublisher:
        """The process's publisher, which this broker closes."""
        return self._publisher

    # Queues.

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Note a lane's queue; its consumer and the publisher declare it. No delay queue comes with it."""
        lane = self.bodies.require_lane(queue_name)
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self.declare_all([lane])

    def declare_all(self, lanes: Iterable[Lane]) -> None:
        """Declare the queues of `lanes` at the broker (passively where it refuses us more).

        Raises `QueueMismatch` naming the queue and what differs, `ConnectionClosed` without a broker.
        """
        names = [lane.queue(self.bodies.prefix) for lane in lanes]
        self._call(lambda link: rabbitmq_topology.declare(link, self.topology, names).close())

    # Messages.

    def enqueue(
        self, message: "dramatiq.Message[Any]", *, delay: int | None = None
    ) -> "dramatiq.Message[Any]":
        """Publish one message and wait for the confirm; raises `NotConfirmed` or, if not ours, `ValueError`."""
        checked = self.bodies.checked(message, delay)
        self.emit_before("enqueue", message, delay)
        self._publisher.publish([checked]).result(self._confirm_seconds * 3 + _CALL_SECONDS)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> RabbitmqConsumer:
        """A consumer on its own connection; `timeout` in milliseconds."""
        require_json_encoder()
        self.bodies.require_lane(queue_name)
        prefetch = self._prefetch.get(queue_name, prefetch)
        consumer = RabbitmqConsumer(
            self._hosts,
            self.topology,
            self.bodies,
            queue_name,
            prefetch=prefetch,
            timeout=timeout,
            clock=self._ack_clock,
        )
        with self._consumers_lock:
            self._consumers[queue_name] = consumer
            wanted = self._prefetch.get(queue_name, prefetch)
        if wanted != prefetch:
            consumer.set_prefetch(wanted)
        return consumer

    def set_prefetch(self, queue_name: str, prefetch: int) -> None:
        """Let this process have up to `prefetch` messages of a lane unacked, now and after reconnecting."""
        if not 1 <= prefetch <= MAX_PREFETCH:
            raise ValueError(f"prefetch is 1 to {MAX_PREFETCH}")
        with self._consumers_lock:
            self._prefetch[queue_name] = prefetch
            consumer = self._consumers.get(queue_name)
        if consumer is not None:
            consumer.set_prefetch(prefetch)

    # Looking.

    def counts(self, queue_names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(ready messages, consumers) of each queue that exists; raises `ConnectionClosed`."""
        return self._call(partial(_counts, names=list(queue_names)))  # type: ignore[no-any-return]

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        """Ready messages in a queue, in its delay queue (none) and in its dead-letter queue."""
        found = self.counts([queue_name, dead_name(queue_name)])
        return found.get(queue_name, (0, 0))[0], 0, found.get(dead_name(queue_name), (0, 0))[0]

    def flush(self, queue_name: str) -> None:
        """Drop all ready messages of a queue and of its dead-letter queue."""
        self._call(partial(_purge, names=[queue_name, dead_name(queue_name)]))

    def join(
        self,
        queue_name: str,
        min_successes: int = 10,
        idle_time: int = 100,
        *,
        timeout: int | None = None,
    ) -> None:
        """Wait until nothing is ready in a queue; for tests. Times in milliseconds."""
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        pause, successes = threading.Event(), 0
        while successes < min_successes:
            if deadline is not None and time.monotonic() >= deadline:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]
            empty = self.get_queue_message_counts(queue_name)[0] == 0
            successes = successes + 1 if empty else 0
            pause.wait(idle_time / 1000)

    def close(self) -> None:
        """Let go of the publishing connection; each consumer is closed by its thread."""
        self._publisher.close()

    def __repr__(self) -> str:
        return f"<NotifierRabbitmqBroker {self._publisher!r} pid={os.getpid()}>"

    def over_connection(self, act: Act) -> Any:
        """Do `act` over the publishing connection, in its thread; raises `ConnectionClosed`."""
        return self._call(act)

    def _call(self, act: Act) -> Any:
        try:
            return self._publisher.call(act).result(_CALL_SECONDS)
        except (LinkLost, FutureTimeoutError) as error:
            raise ConnectionClosed(str(error) or "the broker did not answer in time") from None  # type: ignore[no-untyped-call]


def _counts(link: Link, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    channel = link.channel()
    for name in names:
        count = rabbitmq_topology.counts(link, channel, name)
        if count is None:
            channel = link.channel()
        else:
            found[name] = count
    channel.close()
    return found


def _purge(link: Link, names: Sequence[str]) -> None:
    channel = link.channel()
    for name in names:
        try:
            link.call(channel, partial(_purge_one, channel, name))
        except ChannelLost:
            channel = link.channel()
    channel.close()


def _purge_one(channel: Any, name: str, done: Callable[[Any], None]) -> None:
    channel.queue_purge(name, callback=done)
