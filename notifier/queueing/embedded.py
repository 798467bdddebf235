"""A Dramatiq broker inside one process, for `notifier dev`: no server, the same promises.

It passes the conformance suite of the RabbitMQ broker. What it holds dies with the process, which
loses nothing: the database is the truth and the relay rings again.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import dramatiq
import structlog
from dramatiq.errors import ConnectionClosed, QueueJoinTimeout

from notifier.domain.errors import NotConfirmed
from notifier.domain.lanes import Lane
from notifier.queueing.bodies import BodyCheck, nack_unknown_actor, require_json_encoder
from notifier.queueing.broker import Epoch, Proxy
from notifier.queueing.embedded_queue import EmbeddedQueue
from notifier.queueing.hooks import QuickHooks
from notifier.queueing.messages import QueueMessage

log = structlog.get_logger(__name__)


class EmbeddedBroker(QuickHooks):
    """Lanes in memory: each queue holds at most `limit` ready messages.

    A group that does not fit whole is refused with `NotConfirmed`; when a queue that refused has room
    again, `on_room(queue_name)` is called from a consumer's thread.
    """

    def __init__(
        self,
        prefix: str,
        limit: int = 1000,
        middleware: list[dramatiq.Middleware] | None = None,
        *,
        on_room: Callable[[str], None] | None = None,
        on_bad_message: Callable[[str, str], None] | None = None,
        lanes: Iterable[Lane] | None = None,
    ) -> None:
        require_json_encoder()
        super().__init__(middleware=middleware or [])
        self.bodies = BodyCheck(prefix, on_bad_message, lanes)
        #: Called with a queue's name when it has room again; may be set after the start.
        self.on_room = on_room
        self._all = {name: EmbeddedQueue(name, limit, self._room) for name in self.bodies.lanes}
        self._closed = False
        self._publishing = threading.Lock()

    @property
    def bad_messages(self) -> Counter[str]:
        """How many bodies were not ours, by reason."""
        return self.bodies.bad_messages

    def publisher(self) -> "EmbeddedPublisher":
        """A `Publisher` into this broker."""
        return EmbeddedPublisher(self)

    def declare_queue(self, queue_name: str) -> None:
        """Note a lane's queue. No delay queue comes with it."""
        self.bodies.require_lane(queue_name)
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = self._all[queue_name]
            self.emit_after("declare_queue", queue_name)

    def declare_all(self, lanes: Iterable[Lane]) -> None:
        """Nothing: every lane's queue is there."""

    def enqueue(
        self, message: "dramatiq.Message[Any]", *, delay: int | None = None
    ) -> "dramatiq.Message[Any]":
        """Publish one message; raises `NotConfirmed` when there is no room, `ValueError` if it is not ours."""
        checked = self.bodies.checked(message, delay)
        self.emit_before("enqueue", message, delay)
        self.put([checked])
        self.emit_after("enqueue", message, delay)
        return message

    def put(self, messages: Sequence[QueueMessage]) -> None:
        """Put all of `messages` into their queues, or none and raise `NotConfirmed`."""
        bodies: dict[str, list[bytes]] = {}
        for message in messages:
            name = message.lane.queue(self.bodies.prefix)
            bodies.setdefault(name, []).append(message.encode(self.bodies.prefix))
        with self._publishing:  # room only grows while it is held, so what was admitted still fits
            if self._closed:
                raise NotConfirmed("the broker is closed")
            # A channel that is not used any more has no queue; what waits for it is kept in storage.
            full = [name for name, group in bodies.items() if not self._admits(name, len(group))]
            if full:
                raise NotConfirmed(f"no room in {', '.join(full)}")
            for name, group in bodies.items():
                self._all[name].put(group)

    def _admits(self, name: str, count: int) -> bool:
        return name in self._all and self._all[name].admits(count)

    def put_body(self, queue_name: str, body: bytes) -> None:
        """Put a raw body into a queue as a stranger would; it is checked when it is delivered."""
        self._all[queue_name].put([body])

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> "EmbeddedConsumer":
        """A consumer of one lane; `timeout` in milliseconds."""
        require_json_encoder()
        self.bodies.require_lane(queue_name)
        if self._closed:
            raise ConnectionClosed("the broker is closed")  # type: ignore[no-untyped-call]
        queue = self._all[queue_name]
        return EmbeddedConsumer(queue, self.bodies, queue.prefetch or prefetch, timeout)

    def set_prefetch(self, queue_name: str, prefetch: int) -> None:
        """Let each consumer of a lane hold up to `prefetch` messages unacked, now and later."""
        if prefetch < 1:
            raise ValueError("prefetch is at least 1")
        self._all[queue_name].set_prefetch(prefetch)

    def counts(self, queue_names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(ready messages, consumers) of each queue."""
        return {name: self._all[name].counts() for name in queue_names}

    def dead_letters(self, queue_name: str) -> list[bytes]:
        """The last dead letters of a queue."""
        return list(self._all[queue_name].dead)

    def drain_dead(self, use: Callable[[list[bytes]], None], limit: int) -> int:
        """Give `use` up to `limit` dead letters and remove them once it has returned; says how many."""
        taken = {queue: list(queue.dead)[:limit] for queue in self._all.values()}
        bodies = [body for of_queue in taken.values() for body in of_queue][:limit]
        if not bodies:
            return 0
        use(bodies)
        left = len(bodies)
        for queue, of_queue in taken.items():
            for _ in of_queue[:left]:
                queue.dead.popleft()
            left -= min(left, len(of_queue))
        return len(bodies)

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        """Ready messages in a queue, in its delay queue (none), and its dead letters so far."""
        queue = self._all[queue_name]
        return queue.counts()[0], 0, queue.dead_count

    def flush(self, queue_name: str) -> None:
        """Drop all ready messages and the dead letters of a queue."""
        self._all[queue_name].flush()

    def flush_all(self) -> None:
        """Drop all ready messages and dead letters."""
        for queue in self._all.values():
            queue.flush()

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until nothing is ready nor unacked in a queue; `timeout` in milliseconds."""
        if not self._all[queue_name].wait_empty(None if timeout is None else timeout / 1000):
            raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Take nothing more and end every consumer."""
        with self._publishing:
            self._closed = True
        for queue in self._all.values():
            queue.end_all()

    @property
    def open(self) -> bool:
        """Whether it takes messages."""
        return not self._closed

    def _room(self, queue_name: str) -> None:
        if self.on_room is not None:
            try:
                self.on_room(queue_name)
            except Exception:
                log.exception("on_room_failed", queue=queue_name)


class EmbeddedPublisher:
    """A `Publisher` whose groups are confirmed, or refused, at once."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the broker takes messages."""
        return self._broker.open and not self._closed

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        """Resolves at once; fails with `NotConfirmed` when a queue has no room for its part."""
        future: Future[None] = Future()
        try:
            if self._closed:
                raise NotConfirmed("the publisher is closed")  # noqa: TRY301 - one way out for both
            self._broker.put(messages)
        except NotConfirmed as error:
            future.set_exception(error)
        else:
            future.set_result(None)
        return future

    def close(self) -> None:
        """Publish nothing more."""
        self._closed = True


class EmbeddedConsumer(dramatiq.Consumer):
    """One lane's consumer: `next()` answers a `Proxy`, or None after `timeout` ms."""

    def __init__(self, queue: EmbeddedQueue, bodies: BodyCheck, prefetch: int, timeout: int) -> None:
        self._queue = queue
        self._bodies = bodies
        self._timeout = timeout / 1000
        self._share = queue.subscribe(prefetch)
        self._settle = partial(queue.settle, self._share)

    @property
    def epoch(self) -> Epoch:
        """This consumer's life."""
        return self._share.epoch

    def __next__(self) -> Proxy | None:
        taken = self._queue.take(self._share, self._timeout)
        while taken is not None:
            tag, body = taken
            proxy = self._bodies.proxy(body, self._queue.name, tag, self.epoch, self._settle)
            if proxy is not None:
                return proxy
            taken = self._queue.take(self._share, 0.0)
        if self.epoch.over:
            raise ConnectionClosed("the consumer has ended")  # type: ignore[no-untyped-call]
        return None

    def set_prefetch(self, prefetch: int) -> None:
        """From any thread: hold up to `prefetch` messages unacked."""
        self._queue.set_prefetch(prefetch, self._share)

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Nothing: Dramatiq acks an actor that raised. The recorder settles."""

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Only a message that this process has no actor for is dead; all else waits for its settlement."""
        nack_unknown_actor(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Nothing: what is unacked comes back when the consumer ends."""

    def close(self) -> None:
        """End the epoch; what is unacked returns to the front of the queue."""
        self._queue.end(self._share)

    def kill(self) -> None:
        """As a cut connection would: the same as `close`, at any moment, from any thread."""
        self._queue.end(self._share)
