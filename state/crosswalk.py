"""Links the codes of ERP and shops to the product library, and holds order lines until there is a link.

A line is `linked`, `gift`, `service`, or `held`: held lines are visible and count at order level, but not for
product analysis. Links come from the user's crosswalk and from codes that the library itself has.
"""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection

from state.bulk import execute, execute_many


def links(tx: Connection, connector: str, at: int) -> pl.DataFrame:
    """Which library code each code of the connector stands for now: sku, product_code; one row a sku.

    A bundle has several library codes; its line is linked, without one product code of its own.
    """
    rows = execute(
        tx,
        "SELECT sku, CASE WHEN count(*) = 1 THEN min(product_code) END FROM sku_link "
        "WHERE connector = ? AND status = 'approved' AND (valid_from IS NULL OR valid_from <= ?) "
        "AND (valid_to IS NULL OR valid_to > ?) GROUP BY sku",
        (connector, at, at),
    ).all()
    return pl.DataFrame(rows, schema={"sku": pl.String, "product_code": pl.String}, orient="row")


def line_status(lines: pl.DataFrame, linked: pl.DataFrame | None) -> pl.DataFrame:
    """The lines with product_code and status; without a library (None) only gifts and services have one."""
    own = pl.when(pl.col("is_gift") == 1).then(pl.lit("gift")).when(pl.col("is_service") == 1).then(pl.lit("service"))
    if linked is None:
        return lines.with_columns(own.otherwise(None).alias("status"), pl.lit(None, pl.String).alias("product_code"))
    joined = lines.drop("product_code", strict=False).join(
        linked.with_columns(pl.lit(True).alias("_linked")), on="sku", how="left"
    )
    return joined.with_columns(
        own.when(pl.col("_linked")).then(pl.lit("linked")).otherwise(pl.lit("held")).alias("status")
    ).drop("_linked")


def link_same_codes(tx: Connection, library: str, now: int) -> int:
    """Approves the link of every code that is a code of the library itself. Returns how many were new."""
    result = execute(
        tx,
        "WITH library AS (SELECT DISTINCT code FROM product WHERE connector = ? AND deleted = 0), "
        "used AS (SELECT DISTINCT connector, sku FROM order_line WHERE sku IS NOT NULL "
        "UNION SELECT DISTINCT connector, code FROM product WHERE connector <> ? AND deleted = 0) "
        "INSERT INTO sku_link (connector, sku, product_code, kind, status, decided_by, decided_at) "
        "SELECT used.connector, used.sku, library.code, 'exact', 'approved', 'liuke', ? "
        "FROM used JOIN library ON library.code = used.sku WHERE NOT EXISTS (SELECT 1 FROM sku_link AS known "
        "WHERE known.connector = used.connector AND known.sku = used.sku) ON CONFLICT DO NOTHING",
        (library, library, now),
    )
    return int(result.rowcount)


def import_links(tx: Connection, rows: list[tuple[object, ...]], by: str, now: int) -> int:
    """Takes the user's crosswalk as it stands: its links are approved, links it no longer has are removed.

    Rows: connector, sku, product_code, kind, factor, share, valid_from, valid_to. Returns how many changed.
    """
    columns = "connector, sku, product_code, kind, factor, share, valid_from, valid_to"
    known = {
        tuple(row)
        for row in execute(tx, f"SELECT {columns} FROM sku_link WHERE decided_by = ? AND status = 'approved'", (by,))
    }
    wanted = set(rows)
    execute_many(
        tx,
        "DELETE FROM sku_link WHERE connector = ? AND sku = ? AND product_code = ?",
        sorted((r[0], r[1], r[2]) for r in known - wanted),
    )
    execute_many(
        tx,
        f"INSERT INTO sku_link ({columns}, status, decided_by, decided_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'approved', ?, ?) ON CONFLICT (connector, sku, product_code) DO UPDATE SET "
        "kind = excluded.kind, factor = excluded.factor, share = excluded.share, valid_from = excluded.valid_from, "
        "valid_to = excluded.valid_to, status = excluded.status, decided_by = excluded.decided_by, "
        "decided_at = excluded.decided_at",
        [(*row, by, now) for row in sorted(wanted - known, key=str)],
    )
    return len(known ^ wanted)


def relink(tx: Connection, library: str | None, at: int) -> int:
    """Gives every line the status that the links give it now: releases held lines, holds unlinked ones.

    Returns how many lines changed.
    """
    if library is None:
        return 0
    # Two steps, so that each touches only lines that change.
    live = (
        "sku_link.connector = order_line.connector AND sku_link.sku = order_line.sku AND sku_link.status = 'approved' "
        "AND (sku_link.valid_from IS NULL OR sku_link.valid_from <= ?) "
        "AND (sku_link.valid_to IS NULL OR sku_link.valid_to > ?)"
    )
    own = "coalesce(is_gift, 0) = 0 AND coalesce(is_service, 0) = 0"
    code = f"(SELECT CASE WHEN count(*) = 1 THEN min(product_code) END FROM sku_link WHERE {live})"
    different = (
        f"(coalesce(order_line.product_code, '') <> coalesce({code}, '') "
        "OR coalesce(order_line.status, '') <> 'linked')"
    )
    linked = execute(
        tx,
        f"UPDATE order_line SET status = 'linked', product_code = {code} "
        f"WHERE {own} AND EXISTS (SELECT 1 FROM sku_link WHERE {live}) AND {different}",
        (at, at) * 3,
    ).rowcount
    held = execute(
        tx,
        f"UPDATE order_line SET status = 'held', product_code = NULL WHERE {own} "
        f"AND coalesce(status, '') <> 'held' AND NOT EXISTS (SELECT 1 FROM sku_link WHERE {live})",
        (at, at),
    ).rowcount
    return int(linked + held)
