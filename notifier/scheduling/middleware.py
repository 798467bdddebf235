"""Installs the lane queue in a Dramatiq worker, proves that it is in use, and counts the worker's threads.

`Worker.start()` emits `before_worker_boot` when its queue exists and nobody holds it yet: the one
moment to put ours in its place. Dramatiq swallows what a hook raises, so `after_worker_boot` checks
and leaves by `SystemExit`, the only exception that gets out. It never replaces a thread that died
either, so somebody must count. Any Dramatiq application may add it; it knows queues and the options of
actors, nothing else.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any

import dramatiq
import structlog
from dramatiq.common import q_name

from notifier.queueing.broker import Grant
from notifier.scheduling.actor_lanes import OPTIONS, lanes_of
from notifier.scheduling.keeper import Keeper
from notifier.scheduling.lane_queue import Gate, LaneQueue
from notifier.scheduling.policy import LaneOptions, Policy
from notifier.scheduling.report import Naming
from notifier.scheduling.scheduler import Scheduler

log = structlog.get_logger("notifier.scheduling")

#: Seconds until a consumer whose connection was lost is made anew; Dramatiq's own 3 would be a third of
#: what a lane may stand still when a node of the broker is lost.
CONSUMER_RESTART = 1.0


def always(_queue_name: str) -> Grant:
    """The gate of an application without limits."""
    return Grant("")


class LaneScheduling(dramatiq.Middleware):
    """One lane queue for one worker; `policy.threads` replaces what the command line passed.

    Without a policy the worker's own number of threads holds; lanes that are not named are made from the
    options of the actors (`rank`, `weight`, `minimum`, `resource`). `stage` is ``starting``, ``running`` or
    ``stopping``: threads are missing on purpose but while it runs.
    """

    def __init__(
        self,
        gate: Gate = always,
        *,
        policy: Policy | None = None,
        lanes: Iterable[LaneOptions] = (),
        make_queue: Callable[[Gate, Scheduler], LaneQueue] = LaneQueue,
    ) -> None:
        self.stage = "starting"
        self._gate = gate
        self._policy = policy
        self._lanes = list(lanes)
        self._make_queue = make_queue
        self._queue: LaneQueue | None = None
        self._keeper: Keeper | None = None
        self._worker: dramatiq.Worker | None = None
        self._paused: frozenset[str] = frozenset()

    @property
    def actor_options(self) -> set[str]:
        """What actors may say of their lane."""
        return set(OPTIONS)

    @property
    def queue(self) -> LaneQueue:
        """The lane queue; raises `RuntimeError` before a worker has booted."""
        if self._queue is None:
            raise RuntimeError("no worker has booted yet")
        return self._queue

    @property
    def keeper(self) -> Keeper | None:
        """Who ticks, counts and adds threads; None before a worker has booted."""
        return self._keeper

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Put our queue in the place of Dramatiq's."""
        boot: Any = worker
        policy = self._policy or Policy(threads=worker.worker_threads)
        named = {lane.name for lane in self._lanes}
        lanes = [*self._lanes, *(one for one in lanes_of(broker) if one.name not in named)]
        self._queue = self._make_queue(self._gate, Scheduler(policy, lanes))
        self._queue.pause(set(self._paused))
        boot.work_queue = self._queue
        boot.worker_threads = policy.threads
        boot.queue_prefetch = 2 * policy.threads
        dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = CONSUMER_RESTART
        self._worker = worker
        self._keeper = Keeper(broker, worker, self._queue)

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Stop the process unless every thread takes from our queue."""
        boot: Any = worker
        wanted = self.queue.scheduler.policy.threads
        threads = [*boot.workers, *boot.consumers.values()]
        ours = all(one.work_queue is self._queue for one in (boot, *threads))
        if not ours or len(boot.workers) != wanted:
            log.critical("lane_queue_not_installed", threads=len(worker.workers), wanted=wanted)
            raise SystemExit("the lane queue could not be installed in this version of Dramatiq")
        self.stage = "running"
        assert self._keeper is not None  # noqa: S101 - made at the boot
        self._keeper.start()
        log.info("lane_queue_installed", threads=wanted, queues=len(worker.consumers))

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start nothing more; what runs may end."""
        self.stage = "stopping"
        self.queue.drain()
        if self._keeper is not None:
            self._keeper.stop()

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Unless the message tells itself how its call went, an actor that returned went well."""
        told: Any = message
        if not hasattr(told, "ok"):
            told.ok = exception is None

    def pause(self, queue_names: Collection[str]) -> None:
        """From now on nothing of these queues starts, and of all others it may; also before the boot."""
        self._paused = frozenset(queue_names)
        if self._queue is not None:
            self._queue.pause(set(self._paused))

    def consumers(self, queue_names: Collection[str]) -> int | None:
        """How many processes take from these queues, at the most of any, as the broker last said; None: unknown."""
        keeper = self._keeper
        if keeper is None:
            return None
        if keeper.alone:
            return 1
        told = keeper.consumers
        return max((told[name] for name in queue_names if name in told), default=None)

    def report(self, name_of: Naming = str) -> dict[str, Any]:
        """What the scheduler does now, a small JSON value; empty before a worker has booted.

        `name_of` says how a queue is called in it.
        """
        return self._keeper.report(name_of) if self._keeper is not None else {}

    def census(self) -> dict[str, int]:
        """How many threads and consumers (one a queue) the worker should have, and how many are alive.

        ``{"threads": 8, "threads_alive": 8, "consumers": 9, "consumers_alive": 9}``; from any thread.
        """
        worker, queue = self._worker, self._queue
        if worker is None or queue is None:
            threads = self._policy.threads if self._policy else 0
            return {"threads": threads, "threads_alive": 0, "consumers": 0, "consumers_alive": 0}
        chosen: set[str] | None = worker.consumer_whitelist
        queues = worker.broker.get_declared_queues()
        consumed = [name for name in queues if not chosen or q_name(name) in chosen]
        return {
            "threads": queue.look(lambda scheduler: scheduler.threads),
            "threads_alive": _alive(worker.workers),
            "consumers": len(consumed),
            "consumers_alive": _alive(worker.consumers.values()),
        }


def _alive(threads: Iterable[threading.Thread]) -> int:
    # A copy first: the worker may add one meanwhile.
    return sum(one.is_alive() for one in list(threads))
