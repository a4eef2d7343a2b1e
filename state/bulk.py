"""Moves many rows at once through the driver's own fast path, on SQLAlchemy's connection and transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

VERSION = ("source_updated_at", "extracted_at", "landing_no", "line_no")
"""What orders the versions of a row; a missing source_updated_at counts as the earliest."""


def is_sqlite(tx: Connection) -> bool:
    """Whether this connection speaks to SQLite (otherwise to PostgreSQL)."""
    return tx.dialect.name == "sqlite"


def quoted(name: str) -> str:
    """A table or column name for SQL text."""
    return f'"{name}"'


def placeholders(tx: Connection, count: int) -> str:
    """`?, ?, ?` or `%s, %s, %s`, as the driver wants it."""
    return ", ".join(["?" if is_sqlite(tx) else "%s"] * count)


def execute(tx: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    """Runs one statement written with `?`; returns SQLAlchemy's result."""
    return tx.exec_driver_sql(_styled(tx, sql), tuple(parameters))


def execute_many(tx: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Runs one statement written with `?` for every row."""
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return
    with _cursor(tx) as cursor:
        cursor.executemany(_styled(tx, sql), rows)


def fetch(tx: Connection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one statement written with `?`, as the driver's plain tuples."""
    with _cursor(tx) as cursor:
        cursor.execute(_styled(tx, sql), tuple(parameters))
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


@contextmanager
def _cursor(tx: Connection) -> Iterator[Any]:
    """The driver's own cursor; its errors come out as SQLAlchemy's, which the store knows how to explain."""
    cursor = tx.connection.cursor()
    driver: Any = tx.dialect.dbapi
    try:
        yield cursor
    except driver.Error as error:
        gone = tx.dialect.is_disconnect(error, tx.connection.dbapi_connection, cursor)
        raise DBAPIError.instance(
            None, None, error, driver.Error, connection_invalidated=gone, dialect=tx.dialect
        ) from error
    finally:
        cursor.close()


def _styled(tx: Connection, sql: str) -> str:
    return sql if is_sqlite(tx) else sql.replace("%", "%%").replace("?", "%s")


def listed(tx: Connection, values: Sequence[Any], kind: str = "text") -> tuple[str, Any]:
    """SQL for "is one of these values", and its one parameter: `WHERE x IN {sql}`.

    One statement text whatever the number of values, so that it is prepared once. `kind` is the element
    type for PostgreSQL (text, bigint).
    """
    if is_sqlite(tx):
        return "(SELECT value FROM json_each(?))", json.dumps(list(values), ensure_ascii=False)
    return f"(SELECT unnest(CAST(? AS {kind}[])))", list(values)


def listed_bytes(tx: Connection, values: Sequence[bytes]) -> tuple[str, list[Any]]:
    """The same for digests, which JSON cannot carry: SQL and its parameters; at most BYTES_AT_ONCE of them."""
    if is_sqlite(tx):
        # Always as many marks, so that the statement is prepared once; NULL is never IN a list.
        padded = [*values, *[None] * (BYTES_AT_ONCE - len(values))]
        return f"({', '.join('?' * BYTES_AT_ONCE)})", padded
    return "(SELECT unnest(CAST(? AS bytea[])))", [list(values)]


BYTES_AT_ONCE = 500
"""Digests that one statement asks for."""


def newer(excluded: str, table: str, *, or_same: bool = False) -> str:
    """SQL for "that version is newer than the one in the table"."""
    left, right = (
        f"coalesce({side}.source_updated_at, {EARLIEST}), {side}.extracted_at, {side}.landing_no, {side}.line_no"
        for side in (excluded, table)
    )
    return f"({left}) {'>=' if or_same else '>'} ({right})"


EARLIEST = -(2**62)
"""Stands for a missing source_updated_at when versions are compared."""


def upsert(
    tx: Connection,
    table: Table,
    columns: Sequence[str],
    rows: list[tuple[Any, ...]],
    keep: Collection[str],
    empty: Sequence[str] = (),
) -> None:
    """Inserts rows or replaces those with the same primary key whose version is not newer.

    `keep` columns are written on insert and left alone on replace. `empty` columns are null in all rows and not
    part of them: naming a column costs as much as filling it. Rows must be sorted by key (writers that take locks
    in opposite order deadlock) and hold each key once (PostgreSQL refuses duplicates).
    """
    name = quoted(table.name)
    key = [c.name for c in table.primary_key.columns]
    changed = [c for c in (*columns, *empty) if c not in key and c not in keep]
    sql = (
        f"INSERT INTO {name} ({', '.join(map(quoted, columns))}) "
        f"VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT ({', '.join(map(quoted, key))}) DO UPDATE SET "
        + ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in changed)
        + f" WHERE {newer('excluded', name, or_same=True)}"
    )
    execute_many(tx, sql, rows)
