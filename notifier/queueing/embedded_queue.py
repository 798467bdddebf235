"""One lane's queue inside the process: a bounded FIFO with deliveries, redeliveries and dead letters.

It keeps RabbitMQ's rules: a delivered message stays the queue's until it is settled; when its consumer
ends it returns to the front, in order; a settlement of an ended consumer finds nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

from notifier.queueing.broker import Epoch

#: Dead letters kept per queue; older ones are dropped, since the database decides a message's fate.
DEAD_KEPT = 1000


class Subscription:
    """One consumer's share of a queue: what it holds unacked, by tag, in order of delivery."""

    __slots__ = ("epoch", "prefetch", "tags", "unacked")

    def __init__(self, prefetch: int) -> None:
        self.prefetch = prefetch
        self.epoch = Epoch()
        self.unacked: dict[int, bytes] = {}
        self.tags = count(1)


class EmbeddedQueue:
    """A FIFO of bodies; every method may be called from any thread.

    `limit` bounds what is ready; redelivered messages may go beyond it. `on_room` is called, without
    any lock held, once a queue that refused a group has half of its room (and the group's) again.
    """

    def __init__(self, name: str, limit: int, on_room: Callable[[str], None]) -> None:
        self.name = name
        self.dead: deque[bytes] = deque(maxlen=DEAD_KEPT)
        self.dead_count = 0
        #: What `set_prefetch` said last, for consumers to come.
        self.prefetch: int | None = None
        self._limit = limit
        self._on_room = on_room
        self._changed = threading.Condition()
        self._ready: deque[bytes] = deque()
        self._subscriptions: set[Subscription] = set()
        self._signal_at: int | None = None

    def admits(self, size: int) -> bool:
        """Whether `size` more bodies fit; if not, `on_room` will tell when they do (unless never)."""
        with self._changed:
            if len(self._ready) + size <= self._limit:
                return True
            if size <= self._limit:
                self._signal_at = min(self._limit // 2, self._limit - size)
            return False

    def put(self, bodies: Sequence[bytes]) -> None:
        """Add bodies at the end; ask `admits` first."""
        with self._changed:
            self._ready.extend(bodies)
            self._changed.notify_all()

    def subscribe(self, prefetch: int) -> Subscription:
        """A new consumer's share."""
        subscription = Subscription(prefetch)
        with self._changed:
            self._subscriptions.add(subscription)
        return subscription

    def take(self, subscription: Subscription, seconds: float) -> tuple[int, bytes] | None:
        """The next (tag, body) within `seconds`; None when there is none or the share has ended."""
        with self._changed:
            self._changed.wait_for(lambda: subscription.epoch.over or self._due(subscription), seconds)
            if subscription.epoch.over or not self._due(subscription):
                return None
            tag, body = next(subscription.tags), self._ready.popleft()
            subscription.unacked[tag] = body
            room = self._signal_at is not None and len(self._ready) <= self._signal_at
            if room:
                self._signal_at = None
        if room:
            self._on_room(self.name)
        return tag, body

    def settle(self, subscription: Subscription, tag: int, done: bool) -> None:
        """End a delivery: done, or dead. Nothing happens to one that is not this share's any more."""
        with self._changed:
            body = subscription.unacked.pop(tag, None)
            if body is None:
                return
            if not done:
                self.dead.append(body)
                self.dead_count += 1
            self._changed.notify_all()

    def set_prefetch(self, prefetch: int, only: Subscription | None = None) -> None:
        """From now on a share (by default each, and those to come) may hold up to `prefetch` unacked."""
        with self._changed:
            if only is None:
                self.prefetch = prefetch
            for subscription in self._subscriptions if only is None else (only,):
                subscription.prefetch = prefetch
            self._changed.notify_all()

    def end(self, subscription: Subscription) -> None:
        """The consumer is gone: its epoch ends and what it held returns to the front, in order."""
        with self._changed:
            subscription.epoch.end()
            self._ready.extendleft(reversed(subscription.unacked.values()))
            subscription.unacked.clear()
            self._subscriptions.discard(subscription)
            self._changed.notify_all()

    def end_all(self) -> None:
        """End every consumer's share."""
        with self._changed:
            shares = tuple(self._subscriptions)
        for subscription in shares:
            self.end(subscription)

    def flush(self) -> None:
        """Drop what is ready and the dead letters."""
        with self._changed:
            self._ready.clear()
            self.dead.clear()
            self.dead_count = 0
            self._changed.notify_all()

    def wait_empty(self, seconds: float | None) -> bool:
        """Wait until nothing is ready nor unacked; False after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._ready and not self._unacked(), seconds)

    def counts(self) -> tuple[int, int]:
        """(ready messages, consumers)."""
        with self._changed:
            return len(self._ready), len(self._subscriptions)

    def _due(self, subscription: Subscription) -> bool:
        return bool(self._ready) and len(subscription.unacked) < subscription.prefetch

    def _unacked(self) -> int:
        return sum(len(subscription.unacked) for subscription in self._subscriptions)
