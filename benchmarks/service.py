"""One installation of notifier as an operator runs it, with the default settings but for two times."""

import contextlib
import json
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2.errors import DeadlockDetected

from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.stage import Stage, plain
from benchmarks.virtual_host import VirtualHost
from notifier.domain.ids import notification_id
from notifier.domain.keys import SCOPES, new_key
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Mode
from notifier.settings import Settings
from notifier.storage import api_keys
from notifier.storage.engine import Use, make_engine
from tests.nodes.ports import free_port
from tests.nodes.process import ServerProcess
from tests.nodes.waiting import wait_until

_READY_SECONDS = 60.0
#: Notifications of one request that fills lanes; all nine get as many.
BATCH = 900
_AT_ONCE = 10 * BATCH
_RESETS = 5


class Service:
    """Its own database and virtual host; `serve` and `work` run its two halves."""

    def __init__(self, stage: Stage, name: str, **settings: str) -> None:
        self._stage = stage
        stage.postgres.create_database(name)
        self._broker = VirtualHost(stage, name)
        self.database_url = stage.postgres.url(name)
        self.environment = {
            "NOTIFIER_DATABASE_URL": self.database_url,
            "NOTIFIER_BROKER_URL": self._broker.url,
            "NOTIFIER_STOP_ACCEPTING_SECONDS": "0",
            # A crowded machine makes a run slower, not impossible: no caller here has anything better to do.
            "NOTIFIER_ACCEPT_WAIT_SECONDS": "20",
            **settings,
        }
        stage.run("notifier", "migrate", **self.environment)
        self.key = self._new_key()
        self.queues = [lane.queue(Settings().queue_prefix) for lane in Lane.all()]

    def _new_key(self) -> str:
        key_id, text, digest = new_key(Mode.LIVE)
        engine = make_engine(self.database_url, Use(name="bench"))
        try:
            api_keys.add(
                engine,
                key_id=key_id,
                key_hash=digest,
                name="bench",
                tenant="default",
                mode=Mode.LIVE,
                scopes=SCOPES,
            )
        finally:
            engine.dispose()
        return text

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """`notifier serve` in one process; gives its port."""
        with self.door() as (port, _):
            yield port

    @contextlib.contextmanager
    def door(self) -> Iterator[tuple[int, ServerProcess]]:
        """The same, with its process."""
        port = free_port()
        with self._stage.running("notifier", "serve", "--port", str(port), **self.environment) as door:
            door.wait_ready(lambda: _ready(port), _READY_SECONDS)
            yield port, door

    @contextlib.contextmanager
    def working(
        self,
        threads: int,
        calls: Path,
        *,
        seconds: Mapping[str, float] | None = None,
        program: str = "benchmarks.worker",
        at_once: bool = False,
        processes: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[ServerProcess]:
        """`dramatiq` worker processes and their relay; the provider writes each call down in `calls`.

        `seconds` is how long a call takes, by channel (none: no time); `at_once`: it is killed in the end;
        `settings` are the worker's own.
        """
        arguments = ["dramatiq", program, "-p", str(processes), "-t", str(threads)]
        told = {"BENCHMARK_CALLS": str(calls), "BENCHMARK_SECONDS": json.dumps(dict(seconds or {}))}
        start = self._stage.killed if at_once else self._stage.running
        with start(*arguments, **{**self.environment, **(settings or {})}, **told) as launch:
            yield launch

    def fill(self, door: int, count: int, lanes: Sequence[Lane] = Lane.all()) -> None:
        """Have `count` notifications (whole batches of them) accepted for these lanes, and published.

        Some at a time: no relay runs yet for what a door that is flooded leaves to it.
        """
        for begin in range(0, count - count % BATCH, _AT_ONCE):
            self._fill(door, min(_AT_ONCE, count - begin) // BATCH, lanes)

    def _fill(self, door: int, batches: int, lanes: Sequence[Lane]) -> None:
        before = self.ready_messages()
        found = self._stage.ask(
            "benchmarks.load_client",
            "--path=/v1/notifications/batch",
            f"--port={door}",
            "--connections=2",
            f"--count={batches}",
            f"--batch={BATCH}",
            f"--seed={SEED}",
            f"--key={self.key}",
            f"--lanes={','.join(lane.name for lane in lanes)}",
        )
        same("refusals", found["refusals"], {})
        same("answers of 202", found["answers"], {"202": batches})
        self.wait_published()
        same("messages in the lanes", self.ready_messages(), before + batches * BATCH)

    def lanes_of(self, found: Iterable[str]) -> dict[str, str]:
        """The lane of each notification."""
        rows = self.query("SELECT id, channel, priority FROM notifications")
        lanes = {notification_id(UUID(str(row[0]))): f"{row[1]}.{row[2]}" for row in rows}
        return {name: lanes[name] for name in found}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement over the database."""
        with contextlib.closing(psycopg2.connect(plain(self.database_url))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def number(self, statement: str) -> int:
        """The one number that a statement answers."""
        return int(self.query(statement)[0][0])

    def wait_published(self, seconds: float = 60) -> None:
        """Until the outbox owes nothing."""
        wait_until(lambda: not self.number("SELECT count(*) FROM outbox"), seconds, "the outbox to be empty")

    def ready_messages(self) -> int:
        """Messages in all lanes' queues that nobody holds."""
        return sum(self._broker.ready_messages(queue) for queue in self.queues)

    def reset(self) -> None:
        """As on the first day: nothing kept, nothing queued, the disk at rest."""
        for _ in range(_RESETS):
            with contextlib.suppress(DeadlockDetected):  # the door reads tables in another order
                self.query("TRUNCATE notifications, attempts, dead_letters, outbox, idempotency")
                break
        else:
            raise RuntimeError("the tables could not be emptied: somebody reads them without end")
        for queue in self.queues:
            self._broker.purge(queue)
        self.query("CHECKPOINT")


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
