"""What metrics know of this moment: read off a worker's memory, or, by a thread of its own, off storage."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Engine

from notifier.bootstrap.back import Back
from notifier.domain.lanes import Lane
from notifier.scheduling.middleware import LaneScheduling
from notifier.scheduling.scheduler import Scheduler
from notifier.storage import outbox, relaying, waiting, workers
from notifier.storage.engine import reading
from notifier.telemetry import metrics
from notifier.telemetry.reporter import Reading, Totals
from notifier.telemetry.tally import Labels

Lanes = dict[str, tuple[str, str]]


def lanes_by_queue(lanes: Sequence[Lane], prefix: str) -> Lanes:
    """Each queue's lane, as labels."""
    return {lane.queue(prefix): (str(lane.channel), str(lane.priority)) for lane in lanes}


class WorkerGauges:
    """The scheduler, the threads, the queues as this process sees them, and the breakers."""

    def __init__(self, back: Back, lanes: Sequence[Lane], prefix: str) -> None:
        self._back = back
        self._lanes = lanes_by_queue(lanes, prefix)

    def read(self) -> Reading:
        """Nothing before the worker has booted."""
        scheduling = self._back.scheduling
        if scheduling.keeper is None:
            return
        census, parts = scheduling.census(), scheduling.keeper.parts
        found = scheduling.queue.look(lambda scheduler: list(self._of(scheduler)))
        running = sum(value for metric, _, value in found if metric is metrics.RUNNING)
        yield from found
        for queue in self._lanes:
            yield metrics.QUEUE_MESSAGES, (queue, "ready"), parts.get(queue, 0.0)
        states = ("configured", census["threads"]), ("alive", census["threads_alive"]), ("busy", running)
        for state, number in states:
            yield metrics.THREADS, (state,), float(number)
        yield metrics.STALLED, (), stalled(self._back)
        for key, value in self._back.breakers.states().items():
            yield metrics.BREAKER, (str(key.channel), key.name), float(value)

    def totals(self) -> list[Totals]:
        """What the scheduler counts by itself."""
        return [Totals(metrics.BUDGET_MOVES, self._moves), Totals(metrics.IDLE_SECONDS, self._idle)]

    def _of(self, scheduler: Scheduler) -> Iterator[tuple[metrics.Metric, Labels, float]]:
        for name, labels in self._lanes.items():
            lane = scheduler.lanes[name]
            yield metrics.BUDGET, labels, float(lane.budget)
            yield metrics.RUNNING, labels, float(lane.running)
            yield metrics.QUEUE_MESSAGES, (name, "unacked"), float(lane.waiting + lane.running)

    def _moves(self) -> dict[Labels, float]:
        keeper = self._back.scheduling.keeper
        moved = keeper.moved.copy() if keeper is not None else {}
        return {(*self._lanes[name], way): float(number) for (name, way), number in moved.items()}

    def _idle(self) -> dict[Labels, float]:
        scheduling = self._back.scheduling
        if scheduling.keeper is None:
            return {}
        seconds = scheduling.queue.look(lambda scheduler: dict(scheduler.idle.seconds))
        return {(reason,): float(value) for reason, value in seconds.items()}


def stalled(back: Back) -> float:
    """Seconds since anything started or ended, while there is work that may; what waits for storage waits rightly."""
    scheduling = back.scheduling
    if scheduling.keeper is None or scheduling.stage != "running" or back.recorder.holding:
        return 0.0
    return max(0.0, _idle_for(scheduling))


def _idle_for(scheduling: LaneScheduling) -> float:
    now = scheduling.queue.now()

    def look(scheduler: Scheduler) -> float:
        lanes = scheduler.lanes.values()
        busy = any(
            lane.running or (lane.waiting and not lane.paused and lane.closed_until <= now) for lane in lanes
        )
        return now - max(lane.since for lane in lanes) if busy else 0.0

    return float(scheduling.queue.look(look))


def storage_gauges(engine: Engine, lanes: Sequence[Lane], prefix: str) -> Callable[[], Reading]:
    """What only storage knows; each question is answered by an index, or by a figure that the relay keeps."""

    def read() -> Reading:
        for lane, age in waiting.oldest_ages(engine, lanes).items():
            yield metrics.OLDEST_MESSAGE, (lane.queue(prefix),), age or 0.0
        with reading(engine) as connection:
            owed = outbox.oldest_age(connection)
            due = relaying.seconds_to_next_due(connection)
        yield metrics.OUTBOX_OLDEST, (), max(0.0, owed or 0.0)
        yield metrics.RELAY_LAG, (), max(0.0, -(due or 0.0))
        yield metrics.PENDING, (), float(workers.read_gauges(engine).get("pending", 0))

    return read
