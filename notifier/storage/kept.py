"""A kept connection for one statement that runs all day: compiled by Core once, planned by PostgreSQL once.

For a group of eight claims SQLAlchemy's own execution takes 0.7 ms of this process's CPU and PostgreSQL 0.45 ms to
plan; the driver's takes 0.24 ms, and nothing is planned again (docs/performance.md). Each statement is its own
transaction. On SQLite, and for whatever else needs a transaction, the engine does as ever.

The plan is made without knowing how much there will be, so the session allows none but lookups by a key: a plan that was
made while the tables were empty is right for five million rows too.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from sqlalchemy import Engine, Executable
from sqlalchemy.exc import DBAPIError

from notifier.storage.engine import one_statement

#: Every plan of these statements reaches each row by its key; see above.
_SESSION = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
#: The plan does not fit its tables any more, or has gone with its session (PostgreSQL documentation, Appendix A:
#: feature_not_supported "cached plan must not change result type", invalid_sql_statement_name).
_PLAN_LOST = frozenset({"0A000", "26000"})

Row = tuple[Any, ...]


class Statement:
    """A statement over a group: `build(dialect)` makes it, `given` are the names of the parameters that change.

    Parameters that are not named have the values they were built with, for ever. It returns columns, and compares with
    no `in_`: that is filled in by SQLAlchemy's own execution.
    """

    _numbers = count(1)

    def __init__(self, build: Callable[[str], Any], given: Sequence[str]) -> None:
        self.given = tuple(given)
        self.name = f"kept_{next(self._numbers)}"
        self.build: Callable[[str], Any] = lru_cache(build)


class Kept:
    """One connection, for one thread at a time. `close` when nobody uses it any more."""

    def __init__(self, engine: Engine) -> None:
        self.dialect: str = engine.dialect.name
        self._engine = engine
        self._connection: Any = None
        self._prepared: dict[str, str] = {}

    def rows(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """Run it in a transaction of its own; what it returns, in the order of its columns.

        SQLAlchemy has taught the driver UUID and JSON when it connected.

        Raises what SQLAlchemy raises. A connection that died is made anew by the next call.
        """
        if self.dialect != "postgresql":
            with one_statement(self._engine) as connection:
                found = connection.execute(_executable(statement), parameters)
                return [tuple(row) for row in found]
        try:
            return self._run(statement, [parameters[name] for name in statement.given])
        except Exception as error:
            raise self._told(error, statement) from error

    def close(self) -> None:
        """Let go of the connection; may be called again."""
        connection, self._connection = self._connection, None
        self._prepared.clear()
        if connection is not None:
            connection.close()

    def _run(self, statement: Statement, values: Sequence[Any]) -> list[Row]:
        if self._connection is None:
            self._connect()
        with self._connection.cursor() as cursor:
            text = self._prepared.get(statement.name)
            if text is None:
                text = self._prepare(cursor, statement)
            cursor.execute(text, values)
            found: list[Row] = cursor.fetchall()
            return found

    def _connect(self) -> None:
        fairy = self._engine.raw_connection()
        connection: Any = fairy.dbapi_connection
        # It is nobody else's from now on: the pool may make another.
        fairy.detach()
        connection.autocommit = True
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)

    def _prepare(self, cursor: Any, statement: Statement) -> str:
        from psycopg2 import extensions, sql  # not where there is SQLite only

        compiled = statement.build("postgresql").compile(dialect=self._engine.dialect)
        places = {name: extensions.AsIs(f"${number}") for number, name in enumerate(statement.given, 1)}
        body = cursor.mogrify(str(compiled), {**compiled.params, **places}).decode()
        name = sql.Identifier(statement.name)
        # Sent by itself, with nothing to fill in: a percent sign in it is one.
        cursor.execute(sql.SQL("PREPARE {} AS {}").format(name, sql.SQL(body)))
        given = sql.SQL(", ").join(sql.Placeholder() * len(statement.given))
        text: str = sql.SQL("EXECUTE {} ({})").format(name, given).as_string(cursor)
        self._prepared[statement.name] = text
        return text

    def _told(self, error: Exception, statement: Statement) -> BaseException:
        """The error as SQLAlchemy tells it; the connection is closed where it is of no more use."""
        dialect = self._engine.dialect
        driver = dialect.loaded_dbapi.Error
        if not isinstance(error, driver):
            return error
        lost = dialect.is_disconnect(error, self._connection, None)
        if lost or getattr(error, "pgcode", None) in _PLAN_LOST:
            lost = True
            self._drop()
        return DBAPIError.instance(
            f"EXECUTE {statement.name}",
            None,
            error,
            driver,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        )

    def _drop(self) -> None:
        with contextlib.suppress(Exception):  # it has died already
            self.close()


def _executable(statement: Statement) -> Executable:
    found: Executable = statement.build("sqlite")
    return found
