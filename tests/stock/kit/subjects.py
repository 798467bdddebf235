"""What is put to the test, behind one interface: stock Dramatiq, and Notifier on the same broker.

Both get the same message bodies on queues of the same names. A stock message is its own truth; ours is a
bell for a row in storage, which a relay rings again when it is lost.
"""

import itertools
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dramatiq
import pika
import pika.exceptions
from sqlalchemy import func, select

from notifier.bootstrap.front import make_front
from notifier.bootstrap.relays import make_relay, run_in_thread
from notifier.bootstrap.roads import make_broker
from notifier.domain.ids import notification_id, parse_notification_id
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.intake.submissions import Submission
from notifier.settings import load_settings
from notifier.storage import changes
from notifier.storage.engine import reading
from notifier.storage.tables import notifications
from tests.conformance.brokers.harness import new_messages
from tests.conformance.storage_kit import new
from tests.nodes.waiting import wait_until
from tests.stock.kit.child import Plan, stock_broker
from tests.stock.kit.workers import PATIENCE, WorkerProcess

_numbers = itertools.count(1)
#: Notifier's times in seconds, shortened as settings allow.
SHORT_TIMES = {
    "connect_timeout_seconds": 0.4,
    "provider_timeout_seconds": 0.5,
    "drain_margin_seconds": 0.5,
    "drain_seconds": 2.0,
    "lease_margin_seconds": 2.0,
    "send_margin_seconds": 0.5,
    "lease_seconds": 6.0,
    "orphan_seconds": 4.0,
    "ring_again_seconds": 1.0,
    "accept_wait_seconds": 30.0,
    "relay_poll_seconds": 0.2,
    "relay_missing_seconds": 300.0,  # the test says when a relay runs
    "database_return_seconds": 1.0,
    "log_format": "json",
}


class Subject:
    """What both have: workers to start, a ledger of finished work, the broker to look into."""

    name = ""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.folder = folder
        self.url = broker_url
        self.prefix = f"s{next(_numbers)}{uuid.uuid4().hex[:6]}.v1"
        #: When each message was accepted, in monotonic seconds.
        self.accepted: dict[str, float] = {}
        self._workers: list[WorkerProcess] = []

    def settings(self) -> dict[str, Any]:
        return {"broker_url": self.url, "queue_prefix": self.prefix}

    def queue(self, lane: Lane) -> str:
        return lane.queue(self.prefix)

    def worker(self, name: str, lanes: Iterable[Lane], **more: Any) -> WorkerProcess:
        """A worker process, consuming."""
        plan = Plan(
            subject=self.name,
            name=name,
            folder=self.folder,
            prefix=self.prefix,
            settings=self.settings(),
            lanes=tuple(lane.name for lane in lanes),
            **self._plan(),
            **more,
        )
        made = WorkerProcess(plan)
        self._workers.append(made)
        for queue in (self.queue(Lane.parse(lane)) for lane in plan.lanes):
            wait_until(lambda queue=queue: made.status()["opened"].get(queue), PATIENCE, f"{name} to consume")
        return made

    def _plan(self) -> dict[str, Any]:
        return {}

    def accept(self, count: int, lane: Lane) -> list[str]:
        """Accept messages; their ids. Stock has them confirmed by the broker, ours keeps them in storage."""
        began = time.monotonic()
        ids = self._accept(count, lane)
        self.accepted.update(dict.fromkeys(ids, began))
        return ids

    def _accept(self, count: int, lane: Lane) -> list[str]:
        raise NotImplementedError

    def put(self, bodies: Iterable[bytes], lane: Lane) -> None:
        """Put bodies straight into a queue, as somebody with access to the broker would."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("", self.queue(lane), body, mandatory=True)

    def ledger(self) -> list[tuple[str, float]]:
        """Each piece of work that was done, in order: the message's id and when."""
        path = self.folder / "ledger"
        if not path.exists():
            return []
        lines = [line.split(" ") for line in path.read_text().splitlines()]
        return [(words[0], float(words[2])) for words in lines]

    def ready(self, lane: Lane, suffix: str = "") -> int:
        """Messages ready in a lane's queue (or, with a suffix, in that beside it); 0 if there is none."""
        return self._counts(lane, suffix)[0]

    def consumed(self, lane: Lane) -> bool:
        """Whether the broker knows any consumer of a lane's queue."""
        return self._counts(lane, "")[1] > 0

    def _counts(self, lane: Lane, suffix: str) -> tuple[int, int]:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            try:
                found = channel.queue_declare(self.queue(lane) + suffix, passive=True)
            except pika.exceptions.ChannelClosedByBroker:
                return 0, 0
            return found.method.message_count, found.method.consumer_count

    def bodies(self, lane: Lane, suffix: str = "") -> list[bytes]:
        """What is ready in a queue, which keeps it."""
        found = []
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            while (got := channel.basic_get(self.queue(lane) + suffix))[0] is not None:
                found.append(got[2])
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.__exit__()


class Stock(Subject):
    """Dramatiq's own broker, worker and middleware; publishes are confirmed."""

    name = "stock"

    def __init__(
        self, folder: Path, broker_url: str, queue_arguments: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(folder, broker_url)
        self._arguments = queue_arguments
        self.broker: dramatiq.Broker = stock_broker(broker_url, queue_arguments)

    def _plan(self) -> dict[str, Any]:
        return {"queue_arguments": self._arguments}

    def _accept(self, count: int, lane: Lane) -> list[str]:
        messages = new_messages(count, lane)
        for message in messages:
            self.broker.enqueue(dramatiq.Message.decode(message.encode(self.prefix)))
        return [notification_id(message.id) for message in messages]

    def wait_settled(self, worker: WorkerProcess, finished: Iterable[str]) -> None:
        """Until the acks of what a worker has finished are on their way to the broker."""
        worker.flush(self.queue(Lane.parse(worker.plan.lanes[0])))

    def settle(self, lanes: Iterable[Lane]) -> None:
        """Until no worker has anything to do and no queue holds anything; what is not done by then is lost."""
        for worker in [one for one in self._workers if one.running]:
            wait_until(lambda worker=worker: worker.status()["waiting"] == 0, PATIENCE, "idle workers")
            worker.stop()
        for lane in lanes:
            assert (self.ready(lane), self.ready(lane, ".DQ")) == (0, 0)

    def close(self) -> None:
        super().close()
        self.broker.close()


class Ours(Subject):
    """Notifier's intake, broker, worker and relay as the service puts them together."""

    name = "notifier"

    def __init__(
        self, folder: Path, broker_url: str, database_url: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(folder, broker_url)
        self._database_url = database_url
        self._more = dict(settings or {})
        self._settings = load_settings({}, overrides=self.settings())
        self._parts = make_broker(self._settings)
        self.broker = self._parts.broker
        self.broker.declare_all(Lane.all())
        self._front = make_front(self._settings, self._parts)
        self._front.start()
        self._relay: Any = None

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), **SHORT_TIMES, "database_url": self._database_url, **self._more}

    def _accept(self, count: int, lane: Lane) -> list[str]:
        submission = Submission(
            notifications=[new(lane) for _ in range(count)],
            tenant="acme",
            api_key="key-1",
            route="/",
            body_hash=b"",
            respond=lambda stored: " ".join(notification_id(one.id) for one in stored).encode(),
        )
        return self._front.intake.submit_and_wait(submission).answer.decode().split()

    def start_relay(self) -> None:
        """A relay, as `dramatiq notifier.worker` forks one."""
        parts = make_relay(self._settings, self._parts)
        self._relay = (parts, run_in_thread(parts))

    def stop_relay(self) -> None:
        """Let it end its present batch."""
        if self._relay is None:
            return
        parts, thread = self._relay
        self._relay = None
        parts.relay.stop()
        thread.join(PATIENCE)
        parts.stop()

    def counts(self) -> dict[Status, int]:
        """How many notifications stand in each state."""
        return {status: number for status, number in changes.counts(self._front.engine).items() if number}

    def wait_settled(self, worker: WorkerProcess, finished: Iterable[str]) -> None:
        """Until the outcomes of what a worker has finished are stored: killed before, they would be unknown."""
        ids = [parse_notification_id(one) for one in finished]
        stored = select(func.count()).where(
            notifications.c.id.in_(ids), notifications.c.status == Status.SENT
        )

        def all_stored() -> bool:
            with reading(self._front.engine) as connection:
                return connection.execute(stored).scalar_one() == len(ids)

        wait_until(all_stored, PATIENCE, "outcomes to be stored")

    def settle(self, lanes: Iterable[Lane]) -> None:
        """Until every accepted notification was sent; then its workers stop in order."""
        sent = {Status.SENT: len(self.accepted)}
        try:
            wait_until(lambda: self.counts() == sent, PATIENCE, "everything to be sent")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.counts()}") from None
        for worker in [one for one in self._workers if one.running]:
            worker.stop()

    def close(self) -> None:
        super().close()
        self.stop_relay()
        self._front.stop()
        self.broker.close()
