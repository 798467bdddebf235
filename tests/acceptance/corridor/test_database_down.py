"""PostgreSQL crashed, stopped, frozen and its sessions ended under load (promises 2, 3 and 9)."""

import asyncio
import random
import threading
import time
from collections import Counter

import aiohttp
import psycopg2
import pytest

from notifier.domain.ids import parse_notification_id
from notifier.storage import attempts
from tests.acceptance.fleet import Fleet, email, message_id, ready
from tests.nodes.postgres import PostgresNode
from tests.nodes.waiting import wait_until

THREADS = 8
#: Seconds: what a request waits at the most (two), with room for a busy machine.
PATIENCE = 3.0
RECOVERY = 10.0
#: How long it stays down: longer than any time-out on the way to it.
DOWN = 15.0


class Load(threading.Thread):
    """Posts e-mails at a steady pace, each once, until stopped; notes every answer and how long it took."""

    def __init__(self, port: int, key: str, pace: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.answers: Counter[int] = Counter()
        self.accepted: list[str] = []
        self.slowest = 0.0
        #: Answers that are neither a 202 nor a 503 with Retry-After.
        self.wrong: list[object] = []
        self._url = f"http://127.0.0.1:{port}/v1/notifications"
        self._key, self._pace = key, pace
        self._enough = threading.Event()

    def finish(self) -> None:
        self._enough.set()
        self.join(30)

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting: set[asyncio.Task[None]] = set()
        headers = {"Authorization": f"Bearer {self._key}"}
        async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
            number = 0
            while not self._enough.is_set():
                waiting.add(task := asyncio.create_task(self._one(session, number)))
                task.add_done_callback(waiting.discard)
                number += 1
                await asyncio.wait({never}, timeout=self._pace)
            await asyncio.gather(*waiting)

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        began = time.monotonic()
        try:
            async with session.post(self._url, json=email(number)) as answer:
                found = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.wrong.append(repr(error))
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[answer.status] += 1
        if answer.status == 202:
            self.accepted.append(found["id"])
            return
        if answer.status != 503 or not int(answer.headers.get("Retry-After", "0")):
            self.wrong.append((answer.status, found))


@pytest.fixture
def own_postgres():
    """A server that this test may end."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


def end_sessions(node: PostgresNode, dice: random.Random) -> None:
    """End some random sessions of ours."""
    with psycopg2.connect(node.url().replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'notifier-%'")
        pids = [row[0] for row in cursor.fetchall()]
        for pid in dice.sample(pids, min(3, len(pids))):
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
    connection.close()


def marked(fleet: Fleet, identifier: str) -> bool:
    found = parse_notification_id(identifier)
    return found is not None and any(
        shown["possible_duplicate"] for shown in attempts.of(fleet.engine, "default", found)
    )


def test_the_database_crashes_stops_and_loses_its_sessions(tmp_path, own_postgres, rabbitmq_vhost_url):
    """Refusals are 503 with Retry-After within two seconds; afterwards nothing is lost, within 10 s all flows."""
    with own_postgres.fresh_database() as url, Fleet(tmp_path, url, rabbitmq_vhost_url) as fleet:
        fleet.run("alembic", "upgrade", "head")
        fleet.sink()
        fleet.serve()
        fleet.work(threads=THREADS)
        fleet.wait_for_workers(1)
        key, port = fleet.key(), fleet.ports[0]
        dice = random.Random(9)

        load = Load(port, key)
        load.start()
        wait_until(lambda: len(load.accepted) > 100, 20, "load")
        own_postgres.crash()
        own_postgres.start()
        back = time.monotonic()
        wait_until(lambda: ready(port), RECOVERY, "the door")
        took = [time.monotonic() - back]
        seen = len(load.accepted)
        wait_until(lambda: len(load.accepted) > seen + 100, 20, "load")

        for _ in range(20):
            seen = len(load.accepted)
            end_sessions(own_postgres, dice)
            wait_until(lambda: len(load.accepted) > seen + 5, 20, "load")  # noqa: B023 - awaited here

        own_postgres.crash()
        down = time.monotonic()
        wait_until(lambda: time.monotonic() - down > DOWN, 2 * DOWN, "the time to pass")
        refused = load.answers[503]
        own_postgres.start()
        back = time.monotonic()
        wait_until(lambda: ready(port), RECOVERY, "the door")
        took.append(time.monotonic() - back)
        seen, sent = len(load.accepted), sum(fleet.delivered().values())
        wait_until(lambda: len(load.accepted) > seen + 100, 20, "load")
        wait_until(lambda: sum(fleet.delivered().values()) > sent + 100, 20, "sending")
        took.append(time.monotonic() - back)
        load.finish()
        fleet.engine.dispose()  # our own sessions ended, too
        counts = fleet.wait_for_final(len(load.accepted), timeout=40)
        delivered = fleet.delivered()
        twice = {one for one, number in delivered.items() if number > 1}

        assert refused > 100
        assert not load.wrong
        assert load.slowest < PATIENCE
        assert set(map(message_id, load.accepted)) - set(delivered) == set(), "lost"
        assert set(counts) == {"sent"}
        assert counts["sent"] == len(delivered)
        assert len(twice) <= 2 * THREADS * 3
        assert all(marked(fleet, one[1:].split("@", 1)[0]) for one in twice)
        assert max(took) < RECOVERY
