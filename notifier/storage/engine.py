"""Connections: one engine per use, with the timeouts that keep a waiting caller's promise.

PostgreSQL: `connect_timeout` 2 s, `tcp_user_timeout` 5 s, `lock_timeout` 2 s,
`idle_in_transaction_session_timeout` 10 s, `statement_timeout` 5 s at the door and 15 s behind it.
SQLite: WAL with `synchronous=FULL`; every writing transaction begins with `BEGIN IMMEDIATE` and the
writers of one process take turns, because the driver would otherwise start none before a SELECT.
"""

import select
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

_WRITES = "notifier_writes"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How an engine is used; times in seconds. `lasting=False` lets a crash forget the last commits.

    `ping` asks a pooled connection for a sign of life before each use, where nobody tries again; `look` only looks
    whether the server has said something to an idle one, which is its farewell: no round trip.
    """

    name: str
    pool_size: int = 5
    statement_timeout: float = 15.0
    pool_wait: float = 2.0
    lasting: bool = True
    ping: bool = False
    look: bool = False


def make_engine(url: str, use: Use, *, clock: Callable[[], float] = time.time) -> Engine:
    """An engine for `url` (``postgresql+psycopg2://…`` or ``sqlite:///…``).

    `clock` gives SQLite its time in seconds since 1970; PostgreSQL has its own.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, use, clock)
    engine = create_engine(
        parsed,
        pool_size=use.pool_size,
        max_overflow=0,
        pool_timeout=use.pool_wait,
        pool_use_lifo=True,
        pool_pre_ping=use.ping,
        # An error's text goes to the log; the rows it was about must not.
        hide_parameters=True,
        connect_args=_postgresql_args(use),
        json_serializer=_dumps,
        json_deserializer=msgspec.json.decode,
    )
    if use.look:
        event.listen(engine, "checkout", _look)
    return engine


def _look(connection: Any, *_: object) -> None:
    """Have the pool renew a connection whose server has left it: what is sent over it might be kept or not."""
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        raise DisconnectionError("the server closed an idle connection")


def _dumps(value: Any) -> str:
    return _encode(value).decode()


def _postgresql_args(use: Use) -> dict[str, Any]:
    options = {
        "statement_timeout": int(use.statement_timeout * 1000),
        "lock_timeout": 2000,
        "idle_in_transaction_session_timeout": 10_000,
        "synchronous_commit": "on" if use.lasting else "off",
        "timezone": "UTC",
    }
    return {
        "connect_timeout": 2,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "application_name": f"notifier-{use.name}",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }


def _sqlite(url: URL, use: Use, clock: Callable[[], float]) -> Engine:
    engine = create_engine(
        url,
        pool_size=use.pool_size,
        max_overflow=0,
        pool_timeout=use.pool_wait,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": use.pool_wait, "cached_statements": 256},
        json_serializer=_dumps,
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        raw = connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - narrows for the type checker
        raw.isolation_level = None
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.create_function("notifier_now", 0, lambda: int(clock() * 1_000_000))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


#: The writers of one process take turns at one SQLite file, whichever engine they use.
_turns: dict[str, threading.RLock] = {}
_turns_guard = threading.Lock()


def _turn(engine: Engine) -> threading.RLock:
    name = str(engine.url.database)
    with _turns_guard:
        return _turns.setdefault(name, threading.RLock())


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, rolled back on any error."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with _turn(engine), engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def one_statement(engine: Engine) -> Iterator[Connection]:
    """For a single statement that is its own transaction: on PostgreSQL one round trip instead of three.

    Each round trip also waits for the interpreter's lock, which in a busy worker takes longer than the trip.
    """
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection:
            yield connection
        return
    with engine.connect() as connection, _committing_itself(connection):
        yield connection


@contextmanager
def _committing_itself(connection: Connection) -> Iterator[None]:
    """The driver's own switch, which asks the server nothing.

    SQLAlchemy's `isolation_level` is taken back by a round trip when the connection returns to its pool: a
    session that has died fails there, and keeps its place in the pool for ever.
    """
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    try:
        yield
    finally:
        try:
            driver.autocommit = False
        except Exception:  # noqa: BLE001 - whatever it is, nobody else may get this connection
            connection.invalidate()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with engine.connect() as connection:
        yield connection
