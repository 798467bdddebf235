"""The publisher's thread: one connection, pipelined confirms, deadlines, probes, reconnection.

States, as callers see them: *connecting* (first time or just lost: groups wait, up to their deadline),
*up*, and *down* (an attempt failed, or an alarm of the broker blocks us: groups fail at once, so that
nothing piles up at the door; the outbox keeps them).
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pika
import pika.exceptions
import pika.spec
import structlog
from pika.channel import Channel

from notifier.queueing.rabbitmq_confirms import Confirms, Group
from notifier.queueing.rabbitmq_frames import publishing
from notifier.queueing.rabbitmq_link import Link, LinkLost
from notifier.queueing.rabbitmq_options import PublisherOptions
from notifier.queueing.rabbitmq_parameters import shuffled
from notifier.queueing.rabbitmq_topology import QueueMismatch, declare

log = structlog.get_logger(__name__)

#: Seconds between questions to the broker, and how old its last word may be while it counts as there.
PROBE, FRESH = 0.5, 1.9
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0

#: Something to do with the connection, in the publisher's thread.
Act = Callable[[Link], Any]


class PublisherThread(threading.Thread):
    """Owns the publishing connection; `submit` and `call` may be used from any thread."""

    def __init__(self, options: PublisherOptions) -> None:
        super().__init__(name="notifier-publisher", daemon=True)
        self._options = options
        self._lock = threading.Lock()
        self._inbox: deque[Group] = deque()
        self._calls: deque[tuple[Act, Future[Any]]] = deque()
        self._waiting = 0
        self._woken = False
        self._down = False
        self._closing = threading.Event()
        self._drain_until = float("inf")
        self._link: Link | None = None
        self._confirms = Confirms()
        self._heard = float("-inf")
        self._asked: float | None = None
        self._blocked = False
        self._redeclare = False

    @property
    def connected(self) -> bool:
        """Whether the broker answered within the last 2 s and takes messages."""
        link = self._link
        return link is not None and not link.blocked and time.monotonic() - self._heard < FRESH

    # From any thread.

    def submit(self, group: Group) -> None:
        """Take `group`, or fail it at once; never waits."""
        size = len(group.messages)
        with self._lock:
            refusal = self._refusal(size)
            if refusal is None:
                self._waiting += size
                self._inbox.append(group)
                asleep, self._woken = not self._woken, True
        if refusal is not None:
            group.fail(refusal)
        elif asleep:
            self._wake()

    def call(self, act: Act) -> "Future[Any]":
        """Run `act` with the link between two turns; the future fails with `LinkLost` without one."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            refused = self._down or self._closing.is_set()
            if not refused:
                self._calls.append((act, future))
        if refused:
            future.set_exception(LinkLost("the broker can't be reached"))
        else:
            self._wake()
        return future

    def finish(self, seconds: float) -> None:
        """Take nothing more, wait at most `seconds` for what is under way, then let go."""
        with self._lock:
            self._drain_until = time.monotonic() + seconds
            self._closing.set()
        self._wake()
        if self.is_alive():
            self.join(seconds + 3.0)

    def _refusal(self, size: int) -> str | None:
        if self._closing.is_set():
            return "the publisher is closed"
        if self._down:
            return "the broker can't be reached or takes no messages"
        if self._waiting + size > self._options.limit:
            return "too many messages wait to be published"
        return None

    def _wake(self) -> None:
        link = self._link
        if link is not None:
            link.wake(lambda: None)

    # The thread itself.

    def run(self) -> None:
        """Connect, serve, and connect again until `finish`."""
        delay, last = _FIRST_DELAY, None
        while not self._over():
            link = None
            heard = self._heard
            try:
                link = Link.open(self._order(last), tick=self._tick)
                self._serve(link)
            except (LinkLost, pika.exceptions.AMQPError, OSError) as error:
                reason = str(error)
            except Exception:
                log.exception("publisher_failed")
                reason = "an error of ours"
            else:
                reason = "closed"
            finally:
                self._let_go(link)
            last = link.parameters if link is not None else None
            fruitless = self._heard == heard
            if fruitless or self._over():
                self._fall(reason)
            else:
                log.warning("broker_lost", reason=reason)
            delay = min(delay * 2, _LONGEST_DELAY) if fruitless else _FIRST_DELAY
            self._closing.wait(delay * random.uniform(0.5, 1.0))
        self._fall("the publisher is closed")

    def _order(self, last: pika.ConnectionParameters | None) -> list[pika.ConnectionParameters]:
        """All brokers in a new order, the one that just failed at the end."""
        return sorted(shuffled(self._options.candidates), key=lambda candidate: candidate is last)

    def _over(self) -> bool:
        if not self._closing.is_set():
            return False
        return not self._inbox or self._down or time.monotonic() >= self._drain_until

    def _tick(self) -> bool:
        self._expire(time.monotonic())
        return not self._over()

    def _serve(self, link: Link) -> None:
        channel = self._open(link)
        while True:
            self._write(link, channel)
            self._run_calls(link)
            if self._closing.is_set() and (self._drained() or time.monotonic() >= self._drain_until):
                return
            link.pump(PROBE)
            if not channel.is_open:
                raise LinkLost("the broker closed the publishing channel")
            self._check(link, channel, time.monotonic())
            if self._redeclare:
                self._redeclare = False
                self._declare(link)

    def _open(self, link: Link) -> Channel:
        self._declare(link)
        channel = link.channel()
        channel.add_on_return_callback(self._on_return)
        link.call(channel, lambda done: channel.confirm_delivery(self._on_answer, callback=done))
        self._asked, self._blocked, self._heard = None, False, time.monotonic()
        self._link = link
        if self._down:
            log.info("broker_reached")
        self._down = False
        return channel

    def _declare(self, link: Link) -> None:
        """Declare all queues; where one differs, publishing goes on: what is refused stays owed."""
        for name in self._options.queue_names:
            try:
                declare(link, self._options.topology, [name]).close()
            except QueueMismatch as error:
                log.error("queue_mismatch", reason=str(error))

    def _write(self, link: Link, channel: Channel) -> None:
        self._woken = False  # before the inbox is read: who adds later wakes us again
        frames: list[bytes] = []
        self._collect(link, int(channel.channel_number), frames)
        link.write(b"".join(frames))

    def _collect(self, link: Link, number: int, frames: list[bytes]) -> None:
        """What the window has room for, as frames of the channel with this number."""
        now = time.monotonic()
        while self._inbox and not link.blocked:
            group = self._inbox[0]
            room = self._options.window - len(self._confirms)
            if room <= 0:
                return
            if not group.over:
                end = min(group.next + room, len(group.messages))
                for queue_name, body in group.messages[group.next : end]:
                    frames.append(publishing(number, queue_name, body))
                    self._confirms.sent(group, body, now)
                group.next = end
            if group.over or group.next == len(group.messages):
                self._drop()

    def _drop(self) -> Group:
        with self._lock:
            group = self._inbox.popleft()
            self._waiting -= len(group.messages)
        return group

    def _drained(self) -> bool:
        return not self._inbox and not self._confirms

    def _run_calls(self, link: Link) -> None:
        while self._calls:
            act, future = self._calls.popleft()
            try:
                future.set_result(act(link))
            except Exception as error:  # noqa: BLE001 - the caller's to judge
                future.set_exception(error)
            if link.lost is not None:
                raise LinkLost("lost during a call")

    def _check(self, link: Link, channel: Channel, now: float) -> None:
        """Deadlines, alarms and the probe."""
        self._expire(now)
        if link.blocked != self._blocked:
            self._blocked = self._down = link.blocked
            log.warning("broker_alarm" if link.blocked else "broker_alarm_over")
            self._confirms.restart(now)
            self._asked = None
        oldest = self._confirms.oldest()
        late = oldest is not None and now - oldest > self._options.confirm_seconds
        if link.blocked:
            # It will read on when the alarm is over; a new connection would only publish copies.
            if late:
                self._confirms.fail_all("the broker takes no messages")
            return
        unanswered = self._asked is not None and now - self._asked > self._options.confirm_seconds
        if late or unanswered:
            link.give_up(f"no confirm within {self._options.confirm_seconds:g} s")
        if self._asked is None and now - self._heard >= PROBE:
            self._asked = now
            channel.basic_qos(prefetch_count=1, callback=self._on_probe)

    def _expire(self, now: float) -> None:
        while self._inbox and (self._inbox[0].over or now >= self._inbox[0].deadline):
            self._drop().fail("not confirmed in time")

    def _on_probe(self, _frame: Any) -> None:
        self._asked, self._heard = None, time.monotonic()

    def _on_answer(self, frame: Any) -> None:
        method = frame.method
        taken = isinstance(method, pika.spec.Basic.Ack)
        self._confirms.answer(method.delivery_tag, method.multiple, taken)
        self._heard = time.monotonic()

    def _on_return(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        log.warning("message_returned", queue=method.routing_key)
        self._confirms.returned(body)
        self._redeclare = True

    def _let_go(self, link: Link | None) -> None:
        self._link = None
        self._confirms.fail_all("the connection was lost before the confirm")
        self._confirms = Confirms()
        if link is not None:
            link.close(2.0 if link.lost is None else 0.0)

    def _fall(self, reason: str) -> None:
        """Nobody is there: fail what waits, and what comes, until an attempt succeeds."""
        with self._lock:
            if not self._down and not self._closing.is_set():
                log.warning("broker_unreachable", reason=reason)
            self._down = True
            groups, calls = list(self._inbox), list(self._calls)
            self._inbox.clear()
            self._calls.clear()
            self._waiting = 0
        for group in groups:
            group.fail("the broker can't be reached")
        for _, future in calls:
            future.set_exception(LinkLost("the broker can't be reached"))
