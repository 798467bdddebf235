"""A worker in a process of its own, so that it can be killed with -9: stock Dramatiq's or ours.

The parent speaks through a pipe: what it sends names a method of `_Child` and its arguments.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dramatiq
import dramatiq.worker
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from notifier.bootstrap.back import make_back
from notifier.bootstrap.roads import make_broker
from notifier.domain.lanes import Lane, Priority
from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.scheduling import prefetch
from notifier.settings import load_settings
from notifier.telemetry.logs import configure_logs
from notifier.telemetry.signals import Listener, Signals
from tests.conformance.brokers.harness import cut
from tests.stock.kit.work import Work, WorkingProvider

#: As Dramatiq's priorities go: the smaller number first.
ACTOR_PRIORITY = {Priority.HIGH: 0, Priority.MEDIUM: 10, Priority.LOW: 20}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one worker is: `settings` are Notifier's by field name; `lanes` are those a stock worker serves.

    `restart` is Dramatiq's own wait, in seconds, before a consumer that lost its connection tries again;
    `prefetch` (0: twice the threads) is how many messages of each queue stock Dramatiq holds.
    """

    subject: str
    name: str
    folder: Path
    prefix: str
    settings: Mapping[str, Any]
    lanes: tuple[str, ...]
    threads: int = 1
    hold: bool = False
    seconds: float = 0.0
    restart: float = 0.2
    prefetch: int = 0
    queue_arguments: Mapping[str, Any] | None = None
    listeners: list[Listener] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"


class StockBroker(RabbitmqBroker):
    """Stock Dramatiq's broker; `queue_arguments` go beside those it declares queues with (None: without that one)."""

    queue_arguments: Mapping[str, Any] | None = None

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        arguments = super()._build_queue_arguments(queue_name) | dict(self.queue_arguments or {})
        return {name: value for name, value in arguments.items() if value is not None}


def stock_broker(url: str, queue_arguments: Mapping[str, Any] | None = None) -> StockBroker:
    """With stock middleware and, better than its default, confirmed publishes."""
    broker = StockBroker(url=url, confirm_delivery=True)
    broker.queue_arguments = queue_arguments
    return broker


def run(pipe: Connection, plan: Plan) -> None:
    """The process: work until told to stop, or until the parent is gone."""
    log = os.open(plan.folder / f"{plan.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno() if sys.stdout else 1)
    os.dup2(log, sys.stderr.fileno() if sys.stderr else 2)
    configure_logs("json", "info")
    dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = plan.restart
    dramatiq.worker.QUEUE_PREFETCH = plan.prefetch
    child = _Child(pipe, plan)
    child.tell("ready")
    try:
        while True:
            order, *arguments = pipe.recv()
            getattr(child, order)(*arguments)
    except (EOFError, OSError):
        os._exit(1)


class _Child:
    def __init__(self, pipe: Connection, plan: Plan) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._work = Work(plan.name, plan.ledger, self.tell, hold=plan.hold, seconds=plan.seconds)
        self._opened: Counter[str] = Counter()
        self._unclaimed: Listener | None = None
        self._broker = self._stock(plan) if plan.subject == "stock" else self._ours(plan)
        self._count_consumers()
        self._worker = dramatiq.Worker(self._broker, worker_threads=plan.threads, worker_timeout=200)
        self._worker.start()

    def _stock(self, plan: Plan) -> dramatiq.Broker:
        broker = stock_broker(plan.settings["broker_url"], plan.queue_arguments)
        for lane in map(Lane.parse, plan.lanes):
            self._declare(broker, lane, plan.prefix)
        return broker

    def _declare(self, broker: dramatiq.Broker, lane: Lane, prefix: str) -> None:
        def act(*, v: int, lane: str, id: str, units: int) -> None:  # noqa: A002 - the message's own words
            self._work.do(id)

        dramatiq.Actor(
            act,
            broker=broker,
            actor_name=lane.actor,
            queue_name=lane.queue(prefix),
            priority=ACTOR_PRIORITY[lane.priority],
            options={},
        )

    def _ours(self, plan: Plan) -> dramatiq.Broker:
        settings = load_settings({}, overrides=dict(plan.settings))
        parts = make_broker(settings)
        signals = Signals()
        self._unclaimed = signals.listen("not_claimable")
        capture: Any = WorkingProvider(self._work)
        # What each of two workers holds decides what a case shows: no more than stock Dramatiq would.
        prefetch.LEAST = plan.prefetch or 2 * plan.threads
        make_back(settings, parts, threads=plan.threads, capture=capture, signals=signals)
        return parts.broker

    def _count_consumers(self) -> None:
        broker: Any = self._broker
        make = broker.consume

        def consume(queue_name: str, **how: Any) -> Any:
            consumer = make(queue_name, **how)
            self._opened[queue_name] += 1
            return consumer

        broker.consume = consume

    def tell(self, *words: Any) -> None:
        with self._lock:
            self._pipe.send(words)

    # Orders.

    def let(self, wanted: str) -> None:
        self._work.let(wanted)

    def let_all(self) -> None:
        self._work.let_all()

    def cut(self, queue_name: str) -> None:
        consumer: Any = self._worker.consumers[queue_name].consumer
        cut(
            consumer._link
            if hasattr(consumer, "_link")
            else SimpleNamespace(_connection=consumer.connection._impl)
        )
        self.tell("cut")

    def flush(self, queue_name: str) -> None:
        connection: Any = self._worker.consumers[queue_name].consumer.connection
        # Callbacks run in order, and each ack before this one has been written when it runs.
        connection.add_callback_threadsafe(lambda: self.tell("flushed"))

    def status(self) -> None:
        worker: Any = self._worker
        found = {
            "opened": dict(self._opened),
            "threads": sum(thread.is_alive() for thread in worker.workers),
            "consumers": sum(thread.is_alive() for thread in worker.consumers.values()),
            "all_threads": threading.active_count(),
            "waiting": worker.work_queue.unfinished_tasks,
            "bad": dict(self._broker.bad_messages)
            if isinstance(self._broker, NotifierRabbitmqBroker)
            else {},
            "not_claimable": len(self._unclaimed._unseen) if self._unclaimed else 0,
        }
        self.tell("status", found)

    def stop(self) -> None:
        self._work.let_all()
        self._worker.stop(timeout=30_000)
        self._broker.close()
        self.tell("stopped")
        os._exit(0)
