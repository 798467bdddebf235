"""A worker's metrics begin and end with it, and the launcher forks the process that tells them."""

from collections.abc import Callable

import dramatiq


class Measuring(dramatiq.Middleware):
    """`start` and `stop` the worker's report; `main` is a module-level function, None where somebody else tells.

    Added before all that still counts at the end: Dramatiq tells of endings in the opposite order.
    """

    def __init__(
        self, start: Callable[[], None], stop: Callable[[], None], main: Callable[[], int] | None = None
    ) -> None:
        self._start = start
        self._stop = stop
        self._main = main

    @property
    def forks(self) -> "list[Callable[[], int]]":
        """What the launcher is to fork."""
        return [] if self._main is None else [self._main]

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Begin."""
        self._start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """End, with what was noted last."""
        self._stop()
