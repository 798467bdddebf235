"""The worker's queue: a FIFO for each lane, picked in turn, behind a gate.

It stands in for the heap that Dramatiq hands to its threads (`worker.work_queue`), so it offers
`put get get_nowait task_done join unfinished_tasks`. It knows queues, not notifications. A copy whose
connection has died (its epoch is over) is dropped when its turn comes: the broker delivers it again.
No thread ever waits for a lane that may not run: a closed gate only sets that lane aside for a while.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any, Protocol

from notifier.queueing.broker import Grant, NotBefore

#: Asked for each message that would start now, by queue name; it decides from memory, never by I/O.
Gate = Callable[[str], Grant | NotBefore]

#: Seconds until a closed gate is asked again, at the least: a wait of nothing is a busy loop.
_SHORTEST_WAIT = 0.001


class Item(Protocol):
    """What Dramatiq puts on the queue: a wrapper around the delivered message."""

    @property
    def message(self) -> Any:
        """The proxy."""


class LaneQueue:
    """Thread-safe; one lock, O(lanes) for each pick."""

    def __init__(self, gate: Gate, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate = gate
        self._clock = clock
        self._lanes: dict[str, deque[Item]] = {}
        self._turn: deque[str] = deque()
        self._closed_until: dict[str, float] = {}
        self._later: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._changed = threading.Condition(threading.Lock())
        self._all_done = threading.Condition(self._changed._lock)  # type: ignore[attr-defined]  # noqa: SLF001
        self._draining = False
        self.unfinished_tasks = 0

    def put(self, item: Item) -> None:
        """A consumer delivered a message."""
        with self._changed:
            self.unfinished_tasks += 1
            self._append(item)
            self._changed.notify()

    def put_back(self, item: Item, seconds: float) -> None:
        """The message could not be worked on now; it comes again after `seconds`, nothing lost."""
        with self._changed:
            self.unfinished_tasks += 1
            heapq.heappush(self._later, (self._clock() + seconds, next(self._order), item))
            # Whoever waits must learn of the new moment to wake at.
            self._changed.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        """The next message that may start, waiting up to `timeout` seconds; raises `queue.Empty`."""
        deadline = None if timeout is None else self._clock() + timeout
        with self._changed:
            while True:
                now = self._clock()
                item = None if self._draining else self._pick(now)
                if item is not None:
                    return item
                if self._draining or not block or (deadline is not None and now >= deadline):
                    raise Empty
                self._changed.wait(self._until_next(now, deadline))

    def get_nowait(self) -> Item:
        """In drain mode whatever is left, eligible or not; before, only what may start."""
        with self._changed:
            item = self._pop_any() if self._draining else self._pick(self._clock())
            if item is None:
                raise Empty
            return item

    def task_done(self) -> None:
        """The thread that got a message has ended with it."""
        with self._changed:
            self._done()

    def join(self) -> None:
        """Wait until everything that was put is done."""
        with self._changed:
            while self.unfinished_tasks:
                self._all_done.wait()

    def drain(self) -> None:
        """Start nothing more: `get` is empty at once, `get_nowait` hands out the rest."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def waiting(self) -> dict[str, int]:
        """How many messages wait here, by queue name."""
        with self._changed:
            return {name: len(items) for name, items in self._lanes.items()}

    def _append(self, item: Item) -> None:
        name = item.message.queue_name
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = deque()
            self._turn.append(name)
        lane.append(item)

    def _pick(self, now: float) -> Item | None:
        while self._later and self._later[0][0] <= now:
            self._append(heapq.heappop(self._later)[2])
        for _ in range(len(self._turn)):
            name = self._turn[0]
            self._turn.rotate(-1)
            item = self._pick_from(name, now)
            if item is not None:
                return item
        return None

    def _pick_from(self, name: str, now: float) -> Item | None:
        lane = self._lanes[name]
        while lane and _stale(lane[0]):
            lane.popleft()
            self._done()
        if not lane or self._closed_until.get(name, 0.0) > now:
            return None
        leave = self._gate(name)
        if isinstance(leave, NotBefore):
            self._closed_until[name] = now + max(leave.seconds, _SHORTEST_WAIT)
            return None
        item = lane.popleft()
        item.message.grant = leave
        return item

    def _pop_any(self) -> Item | None:
        for lane in self._lanes.values():
            if lane:
                return lane.popleft()
        return heapq.heappop(self._later)[2] if self._later else None

    def _until_next(self, now: float, deadline: float | None) -> float | None:
        # After a pick in vain every lane with a message is closed for a while.
        moments = [self._closed_until[name] for name, lane in self._lanes.items() if lane]
        if self._later:
            moments.append(self._later[0][0])
        if deadline is not None:
            moments.append(deadline)
        return max(0.0, min(moments) - now) if moments else None

    def _done(self) -> None:
        self.unfinished_tasks -= 1
        if not self.unfinished_tasks:
            self._all_done.notify_all()


def _stale(item: Item) -> bool:
    epoch = getattr(item.message, "epoch", None)
    return epoch is not None and epoch.over
