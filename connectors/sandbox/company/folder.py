"""Writes the demo company's systems into a folder: two SQLite databases, shop exports, ticket files, a clock.

    FOLDER/erp.db  crm.db  shop/*.csv (GB18030)  tickets/*.ndjson  tickets/*.csv (UTF-8, BOM)
           crosswalk.csv  demo-clock.json

Exports get new file names, as people save them: each increment adds files and changes database rows. A file is
written beside its place and renamed, so that nobody reads half of one.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from connectors.sandbox.company.books import Books, Row, Shelf
from connectors.sandbox.company.build import build
from connectors.sandbox.company.calendar import INCREMENTS, PULLS
from connectors.sandbox.company.shelves import (
    CRM_CUSTOMERS,
    CRM_LEADS,
    CRM_PRODUCTS,
    ERP_CUSTOMERS,
    ERP_LINES,
    ERP_MATERIALS,
    ERP_ORDERS,
    ERP_REFUNDS,
    RATINGS,
    SHOP_LINES,
    SHOP_ORDERS,
    SHOP_REFUNDS,
    TICKETS,
)

CLOCK = "demo-clock.json"

TABLES = {
    "erp.db": {
        "customer": ERP_CUSTOMERS,
        "material": ERP_MATERIALS,
        "sales_order": ERP_ORDERS,
        "sales_order_line": ERP_LINES,
        "refund": ERP_REFUNDS,
    },
    "crm.db": {"product": CRM_PRODUCTS, "customer": CRM_CUSTOMERS, "lead": CRM_LEADS},
}
"""Tables of the databases. Amounts are text: SQLite would keep a DECIMAL column as binary floating point."""

_WHOLE = frozenset({"line_no", "is_gift", "is_internal", "id", "enabled", "consent"})

STAGING = """
CREATE TABLE lk_customer_score (
    customer_id TEXT PRIMARY KEY,
    score INTEGER,
    tier TEXT,
    last_purchase_at TEXT,
    purchase_count INTEGER,
    purchase_amount TEXT,
    updated_at TEXT
)
"""
"""The table the CRM's people made for the hub to write into: one row for each CRM customer."""

EXPORTS = {
    "订单": SHOP_ORDERS,
    "订单明细": SHOP_LINES,
    "退款": SHOP_REFUNDS,
}


def write_initial(folder: Path, seed: int, *, clean: bool = False) -> datetime:
    """Writes the first load into an empty or new folder; gives the instant at which it is to be pulled."""
    books = build(seed, clean=clean)
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    (folder / "tickets").mkdir(exist_ok=True)
    for name, tables in TABLES.items():
        with closing(sqlite3.connect(folder / name)) as database, database:
            for table, shelf in tables.items():
                database.execute(_create(table, shelf))
            if name == "crm.db":
                database.execute(STAGING)
    _csv(folder / "crosswalk.csv", "utf-8-sig", books.crosswalk)
    return _write(folder, books, 0, seed, clean)


def write_increment(folder: Path, n: int) -> datetime:
    """Lets the systems live on to increment `n` (1 to INCREMENTS, in turn); gives its instant."""
    clock = json.loads((folder / CLOCK).read_text(encoding="utf-8"))
    if n != clock["increments"] + 1 or n > INCREMENTS:
        raise ValueError(f"the next increment is {clock['increments'] + 1} of {INCREMENTS}, not {n}")
    since = datetime.fromisoformat(clock["now"])  # somebody may have waited, and time never goes back
    return _write(folder, build(clock["seed"], clean=clock["clean"]), n, clock["seed"], clock["clean"], since)


def read_clock(folder: Path) -> dict[str, object] | None:
    """{"now": aware ISO time, "seed", "clean", "increments": how many were written}; None before the first."""
    path = folder / CLOCK
    if not path.exists():
        return None
    clock: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return clock


def _write(folder: Path, books: Books, batch: int, seed: int, clean: bool, since: datetime | None = None) -> datetime:
    for name, tables in TABLES.items():
        with closing(sqlite3.connect(folder / name)) as database, database:
            for table, shelf in tables.items():
                _enter(database, table, shelf, books.of(shelf, batch))
    now = PULLS[batch]
    stamp = f"{now:%Y%m%d_%H%M}"
    for title, shelf in EXPORTS.items():
        _csv_of(folder / "shop" / f"{title}_{stamp}.csv", "gb18030", shelf, list(books.of(shelf, batch)))
    _csv_of(folder / "tickets" / f"满意度_{stamp}.csv", "utf-8-sig", RATINGS, list(books.of(RATINGS, batch)))
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in books.of(TICKETS, batch)]
    lines += [broken for number, _, _, broken in books.broken_lines if number == batch]
    _replace(folder / "tickets" / f"工单_{stamp}.ndjson", b"".join(line + b"\n" for line in lines))
    for path in (folder / "shop", folder / "tickets"):
        for file in path.glob(f"*_{stamp}.*"):
            os.utime(file, (now.timestamp(), now.timestamp()))
    now = max(now, since or now)
    clock = {"now": now.isoformat(), "seed": seed, "clean": clean, "increments": batch}
    _replace(folder / CLOCK, json.dumps(clock).encode())
    return now


def _create(table: str, shelf: Shelf) -> str:
    columns = ", ".join(f"{name} {'INTEGER' if _is_whole(table, name) else 'TEXT'}" for name in shelf.columns)
    return f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({', '.join(shelf.key)})) WITHOUT ROWID"


def _is_whole(table: str, column: str) -> bool:
    """CRM customers have text ids, and the ERP says 是 and 否; the other columns of these names are numbers."""
    return column in _WHOLE and (table, column) not in {("customer", "id"), ("material", "enabled")}


def _enter(database: sqlite3.Connection, table: str, shelf: Shelf, rows: Iterable[Row]) -> None:
    marks = ", ".join("?" * len(shelf.columns))
    database.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES ({marks})",
        [tuple(row[name] for name in shelf.columns) for row in rows],
    )


def _csv_of(path: Path, encoding: str, shelf: Shelf, rows: list[Row]) -> None:
    """An export; none if there is nothing in it."""
    if rows:
        body = [tuple("" if row[name] is None else str(row[name]) for name in shelf.columns) for row in rows]
        _csv(path, encoding, [shelf.columns, *body])


def _csv(path: Path, encoding: str, rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    _replace(path, text.getvalue().encode(encoding))


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)
