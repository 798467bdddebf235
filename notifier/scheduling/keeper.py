"""Two threads beside the worker's: one ticks and adds threads, one asks the broker what waits there.

The second may stand still for as long as the broker does; the first goes on with what it knew.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import dramatiq
import structlog

from notifier.scheduling.lane_queue import LaneQueue, has_retired
from notifier.scheduling.prefetch import PrefetchSizes
from notifier.scheduling.report import Naming, report_of
from notifier.scheduling.scheduler import Move

log = structlog.get_logger("notifier.scheduling")

#: Seconds between two ticks, and between two questions to the broker.
TICK, ASK = 0.25, 1.0
#: How many decisions are kept to be looked at.
KEPT = 500


class Counts(Protocol):
    """What a broker may offer: (ready messages, consumers) of each queue."""

    def __call__(self, queue_names: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Raises `ConnectionClosed` while nobody answers."""


class Keeper:
    """Starts after the worker has booted and ends before it stops.

    What the broker can't do is left out: without `counts` a backlog is what waits here, without
    `set_prefetch` prefetch stays as it is.
    """

    def __init__(self, broker: dramatiq.Broker, worker: dramatiq.Worker, queue: LaneQueue) -> None:
        self._worker = worker
        self._queue = queue
        offers: Any = broker
        self._counts: Counts | None = getattr(offers, "counts", None)
        self._set_prefetch: Callable[[str, int], None] | None = getattr(offers, "set_prefetch", None)
        self._sizes = PrefetchSizes(2 * queue.scheduler.policy.threads)
        self._stop = threading.Event()
        self._backlogs: dict[str, float] = {}
        #: Ready at the broker, by queue name, as it last said; and the last decisions, the latest at the end.
        self.ready: dict[str, int] = {}
        #: How many consumers each queue had then, this process among them; without a broker that counts, empty.
        self.consumers: dict[str, int] = {}
        self.decisions: deque[Move] = deque(maxlen=KEPT)
        #: How often a queue's budget was changed since the start, by direction: ``{("q", "up"): 3}``.
        self.moved: Counter[tuple[str, str]] = Counter()
        self._threads = [threading.Thread(target=self._tick, name="lane-ticks", daemon=True)]
        if self._counts is not None:
            self._threads.append(threading.Thread(target=self._ask, name="lane-counts", daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask both to end; returns at once. They touch nothing that a stopping worker needs."""
        self._stop.set()

    @property
    def parts(self) -> dict[str, float]:
        """What of each queue's ready messages is this process's part; summed over all processes, all of them."""
        return dict(self._backlogs)

    @property
    def alone(self) -> bool:
        """Whether the broker lives in this process, so that nobody else takes from it."""
        return self._counts is None

    def report(self, name_of: Naming) -> dict[str, Any]:
        """What the scheduler does now (`report_of`); from any thread."""
        ready, decisions = self.ready, self.decisions.copy()
        return dict(
            self._queue.look(
                lambda scheduler: report_of(
                    scheduler, self._queue.now(), ready=ready, decisions=decisions, name_of=name_of
                )
            )
        )

    def _tick(self) -> None:
        while not self._stop.wait(TICK):
            try:
                self._once()
            except Exception:
                # A scheduler that has stopped judging still hands out messages; say so and go on.
                log.exception("lane_tick_failed")

    def _once(self) -> None:
        for move in self._queue.tick(dict(self._backlogs)):
            self.decisions.append(move)
            if move.what == "budget":
                up = move.inputs["budget"] > move.inputs["before"]
                self.moved[move.about, "up" if up else "down"] += 1
            log.debug("lane_decision", what=move.what, about=move.about, **move.inputs)
        for _ in range(self._queue.resize()):
            self._add_thread()
        self._bury()
        if self._set_prefetch is not None:
            for name, size in self._queue.look(self._sizes.due).items():
                self._set_prefetch(name, size)

    def _add_thread(self) -> None:
        """One more of Dramatiq's own worker threads; private, so a test holds it for each version."""
        worker: Any = self._worker
        if not self._stop.is_set():
            worker._add_worker()  # noqa: SLF001

    def _bury(self) -> None:
        """Forget threads that have retired, so that nobody counts them as missing."""
        worker: Any = self._worker
        for thread in [one for one in worker.workers if has_retired(one)]:
            worker.workers.remove(thread)

    def _ask(self) -> None:
        assert self._counts is not None  # noqa: S101 - else this thread is not started
        while not self._stop.wait(ASK):
            begun = time.monotonic()
            try:
                found = self._counts(list(self._queue.waiting()))
            except Exception as error:  # noqa: BLE001 - a broker that is away is everyday
                log.debug("lane_counts_failed", error=type(error).__name__)
                continue
            self.ready = {name: ready for name, (ready, _) in found.items()}
            self.consumers = {name: others for name, (_, others) in found.items()}
            self._backlogs = {name: ready / max(1, others) for name, (ready, others) in found.items()}
            # A broker that is slow to answer is not asked more often for it.
            self._stop.wait(min(5.0, time.monotonic() - begun))
