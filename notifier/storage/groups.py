"""A group of rows as one parameter: `unnest` on PostgreSQL, `json_each` on SQLite.

A statement over a group is written once, in Core, against the columns of `Group.rows(dialect)`;
the group's values travel in `Group.parameters`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Subquery, Text, bindparam, cast, func, literal_column, select, type_coerce
from sqlalchemy.types import TypeEngine

from notifier.storage.types import Json, UtcTime, to_micros

_json = msgspec.json.Encoder().encode


def _is_json(kind: TypeEngine[Any]) -> bool:
    return kind is Json


@dataclass(frozen=True)
class Group:
    """The name and the typed columns of a group of rows."""

    name: str
    columns: tuple[tuple[str, TypeEngine[Any]], ...]

    def rows(self, dialect: str) -> Subquery:
        """The group as a FROM element with its columns, typed."""
        return self._unnested() if dialect == "postgresql" else self._each()

    def parameters(self, dialect: str, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """The values of `rows` (each in the order of the columns; JSON as Python values)."""
        if dialect != "postgresql":
            plain = [[_plain(value, kind) for value, (_, kind) in self._paired(row)] for row in rows]
            return {self.name: _json(plain).decode()}
        columns = zip(*rows, strict=True)
        return {
            self._array(name): [_element(value, kind) for value in values]
            for values, (name, kind) in zip(columns, self.columns, strict=True)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What its parameters are called on PostgreSQL."""
        return tuple(self._array(name) for name, _ in self.columns)

    def _paired(self, row: Sequence[Any]) -> "zip[tuple[Any, tuple[str, TypeEngine[Any]]]]":
        return zip(row, self.columns, strict=True)

    def _array(self, column: str) -> str:
        return f"{self.name}_{column}"

    def _unnested(self) -> Subquery:
        arrays = []
        for name, kind in self.columns:
            carried: TypeEngine[Any] = Text() if _is_json(kind) else kind
            arrays.append(cast(bindparam(self._array(name), type_=ARRAY(Raw())), ARRAY(carried)))
        names = [name for name, _ in self.columns]
        given = func.unnest(*arrays).table_valued(*names, name=f"{self.name}_raw").render_derived()
        typed = [
            (cast(given.c[name], kind) if _is_json(kind) else type_coerce(given.c[name], kind)).label(name)
            for name, kind in self.columns
        ]
        return select(*typed).subquery(self.name)

    def _each(self) -> Subquery:
        given = func.json_each(bindparam(self.name, type_=Text())).table_valued(
            "value", name=f"{self.name}_raw"
        )
        typed = [
            type_coerce(func.json_extract(given.c.value, literal_column(f"'$[{position}]'")), kind).label(
                name
            )
            for position, (name, kind) in enumerate(self.columns)
        ]
        return select(*typed).subquery(self.name)


class Raw(Text):
    """An array element that goes to the driver as it is; the cast around the array types it."""

    def bind_processor(self, dialect: Any) -> None:
        return None


def _element(value: Any, kind: TypeEngine[Any]) -> Any:
    if value is None:
        return None
    if _is_json(kind):
        return _json(value).decode()
    # As good as its text with dashes, and made in half the time.
    return f"{value.int:032x}" if isinstance(value, UUID) else value


def _plain(value: Any, kind: TypeEngine[Any]) -> Any:
    if value is None:
        return None
    if _is_json(kind):
        return _json(value).decode()
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime) and isinstance(kind, UtcTime):
        return to_micros(value)
    return value
