"""What lives and ends with a worker process: its recorder and beats, and its relay while none other runs."""

from collections.abc import Callable, Sequence

import dramatiq


class Lifetime(dramatiq.Middleware):
    """Calls `starts` when the worker's threads are about to run, and `stops` in turn when they have ended."""

    def __init__(self, starts: Sequence[Callable[[], None]], stops: Sequence[Callable[[], None]]) -> None:
        self._starts = tuple(starts)
        self._stops = tuple(stops)

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begin."""
        for start in self._starts:
            start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """End."""
        for stop in self._stops:
            stop()
