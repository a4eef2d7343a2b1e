"""Merges records that carry only some fields: null there neither overwrites nor clears.

Each field of such a row has a version of its own (column field_versions, JSON). A value wins if its version is
newer, so the row is the same in whatever order partial and full records arrive.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table

from mappings import model
from mappings.hashing import content_hash
from state.bulk import EARLIEST, VERSION, execute, listed, quoted

Version = tuple[int, int, int, int]
_NEVER: Version = (EARLIEST, 0, 0, 0)


def merge(tx: Connection, connector: str, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """One row per key: what is stored, with the non-null fields of these partial records laid over it."""
    stored = _stored(tx, connector, table, frame["source_id"].unique().sort().to_list())
    merged: dict[str, dict[str, Any]] = {}
    for row in frame.sort("source_id", *VERSION, nulls_last=False).iter_rows(named=True):
        key = row["source_id"]
        merged[key] = _lay_over(merged.get(key) or stored.get(key) or _blank(table, row), row, _fields(table))
    return _frame(table, frame, list(merged.values()))


def merge_full(
    tx: Connection, connector: str, table: Table, frame: pl.DataFrame, existing: pl.DataFrame
) -> pl.DataFrame:
    """The full records, with the newer fields that partial records brought before them kept."""
    with_fields = existing.filter(pl.col("old_fields").is_not_null())["source_id"]
    stored = _stored(tx, connector, table, with_fields.to_list())
    rows = [
        _under(stored[row["source_id"]], row, _fields(table))
        for row in frame.filter(pl.col("source_id").is_in(with_fields.implode())).iter_rows(named=True)
    ]
    rest = frame.filter(~pl.col("source_id").is_in(with_fields.implode()))
    if not rows:
        return rest
    return pl.concat([rest, _frame(table, frame, rows)], how="diagonal").sort("source_id")


def _fields(table: Table) -> list[str]:
    entity = model.ENTITIES[table.name]
    return [f.name for f in entity.content()]


def _lay_over(base: dict[str, Any], row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """A partial record over a stored row: each field it has wins where its version is newer."""
    version, base_version = _version(row), _version(base)
    result = dict(base)
    versions: dict[str, Version] = dict(base["_fields"])
    for name in fields:
        if row.get(name) is None or (name == "deleted" and not row[name]):
            continue
        if version >= versions.get(name, base_version):
            result[name] = row[name]
            versions[name] = version
    result["_fields"] = {n: v for n, v in versions.items() if v > base_version}
    result["run_id"], result["committed_at"] = row["run_id"], row["committed_at"]
    for hub in ("record_no", "buyer_record_no"):
        if row.get(hub) is not None:
            result[hub] = row[hub]
    return result


def _under(stored: dict[str, Any], row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """A full record under the fields that newer partial records brought."""
    version, stored_version = _version(row), _version(stored)
    full, over = (row, stored) if version >= stored_version else (stored, row)
    if over is row:
        return stored
    versions = {n: v for n, v in stored["_fields"].items() if v > version}
    return {**full, **{n: stored[n] for n in versions if n in fields}, "_fields": versions}


def _blank(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row under a partial record that nobody has sent in full yet: version "never"."""
    blank: dict[str, Any] = dict.fromkeys((c.name for c in table.columns), None)
    blank.update(source_id=row["source_id"], deleted=0, extracted_at=0, landing_no=0, line_no=0, _fields={})
    return blank


def _version(row: dict[str, Any]) -> Version:
    updated = row["source_updated_at"]
    return (EARLIEST if updated is None else updated, row["extracted_at"], row["landing_no"], row["line_no"])


def _stored(tx: Connection, connector: str, table: Table, keys: list[str]) -> dict[str, dict[str, Any]]:
    sql, parameter = listed(tx, keys)
    names = [c.name for c in table.columns]
    rows = execute(
        tx,
        f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table.name)} WHERE connector = ? AND source_id IN {sql}",
        (connector, parameter),
    )
    found = {}
    for values in rows:
        row = dict(zip(names, values, strict=True))
        versions = json.loads(row.pop("field_versions") or "{}")
        row["_fields"] = {name: tuple(version) for name, version in versions.items()}
        found[row["source_id"]] = row
    return found


def _frame(table: Table, like: pl.DataFrame, rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = [c for c in like.columns if c not in ("field_versions", "content_hash")]
    frame = pl.DataFrame(
        {c: pl.Series([row.get(c) for row in rows], dtype=like.schema[c]) for c in columns}
    ).with_columns(
        pl.Series(
            "field_versions",
            [json.dumps(row["_fields"], sort_keys=True) if row["_fields"] else None for row in rows],
            dtype=pl.String,
        )
    )
    hashed = content_hash(frame, model.ENTITIES[table.name].content())
    return frame.with_columns(hashed.alias("content_hash")).sort("source_id")


__all__ = ["merge", "merge_full"]
