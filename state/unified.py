"""Puts mapped rows into the unified tables so that any order and any repetition gives the same tables.

The version of a row is (source_updated_at, extracted_at, landing file, line). A row changes only for a
version that is not older *and* another content; a newer version of the same content moves the version alone
and counts as *seen*. The same version with other content happens only when a map or contract changed and the
line is replayed, and then the new reading wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from sqlalchemy import Connection, Table

from mappings import model
from state import partial as partials
from state import schema
from state.bulk import EARLIEST, VERSION, execute, execute_many, fetch, listed, newer, quoted, upsert

LOOK_UP = 20_000
"""Keys asked for at once."""

KEPT = {"component_id", "customer_id", "record_no"}
"""Columns that resolving writes later: a new version of the record leaves them alone."""


@dataclass(frozen=True)
class Rows:
    """Rows of one entity of one connector, in storage types, any number of versions of a key.

    `frame` has the mapped columns, extra, deleted, the version columns, content_hash, run_id and committed_at.
    `child_of` names the column with the parent's source_id where the rows are elements of the parent's own
    line: then a row that the parent's newest version no longer has counts as deleted.
    """

    entity: str
    frame: pl.DataFrame
    partial: bool = False
    child_of: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Applied:
    """What became of the rows: how many keys were new, changed, seen (same content), stale (older).

    `rows` are the new and changed ones as they stand in the table now; `known` are the keys that were there
    before, whatever became of them.
    """

    entity: str
    new: int
    changed: int
    seen: int
    stale: int
    rows: pl.DataFrame
    known: pl.Series


def apply(tx: Connection, connector: str, rows: Rows) -> Applied:
    """Writes the newest version of every key, unless the table has a newer one or the same content."""
    table = schema.unified[rows.entity]
    newest = _newest(rows.frame) if not rows.partial else rows.frame
    if rows.partial:
        newest = partials.merge(tx, connector, table, rows.frame)
    existing = _existing(tx, connector, rows.entity, newest["source_id"])
    if not rows.partial and existing.height and existing["old_fields"].is_not_null().any():
        newest = partials.merge_full(tx, connector, table, newest, existing)
    if rows.child_of and rows.parent:
        newest = _orphaned(tx, connector, rows, newest)
    if "field_versions" not in newest.columns:
        newest = newest.with_columns(pl.lit(None, dtype=pl.String).alias("field_versions"))
    verdict = _judged(newest, existing)
    moved = verdict.is_in(["new", "changed"])
    # A row with versions of single fields is written whole even if only these versions moved.
    written = newest.filter(moved | (verdict == "seen-fields"))
    _write(tx, connector, table, written)
    _move_versions(tx, connector, rows.entity, newest.filter(verdict == "seen"))
    counts = dict(verdict.value_counts().iter_rows())
    return Applied(
        rows.entity,
        counts.get("new", 0),
        counts.get("changed", 0),
        counts.get("seen", 0) + counts.get("seen-fields", 0),
        counts.get("stale", 0),
        newest.filter(moved) if "seen-fields" in counts else written,
        existing["source_id"],
    )


def _newest(frame: pl.DataFrame) -> pl.DataFrame:
    """The newest version of each key, sorted by key."""
    return frame.sort([pl.col("source_id"), *_version_columns()]).unique(
        subset="source_id", keep="last", maintain_order=True
    )


def _version_columns() -> list[pl.Expr]:
    return [pl.col("source_updated_at").fill_null(EARLIEST), *(pl.col(c) for c in VERSION[1:])]


def _existing(tx: Connection, connector: str, entity: str, keys: pl.Series) -> pl.DataFrame:
    name = quoted(entity)
    found: list[tuple[object, ...]] = []
    if fetch(tx, f"SELECT 1 FROM {name} WHERE connector = ? LIMIT 1", (connector,)):
        for start in range(0, len(keys), LOOK_UP):
            sql, parameter = listed(tx, keys.slice(start, LOOK_UP).to_list())
            found += fetch(
                tx,
                f"SELECT source_id, coalesce(source_updated_at, {EARLIEST}), extracted_at, landing_no, line_no, "
                f"content_hash, deleted, field_versions FROM {name} "
                f"WHERE connector = ? AND source_id IN {sql}",
                (connector, parameter),
            )
    columns = list(zip(*found, strict=True)) if found else [()] * 8
    return pl.DataFrame(
        {
            "source_id": pl.Series(columns[0], dtype=pl.String),
            "old_updated": pl.Series(columns[1], dtype=pl.Int64),
            "old_extracted": pl.Series(columns[2], dtype=pl.Int64),
            "old_landing": pl.Series(columns[3], dtype=pl.Int64),
            "old_line": pl.Series(columns[4], dtype=pl.Int64),
            "old_hash": pl.Series(columns[5], dtype=pl.Binary),
            "old_deleted": pl.Series(columns[6], dtype=pl.Int64),
            "old_fields": pl.Series(columns[7], dtype=pl.String),
        }
    )


def _judged(rows: pl.DataFrame, existing: pl.DataFrame) -> pl.Series:
    """The verdict on each of the rows."""
    if existing.is_empty():
        return pl.repeat("new", rows.height, dtype=pl.String(), eager=True)
    judged = rows.select("source_id", *VERSION, "content_hash", "deleted", "field_versions")
    return judged.join(existing, on="source_id", how="left", maintain_order="left").select(_verdict())["verdict"]


def _verdict() -> pl.Expr:
    """new, changed, seen, seen-fields or stale, comparing the version part by part."""
    pairs = list(zip(_version_columns(), ("old_updated", "old_extracted", "old_landing", "old_line"), strict=True))
    older, same = pl.lit(False), pl.lit(True)
    for mine, theirs in pairs:
        older = older | (same & (mine < pl.col(theirs)))
        same = same & (mine == pl.col(theirs))
    same_content = (pl.col("content_hash") == pl.col("old_hash")) & (pl.col("deleted") == pl.col("old_deleted"))
    return (
        pl.when(pl.col("old_landing").is_null())
        .then(pl.lit("new"))
        .when(same_content & ~older & (pl.col("field_versions").ne_missing(pl.col("old_fields"))))
        .then(pl.lit("seen-fields"))
        .when(older | (same & same_content))
        .then(pl.lit("stale"))
        .when(same_content)
        .then(pl.lit("seen"))
        .otherwise(pl.lit("changed"))
        .alias("verdict")
    )


def _write(tx: Connection, connector: str, table: Table, rows: pl.DataFrame) -> None:
    """The rows, with the columns of the table that they have."""
    if rows.is_empty():
        return
    named = [c.name for c in table.columns if c.name in rows.columns]
    empty = [name for name in named if rows[name].null_count() == rows.height]
    filled = [name for name in named if name not in empty]
    tuples = rows.select(pl.lit(connector).alias("connector"), *filled).rows()
    upsert(tx, table, ["connector", *filled], tuples, KEPT, empty)


def _move_versions(tx: Connection, connector: str, entity: str, seen: pl.DataFrame) -> None:
    name = quoted(entity)
    execute_many(
        tx,
        f"UPDATE {name} SET source_updated_at = ?, extracted_at = ?, landing_no = ?, line_no = ? "
        "WHERE connector = ? AND source_id = ?",
        seen.select(*VERSION, pl.lit(connector).alias("connector"), "source_id").rows(),
    )


# --- children of one line -----------------------------------------------------------------------------


def _orphaned(tx: Connection, connector: str, rows: Rows, newest: pl.DataFrame) -> pl.DataFrame:
    """Marks as deleted the rows of an older version of their parent than the one that is visible."""
    parents = _existing(tx, connector, rows.parent or "", newest[rows.child_of or ""].drop_nulls().unique().sort())
    joined = newest.join(
        parents.select(
            pl.col("source_id").alias("parent_id"), "old_updated", "old_extracted", "old_landing", "old_line"
        ),
        left_on=rows.child_of,
        right_on="parent_id",
        how="left",
    )
    differs = pl.lit(False)
    for mine, theirs in zip(
        _version_columns(), ("old_updated", "old_extracted", "old_landing", "old_line"), strict=True
    ):
        differs = differs | (mine != pl.col(theirs))
    gone = differs.fill_null(False)
    return joined.with_columns(
        pl.when(gone).then(pl.lit(1, dtype=pl.Int64)).otherwise(pl.col("deleted")).alias("deleted")
    ).select(newest.columns)


def drop_children(tx: Connection, connector: str, rows: Rows, parents: pl.Series) -> int:
    """Marks as deleted the visible rows that the newest version of these parents no longer has."""
    child, parent = quoted(rows.entity), quoted(rows.parent or "")
    dropped = 0
    for start in range(0, len(parents), LOOK_UP):
        sql, parameter = listed(tx, parents.slice(start, LOOK_UP).to_list())
        result = execute(
            tx,
            f"UPDATE {child} SET deleted = 1 WHERE connector = ? AND deleted = 0 AND {quoted(rows.child_of or '')} "
            f"IN {sql} AND EXISTS (SELECT 1 FROM {parent} AS p WHERE p.connector = {child}.connector "
            f"AND p.source_id = {child}.{quoted(rows.child_of or '')} AND {newer('p', child)})",
            (connector, parameter),
        )
        dropped += result.rowcount
    return dropped


def fields_of(entity: str) -> Sequence[model.Field]:
    """The content columns of an entity, in hash order."""
    return model.ENTITIES[entity].content()
