"""Installs the lane queue in a Dramatiq worker and proves that it is in use.

`Worker.start()` emits `before_worker_boot` when its queue exists and nobody holds it yet: the one
moment to put ours in its place. Dramatiq swallows what a hook raises, so `after_worker_boot` checks
and leaves by `SystemExit`, the only exception that gets out.
"""

from collections.abc import Callable
from typing import Any

import dramatiq
import structlog

from notifier.scheduling.lane_queue import Gate, LaneQueue

log = structlog.get_logger("notifier.scheduling")


class LaneScheduling(dramatiq.Middleware):
    """One lane queue for one worker; `threads` and `prefetch` replace what the command line passed."""

    def __init__(
        self,
        gate: Gate,
        *,
        threads: int,
        prefetch: int | None = None,
        make_queue: Callable[[Gate], LaneQueue] = LaneQueue,
    ) -> None:
        self.queue = make_queue(gate)
        self._threads = threads
        self._prefetch = prefetch or 2 * threads

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Put our queue in the place of Dramatiq's."""
        boot: Any = worker
        boot.work_queue = self.queue
        boot.worker_threads = self._threads
        boot.queue_prefetch = self._prefetch

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Stop the process unless every thread takes from our queue."""
        boot: Any = worker
        threads = [*boot.workers, *boot.consumers.values()]
        ours = all(one.work_queue is self.queue for one in (boot, *threads))
        if not ours or len(boot.workers) != self._threads:
            log.critical("lane_queue_not_installed", threads=len(worker.workers), wanted=self._threads)
            raise SystemExit("the lane queue could not be installed in this version of Dramatiq")
        log.info("lane_queue_installed", threads=self._threads, queues=len(worker.consumers))

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start nothing more; what runs may end."""
        self.queue.drain()
