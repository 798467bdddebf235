"""One lane's consumer: deliveries in, coalesced acks out, all fenced to its own connection.

A consumer lives as long as its connection. Delivery tags start again at 1 on the next one, where an
old tag would end a *different* message: so a settlement holds the consumer that delivered, and does
nothing once that consumer's epoch is over. Worker threads only append to a deque and, once a batch or
after a moment (`ack_clock`), wake the connection; the consumer's own thread writes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import dramatiq
import pika.exceptions
import structlog
from dramatiq.errors import ConnectionClosed

from notifier.queueing.ack_clock import AckClock
from notifier.queueing.acks import AckLedger
from notifier.queueing.bodies import BodyCheck, nack_unknown_actor
from notifier.queueing.broker import Epoch, Proxy
from notifier.queueing.rabbitmq_hosts import Hosts
from notifier.queueing.rabbitmq_link import Link, LinkLost
from notifier.queueing.rabbitmq_topology import Topology, declare

log = structlog.get_logger(__name__)

#: Seconds that `close` gives the broker to take the last acks.
CLOSE_SECONDS = 3.0
#: Seconds of silence before the broker is asked whether it is there, and that it has for its answer: a
#: frozen node keeps its connections, and its lanes would stand still until its heartbeats are missed.
QUIET, ANSWER = 1.0, 5.0
#: Seconds between two looks.
_LOOK = 0.5


class RabbitmqConsumer(dramatiq.Consumer):
    """What Dramatiq's consumer thread turns: `next()` answers a `Proxy`, or None after `timeout` ms.

    Raises `ConnectionClosed` where the connection can't be made or is lost; Dramatiq then makes a
    new consumer after its restart delay of 3 s.
    """

    def __init__(
        self,
        hosts: Hosts,
        topology: Topology,
        bodies: BodyCheck,
        queue_name: str,
        *,
        prefetch: int,
        timeout: int,
        clock: AckClock,
    ) -> None:
        self.queue_name = queue_name
        self.epoch = Epoch()
        #: How many messages the broker was told are done, and how many are dead letters.
        self.acked, self.nacked = 0, 0
        self._bodies = bodies
        self._timeout = timeout / 1000
        self._arrived: deque[tuple[int, bytes]] = deque()
        self._settled: deque[tuple[int, bool]] = deque()
        self._waking = self._resting = False
        self._clock = clock
        self._ledger = AckLedger()
        self._last_tag = 0
        self._cancelled = False
        self._prefetch, self._wanted = prefetch, prefetch
        self._changing = False
        self._asked: float | None = None
        self._hosts = hosts
        try:
            self._link = Link.open(hosts, self.epoch.end)
        except LinkLost as error:
            raise ConnectionClosed(str(error)) from None  # type: ignore[no-untyped-call]
        try:
            self._start(topology)
        except BaseException as error:
            self.epoch.end()
            self._link.close(1.0)
            if isinstance(error, (LinkLost, pika.exceptions.AMQPError)):
                raise ConnectionClosed(str(error)) from None  # type: ignore[no-untyped-call]
            raise

    def _start(self, topology: Topology) -> None:
        channel = declare(self._link, topology, [self.queue_name])
        channel.add_on_close_callback(lambda *_: self.epoch.end())
        channel.add_on_cancel_callback(self._on_cancel)
        self._channel = channel
        self._link.call(channel, lambda done: channel.basic_qos(prefetch_count=self._prefetch, callback=done))
        tags: list[str] = []
        self._link.call(
            channel,
            lambda done: tags.append(channel.basic_consume(self.queue_name, self._on_message, callback=done)),
        )
        self._consumer_tag = tags[0]

    def __next__(self) -> Proxy | None:
        """The next good message; bad ones are nacked on the way."""
        if self._cancelled:
            raise ConnectionClosed("the broker cancelled the consumer: its queue was deleted or moved")  # type: ignore[no-untyped-call]
        if not self._arrived:
            self._wait()
        while self._arrived:
            if self.epoch.over:
                break
            tag, body = self._arrived.popleft()
            proxy = self._bodies.proxy(body, self.queue_name, tag, self.epoch, self._settle)
            if proxy is not None:
                return proxy
        if self.epoch.over:
            self._arrived.clear()
            raise ConnectionClosed("the consumer's connection is gone")  # type: ignore[no-untyped-call]
        return None

    def _wait(self) -> None:
        deadline = time.monotonic() + self._timeout
        try:
            while not (self._arrived or self._cancelled or self.epoch.over):
                self._flush()
                remaining = deadline - time.monotonic()
                self._link.pump(min(max(remaining, 0.0), _LOOK))
                self._ask()
                if remaining <= 0:
                    return
        except (LinkLost, pika.exceptions.AMQPError) as error:
            self.epoch.end()
            self._hosts.failed(self._link.parameters)
            raise ConnectionClosed(str(error)) from None  # type: ignore[no-untyped-call]

    def _ask(self) -> None:
        """Have a silent broker say something; raises `LinkLost` when it does not."""
        now = time.monotonic()
        if self._link.quiet < QUIET:
            self._asked = None
        elif self._asked is None:
            self._asked = now
            # Says what it has been told already, and acts on no consumer that is there.
            self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _frame: None)
        elif now - self._asked > ANSWER:
            self._link.give_up(f"no answer within {ANSWER:g} s")

    # Settling: any thread appends, the owner writes.

    def _settle(self, tag: int, done: bool) -> None:
        if self.epoch.over:
            return
        self._settled.append((tag, done))
        # Appended before a flag is read, the flags cleared before the deque is drained: no tag is missed.
        if not done or len(self._settled) >= self._prefetch // 2:
            # The broker may have nothing more to deliver until it hears of these.
            self._wake()
        elif not self._resting:
            self._resting = True
            self._clock.soon(self._wake)

    def _wake(self) -> None:
        if not self._waking and not self.epoch.over:
            self._waking = True
            self._link.wake(self._flush)

    def _flush(self) -> None:
        """Write what is settled: nacks first, so that a multiple ack never covers one."""
        self._waking = self._resting = False
        if not self._settled or self.epoch.over or not self._channel.is_open:
            return
        acks: list[int] = []
        for _ in range(len(self._settled)):
            tag, done = self._settled.popleft()
            if done:
                acks.append(tag)
            else:
                self._channel.basic_nack(tag, requeue=False)
                self._ledger.settled_elsewhere((tag,))
                self.nacked += 1
        if acks:
            for tag, multiple in self._ledger.ack(acks):
                self._channel.basic_ack(tag, multiple)
            self.acked += len(acks)

    # Prefetch: basic_qos acts only on consumers made after it, so a second one takes over.

    def set_prefetch(self, prefetch: int) -> None:
        """From any thread: let the broker have up to `prefetch` messages unacked here."""
        self._wanted = prefetch
        if not self.epoch.over:
            self._link.wake(self._change)

    def _change(self) -> None:
        if self._changing or self._wanted == self._prefetch or self._cancelled:
            return
        if self.epoch.over or not self._channel.is_open:
            return
        self._changing, self._prefetch = True, self._wanted
        former = self._consumer_tag
        self._channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _frame: None)
        self._consumer_tag = self._channel.basic_consume(
            self.queue_name, self._on_message, callback=partial(self._take_over, former)
        )

    def _take_over(self, former: str, _frame: Any) -> None:
        if self._channel.is_open:
            self._channel.basic_cancel(former, callback=self._changed)

    def _changed(self, _frame: Any) -> None:
        self._changing = False
        self._change()

    def _on_message(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        tag = method.delivery_tag
        if tag != self._last_tag + 1:
            # pika gives back what still arrives for a consumer that is being cancelled.
            self._ledger.settled_elsewhere(range(self._last_tag + 1, tag))
        self._last_tag = tag
        self._arrived.append((tag, body))

    def _on_cancel(self, _frame: Any) -> None:
        self._cancelled = True

    # What Dramatiq calls; none of these may raise, and none settles a message that ran.

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Nothing: Dramatiq acks an actor that raised. The recorder settles."""

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Only a message that this process has no actor for is dead; all else waits for its settlement."""
        nack_unknown_actor(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Nothing: what is unacked comes back when the connection closes."""

    def close(self) -> None:
        """Write the last acks, within 3 s, then end the epoch and the connection. May be called again."""
        try:
            self._attempt(self._flush)
            self.epoch.end()
            self._link.close(CLOSE_SECONDS)
        except Exception:
            log.exception("consumer_close_failed", queue=self.queue_name)

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except pika.exceptions.AMQPError:
            self.epoch.end()
