"""`make services`: a private RabbitMQ and PostgreSQL under `.services/` that run until they are stopped."""

import contextlib
import fcntl
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.nodes.epmd import Epmd
from tests.nodes.folders import can_reach, temporary_folder
from tests.nodes.postgres import PostgresNode, server_user
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.state import Mark, State

_DATABASE = "notifier"
# In the order of their end, each with the signal for an orderly one.
_SERVERS = (("rabbitmq", signal.SIGTERM), ("epmd", signal.SIGTERM), ("postgres", signal.SIGINT))


class Services:
    """The two servers of one checkout; `folder` is its `.services/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state_file = folder / "state.json"

    def start(self) -> int:
        """Start what does not run, and print the settings. Calling it again changes nothing."""
        self._folder.mkdir(mode=0o711, exist_ok=True)  # PostgreSQL's user passes through
        with self._alone():
            state = State.load(self._state_file) or State(postgres_folder=str(self._postgres_folder()))
            self._start_postgres(state)
            self._start_rabbitmq(state)
        return self.env()

    def stop(self, *, purge: bool = False) -> int:
        """End the processes we started, and with `purge` remove their data too."""
        if not self._folder.exists():
            _say("nothing to stop")
            return 0
        with self._alone():
            state = State.load(self._state_file)
            if state is not None:
                self._end(state)
                if purge:
                    shutil.rmtree(state.postgres_folder, ignore_errors=True)
            if purge:
                shutil.rmtree(self._folder)
                _say("data removed")
        return 0

    def env(self) -> int:
        """Print the settings to export; 1 when the servers do not run."""
        state = State.load(self._state_file)
        if state is None or not (state.lives("postgres") and state.lives("rabbitmq")):
            _say("the services do not run: `make services` starts them")
            return 1
        postgres, rabbitmq = self._nodes(state)
        settings = {"NOTIFIER_DATABASE_URL": postgres.url(_DATABASE), "NOTIFIER_BROKER_URL": rabbitmq.url}
        for name, value in settings.items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        return 0

    def _start_postgres(self, state: State) -> None:
        if state.lives("postgres"):
            return
        state.postgres_port = state.free_port_for("postgres", state.postgres_port)
        state.save(self._state_file)  # the password, before data are made under it
        _say("starting PostgreSQL ...")
        postgres, _ = self._nodes(state)
        postgres.start()
        state.marks["postgres"] = Mark.of(postgres.pid)
        state.save(self._state_file)
        if not postgres.has_database(_DATABASE):
            postgres.create_database(_DATABASE)

    def _start_rabbitmq(self, state: State) -> None:
        if state.lives("rabbitmq"):
            return
        if "epmd" in state.marks:
            state.marks.pop("epmd").end(signal.SIGTERM)
        state.amqp_port = state.free_port_for("rabbitmq", state.amqp_port)
        state.epmd_port = state.free_port_for("epmd", state.epmd_port)
        state.save(self._state_file)
        _say("starting RabbitMQ ...")
        _, rabbitmq = self._nodes(state)
        rabbitmq.epmd.start()
        state.marks["epmd"] = Mark.of(rabbitmq.epmd.pid or 0)
        state.save(self._state_file)
        rabbitmq.start()
        state.marks["rabbitmq"] = Mark.of(rabbitmq.pid)
        state.save(self._state_file)

    def _nodes(self, state: State) -> tuple[PostgresNode, RabbitmqNode]:
        postgres = PostgresNode(
            folder=Path(state.postgres_folder),
            port=state.postgres_port,
            password=state.postgres_password,
            detached=True,
        )
        rabbitmq = RabbitmqNode(
            folder=self._folder / "rabbitmq",
            port=state.amqp_port,
            user=state.amqp_user,
            password=state.amqp_password,
            epmd=Epmd(port=state.epmd_port, detached=True),
            detached=True,
        )
        return postgres, rabbitmq

    def _end(self, state: State) -> None:
        for server, how in _SERVERS:
            mark = state.marks.pop(server, None)
            if mark is not None:
                if mark.lives:
                    _say(f"stopping {server} ...")
                mark.end(how)
                state.save(self._state_file)

    def _postgres_folder(self) -> Path:
        """Under `.services/`, or where PostgreSQL's unprivileged user can come to when root's checkout is closed."""
        user = server_user()
        if can_reach(self._folder, user):
            return (self._folder / "postgres").resolve()
        return temporary_folder("notifier-services-", user, lasting=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One call at a time in one checkout."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
