"""Asks a database what a stream's table or query looks like, and checks the settings against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connectors.problems import ConnectorError, Problem, Text
from connectors.rows import Row
from connectors.sql.database import Database

__all__ = ["Source", "describe"]


@dataclass(frozen=True)
class Source:
    """What is read, once the database has described it: a table or a query with its columns.

    `unplaced` are the conditions under which a row has no place in the order: a null where one may be.
    """

    columns: tuple[str, ...]
    select: Any
    modified: ColumnElement[Any] | None
    key: tuple[ColumnElement[Any], ...]
    modified_at: tuple[int, ...]
    key_at: tuple[int, ...]
    unplaced: tuple[ColumnElement[bool], ...]
    text_times: frozenset[str]

    def modified_of(self, row: Row) -> Any:
        """The row's modified value: of several columns the first that is not null."""
        return next((row[n] for n in self.modified_at if row[n] is not None), None)

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[n] for n in self.key_at)


def describe(database: Database, settings: Mapping[str, Any], where: str) -> Source:
    """The stream's source; ConnectorError with every column that the settings name and it does not have."""
    query = settings["query"]
    types: dict[str, Any] = {}
    nullable: dict[str, bool] = {}
    if query:
        query = query.strip().rstrip(";").replace(":", r"\:")
        names = database.names_of(query, where)
        start: Any = sa.text(f"({query}) lk_query")
    else:
        described = database.columns(settings["table"], settings["schema"], where)
        names = [column["name"] for column in described]
        types = {column["name"]: column["type"] for column in described}
        nullable = {column["name"]: bool(column["nullable"]) for column in described}
        start = sa.table(settings["table"], schema=settings["schema"])
    wanted = list(settings["columns"] or names)
    modified_names, key_names = list(settings["modified"] or ()), list(settings["key"])
    wanted += [name for name in (*key_names, *modified_names) if name not in wanted]
    _refuse_columns(names, wanted, where)
    modified: list[ColumnElement[Any]] = [sa.column(name) for name in modified_names]
    texts = {name for name, kind in types.items() if isinstance(kind, (sa.DateTime, sa.TIMESTAMP))}
    in_order = None if not modified else modified[0] if len(modified) == 1 else sa.func.coalesce(*modified)
    may_be_null: list[ColumnElement[Any]] = [sa.column(name) for name in key_names if nullable.get(name, True)]
    if in_order is not None and all(nullable.get(name, True) for name in modified_names):
        may_be_null.append(in_order)
    return Source(
        columns=tuple(wanted),
        select=sa.select(*(sa.column(name) for name in wanted)).select_from(start),
        modified=in_order,
        key=tuple(sa.column(name) for name in key_names),
        modified_at=tuple(wanted.index(name) for name in modified_names),
        key_at=tuple(wanted.index(name) for name in key_names),
        unplaced=tuple(column.is_(None) for column in may_be_null),
        text_times=frozenset({*texts, *modified_names} if database.dialect == "sqlite" else ()),
    )


def _refuse_columns(names: Sequence[str], wanted: Sequence[str], where: str) -> None:
    missing = [name for name in wanted if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    listed = ", ".join(names)
    problems = [
        Problem(
            "sql.no-column",
            Text(f"没有列 {name}", f"there is no column {name}"),
            where,
            Text(f"现有的列: {listed}", f"columns there are: {listed}"),
        )
        for name in missing
    ] + [
        Problem(
            "sql.column-twice",
            Text(f"查询结果中有两个 {name} 列", f"the query gives two columns {name}"),
            where,
            Text("用 AS 给其中一个改名", "rename one of them with AS"),
        )
        for name in twice
    ]
    if problems:
        raise ConnectorError(*problems)
