"""A private PostgreSQL server."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from tests.nodes import binaries
from tests.nodes.folders import temporary_folder
from tests.nodes.ports import free_port
from tests.nodes.process import NodeError, ServerProcess, as_user, require_free

_ROLE = "notifier"
_READY_SECONDS = 30.0
_LONGEST_SOCKET_FOLDER = 80  # a socket's path may have 107 bytes (sun_path), its name takes 20


class PostgresNode:
    """One server on 127.0.0.1 with its data in its own folder.

    Without `folder` a temporary one is made, and removed by `stop()`; a given folder is kept, and what
    it holds is used again. Without `password` every local connection is trusted. `fsync` stays on,
    because tests rely on what a crash may take. `settings` are PostgreSQL's own, by name;
    `wal_segment_megabytes` is fixed when the data are made, and small for a small disk: PostgreSQL keeps
    up to 64 such segments. `detached`: the server outlives this process.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        port: int | None = None,
        password: str | None = None,
        fsync: bool = True,
        max_connections: int = 200,
        settings: Mapping[str, str] | None = None,
        wal_segment_megabytes: int | None = None,
        detached: bool = False,
    ) -> None:
        self._owned = folder is None
        self._user = server_user()
        self.folder = folder or temporary_folder("notifier-postgres-", self._user)
        self.port = port or free_port()
        self._password = password
        self._settings = {
            "fsync": "on" if fsync else "off",
            "max_connections": str(max_connections),
            **(settings or {}),
        }
        self._wal_segment_megabytes = wal_segment_megabytes
        self._data = self.folder / "data"
        self._process = ServerProcess(
            command=[binaries.find("postgres"), "-D", str(self._data)],
            env=_environment(),
            cwd=self.folder,
            log=self.folder / "postgres.log",
            abrupt=signal.SIGQUIT,  # PostgreSQL's immediate stop: takes its children and shared memory along
            user=self._user,
            folder=self.folder if self._owned else None,
            detached=detached,
        )

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server process lives."""
        return self._process.running

    def start(self) -> None:
        """Make the data folder if it is new, start, and return when the server answers."""
        require_free(self.port)
        self._give_folder_to_user()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._configure()
        self._process.start()
        try:
            self._process.wait_ready(self.answers, _READY_SECONDS)
        except NodeError:
            self._process.end(signal.SIGQUIT)
            raise

    def stop(self) -> None:
        """As `halt()`; removes a temporary folder."""
        self.halt()
        if self._owned:
            shutil.rmtree(self.folder, ignore_errors=True)

    def halt(self) -> None:
        """Fast stop: connections are cut, everything committed is written; `start()` goes on with it."""
        self._process.end(signal.SIGINT)

    def crash(self) -> None:
        """Immediate stop, as after a power cut: the next start recovers from the log."""
        self._process.end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop fast if it runs, and start with the same data on the same port."""
        self.halt()
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one database."""
        secret = f":{self._password}" if self._password else ""
        return f"postgresql+psycopg2://{_ROLE}{secret}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, like: str = "template1") -> None:
        """Make a database like another that nobody is connected to; by default an empty one."""
        names = sql.Identifier(name), sql.Identifier(like)
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))

    def drop_database(self, name: str) -> None:
        """Remove a database, cutting the connections it still has."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Whether there is a database of this name."""
        return bool(self._execute(sql.SQL("SELECT 1 FROM pg_database WHERE datname = %s"), name))

    @contextlib.contextmanager
    def fresh_database(self, like: str = "template1") -> Iterator[str]:
        """The URL of a database (by default an empty one) that is dropped at the end."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.create_database(name, like)
        try:
            yield self.url(name)
        finally:
            if self.running:
                self.drop_database(name)

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self) -> Any:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=_ROLE,
            password=self._password,
            dbname="postgres",
            connect_timeout=5,
        )

    def _execute(self, statement: sql.Composable, *values: str) -> list[Any]:
        connection = self._connect()
        try:
            connection.autocommit = True  # databases are not made inside a transaction
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def _give_folder_to_user(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(self.folder, self._user)

    def _initialise(self) -> None:
        """Make the data folder; one that was left half-made is begun anew."""
        shutil.rmtree(self._data, ignore_errors=True)
        command = [
            binaries.find("initdb"),
            "-D",
            str(self._data),
            "-U",
            _ROLE,
            "--encoding=UTF8",
            "--locale=C",
        ]
        if self._wal_segment_megabytes is not None:
            command += [f"--wal-segsize={self._wal_segment_megabytes}"]
        secret = self.folder / "password"
        if self._password:
            secret.touch(mode=0o600)
            secret.write_text(self._password)
            _chown(secret, self._user)
            command += ["--auth=scram-sha-256", f"--pwfile={secret}"]
        else:
            command += ["--auth=trust"]
        made = subprocess.run(
            command,
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            check=False,
            **as_user(self._user),
        )
        secret.unlink(missing_ok=True)
        if made.returncode:
            raise NodeError(f"initdb failed\n{made.stdout.decode()}{made.stderr.decode()}")

    def _configure(self) -> None:
        """Write what differs only: on a full disk what was there would be gone."""
        file, wanted = self._data / "postgresql.auto.conf", self._configuration()
        if file.read_text() != wanted:
            file.write_text(wanted)

    def _configuration(self) -> str:
        fits = len(os.fsencode(self.folder)) <= _LONGEST_SOCKET_FOLDER
        settings = {
            **self._settings,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder) if fits else "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def server_user() -> str | None:
    """Who the server runs as: PostgreSQL refuses root, so root hands it to an unprivileged user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NodeError("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody")


def _chown(path: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(path, user)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
