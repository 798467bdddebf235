"""The worker's queue: the thread-safe shell around the scheduler's core.

It stands in for the heap that Dramatiq hands to its threads (`worker.work_queue`), so it offers
`put get get_nowait task_done join unfinished_tasks`. It knows queues, not notifications. A copy whose
connection has died (its epoch is over) is dropped when its turn comes: the broker delivers it again.
No thread waits for a lane that may not run. Idle threads wait for a `put`; one of them, the timekeeper,
also for the moment at which a gate may open, a probe is due or a message comes back. What a tick changes
wakes them all.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from queue import Empty
from typing import Any, Protocol

from notifier.queueing.broker import Grant, NotBefore
from notifier.scheduling.lanes import LaneState, Run
from notifier.scheduling.policy import LaneOptions, Policy
from notifier.scheduling.scheduler import Move, Scheduler

#: Asked for each message that would start now, by queue name; it decides from memory, never by I/O.
Gate = Callable[[str], Grant | NotBefore]

#: Seconds between two ticks that waking lanes cause.
_BETWEEN_WAKES = 0.02
#: How many decisions wait at most to be told, should nobody ask.
_MOVES_KEPT = 500


class Item(Protocol):
    """What Dramatiq puts on the queue: a wrapper around the delivered message."""

    @property
    def message(self) -> Any:
        """The proxy. Its `ok`, if it has one, says how its call went (`Scheduler.ended`)."""


class LaneQueue:
    """Thread-safe; one lock, O(lanes) for each pick. Lanes that nobody named get `LaneOptions(name)`."""

    def __init__(
        self,
        gate: Gate,
        scheduler: Scheduler | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        journal: Callable[[str, str, float], None] | None = None,
    ) -> None:
        self.scheduler = scheduler or Scheduler(Policy(threads=8))
        self.unfinished_tasks = 0
        self._gate = gate
        self._clock = clock
        self._journal = journal
        self._items: dict[str, deque[Item]] = {name: deque() for name in self.scheduler.lanes}
        self._later: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._runs: dict[int, tuple[Run, Item]] = {}
        self._changed = threading.Condition(threading.Lock())
        self._all_done = threading.Condition(self._changed._lock)  # type: ignore[attr-defined]  # noqa: SLF001
        self._timed: float | None = None
        self._ticked_at = float("-inf")
        self._moves: deque[Move] = deque(maxlen=_MOVES_KEPT)
        self._draining = False
        self._leave: Grant | None = None

    # What Dramatiq asks for.

    def put(self, item: Item) -> None:
        """A consumer delivered a message."""
        with self._changed:
            self.unfinished_tasks += 1
            now = self._clock()
            lane = self._append(item)
            ticks = self.scheduler.arrived(lane, now) and now - self._ticked_at >= _BETWEEN_WAKES
            if ticks:
                self._tick(now, None)
            self._say("put", lane.name, now)
            # Else who waits keeps a reserve: no wake-up for nothing. A tick may have released it for another class.
            if self.scheduler.headroom()[lane.rank] or (ticks and self.scheduler.wants_thread()):
                self._changed.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        """The next message that may start, waiting up to `timeout` seconds; raises `queue.Empty`."""
        with self._changed:
            now = self._clock()
            deadline = None if timeout is None else now + timeout
            while not self._draining:
                self._retire_if_many()
                item = self._pick(now)
                if item is not None:
                    return item
                if not block or (deadline is not None and now >= deadline):
                    break
                self._wait(now, deadline)
                now = self._clock()
            if self._draining:
                # A thread that began while the worker stopped has missed that it was told to end.
                _end_this_thread()
            raise Empty

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
            found = self._runs.pop(threading.get_ident(), None)
            if found is not None:
                run, item = found
                now = self._clock()
                narrow = run.lane.resource.narrow
                self.scheduler.ended(run, now, getattr(item.message, "ok", True))
                self._say("end", run.lane.name, now)
                if narrow:  # one success may let many start
                    self._changed.notify_all()
            self._done()

    def join(self) -> None:
        """Wait until everything that was put is done."""
        with self._changed:
            while self.unfinished_tasks:
                self._all_done.wait()

    # What the rest of the worker asks for.

    def put_back(self, item: Item, seconds: float) -> None:
        """The message could not be worked on now; it comes again after `seconds`, nothing lost."""
        with self._changed:
            self.unfinished_tasks += 1
            heapq.heappush(self._later, (self._clock() + seconds, next(self._order), item))
            # Whoever waits must learn of the new moment to wake at.
            self._changed.notify()

    def tick(self, backlogs: dict[str, float] | None = None) -> list[Move]:
        """Have the core judge anew, and wake who may start now; answers all it decided since the last call."""
        with self._changed:
            self._tick(self._clock(), backlogs)
            moves = list(self._moves)
            self._moves.clear()
            if any(lane.waiting for lane in self.scheduler.lanes.values()):
                self._changed.notify_all()
            return moves

    def look(self, ask: Callable[[Scheduler], Any]) -> Any:
        """What `ask` reads off the core, which stands still meanwhile."""
        with self._changed:
            return ask(self.scheduler)

    def now(self) -> float:
        """The present by its own clock, which all moments of the core are told in."""
        return self._clock()

    def resize(self) -> int:
        """Count on a thread more for each overdue message; answers how many are to be started for that."""
        with self._changed:
            if self._draining:
                return 0
            scheduler = self.scheduler
            wanted = scheduler.policy.threads + scheduler.overdue()
            missing = max(0, wanted - scheduler.threads)
            scheduler.threads += missing
            return missing

    def pause(self, names: set[str]) -> None:
        """From now on nothing of these lanes starts, and of all others it may."""
        with self._changed:
            for name, lane in self.scheduler.lanes.items():
                lane.paused = name in names
            self._changed.notify_all()

    def reopen(self, names: Collection[str]) -> None:
        """The gates of these lanes may answer otherwise now: have them asked."""
        with self._changed:
            self.scheduler.reopen(names)
            self._changed.notify_all()

    def drain(self) -> None:
        """Start nothing more: `get` is empty at once, `get_nowait` hands out the rest."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def waiting(self) -> dict[str, int]:
        """How many messages wait here, by queue name."""
        with self._changed:
            return {name: len(items) for name, items in self._items.items()}

    # All below is called with the lock held.

    def _append(self, item: Item) -> LaneState:
        name = item.message.queue_name
        lane = self.scheduler.lanes.get(name)
        if lane is None:
            lane = self.scheduler.add(LaneOptions(name))
            self._items[name] = deque()
        self._items[name].append(item)
        return lane

    def _pick(self, now: float) -> Item | None:
        while self._later and self._later[0][0] <= now:
            self.scheduler.returned(self._append(heapq.heappop(self._later)[2]), now)
            self._changed.notify()  # several may come at once, and who picks takes one
        run = self.scheduler.pick(now, self._ask)
        if run is None:
            return None
        item = self._items[run.lane.name].popleft()
        item.message.grant = self._leave
        self._runs[threading.get_ident()] = (run, item)
        self._say(run.lane.reason or "start", run.lane.name, now)
        return item

    def _ask(self, lane: LaneState) -> float | None:
        items = self._items[lane.name]
        while items and _stale(items[0]):
            items.popleft()
            self.scheduler.withdrawn(lane)
            self._done()
        if not items:
            return None
        leave = self._gate(lane.name)
        if isinstance(leave, NotBefore):
            return max(leave.seconds, 1e-9)
        self._leave = leave
        return 0.0

    def _wait(self, now: float, deadline: float | None) -> None:
        """Until something changes, or the deadline, or, for the timekeeper, the next moment."""
        moment = self._next_moment(now)
        keeps = moment is not None and (self._timed is None or moment < self._timed)
        if keeps:
            self._timed = moment
        moments = [one for one in (deadline, moment if keeps else None) if one is not None]
        try:
            self._changed.wait(max(0.0, min(moments) - now) if moments else None)
        finally:
            if keeps and self._timed == moment:
                # Whoever waits on must keep the time, should this thread get work.
                self._timed = None
                self._changed.notify()

    def _next_moment(self, now: float) -> float | None:
        wait = self.scheduler.next_moment(now)
        moments = [*([] if wait is None else [now + wait]), *(one[0] for one in self._later[:1])]
        return min(moments, default=None)

    def _tick(self, now: float, backlogs: dict[str, float] | None) -> None:
        self._ticked_at = now
        # What a waking lane made it decide is told with the next tick.
        self._moves += self.scheduler.tick(now, backlogs)

    def _retire_if_many(self) -> None:
        """End this thread when fewer messages are overdue than there are extra threads."""
        scheduler = self.scheduler
        if scheduler.threads > scheduler.policy.threads + scheduler.overdue():
            scheduler.threads -= 1
            _end_this_thread().retired_from_lanes = True
            self._changed.notify()  # what it would have taken another must
            raise Empty

    def _pop_any(self) -> Item | None:
        for name, items in self._items.items():
            if items:
                self.scheduler.withdrawn(self.scheduler.lanes[name])
                return items.popleft()
        return heapq.heappop(self._later)[2] if self._later else None

    def _say(self, what: str, lane: str, now: float) -> None:
        if self._journal is not None:
            self._journal(what, lane, now)

    def _done(self) -> None:
        self.unfinished_tasks -= 1
        if not self.unfinished_tasks:
            self._all_done.notify_all()


def has_retired(thread: threading.Thread) -> bool:
    """Whether a thread has ended because it was one too many, and not for a fault."""
    return getattr(thread, "retired_from_lanes", False) and not thread.is_alive()


def _end_this_thread() -> Any:
    """Have the worker thread that asks leave Dramatiq's loop; answers the thread."""
    me: Any = threading.current_thread()
    me.running = False
    return me


def _stale(item: Item) -> bool:
    epoch = getattr(item.message, "epoch", None)
    return epoch is not None and epoch.over
