"""Installs the lane queue in a Dramatiq worker, proves that it is in use, and counts the worker's threads.

`Worker.start()` emits `before_worker_boot` when its queue exists and nobody holds it yet: the one
moment to put ours in its place. Dramatiq swallows what a hook raises, so `after_worker_boot` checks
and leaves by `SystemExit`, the only exception that gets out. It never replaces a thread that died
either, so somebody must count.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq
import structlog
from dramatiq.common import q_name

from notifier.scheduling.lane_queue import Gate, LaneQueue

log = structlog.get_logger("notifier.scheduling")

#: Seconds until a consumer whose connection was lost is made anew; Dramatiq's own 3 would be a third of
#: what a lane may stand still when a node of the broker is lost.
CONSUMER_RESTART = 1.0


class LaneScheduling(dramatiq.Middleware):
    """One lane queue for one worker; `threads` and `prefetch` replace what the command line passed.

    `stage` is ``starting``, ``running`` or ``stopping``: threads are missing on purpose but while it runs.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        threads: int,
        prefetch: int | None = None,
        make_queue: Callable[[Gate], LaneQueue] = LaneQueue,
    ) -> None:
        self.queue = make_queue(gate)
        self.stage = "starting"
        self._threads = threads
        self._prefetch = prefetch or 2 * threads
        self._worker: dramatiq.Worker | None = None

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Put our queue in the place of Dramatiq's."""
        boot: Any = worker
        boot.work_queue = self.queue
        boot.worker_threads = self._threads
        boot.queue_prefetch = self._prefetch
        dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = CONSUMER_RESTART
        self._worker = worker

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Stop the process unless every thread takes from our queue."""
        boot: Any = worker
        threads = [*boot.workers, *boot.consumers.values()]
        ours = all(one.work_queue is self.queue for one in (boot, *threads))
        if not ours or len(boot.workers) != self._threads:
            log.critical("lane_queue_not_installed", threads=len(worker.workers), wanted=self._threads)
            raise SystemExit("the lane queue could not be installed in this version of Dramatiq")
        self.stage = "running"
        log.info("lane_queue_installed", threads=self._threads, queues=len(worker.consumers))

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start nothing more; what runs may end."""
        self.stage = "stopping"
        self.queue.drain()

    def census(self) -> dict[str, int]:
        """How many threads and consumers (one a queue) the worker should have, and how many are alive.

        ``{"threads": 8, "threads_alive": 8, "consumers": 9, "consumers_alive": 9}``; from any thread.
        """
        worker = self._worker
        if worker is None:
            return {"threads": self._threads, "threads_alive": 0, "consumers": 0, "consumers_alive": 0}
        chosen: set[str] | None = worker.consumer_whitelist
        queues = worker.broker.get_declared_queues()
        consumed = [name for name in queues if not chosen or q_name(name) in chosen]
        return {
            "threads": self._threads,
            "threads_alive": _alive(worker.workers),
            "consumers": len(consumed),
            "consumers_alive": _alive(worker.consumers.values()),
        }


def _alive(threads: Iterable[threading.Thread]) -> int:
    # A copy first: the worker may add one meanwhile.
    return sum(one.is_alive() for one in list(threads))
