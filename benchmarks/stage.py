"""The private servers of a run, and the programs that run on them: all of them end with it.

Each program is guarded (`tests.nodes.process`): it ends even when the benchmark is killed with -9.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pika
import psycopg2

from tests.nodes.postgres import PostgresNode
from tests.nodes.process import ServerProcess
from tests.nodes.rabbitmq import RabbitmqNode

ROOT = Path(__file__).parents[1]
#: Longer than any one client takes, in seconds: a benchmark that hangs says so.
_CLIENT_SECONDS = 600


class Stage:
    """PostgreSQL and RabbitMQ with real fsync; start programs on them, leave it as a context to end all."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.folder = Path(tempfile.mkdtemp(prefix="notifier-bench-"))
        self.postgres = PostgresNode()
        self.rabbitmq = RabbitmqNode()
        self._programs: list[ServerProcess] = []

    def __enter__(self) -> Self:
        self.say("starting PostgreSQL and RabbitMQ ...")
        try:
            self.postgres.start()
            self.rabbitmq.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started here."""
        with contextlib.ExitStack() as ends:  # in the reverse order; each is tried whatever another does
            ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for server in (self.postgres, self.rabbitmq):
                ends.callback(server.stop)
            for program in self._programs:
                ends.callback(program.end, signal.SIGTERM, 20)

    def start(self, *arguments: str, **environment: str) -> ServerProcess:
        """A Python module that stays until it is ended."""
        program = ServerProcess(
            command=[sys.executable, "-m", *arguments],
            env=clean_environment() | environment,
            cwd=ROOT,
            log=self.folder / f"{arguments[0]}-{len(self._programs)}.log",
            abrupt=signal.SIGTERM,
        )
        self._programs.append(program)
        program.start()
        return program

    @contextlib.contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator[ServerProcess]:
        """The same for the length of a block; then it is stopped in order."""
        program = self.start(*arguments, **environment)
        try:
            yield program
        finally:
            program.end(signal.SIGTERM, 30)
            self._programs.remove(program)

    @contextlib.contextmanager
    def killed(self, *arguments: str, **environment: str) -> Iterator[ServerProcess]:
        """The same, but it ends with all its children and at once: for what would take long to end its work."""
        with self.running(*arguments, **environment) as program:
            try:
                yield program
            finally:
                if program.running:
                    os.killpg(program.pid, signal.SIGKILL)  # each program leads a session of its own

    def run(self, *arguments: str, **environment: str) -> str:
        """A Python module to its end; what it printed. Raises `RuntimeError` when it fails."""
        done = subprocess.run(  # noqa: S603 - our own modules with our own arguments
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            timeout=_CLIENT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[0]} failed\n{done.stderr[-2000:]}")
        return done.stdout

    def ask(self, *arguments: str, **environment: str) -> Any:
        """The same for a module that prints one JSON value."""
        return json.loads(self.run(*arguments, **environment))

    def versions(self) -> dict[str, str]:
        """What the servers say they are."""
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(self.rabbitmq.url))) as connection:
            properties = connection._impl.server_properties  # noqa: SLF001 - pika tells nowhere else
        with contextlib.closing(psycopg2.connect(plain(self.postgres.url()))) as database:
            number = database.server_version
        return {
            "PostgreSQL": f"{number // 10_000}.{number % 10_000}",
            "RabbitMQ": bytes(properties["version"]).decode()
            if isinstance(properties["version"], bytes)
            else str(properties["version"]),
        }


def clean_environment() -> dict[str, str]:
    """Ours without the caller's own settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}


def plain(url: str) -> str:
    """An SQLAlchemy URL as libpq reads it."""
    return url.replace("postgresql+psycopg2://", "postgresql://")
