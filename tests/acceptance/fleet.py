"""A whole installation in processes of its own: HTTP servers, workers with their relays, an SMTP sink.

Every process is a group of its own, so that a launcher can be killed together with its children, and
only what was started here is ever ended. Times are the short ones of the tests: a call 2 s, a lease 10 s.
"""

import asyncio
import json
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import aiohttp

from notifier.domain.keys import SCOPES, new_key
from notifier.domain.lifecycle import Mode, Status
from notifier.storage import api_keys, changes, migrations, workers
from notifier.storage.engine import Use, make_engine
from tests.nodes import programs
from tests.nodes.ports import free_port
from tests.nodes.programs import Program
from tests.nodes.waiting import wait_until

ROOT = Path(__file__).parents[2]
SHORT_TIMES = {
    "NOTIFIER_CONNECT_TIMEOUT_SECONDS": "1",
    "NOTIFIER_PROVIDER_TIMEOUT_SECONDS": "2",
    "NOTIFIER_SMTP_TIMEOUT_SECONDS": "2",
    "NOTIFIER_DRAIN_SECONDS": "4",
    "NOTIFIER_DRAIN_MARGIN_SECONDS": "2",
    "NOTIFIER_LEASE_SECONDS": "10",
    "NOTIFIER_LEASE_MARGIN_SECONDS": "4",
    "NOTIFIER_SEND_MARGIN_SECONDS": "2",
    "NOTIFIER_ORPHAN_SECONDS": "10",
    "NOTIFIER_RING_AGAIN_SECONDS": "10",
    "NOTIFIER_BREAKER_WAIT_SECONDS": "0.5",
    "NOTIFIER_BREAKER_LONGEST_WAIT_SECONDS": "2",
}


class Fleet:
    """Start its parts in any number; leave it as a context to end all of them."""

    def __init__(self, folder: Path, database_url: str, broker_url: str, **settings: str) -> None:
        self.folder = folder
        self.ledger = folder / "mails.ledger"
        self.smtp_port = free_port()
        self.ports: list[int] = []
        self._processes: list[Program] = []
        self._log = (folder / "fleet.log").open("ab")
        self.settings = {
            "NOTIFIER_DATABASE_URL": database_url,
            "NOTIFIER_BROKER_URL": broker_url,
            "NOTIFIER_EMAIL_PROVIDERS": f"smtp://127.0.0.1:{self.smtp_port}",
            "NOTIFIER_EMAIL_FROM": "notifier@example.com",
            "NOTIFIER_LOG_FORMAT": "json",
            # Dozens of launches at a time would take each other's ports; test_metrics turns it on.
            "NOTIFIER_METRICS_PORT": "0",
            **SHORT_TIMES,
            **settings,
        }
        self.engine = make_engine(database_url, Use(name="test", pool_size=3))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.engine.dispose()
        self._log.close()

    @property
    def log(self) -> str:
        """Everything the processes wrote."""
        return (self.folder / "fleet.log").read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """Only what the processes need: none of the caller's own NOTIFIER_ variables."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
        return clean | self.settings

    def run(self, *arguments: str) -> str:
        """A command to its end; its output."""
        done = programs.run(*arguments, cwd=ROOT, env=self.environment, timeout=120)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def migrate(self) -> None:
        """The newest revision, here and now: that the commands bring it about is told elsewhere."""
        migrations.upgrade(self.settings["NOTIFIER_DATABASE_URL"])

    def start(self, *arguments: str) -> Program:
        """A process that stays."""
        told = {"cwd": ROOT, "env": self.environment, "stdout": self._log, "stderr": self._log}
        process = programs.start(*arguments, **told)
        self._processes.append(process)
        return process

    def sink(self) -> Program:
        """The SMTP server, in its own process."""
        return self.start("tests.nodes.smtp", "--port", str(self.smtp_port), "--ledger", str(self.ledger))

    def serve(self, processes: int = 1) -> Program:
        """An HTTP server, ready."""
        port = free_port()
        self.ports.append(port)
        process = self.start("notifier", "serve", "--port", str(port), "--processes", str(processes))
        wait_until(lambda: ready(port), 30, f"the door on {port}")
        return process

    def work(self, processes: int = 1, threads: int = 8) -> Program:
        """A `dramatiq` launch: worker processes and their relay."""
        arguments = ["dramatiq", "notifier.worker", "-p", str(processes), "-t", str(threads)]
        return self.start(*arguments, "--worker-shutdown-timeout", "9000")

    def wait_for_workers(self, number: int, timeout: float = 30) -> None:
        """Until so many worker processes beat."""
        wait_until(
            lambda: len(workers.living(self.engine, 3, "worker")) >= number, timeout, f"{number} workers"
        )

    def kill(self, processes: Iterable[Program] | None = None) -> None:
        """-9, with all children; by default everything that runs."""
        self._end(signal.SIGKILL, processes)

    def stop(self, processes: Iterable[Program]) -> list[int]:
        """SIGTERM to the leaders, as an init system does; their exit codes."""
        chosen = list(processes)
        for process in chosen:
            process.terminate()
        codes = [process.wait(30) for process in chosen]
        self._processes = [process for process in self._processes if process not in chosen]
        return codes

    def _end(self, number: int, processes: Iterable[Program] | None) -> None:
        chosen = list(self._processes if processes is None else processes)
        for process in chosen:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
        for process in chosen:
            process.wait(30)
        self._processes = [process for process in self._processes if process not in chosen]

    def key(self, tenant: str = "default", mode: Mode = Mode.LIVE) -> str:
        """A new API key."""
        key_id, text, digest = new_key(mode)
        api_keys.add(
            self.engine,
            key_id=key_id,
            key_hash=digest,
            name="acceptance",
            tenant=tenant,
            mode=mode,
            scopes=SCOPES,
        )
        return text

    def counts(self) -> dict[Status, int]:
        """How many notifications stand in each state."""
        return {status: number for status, number in changes.counts(self.engine).items() if number}

    def wait_for_final(self, number: int, timeout: float) -> dict[Status, int]:
        """Until nothing is pending and `number` are kept; the counts."""
        waiting = (Status.SCHEDULED, Status.QUEUED, Status.SENDING)

        def done() -> bool:
            counts = self.counts()
            return sum(counts.values()) >= number and not any(counts.get(state) for state in waiting)

        try:
            wait_until(done, timeout, f"{number} endings")
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {self.counts()}") from None
        return self.counts()

    def delivered(self) -> Counter[str]:
        """The sink's ledger: how often each Message-ID was accepted."""
        if not self.ledger.exists():
            return Counter()
        return Counter(line.split(" ", 1)[0] for line in self.ledger.read_text().splitlines())


def ready(port: int) -> bool:
    """Whether the door on this port says that it can accept."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def email(number: int, **more: object) -> dict[str, object]:
    """A small request for the e-mail lanes."""
    return {
        "channel": "email",
        "priority": ("high", "medium", "low")[number % 3],
        "to": {"email": f"reader{number}@example.com"},
        "content": {"subject": f"Number {number}", "text": f"This is message {number}."},
        **more,
    }


def message_id(notification: str) -> str:
    """The Message-ID an e-mail carries for this notification."""
    return f"<{notification}@example.com>"


def post_many(
    ports: list[int],
    key: str,
    bodies: list[dict[str, object]],
    *,
    connections: int = 32,
    on_each: Callable[[str], None] = lambda _: None,
    turns: int = 400,
) -> list[str]:
    """Post each body once, trying again (with its own Idempotency-Key) until it is accepted; the ids."""

    back_off: asyncio.Future[None]

    async def one(session: aiohttp.ClientSession, number: int) -> str:
        headers = {"Idempotency-Key": f"{key[-12:]}-{number}"}
        for turn in range(turns):
            url = f"http://127.0.0.1:{ports[(number + turn) % len(ports)]}/v1/notifications"
            try:
                async with session.post(url, json=bodies[number], headers=headers) as answer:
                    found = await answer.json(content_type=None)
                    if answer.status == 202:
                        return str(found["id"])
                    assert answer.status in {409, 503}, f"{answer.status}: {json.dumps(found)}"
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
                pass
            await asyncio.wait({back_off}, timeout=0.1)
        raise AssertionError(f"request {number} was never accepted")

    async def everything() -> list[str]:
        nonlocal back_off
        # Never done: what a well-behaved client waits on before it tries again.
        back_off = asyncio.get_running_loop().create_future()
        ids = [""] * len(bodies)
        queue = iter(range(len(bodies)))
        connector = aiohttp.TCPConnector(limit=connections)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers={"Authorization": f"Bearer {key}"}
        ) as session:

            async def client() -> None:
                for number in queue:
                    ids[number] = await one(session, number)
                    on_each(ids[number])

            await asyncio.gather(*(client() for _ in range(connections)))
        return ids

    return asyncio.run(everything())
