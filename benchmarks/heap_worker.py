"""`dramatiq benchmarks.heap_worker`: the benchmark's worker on Dramatiq's own heap, without the scheduler.

Dramatiq takes the lowest number first, so the actors' priorities stand for the lanes'. Nothing else differs:
what the scheduler costs is the difference between the two workers.
"""

from typing import Any

import dramatiq

from notifier.bootstrap import back
from notifier.domain.lanes import Lane, Priority
from notifier.scheduling.middleware import LaneScheduling


class Heap(LaneScheduling):
    """In the scheduler's place, and does nothing."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Leave Dramatiq's queue where it is; only the priorities become its own."""
        ranks = {priority: 10 * number for number, priority in enumerate(Priority)}
        for lane in Lane.all():
            broker.get_actor(lane.actor).priority = ranks[lane.priority]

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Ready."""
        self.stage = "running"

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Nothing was begun."""
        self.stage = "stopping"


stand: Any = back
stand.LaneScheduling = Heap

from benchmarks.worker import broker  # noqa: E402 - the worker is made when its module is loaded

__all__ = ["broker"]
