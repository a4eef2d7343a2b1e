"""The CDNOW purchases: reads the published files, writes them as a database and as an export, compares.

69,659 purchases of 23,570 people who first bought from the music shop CDNOW in early 1997, up to June 1998
(Fader and Hardie). For every tenth person a summary was published: frequency, recency and T in weeks, up to the
end of the 39 weeks of calibration. Amounts are dollars; nothing here depends on the currency.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl

from mappings.scores import purchase_summary

CALIBRATION_END = date(1997, 9, 30)
"""Last day of the 39 weeks that began on 1997-01-01."""

MONEY_SCALE = 10_000
BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Purchase:
    """One line of the master file, and its number: 255 lines stand there twice and are two purchases each."""

    no: int
    customer: str
    day: date
    pieces: int
    dollars: Decimal


@dataclass(frozen=True)
class Summary:
    """What was published for one person: repeat purchases, weeks to the last one, weeks observed."""

    frequency: int
    recency: Decimal
    age: Decimal


@dataclass(frozen=True)
class Comparison:
    """One number as the file has it and as the hub has it."""

    what: str
    file: object
    hub: object

    @property
    def agrees(self) -> bool:
        return self.file == self.hub


# ---- The published files ---------------------------------------------------------------------


def read_purchases(path: Path) -> list[Purchase]:
    """CDNOW_master.txt: a header, then customer, YYYYMMDD, pieces, dollars, in columns of spaces."""
    purchases = []
    for no, line in enumerate(path.read_text(encoding="ascii").splitlines()[1:], 1):
        customer, day, pieces, dollars = line.split()
        purchases.append(Purchase(no, customer, _day(day), int(pieces), Decimal(dollars)))
    return purchases


def read_sample(path: Path) -> dict[str, str]:
    """CDNOW_sample.txt names every purchase of the sample with both numbers: {number in the master: in the sample}."""
    numbers = {}
    for line in path.read_text(encoding="ascii").splitlines():
        master, sample, *_ = line.split()
        numbers[master] = str(int(sample))
    return numbers


def read_summary(path: Path) -> dict[str, Summary]:
    """cdnow_customers_summary.csv: ID (of the sample), frequency, recency, T, in weeks with two decimals."""
    with path.open(encoding="ascii", newline="") as file:
        return {
            row["ID"]: Summary(int(row["frequency"]), _two(row["recency"]), _two(row["T"]))
            for row in csv.DictReader(file)
        }


# ---- The same as a database and as an export -------------------------------------------------


def write_database(path: Path, purchases: Iterable[Purchase]) -> None:
    """A SQLite database with customers and purchases, amounts as decimal text."""
    rows = list(purchases)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE customer (customer_no TEXT PRIMARY KEY, modified_at TEXT)")
        database.execute(
            "CREATE TABLE purchase (no INTEGER PRIMARY KEY, customer_no TEXT, ordered_at TEXT, pieces INTEGER, "
            "dollars TEXT, modified_at TEXT)"
        )
        first: dict[str, date] = {}
        for purchase in rows:
            first[purchase.customer] = min(purchase.day, first.get(purchase.customer, purchase.day))
        database.executemany(
            "INSERT INTO customer VALUES (?, ?)", [(name, f"{day} 00:00:00") for name, day in first.items()]
        )
        database.executemany(
            "INSERT INTO purchase VALUES (?, ?, ?, ?, ?, ?)",
            [(p.no, p.customer, f"{p.day} 12:00:00", p.pieces, str(p.dollars), f"{p.day} 12:00:00") for p in rows],
        )


def write_export(path: Path, purchases: Iterable[Purchase]) -> None:
    """A CSV with the headers that the files connector's order template knows."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(("订单号", "会员号", "订单状态", "下单时间", "实付金额", "购买数量"))
        for p in purchases:
            table.writerow((f"CD{p.no:06d}", p.customer, "交易成功", f"{p.day:%Y/%m/%d} 12:00", p.dollars, p.pieces))


# ---- What the hub made of them ---------------------------------------------------------------


def orders_of(store: Path, connector: str) -> pl.DataFrame:
    """The visible orders of one connector: customer (as the source names it), day, amount in 1/10,000."""
    question = """
        SELECT coalesce(buyer.name, o.customer_source_id) AS customer, o.ordered_at, o.paid_amount
        FROM "order" AS o
        JOIN customer_record AS buyer ON buyer.connector = o.connector AND buyer.source_id = o.customer_source_id
        WHERE o.connector = ? AND o.deleted = 0
    """
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute(question, (connector,)).fetchall()
    days = [(datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(BEIJING)).date() for _, at, _ in rows]
    return pl.DataFrame(
        {"customer_id": [row[0] for row in rows], "day": days, "amount": [row[2] for row in rows]},
        schema={"customer_id": pl.String, "day": pl.Date, "amount": pl.Int64},
    )


def customers_of(store: Path, connector: str) -> int:
    """How many customers identity resolution made of a connector's records."""
    question = "SELECT count(DISTINCT customer_id) FROM customer_record WHERE connector = ? AND deleted = 0"
    with closing(sqlite3.connect(store)) as database:
        return int(database.execute(question, (connector,)).fetchone()[0])


def compare(connector: str, orders: pl.DataFrame, customers: int, purchases: list[Purchase]) -> list[Comparison]:
    """Counts and sums, whole and by month, as the file and as the hub have them."""
    money = sum((p.dollars for p in purchases), Decimal(0))
    by_month: dict[str, tuple[int, Decimal]] = {}
    for p in purchases:
        count, sum_ = by_month.get(f"{p.day:%Y-%m}", (0, Decimal(0)))
        by_month[f"{p.day:%Y-%m}"] = (count + 1, sum_ + p.dollars)
    months = orders.group_by(pl.col("day").dt.strftime("%Y-%m").alias("month")).agg(pl.len(), pl.sum("amount"))
    return [
        Comparison(f"{connector}: orders", len(purchases), orders.height),
        Comparison(f"{connector}: customers", len({p.customer for p in purchases}), customers),
        Comparison(
            f"{connector}: buyers with orders", len({p.customer for p in purchases}), orders["customer_id"].n_unique()
        ),
        Comparison(f"{connector}: sum", money, Decimal(int(orders["amount"].sum())) / MONEY_SCALE),
        Comparison(
            f"{connector}: counts and sums of {len(by_month)} months",
            by_month,
            {month: (count, Decimal(amount) / MONEY_SCALE) for month, count, amount in months.iter_rows()},
        ),
    ]


def compare_summary(
    connector: str, orders: pl.DataFrame, sample: dict[str, str], published: dict[str, Summary]
) -> Comparison:
    """How many people of the sample have exactly the published frequency, recency and T (two decimals)."""
    made = purchase_summary(orders.filter(pl.col("customer_id").is_in(list(sample))), CALIBRATION_END)
    agreeing = 0
    for customer, frequency, recency, age in made.iter_rows():
        agreeing += published.get(sample[customer]) == Summary(frequency, _two(recency), _two(age))
    return Comparison(f"{connector}: frequency, recency and T agree for", len(published), agreeing)


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _two(value: str | float) -> Decimal:
    """Weeks with two decimals. Sevenths are never half a hundredth, so it does not matter how halves round."""
    return Decimal(value).quantize(Decimal("0.01"))
