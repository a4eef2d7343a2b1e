"""Plants defects in the demo company's books and writes down each one, so that tests know what must be found.

Every victim is used once: an order that is quarantined is no order whose customer is missing as well. What
follows from a defect is written down too: the lines of a quarantined order have no order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from connectors.sandbox.company.books import Books, Finding, Row, Shelf
from connectors.sandbox.company.calendar import just_before, text
from connectors.sandbox.company.goods import Goods, yuan
from connectors.sandbox.company.people import Person
from connectors.sandbox.company.service import iso
from connectors.sandbox.company.shelves import (
    CRM_LEADS,
    CRM_PRODUCTS,
    ERP_CUSTOMERS,
    ERP_LINES,
    ERP_MATERIALS,
    ERP_ORDERS,
    ERP_REFUNDS,
    RATINGS,
    SHELVES,
    SHOP_LINES,
    SHOP_ORDERS,
    SHOP_REFUNDS,
    TICKETS,
)
from connectors.sandbox.company.trade import Order, enter_refund
from connectors.sandbox.company.words import phone_number

TITLES_KEPT = 0.62
"""Share of ERP customers that keep their title; the programme wants 70 %."""
CLERK_CUSTOMERS = 60
"""ERP customers for whom a clerk typed his own phone."""

Change = Callable[[Row], None]

_SHELVES = {(shelf.connector, shelf.stream): shelf for shelf in SHELVES}


def amount(seed: int, base: int) -> int:
    """How many of a defect are planted: `base` for seed 1, up to half as many more for others."""
    return base + (seed - 1) * 5 % (base // 2 + 2)


@dataclass
class Planter:
    """What planting works on: the books, the things behind them, and who was a victim already."""

    books: Books
    people: list[Person]
    orders: list[Order]
    goods: Goods
    dice: Random
    seed: int
    used: set[int] = field(default_factory=set)
    """id() of the rows that are victims; keys will not do, because defects damage keys."""

    def find(self, *findings: Finding) -> None:
        self.books.findings.extend(findings)

    def some(self, base: int) -> int:
        return amount(self.seed, base)

    def take(self, shelf: Shelf, count: int, fits: Callable[[Row], bool]) -> list[Row]:
        """`count` rows of the first load that no increment changes and no other defect has."""
        rows = [row for row in self.once[shelf.connector, shelf.stream] if id(row) not in self.used and fits(row)]
        taken = self.dice.sample(rows, count)
        self.used.update(map(id, taken))
        return taken

    def __post_init__(self) -> None:
        self.once: dict[tuple[str, str], list[Row]] = {}
        for (connector, stream), entries in self.books.rows.items():
            seen: dict[str, int] = {}
            shelf = _SHELVES[connector, stream]
            keys = [key_of(shelf, row) for _, row in entries]
            for key in keys:
                seen[key] = seen.get(key, 0) + 1
            self.once[connector, stream] = [
                row for (batch, row), key in zip(entries, keys, strict=True) if not batch and seen[key] == 1
            ]
        self.refunded = {
            str(row[name])
            for shelf, name in ((ERP_REFUNDS, "bill_no"), (SHOP_REFUNDS, "订单编号"))
            for row in self.books.of(shelf)
        }
        self.order_of = {order.no: order for order in self.orders}
        self.lines_of: dict[str, list[Row]] = {}
        for shelf, name in ((ERP_LINES, "bill_no"), (SHOP_LINES, "订单编号")):
            for row in self.books.of(shelf):
                self.lines_of.setdefault(str(row[name]), []).append(row)

    def plain_order(self, row: Row) -> bool:
        """A finished, paid order without refunds whose codes all have links: nothing else will be found in it."""
        no = str(row.get("bill_no") or row.get("订单编号"))
        order = self.order_of[no]
        return (
            order.status == "已完成"
            and order.paid > 0
            and not order.is_internal
            and no not in self.refunded
            and all(self.goods.is_matched(order.connector, line.good.sku) for line in order.lines)
        )


def plant(planter: Planter) -> None:
    """Plants everything."""
    _unmatched_codes(planter)
    _conflicts(planter)
    _titles_and_clerk(planter)
    _bad_masters(planter)
    _bad_erp_orders(planter)
    _bad_shop_orders(planter)
    _bad_lines_and_refunds(planter)
    _bad_tickets(planter)
    _duplicate_leads(planter)


def key_of(shelf: Shelf, row: Row) -> str:
    """The record's key as one text."""
    return "-".join(str(row[name]) for name in shelf.key)


# ---- Codes, customers ------------------------------------------------------------------------


def _unmatched_codes(planter: Planter) -> None:
    for connector, sku in sorted(planter.goods.unmatched):
        planter.find(Finding("sku.unmatched", connector, "order_lines", "order_line", sku, "sku"))


def _conflicts(planter: Planter) -> None:
    """Two members of the shop, each with a UnionID, who give one phone."""
    masked = {row["买家ID"] for row in planter.books.of(SHOP_ORDERS) if "*" in str(row["买家手机"])}
    alone = [p for p in planter.people if p.unionid and p.shop_phone and not p.cust_no and not p.crm_id]
    members = [p for p in alone if p.buyer_id not in masked]
    count = planter.some(4)
    chosen = planter.dice.sample(members, 2 * count)
    renamed: dict[str, str] = {}
    for first, second in zip(chosen[:count], chosen[count:], strict=True):
        renamed[second.buyer_id] = first.phone
        also = tuple(sorted((first.buyer_id, second.buyer_id)))
        planter.find(Finding("identity.conflict", "shop", "orders", "customer_record", first.phone, "phone", also))
    for row in planter.books.of(SHOP_ORDERS):
        phone = renamed.get(str(row["买家ID"]))
        if phone is not None:
            row["买家手机"] = phone
    used = {person.buyer_id for person in chosen}
    planter.used.update(id(row) for row in planter.books.of(SHOP_ORDERS) if row["买家ID"] in used)


def _titles_and_clerk(planter: Planter) -> None:
    """Too few titles in the ERP, and a clerk's phone with many customers of different names."""
    everyone = {str(row["cust_no"]) for row in planter.books.of(ERP_CUSTOMERS)}
    titled = sorted({str(row["cust_no"]) for row in planter.books.of(ERP_CUSTOMERS) if row["title"]})
    kept = round(TITLES_KEPT * len(everyone)) - planter.some(1)
    blank = set(planter.dice.sample(titled, len(titled) - kept))
    names: dict[str, str] = {}
    for row in planter.once["erp", "customers"]:
        names.setdefault(str(row["name"]), str(row["cust_no"]))
    clerk = set(planter.dice.sample(sorted(names.values()), planter.some(CLERK_CUSTOMERS)))
    phone = phone_number(90_000 + planter.seed % 1_000)
    for row in planter.books.of(ERP_CUSTOMERS):
        if row["cust_no"] in blank:
            row["title"] = None
        if row["cust_no"] in clerk:
            row["mobile"] = phone
            planter.used.add(id(row))
    planter.find(
        Finding("completeness.customer_record.title", "erp", "customers", "customer_record", "", "title"),
        Finding("identity.shared-phone", "erp", "customers", "customer_record", phone, "phone", tuple(sorted(clerk))),
    )


def _bad_masters(planter: Planter) -> None:
    """Customers, materials and library products that no master file should hold."""
    quiet = {person.cust_no for person in planter.people if person.quiet}
    for row in planter.take(ERP_CUSTOMERS, planter.some(3), lambda row: row["cust_no"] in quiet):
        row["birthday"] = planter.dice.choice(("1890-01-01", "2030-05-04"))
        planter.find(_found("customer_record.birthday-impossible", ERP_CUSTOMERS, row, "customer_record", "birthday"))
    disabled = planter.take(ERP_MATERIALS, planter.some(3) + 1, lambda row: row["enabled"] == "否")
    for row in disabled[:2]:
        row["list_price"] = "面议"
        planter.find(_found("cell.decimal-unreadable", ERP_MATERIALS, row, "product", "list_price"))
    for row in disabled[2:]:
        row["enabled"] = "待定"
        planter.find(_found("cell.flag-unreadable", ERP_MATERIALS, row, "product", "enabled"))
    products = list(planter.books.of(CRM_PRODUCTS))
    for number in range(planter.some(2)):
        row = products[number] | {"id": len(products) + 1 + number, "code": None, "barcode": None, "name": "新品待建档"}
        planter.books.enter(CRM_PRODUCTS, row)
        planter.find(_found("product.code-missing", CRM_PRODUCTS, row, "product", "code"))
    pairs = planter.dice.sample(products, 2 * planter.some(3))
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        second["barcode"] = first["barcode"]
        for one, other in ((first, second), (second, first)):
            also = (str(other["id"]),)
            key = str(one["id"])
            planter.find(Finding("sku.library-duplicate-barcode", "crm", "products", "product", key, "barcode", also))


# ---- Orders ----------------------------------------------------------------------------------


def _bad_erp_orders(planter: Planter) -> None:
    def total(row: Row) -> int:
        return planter.order_of[str(row["bill_no"])].paid

    def unlike_times(row: Row) -> None:
        row["created_at"] = text(_time(row["modified_at"]) + timedelta(days=2))

    def in_the_future(row: Row) -> None:
        row["order_date"] = row["pay_date"] = text(_time(row["order_date"]) + timedelta(days=1000))

    kinds: tuple[tuple[str, int, str, Change], ...] = (
        ("cell.time-unreadable", 4, "ordered_at", lambda row: row.update(order_date="0000-00-00 00:00:00")),
        ("cell.money-unreadable", 2, "paid_amount", lambda row: row.update(paid_amount="叁佰元整")),
        ("cell.choice-unknown", 3, "status", lambda row: row.update(status="挂账")),
        ("order.paid-negative", 2, "paid_amount", lambda row: row.update(paid_amount="-" + str(row["paid_amount"]))),
        ("order.paid-exceeds-total", 3, "paid_amount", lambda row: row.update(paid_amount=yuan(total(row) + 2))),
        ("order.currency-not-cny", 3, "currency", lambda row: row.update(currency="USD")),
        ("order.updated-before-created", 2, "source_updated_at", unlike_times),
        ("order.ordered-in-future", 2, "ordered_at", in_the_future),
    )
    for code, base, column, change in kinds:
        for row in planter.take(ERP_ORDERS, planter.some(base), planter.plain_order):
            good = dict(row)
            change(row)
            mended_in = None
            if code == "cell.time-unreadable" and not _mended(planter):
                mended_in = 2
                mended = good | {"modified_at": text(just_before(planter.dice, mended_in))}
                planter.books.enter(ERP_ORDERS, mended, mended_in)
            _quarantined_order(planter, code, ERP_ORDERS, ERP_LINES, row, str(row["bill_no"]), column, mended_in)
    for row in planter.take(ERP_ORDERS, planter.some(11), planter.plain_order):
        row["cust_no"] = f"KH9{planter.dice.randint(1000, 9999)}"
        planter.find(_found("order.customer-missing", ERP_ORDERS, row, "order", "customer_source_id"))


def _mended(planter: Planter) -> bool:
    return any(finding.mended_in is not None for finding in planter.books.findings)


def _bad_shop_orders(planter: Planter) -> None:
    prefixes: set[str] = set()

    def new_prefix(row: Row) -> bool:
        """Two damaged numbers must not look the same, or they would be one record."""
        prefix = str(row["订单编号"])[:6]
        return planter.plain_order(row) and prefix not in prefixes

    for _ in range(planter.some(3)):
        (row,) = planter.take(SHOP_ORDERS, 1, new_prefix)
        number = str(row["订单编号"])
        prefixes.add(number[:6])
        row["订单编号"] = f"{number[0]}.{number[1:6]}E+{len(number) - 1}"  # opened in a spreadsheet and saved
        # The connector cannot know the number any more: the row lands as a rejected line, without a key.
        _quarantined_order(planter, "line.rejected", SHOP_ORDERS, SHOP_LINES, row, number, "files.number-damaged")
    for row in planter.take(SHOP_ORDERS, planter.some(2), planter.plain_order):
        number = str(row["订单编号"])
        row["订单编号"] = None
        _quarantined_order(planter, "row.key-missing", SHOP_ORDERS, SHOP_LINES, row, number, "source_id")
    kinds: tuple[tuple[str, int, str, Change], ...] = (
        ("cell.money-unreadable", 2, "paid_amount", lambda row: row.update({"实付金额": "12O.50"})),
        ("cell.time-unreadable", 2, "ordered_at", lambda row: row.update({"下单时间": "2026/13/45 10:00"})),
    )
    for code, base, column, change in kinds:
        for row in planter.take(SHOP_ORDERS, planter.some(base), planter.plain_order):
            change(row)
            number = str(row["订单编号"])
            _quarantined_order(planter, code, SHOP_ORDERS, SHOP_LINES, row, number, column)
    for row in planter.take(SHOP_ORDERS, planter.some(6), planter.plain_order):
        row.update(dict.fromkeys(("买家ID", "买家姓名", "买家手机", "UnionID", "OpenID")))
        planter.find(_found("order.customer-missing", SHOP_ORDERS, row, "order", "customer_source_id"))


def _quarantined_order(
    planter: Planter,
    code: str,
    shelf: Shelf,
    lines: Shelf,
    row: Row,
    number: str,
    column: str,
    mended_in: int | None = None,
) -> None:
    """The finding of a bad order, and those of its lines, which stay without it. `number` is the true one."""
    key = "" if row[shelf.key[0]] is None or code == "line.rejected" else key_of(shelf, row)
    entity = "" if code == "line.rejected" else "order"
    planter.find(Finding(code, shelf.connector, shelf.stream, entity, key, column, mended_in=mended_in))
    for line in planter.lines_of[number]:
        planter.used.add(id(line))
        planter.find(
            Finding(
                "order_line.order-missing",
                lines.connector,
                lines.stream,
                "order_line",
                key_of(lines, line),
                "order_source_id",
                because=number,
                mended_in=mended_in,
            )
        )


# ---- Lines, refunds --------------------------------------------------------------------------


def _bad_lines_and_refunds(planter: Planter) -> None:
    def linked(row: Row) -> bool:
        return planter.goods.is_matched("erp", str(row["material_no"]))

    kinds: tuple[tuple[str, int, str, Change], ...] = (
        ("cell.quantity-unreadable", 2, "quantity", lambda row: row.update(qty="两箱")),
        ("order_line.quantity-not-positive", 3, "quantity", lambda row: row.update(qty="0")),
        ("order_line.amount-negative", 2, "amount", lambda row: row.update(amount="-" + str(row["amount"]))),
    )
    for code, base, column, change in kinds:
        for row in planter.take(ERP_LINES, planter.some(base), lambda row: linked(row) and row["amount"] != "0.00"):
            change(row)
            planter.find(_found(code, ERP_LINES, row, "order_line", column))
    for row in planter.take(ERP_LINES, planter.some(3), linked):
        orphan = row | {"bill_no": f"XSDD9{planter.dice.randint(10_000, 99_999)}"}
        planter.books.enter(ERP_LINES, orphan)
        planter.find(_found("order_line.order-missing", ERP_LINES, orphan, "order_line", "order_source_id"))

    number = sum(1 for _ in planter.books.of(ERP_REFUNDS))
    for row in planter.take(ERP_REFUNDS, planter.some(2), lambda row: row["status"] == "已完成"):
        row["amount"] = "0.00"
        planter.find(_found("refund.amount-not-positive", ERP_REFUNDS, row, "refund", "amount"))
    for row in planter.take(ERP_REFUNDS, planter.some(3), lambda row: row["status"] == "已完成"):
        row["bill_no"] = f"XSDD8{planter.dice.randint(10_000, 99_999)}"
        planter.find(_found("refund.order-missing", ERP_REFUNDS, row, "refund", "order_source_id"))
    for row in planter.take(ERP_ORDERS, planter.some(4), planter.plain_order):
        order = planter.order_of[str(row["bill_no"])]
        number += 1
        asked = order.changed_at + timedelta(hours=5)
        refund = enter_refund(planter.books, order, number, order.paid + 10_000, "已完成", asked, planter.dice)
        also = (str(refund["refund_no"]),)
        planter.find(Finding("refund.exceeds-paid", "erp", "refunds", "order", order.no, "amount", also))


# ---- Service, leads --------------------------------------------------------------------------


def _bad_tickets(planter: Planter) -> None:
    def solved(row: Row) -> bool:
        return row["solved_at"] is not None

    def plain(row: Row) -> bool:
        return solved(row) and row["rating"] is None

    def before(row: Row) -> None:
        row["solved_at"] = iso(datetime.fromisoformat(str(row["received_at"])) - timedelta(hours=3))

    kinds: tuple[tuple[str, int, str, Change], ...] = (
        ("ticket.rating-out-of-range", 3, "rating", lambda row: row.update(rating=6)),
        ("ticket.solved-before-received", 3, "solved_at", before),
        ("cell.choice-unknown", 2, "type", lambda row: row.update(type="表扬信")),
        ("cell.integer-unreadable", 2, "rating", lambda row: row.update(rating="五星")),
        ("cell.time-unreadable", 2, "received_at", lambda row: row.update(received_at="昨天下午")),
        ("cell.id-damaged", 2, "order_source_id", lambda row: row.update(order_no="2.02511E+18")),
    )
    for code, base, column, change in kinds:
        for row in planter.take(TICKETS, planter.some(base), plain):
            change(row)
            planter.find(_found(code, TICKETS, row, "ticket", column))
    nobody = {"name": None, "phone": None}
    for row in planter.take(TICKETS, planter.some(25), plain):
        row["customer"] = nobody
        planter.find(_found("ticket.customer-missing", TICKETS, row, "ticket", "customer_source_id"))
    for row in planter.take(TICKETS, planter.some(8), lambda row: plain(row) and row["type"] == "投诉"):
        row["rating"] = 5
        planter.find(_found("ticket.rating-contradicts", TICKETS, row, "ticket", "rating"))
    for row in planter.take(RATINGS, planter.some(2), lambda row: True):
        row["评分"] = "9"
        planter.find(_found("rating.score-out-of-range", RATINGS, row, "rating", "score"))
    for number in range(planter.some(2)):
        cut = json.dumps({"ticket_no": f"GD9{number:04d}", "subject": "上传中断"}, ensure_ascii=False).encode()
        broken = cut[: -5 - number]
        planter.books.broken_lines.append((0, "tickets", "tickets", broken))
        reason = "truncated" if broken.decode(errors="replace")[-1] != "\ufffd" else "not-utf8"
        planter.find(Finding("line.rejected", "tickets", "tickets", "", "", reason, also=(f"GD9{number:04d}",)))


def _duplicate_leads(planter: Planter) -> None:
    rows = planter.take(CRM_LEADS, planter.some(9), lambda row: True)
    number = sum(1 for _ in planter.books.of(CRM_LEADS))
    for offset, row in enumerate(rows, 1):
        again = row | {"lead_no": f"XS{number + offset:05d}", "source": "官网表单", "status": "新建"}
        planter.books.enter(CRM_LEADS, again)
        for one, other in ((row, again), (again, row)):
            also = (str(other["lead_no"]),)
            planter.find(Finding("lead.duplicate", "crm", "leads", "lead", str(one["lead_no"]), "", also))


def _found(code: str, shelf: Shelf, row: Row, entity: str, column: str) -> Finding:
    return Finding(code, shelf.connector, shelf.stream, entity, key_of(shelf, row), column)


def _time(value: object) -> datetime:
    return datetime.fromisoformat(f"{value}+08:00")
