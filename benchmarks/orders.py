"""The orders that both subjects read: 12 fields, about 330 bytes of JSON, the same for the same number.

One customer buys eight times on average. In a shop every order carries the buyer's number, name and phone; in the
ERP it names a customer of a second table, which has them. A change is a new state and a new `modified_at`;
everything else of an order stays.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

COLUMNS = (
    "id",
    "platform_no",
    "state",
    "ordered_at",
    "modified_at",
    "buyer_id",
    "buyer_name",
    "buyer_phone",
    "goods_amount",
    "discount_amount",
    "paid_amount",
    "remark",
)
ERP_COLUMNS = (*COLUMNS[:5], "customer_id", "salesman", "warehouse", *COLUMNS[8:])
CUSTOMER_COLUMNS = ("id", "name", "mobile", "modified_at")
Order = tuple[str, str, str, str, str, str, str, str, str, str, str, str]

STATES = ("已付款", "已发货", "已完成", "已取消")
ORDERS_OF_A_CUSTOMER = 8
BETWEEN_CHANGES = timedelta(milliseconds=60)
"""500 orders are changed in half a minute."""

_BEIJING = timezone(timedelta(hours=8))
_FAMILY, _GIVEN = "王李张刘陈杨黄赵周吴", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明"
_SALESMEN, _WAREHOUSES = [f"销售{n}部" for n in range(8)], ("华东仓", "华南仓", "华北仓")
_REMARKS = ("", "", "", "请放门卫, 谢谢", "", "", "周末送货", "", "", "")
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def order(number: int, state: int, modified_at: str) -> Order:
    """The order of that number, in one of its states."""
    buyer = number * 7919 % (number // ORDERS_OF_A_CUSTOMER + 1)
    goods = 1_000 + number * 7_907 % 90_000
    discount = number * 31 % 1_000
    ordered = beijing_text(_FIRST_DAY + timedelta(seconds=number * 37 % 15_552_000))
    return (
        f"SO{number:010d}",
        f"{2_600_000_000_000_000_000 + number * 104_729}",
        STATES[state % 4],
        ordered,
        modified_at,
        f"B{buyer:09d}",
        name(buyer),
        mobile(buyer),
        yuan(goods),
        yuan(discount),
        yuan(goods - discount),
        _REMARKS[number % 10],
    )


def name(customer: int) -> str:
    """The name of a customer; about one in 2,560 has the same."""
    return _FAMILY[customer % 10] + _GIVEN[customer // 10 % 16] + _GIVEN[customer // 160 % 16]


def mobile(customer: int) -> str:
    """A phone number of the customer's own."""
    return f"1{38 + customer % 22}{customer * 7919 % 100_000_000:08d}"


def orders(count: int, end: datetime) -> Iterator[Order]:
    """The first load: `count` orders in the order of `modified_at`, over the half year before `end`."""
    step = timedelta(days=180) / max(count, 1)
    for number in range(count):
        yield order(number, 0, beijing_text(end - (count - number) * step))


def customers(count: int, end: datetime) -> Iterator[Sequence[str]]:
    """The customers of the ERP, over the half year before `end` as well."""
    step = timedelta(days=180) / max(count, 1)
    for number in range(count):
        yield f"B{number:09d}", name(number), mobile(number), beijing_text(end - (count - number) * step)


def changed(count: int, total: int, at: datetime, round_no: int) -> list[Order]:
    """`count` of the `total` orders, spread evenly, changed one after the other until that time, the n-th time."""
    step, state = max(total // count, 1), 1 + round_no % 3  # never the first state: every change is one
    return [
        order((n * step + round_no) % total, state, beijing_text(at - (count - n) * BETWEEN_CHANGES))
        for n in range(count)
    ]


def as_json(one: Order) -> bytes:
    """An order as the shop's API sends it."""
    return json.dumps(dict(zip(COLUMNS, one, strict=True)), ensure_ascii=False, separators=(",", ":")).encode()


def make_database(file: Path, count: int, end: datetime) -> None:
    """An ERP's tables of orders and customers in SQLite, with the indexes that modified columns have."""
    with sqlite3.connect(file) as database:
        for table, columns in (("sale_order", ERP_COLUMNS), ("customer", CUSTOMER_COLUMNS)):
            others = ", ".join(f"{column} TEXT" for column in columns[1:])
            database.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, {others})")
            database.execute(f"CREATE INDEX {table}_modified ON {table} (modified_at, id)")
        _put(database, "sale_order", map(_of_erp, orders(count, end)))
        _put(database, "customer", customers(customers_of(count), end))
    database.close()


def change_database(file: Path, rows: Sequence[Order]) -> None:
    """Writes changed orders over the old ones, as the ERP's users would."""
    with sqlite3.connect(file) as database:
        _put(database, "sale_order", map(_of_erp, rows))
    database.close()


def customers_of(count: int) -> int:
    """How many customers have made so many orders."""
    return (count - 1) // ORDERS_OF_A_CUSTOMER + 1


def _of_erp(one: Order) -> Order:
    """The order as the ERP has it: who sold it and from where instead of who the buyer is."""
    return (*one[:6], _SALESMEN[int(one[5][1:]) % 8], _WAREHOUSES[len(one[11]) % 3], *one[8:])


def _put(database: sqlite3.Connection, table: str, rows: Iterable[Sequence[str]]) -> None:
    marks = ", ".join("?" * len(CUSTOMER_COLUMNS if table == "customer" else ERP_COLUMNS))
    database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def beijing_text(at: datetime) -> str:
    """A time as Chinese systems write it."""
    return at.astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> str:
    """12345 as 123.45."""
    return f"{fen // 100}.{fen % 100:02d}"


def main(arguments: Sequence[str]) -> None:
    """make FILE COUNT END | change FILE COUNT TOTAL AT ROUND; times as ISO 8601."""
    command, file, *rest = arguments
    if command == "make":
        make_database(Path(file), int(rest[0]), datetime.fromisoformat(rest[1]))
    else:
        count, total, at, round_no = rest
        change_database(Path(file), changed(int(count), int(total), datetime.fromisoformat(at), int(round_no)))


if __name__ == "__main__":
    main(sys.argv[1:])
