"""Column types and expressions that mean the same on PostgreSQL and SQLite.

Times are `timestamptz` on PostgreSQL and whole microseconds since 1970 on SQLite, aware UTC
datetimes in Python. "Now" is always the database's: no due time, lease or expiry is ever decided
by a host's clock.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, DateTime, Float, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement, FunctionElement
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(value: datetime) -> int:
    """A moment as whole microseconds since 1970."""
    return (value - _EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`timestamptz`, or an integer where the database has no such type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return _EPOCH + timedelta(microseconds=value)


#: JSON that PostgreSQL can look into.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

Id = Uuid(as_uuid=True)
#: A digest in lower-case hex.
Hash = Text()
Name = Text()


class db_now(FunctionElement[datetime]):  # noqa: N801 - it reads as the SQL function it is
    """The database's present moment, fixed for one statement (so indexes can serve it)."""

    type = UtcTime()
    inherit_cache = True


@compiles(db_now, "postgresql")
def _now_postgresql(element: db_now, compiler: SQLCompiler, **_: Any) -> str:
    return "statement_timestamp()"


@compiles(db_now, "sqlite")
def _now_sqlite(element: db_now, compiler: SQLCompiler, **_: Any) -> str:
    return "notifier_now()"


class db_now_plus(FunctionElement[datetime]):  # noqa: N801
    """The database's present moment plus some seconds (negative for the past)."""

    type = UtcTime()
    inherit_cache = True

    def __init__(self, seconds: ColumnElement[float] | float) -> None:
        from sqlalchemy import literal

        super().__init__(literal(seconds, Float()) if isinstance(seconds, int | float) else seconds)


@compiles(db_now_plus, "postgresql")
def _plus_postgresql(element: db_now_plus, compiler: SQLCompiler, **kwargs: Any) -> str:
    seconds = compiler.process(element.clauses, **kwargs)
    return f"(statement_timestamp() + make_interval(secs => {seconds}))"


@compiles(db_now_plus, "sqlite")
def _plus_sqlite(element: db_now_plus, compiler: SQLCompiler, **kwargs: Any) -> str:
    seconds = compiler.process(element.clauses, **kwargs)
    return f"(notifier_now() + CAST({seconds} * 1000000 AS INTEGER))"
