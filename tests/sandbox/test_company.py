"""The demo company, read back from its files by a reader that knows nothing of how it was made."""

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.company import (
    FIRST_PULL,
    INCREMENTS,
    PULLS,
    build,
    manifest,
    read_clock,
    write_increment,
    write_initial,
)

TIMES = ("modified_at", "更新时间", "updated_at", "评价时间")
ROOT = Path(__file__).parents[2]

Found = set[tuple[str, str, str]]


@dataclass
class Systems:
    """Everything the files say, the newest version of each record."""

    tables: dict[str, list[dict]] = field(default_factory=dict)
    crosswalk: list[dict] = field(default_factory=list)
    rejected: int = 0


def read_systems(folder: Path) -> Systems:
    systems = Systems()
    for name in ("erp", "crm"):
        with closing(sqlite3.connect(folder / f"{name}.db")) as database:
            database.row_factory = sqlite3.Row
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                systems.tables[f"{name}.{table}"] = [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
    for title, key in (("订单", ("订单编号",)), ("订单明细", ("订单编号", "行号")), ("退款", ("退款编号",))):
        systems.tables[f"shop.{title}"] = newest(exports(folder / "shop", title, "gb18030"), key)
    systems.tables["tickets.满意度"] = newest(exports(folder / "tickets", "满意度", "utf-8-sig"), ("评价编号",))
    tickets = []
    for path in sorted((folder / "tickets").glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            try:
                tickets.append(json.loads(line))
            except ValueError:
                systems.rejected += 1
    systems.tables["tickets.tickets"] = newest(tickets, ("ticket_no",))
    with (folder / "crosswalk.csv").open(encoding="utf-8-sig", newline="") as file:
        systems.crosswalk = list(csv.DictReader(file))
    return systems


def exports(folder: Path, title: str, encoding: str) -> list[dict]:
    rows = []
    for path in sorted(folder.glob(f"{title}_*.csv")):
        with path.open(encoding=encoding, newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


def newest(rows: list[dict], key: tuple[str, ...]) -> list[dict]:
    """The last version of each record; records without a key are all kept."""
    latest: dict[object, dict] = {}
    for number, row in enumerate(rows):
        name = tuple(row[column] for column in key)
        latest[name if all(name) else number] = row
    return list(latest.values())


def money(value: object) -> Any:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def time(value: object) -> Any:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=FIRST_PULL.tzinfo)


def digits(phone: str | None) -> str:
    return re.sub(r"\D", "", phone or "").removeprefix("86") if phone and "*" not in phone else ""


ERP_PARTS = ("goods_amount", "discount_amount", "freight_amount")
ERP_STATUS = {"已创建", "已付款", "已发货", "已完成", "已取消", "已关闭"}


def findings(systems: Systems) -> Found:
    found: Found = set()
    orders = orders_and_what_is_wrong(systems, found)
    lines_and_codes(systems, orders, found)
    refunds(systems, orders, found)
    masters(systems, found)
    service(systems, found)
    identity(systems, found)
    return found


def orders_and_what_is_wrong(systems: Systems, found: Found) -> dict[tuple[str, str], dict]:
    """All orders that can become visible, by (connector, number)."""
    good = {}
    customers = {row["cust_no"] for row in systems.tables["erp.customer"]}
    shapes = {
        "erp": ("erp.sales_order", "bill_no", "order_date", "paid_amount", *ERP_PARTS),
        "shop": ("shop.订单", "订单编号", "下单时间", "实付金额", "商品总额", "优惠金额", "运费"),
    }
    for connector, (table, key, ordered, paid, *parts) in shapes.items():
        for row in systems.tables[table]:
            number = row[key] or ""
            at, amount = time(row[ordered]), money(row[paid])
            goods, discount, freight = (money(row[part]) for part in parts)
            most = goods - discount + freight + Decimal("0.01")
            verdicts = {
                "row.key-missing": not number,
                "line.rejected": "E+" in number,
                "cell.time-unreadable": at is None,
                "order.ordered-in-future": at is not None and at > PULLS[-1] + timedelta(days=1),
                "cell.money-unreadable": amount is None,
                "order.paid-negative": amount is not None and amount < 0,
                "order.paid-exceeds-total": amount is not None and amount > most,
                "cell.choice-unknown": row.get("status", "已完成") not in ERP_STATUS,
                "order.currency-not-cny": row.get("currency", "CNY") != "CNY",
                "order.updated-before-created": connector == "erp"
                and time(row["modified_at"]) < time(row["created_at"]),
            }
            wrong = {code for code, holds in verdicts.items() if holds}
            found |= {(code, connector, "" if code == "line.rejected" else number) for code in wrong}
            if not wrong:
                good[connector, number] = row
                buyer = (
                    row["cust_no"] in customers
                    if connector == "erp"
                    else row["买家ID"] or row["买家手机"] or row["UnionID"]
                )
                if not buyer:
                    found.add(("order.customer-missing", connector, number))
    return good


def lines_and_codes(systems: Systems, orders: dict, found: Found) -> None:
    linked = {(row["connector"], row["sku"]) for row in systems.crosswalk}
    shapes = {
        "erp": ("erp.sales_order_line", "bill_no", "line_no", "material_no", "qty", "amount"),
        "shop": ("shop.订单明细", "订单编号", "行号", "商品编码", "数量", "商品小计"),
    }
    for connector, (table, order, line, sku, quantity, amount) in shapes.items():
        for row in systems.tables[table]:
            key = f"{row[order]}-{row[line]}"
            if money(row[quantity]) is None:
                found.add(("cell.quantity-unreadable", connector, key))
            elif money(row[quantity]) <= 0:
                found.add(("order_line.quantity-not-positive", connector, key))
            elif money(row[amount]) < 0:
                found.add(("order_line.amount-negative", connector, key))
            elif (connector, row[order]) not in orders:
                found.add(("order_line.order-missing", connector, key))
            if (connector, row[sku]) not in linked:
                found.add(("sku.unmatched", connector, row[sku]))
    for row in systems.tables["erp.material"]:
        if row["enabled"] == "是" and ("erp", row["material_no"]) not in linked:
            found.add(("sku.unmatched", "erp", row["material_no"]))


def refunds(systems: Systems, orders: dict, found: Found) -> None:
    done: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for connector, table, key, order, amount, status in (
        ("erp", "erp.refund", "refund_no", "bill_no", "amount", "status"),
        ("shop", "shop.退款", "退款编号", "订单编号", "退款金额", "退款状态"),
    ):
        for row in systems.tables[table]:
            if money(row[amount]) <= 0:
                found.add(("refund.amount-not-positive", connector, row[key]))
            elif (connector, row[order]) not in orders:
                found.add(("refund.order-missing", connector, row[key]))
            elif row[status] == "已完成":
                done[connector, row[order]] += money(row[amount])
    for (connector, number), total in done.items():
        row = orders[connector, number]
        if total > money(row["paid_amount" if connector == "erp" else "实付金额"]):
            found.add(("refund.exceeds-paid", connector, number))


def masters(systems: Systems, found: Found) -> None:
    customers = systems.tables["erp.customer"]
    for row in customers:
        if row["birthday"] and not "1900" <= row["birthday"][:4] <= "2026":
            found.add(("customer_record.birthday-impossible", "erp", row["cust_no"]))
    if sum(bool(row["title"]) for row in customers) < 0.7 * len(customers):
        found.add(("completeness.customer_record.title", "erp", ""))
    for column, table, connector, floor in (
        ("mobile", "erp.customer", "erp", 0.95),
        ("mobile", "crm.customer", "crm", 0.95),
        ("买家手机", "shop.订单", "shop", 0.95),
        ("name", "erp.customer", "erp", 0.95),
        ("industry", "erp.customer", "erp", 0.95),
    ):
        rows = systems.tables[table]
        if sum(bool(row[column]) for row in rows) < floor * len(rows):
            found.add((f"completeness.customer_record.{column}", connector, ""))
    for row in systems.tables["erp.material"]:
        if row["enabled"] not in {"是", "否"}:
            found.add(("cell.flag-unreadable", "erp", row["material_no"]))
        if money(row["list_price"]) is None:
            found.add(("cell.decimal-unreadable", "erp", row["material_no"]))
    barcodes = defaultdict(list)
    codes = set()
    for row in systems.tables["crm.product"]:
        if not row["code"]:
            found.add(("product.code-missing", "crm", str(row["id"])))
        elif row["barcode"]:
            barcodes[row["barcode"]].append(str(row["id"]))
        codes.add(row["code"])
    doubles = (ids for ids in barcodes.values() if len(ids) > 1)
    found |= {("sku.library-duplicate-barcode", "crm", number) for ids in doubles for number in ids}
    assert {row["product_code"] for row in systems.crosswalk} <= codes


def service(systems: Systems, found: Found) -> None:
    for row in systems.tables["tickets.tickets"]:
        key = row["ticket_no"]
        received, solved = time(row["received_at"]), row["solved_at"] and time(row["solved_at"])
        wrong = set()
        if row["type"] not in {"投诉", "咨询", "报修", "其他"}:
            wrong.add("cell.choice-unknown")
        if received is None:
            wrong.add("cell.time-unreadable")
        elif solved and solved < received:
            wrong.add("ticket.solved-before-received")
        if "E+" in (row["order_no"] or ""):
            wrong.add("cell.id-damaged")
        if isinstance(row["rating"], str):
            wrong.add("cell.integer-unreadable")
        elif row["rating"] is not None and not 1 <= row["rating"] <= 5:
            wrong.add("ticket.rating-out-of-range")
        found |= {(code, "tickets", key) for code in wrong}
        if not wrong and not any(row["customer"].values()):
            found.add(("ticket.customer-missing", "tickets", key))
        if not wrong and row["type"] == "投诉" and row["rating"] == 5:
            found.add(("ticket.rating-contradicts", "tickets", key))
    for row in systems.tables["tickets.满意度"]:
        if not 1 <= int(row["评分"]) <= 5:
            found.add(("rating.score-out-of-range", "tickets", row["评价编号"]))
    if systems.rejected:
        found.add(("line.rejected", "tickets", ""))


def identity(systems: Systems, found: Found) -> None:
    unionids = defaultdict(set)
    holders = defaultdict(set)
    for row in systems.tables["shop.订单"]:
        if digits(row["买家手机"]):
            holders[digits(row["买家手机"])].add(("shop", row["买家ID"]))
            if row["UnionID"]:
                unionids[digits(row["买家手机"])].add(row["UnionID"])
    for row in systems.tables["tickets.tickets"]:
        phone = digits(row["customer"]["phone"])
        if phone:
            holders[phone].add(("tickets", row["ticket_no"]))
    for name, column in (("erp", "cust_no"), ("crm", "id")):
        for row in systems.tables[f"{name}.customer"]:
            holders[digits(row["mobile"])].add((name, row[column]))
    leads = Counter(row["mobile"] for row in systems.tables["crm.lead"])
    twice = (row for row in systems.tables["crm.lead"] if leads[row["mobile"]] > 1)
    found |= {("lead.duplicate", "crm", row["lead_no"]) for row in twice}
    found |= {("identity.conflict", "shop", phone) for phone, ids in unionids.items() if len(ids) > 1}
    found |= {("identity.shared-phone", "erp", phone) for phone, ids in holders.items() if len(ids) > 12}


def expected(seed: int, **how) -> Found:
    return {(str(row["code"]), str(row["connector"]), str(row["key"])) for row in manifest(seed, **how)}


def write_all(folder: Path, seed: int, *, clean: bool = False) -> Path:
    write_initial(folder, seed, clean=clean)
    for n in range(1, INCREMENTS + 1):
        write_increment(folder, n)
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("demo"), 1)


@pytest.fixture(scope="module")
def systems(demo: Path) -> Systems:
    return read_systems(demo)


# ---- What it is --------------------------------------------------------------------------------


def test_it_has_5000_customers_40000_orders_300_products_and_3000_tickets_over_18_months(systems: Systems) -> None:
    orders = build(1).rows["erp", "orders"], build(1).rows["shop", "orders"]
    assert len(systems.tables["erp.sales_order"]) == 22_000
    assert len({row["订单编号"] or id(row) for _, row in orders[1]}) == 18_000
    assert len(systems.tables["tickets.tickets"]) == 3_000
    assert len([row for row in systems.tables["crm.product"] if row["code"]]) == 300
    assert len(systems.tables["erp.material"]) == 300
    days = sorted(str(row["order_date"])[:10] for row in systems.tables["erp.sales_order"])
    good = [day for day in days if "2025" <= day[:4] <= "2026"]
    assert (good[0], good[-1]) == ("2025-05-21", "2026-11-21")


def test_the_seasons_show(systems: Systems) -> None:
    days = Counter(row["下单时间"][:10] for row in systems.tables["shop.订单"])
    assert days.most_common(1)[0][0] == "2026-11-11"
    assert days["2026-06-18"] > 3 * days["2026-05-18"]


def test_customers_buy_again_and_a_few_bring_most_of_the_money(systems: Systems) -> None:
    spent: dict[str, Decimal] = defaultdict(Decimal)
    bought: Counter = Counter()
    for row in systems.tables["erp.sales_order"]:
        spent[row["cust_no"]] += money(row["paid_amount"]) or 0
        bought[row["cust_no"]] += 1
    biggest = sorted(spent.values(), reverse=True)
    assert 0.6 < sum(biggest[: len(biggest) // 5]) / sum(biggest) < 0.95
    assert sum(1 for count in bought.values() if count > 1) > 0.6 * len(bought)


def test_phones_are_valid_in_form_and_in_a_range_that_nobody_has(systems: Systems) -> None:
    phones = [digits(row["mobile"]) for name in ("erp", "crm") for row in systems.tables[f"{name}.customer"]]
    assert all(re.fullmatch(r"1[3-9]\d000[1-9]\d{4}", phone) for phone in phones)


def test_orders_add_up_to_their_lines(systems: Systems) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in systems.tables["shop.订单明细"]:
        assert money(row["数量"]) * money(row["单价"]) == money(row["商品小计"])
        sums[row["订单编号"]] += money(row["商品小计"])
    compared = [row for row in systems.tables["shop.订单"] if row["订单编号"] in sums]
    assert len(compared) > 17_900
    assert all(money(row["商品总额"]) == sums[row["订单编号"]] for row in compared)


# ---- What is planted ---------------------------------------------------------------------------


def test_the_manifest_lists_exactly_what_another_reader_finds(systems: Systems) -> None:
    assert findings(systems) == expected(1)
    assert len({row["code"] for row in manifest(1)}) == 35


def test_37_codes_have_no_link_and_every_one_is_in_some_order(systems: Systems) -> None:
    unmatched = {(row["connector"], row["key"]) for row in manifest(1) if row["code"] == "sku.unmatched"}
    sold = {("erp", row["material_no"]) for row in systems.tables["erp.sales_order_line"]}
    sold |= {("shop", row["商品编码"]) for row in systems.tables["shop.订单明细"]}
    assert len(unmatched) == 37
    assert unmatched <= sold
    assert {connector for connector, _ in unmatched} == {"erp", "shop"}


def test_shares_of_a_bundle_add_up_to_one(systems: Systems) -> None:
    shares: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in systems.crosswalk:
        shares[row["connector"], row["sku"]] += Decimal(row["share"])
    assert set(shares.values()) == {Decimal(1)}


def test_a_line_that_is_no_json_is_counted_by_the_manifest(systems: Systems) -> None:
    broken = [row for row in manifest(1) if (row["code"], row["connector"]) == ("line.rejected", "tickets")]
    assert [row["field"] for row in broken] == ["truncated", "not-utf8"]
    assert systems.rejected == len(broken) == 2


# ---- What happens afterwards -------------------------------------------------------------------


def test_each_increment_is_a_minute_old_when_it_is_pulled() -> None:
    fresh: Counter = Counter()
    for (connector, _), entries in build(1).rows.items():
        for batch, row in entries:
            changed = next(row[name] for name in TIMES if name in row)
            age = PULLS[batch] - time(changed)
            if batch:
                fresh[batch, connector] += 1
                assert timedelta(0) < age < timedelta(minutes=1), row
            else:
                assert age > timedelta(0), row
    assert all(fresh[batch, connector] > 0 for batch in (1, 2, 3) for connector in ("erp", "shop", "tickets"))


def test_the_second_increment_mends_a_quarantined_order(tmp_path: Path) -> None:
    write_initial(tmp_path, 1)
    write_increment(tmp_path, 1)
    before = expected(1, after=1)
    assert findings(read_systems(tmp_path)) == before
    write_increment(tmp_path, 2)
    after = expected(1, after=2)
    assert findings(read_systems(tmp_path)) == after
    assert {code for code, _, _ in before - after} == {"cell.time-unreadable", "order_line.order-missing"}
    assert after < before


def test_the_opening_day_leaves_more_than_twelve_months_of_history(systems: Systems) -> None:
    first = min(row["下单时间"] for row in systems.tables["shop.订单"] if row["下单时间"] < "2026/")
    assert date.fromisoformat(first[:10]) < FIRST_PULL.date() - timedelta(days=365)


def test_the_folder_keeps_its_clock_and_refuses_an_increment_out_of_turn(tmp_path: Path) -> None:
    assert read_clock(tmp_path) is None
    assert write_initial(tmp_path, 1) == FIRST_PULL
    assert read_clock(tmp_path) == {"now": FIRST_PULL.isoformat(), "seed": 1, "clean": False, "increments": 0}
    with pytest.raises(ValueError, match="the next increment is 1 of 3, not 2"):
        write_increment(tmp_path, 2)
    assert write_increment(tmp_path, 1) == FIRST_PULL + timedelta(minutes=5)
    clock = read_clock(tmp_path) or {}
    assert clock["increments"] == 1
    waited = FIRST_PULL + timedelta(hours=1)
    (tmp_path / "demo-clock.json").write_text(json.dumps(clock | {"now": waited.isoformat()}), encoding="utf-8")
    assert write_increment(tmp_path, 2) == waited


def test_the_same_seed_writes_the_same_bytes_in_another_process(tmp_path: Path, demo: Path) -> None:
    """Another process has other string hashes: nothing may depend on the order of a set."""
    program = (
        "import sys; from pathlib import Path; from connectors.sandbox.company import write_initial; "
        "write_initial(Path(sys.argv[1]), 1)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "7"})
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*_1000.*"))
    assert len(files) == 5
    for path in (*files, Path("crosswalk.csv")):
        assert (tmp_path / path).read_bytes() == (demo / path).read_bytes(), path


# ---- Other companies -----


def test_the_clean_company_has_5000_customers_by_their_phones_and_unionids(tmp_path: Path) -> None:
    systems = read_systems(write_all(tmp_path, 1, clean=True))
    persons = {digits(row["mobile"]) for name in ("erp", "crm") for row in systems.tables[f"{name}.customer"]}
    phone_of = {row["买家ID"]: digits(row["买家手机"]) for row in systems.tables["shop.订单"]}
    for row in systems.tables["shop.订单"]:
        phone_of[row["买家ID"]] = phone_of[row["买家ID"]] or digits(row["买家手机"])
    persons |= {phone or buyer for buyer, phone in phone_of.items()}
    assert len(persons) == 5_000
    assert findings(systems) == set()
    assert manifest(1, clean=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_other_seeds_plant_other_amounts_and_list_them_all(tmp_path: Path, seed: int) -> None:
    assert findings(read_systems(write_all(tmp_path, seed))) == expected(seed)
    planted = Counter(row["code"] for row in manifest(seed))
    assert len(planted) == 35  # as many kinds as for seed 1
    assert planted["sku.unmatched"] != 37
