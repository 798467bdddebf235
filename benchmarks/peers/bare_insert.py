"""The least a durable batch can cost: psycopg2 inserts the same rows by `unnest`, one commit a batch.

The rows are those that ours has just kept, read from its database before the clock starts; the table is the
same, made by the same migrations. Prints ``{"seconds", "rows"}``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

#: Type of each column that is no text; JSON travels as text in an array.
_TYPES = {
    "uuid": "uuid",
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "timestamp with time zone": "timestamptz",
}


def columns_of(connection: Any) -> list[tuple[str, str]]:
    """The columns of `notifications`, each with its type's name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'notifications' ORDER BY ordinal_position"
        )
        return list(cursor.fetchall())


def statement(columns: Sequence[tuple[str, str]]) -> sql.Composed:
    """The insert of one batch; its parameters are an array for each column."""
    arrays = sql.SQL(", ").join(
        sql.SQL("%s::{}[]").format(sql.SQL(_TYPES.get(kind, "text"))) for _, kind in columns
    )
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    values = sql.SQL(", ").join(
        sql.SQL("given.{}::jsonb" if kind == "jsonb" else "given.{}").format(sql.Identifier(name))
        for name, kind in columns
    )
    return sql.SQL("INSERT INTO notifications ({}) SELECT {} FROM unnest({}) AS given ({})").format(
        names, values, arrays, names
    )


def read(connection: Any, columns: Sequence[tuple[str, str]], batch: int) -> list[list[list[Any]]]:
    """All rows as text, a list for each batch of a list for each column."""
    wanted = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name, _ in columns)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM notifications ORDER BY id").format(wanted))
        rows = cursor.fetchall()
    groups = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    return [[list(column) for column in zip(*group, strict=True)] for group in groups]


def main() -> None:
    """Read from one database, insert into the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source")
    parser.add_argument("--target")
    parser.add_argument("--batch", type=int)
    asked = parser.parse_args()
    with closing(psycopg2.connect(asked.source)) as source:
        columns = columns_of(source)
        batches = read(source, columns, asked.batch)
    with closing(psycopg2.connect(asked.target)) as target, target.cursor() as cursor:
        insert = statement(columns).as_string(target)
        began = time.perf_counter()
        for batch in batches:
            cursor.execute(insert, batch)
            target.commit()
        seconds = time.perf_counter() - began
    json.dump({"seconds": seconds, "rows": sum(len(batch[0]) for batch in batches)}, sys.stdout)


if __name__ == "__main__":
    main()
