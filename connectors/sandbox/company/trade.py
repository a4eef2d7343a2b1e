"""The demo company's orders: who buys what, when, for how much; what becomes of it; what comes back."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from connectors.sandbox.company.books import Books, Row
from connectors.sandbox.company.calendar import FIRST_PULL, INCREMENTS, Season, just_before, text
from connectors.sandbox.company.goods import Good, Goods, yuan
from connectors.sandbox.company.people import Person
from connectors.sandbox.company.shelves import (
    ERP_LINES,
    ERP_ORDERS,
    ERP_REFUNDS,
    SHOP_LINES,
    SHOP_ORDERS,
    SHOP_REFUNDS,
)
from connectors.sandbox.company.words import REFUND_REASONS, SALESMEN

ORDERS = {"erp": 22_000, "shop": 18_000}
"""Orders in 18 months, the increments included."""
NEW_ORDERS = 20
"""Orders of each system in an increment."""
MOVED_ORDERS = 8
"""Orders of each system that go one status further in an increment."""


@dataclass
class Line:
    """One line of an order; price and amount in fen."""

    good: Good
    quantity: int
    price: int

    @property
    def amount(self) -> int:
        return self.price * self.quantity


@dataclass
class Order:
    """One order of one system, with its money in fen."""

    connector: str
    person: Person
    at: datetime
    batch: int
    lines: list[Line]
    no: str = ""
    discount: int = 0
    freight: int = 0
    status: str = "已完成"
    refunded: int = 0
    sales_type: str = ""
    is_gift: int = 0
    is_internal: int = 0
    changed_at: datetime = FIRST_PULL
    row: Row = field(default_factory=dict)

    @property
    def goods_amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def paid(self) -> int:
        if self.status in UNPAID or self.is_gift:
            return 0
        return self.goods_amount - self.discount + self.freight


UNPAID = frozenset({"已创建", "已取消"})
_NEXT = {"已付款": "已发货", "已发货": "已完成"}


def make_orders(people: list[Person], goods: Goods, dice: Random) -> list[Order]:
    """All orders of both systems, numbered in the order of their time."""
    erp_people = [p for p in people if p.cust_no and not p.quiet]
    shop_people = [p for p in people if p.buyer_id]
    orders = [
        *_orders("erp", erp_people, goods.on_sale("erp"), Season(festive=False), dice, once=False),
        *_orders("shop", shop_people, goods.on_sale("shop"), Season(festive=True), dice, once=True),
    ]
    for connector in ORDERS:
        mine = sorted((o for o in orders if o.connector == connector), key=lambda o: (o.at, o.person.no))
        for number, order in enumerate(mine, 1):
            order.no = (
                f"XSDD{number:06d}"
                if connector == "erp"
                else f"{order.at:%Y%m%d}{order.at.hour * 3600 + order.at.minute * 60:05d}{number:06d}"
            )
    _sell_every_code(orders, goods, dice)
    return orders


def _orders(
    connector: str, people: list[Person], on_sale: list[Good], season: Season, dice: Random, *, once: bool
) -> list[Order]:
    """`once`: everybody buys at least once (the shop knows only buyers)."""
    fresh = NEW_ORDERS * INCREMENTS
    count = ORDERS[connector] - fresh
    buyers = list(people) if once else []
    buyers += dice.choices(people, [p.appetite for p in people], k=count - len(buyers))
    popularity = list(accumulate(dice.paretovariate(0.9) for _ in on_sale))
    make = _erp_order if connector == "erp" else _shop_order
    orders = [
        make(person, season.instant(dice, person.first_day, person.last_day), 0, on_sale, popularity, dice)
        for person in buyers
    ]
    active = [p for p in people if p.last_day >= p.first_day + 60] or people
    for batch in range(1, INCREMENTS + 1):
        orders += [
            make(dice.choice(active), just_before(dice, batch), batch, on_sale, popularity, dice)
            for _ in range(NEW_ORDERS)
        ]
    return orders


def _pick(on_sale: list[Good], popularity: list[float], dice: Random) -> Good:
    return on_sale[bisect_right(popularity, dice.random() * popularity[-1])]


def _erp_order(
    person: Person, at: datetime, batch: int, on_sale: list[Good], popularity: list[float], dice: Random
) -> Order:
    lines = []
    for _ in range(dice.choices((1, 2, 3, 4, 6), (30, 28, 20, 14, 8))[0]):
        good = _pick(on_sale, popularity, dice)
        quantity = max(1, int(dice.lognormvariate(1.2, 0.9))) if person.business else dice.randint(1, 3)
        lines.append(Line(good, quantity, good.price))
    order = Order("erp", person, at, batch, lines)
    order.sales_type = dice.choices(("批发", "门店", "电话"), (60, 25, 15))[0] if person.business else "门店"
    fate = dice.random()
    if fate < 0.006:
        order.is_gift = 1
    elif fate < 0.012:
        order.is_internal = 1
    elif fate < 0.35:
        order.discount = order.goods_amount * dice.choice((2, 3, 5)) // 100
    order.freight = dice.choice((0, 0, 0, 2000, 5000)) if person.business and not order.is_gift else 0
    _live(order, dice)
    return order


def _shop_order(
    person: Person, at: datetime, batch: int, on_sale: list[Good], popularity: list[float], dice: Random
) -> Order:
    lines = []
    for _ in range(dice.choices((1, 2, 3, 5), (55, 27, 13, 5))[0]):
        good = _pick(on_sale, popularity, dice)
        lines.append(Line(good, dice.choices((1, 2, 3, 6), (72, 18, 7, 3))[0], good.price))
    order = Order("shop", person, at, batch, lines)
    goods_amount = order.goods_amount
    if (at.month, at.day) in {(6, 18), (11, 11), (12, 12)}:
        order.discount = goods_amount * dice.choice((10, 15, 20)) // 100
    elif dice.random() < 0.3:
        order.discount = min(goods_amount // 10, dice.choice((500, 1000, 2000)))
    order.freight = 0 if goods_amount >= 9_900 else dice.choice((0, 800, 1000))
    _live(order, dice)
    return order


def _live(order: Order, dice: Random) -> None:
    """Gives the order its status by age, and the time of its last change."""
    if order.batch:
        order.status = "已付款" if dice.random() < 0.9 else "已创建"
        order.changed_at = order.at
        return
    age = FIRST_PULL - order.at
    fate = dice.random()
    if fate < 0.03:
        order.status, lasted = "已取消", timedelta(hours=dice.uniform(0.1, 24))
    elif fate < 0.035:
        order.status, lasted = "已关闭", timedelta(days=dice.uniform(1, 9))
    elif age < timedelta(days=2):
        order.status, lasted = "已付款", timedelta(minutes=dice.uniform(1, 30))
    elif age < timedelta(days=6):
        order.status, lasted = "已发货", timedelta(hours=dice.uniform(3, 40))
    else:
        order.status, lasted = "已完成", timedelta(days=dice.uniform(2, 6))
    order.changed_at = min(order.at + lasted, FIRST_PULL - timedelta(minutes=10))
    order.changed_at = order.changed_at.replace(microsecond=0)


def _sell_every_code(orders: list[Order], goods: Goods, dice: Random) -> None:
    """Every code on sale is in some old order: what has no link must be seen by somebody."""
    sold = {(order.connector, line.good.sku) for order in orders for line in order.lines if not order.batch}
    for connector in ORDERS:
        old = [order for order in orders if order.connector == connector and not order.batch]
        for good in goods.on_sale(connector):
            if (connector, good.sku) not in sold:
                dice.choice(old).lines.append(Line(good, 1, good.price))


def enter_orders(books: Books, orders: list[Order], dice: Random) -> None:
    """Writes orders, lines and refunds into the ERP's tables and the shop's exports, and lets some move on."""
    refunds = {"erp": 0, "shop": 0}
    for order in sorted(orders, key=lambda o: o.no):
        returned = _returned(order, dice)
        if returned:
            order.refunded = sum(amount for amount, status, _ in returned if status == "已完成")
        row = _erp_row(order, dice) if order.connector == "erp" else _shop_row(order, dice)
        order.row = books.enter(ERP_ORDERS if order.connector == "erp" else SHOP_ORDERS, row, order.batch)
        enter_line = _enter_erp_line if order.connector == "erp" else _enter_shop_line
        for number, line in enumerate(order.lines, 1):
            enter_line(books, order, number, line)
        for amount, status, asked in returned:
            refunds[order.connector] += 1
            enter_refund(books, order, refunds[order.connector], amount, status, asked, dice)
    for connector, shelf in (("erp", ERP_ORDERS), ("shop", SHOP_ORDERS)):
        moving = [o for o in orders if o.connector == connector and not o.batch and o.status in _NEXT]
        moving.sort(key=lambda o: o.no)
        for position, order in enumerate(dice.sample(moving, MOVED_ORDERS * INCREMENTS)):
            batch = position // MOVED_ORDERS + 1
            status, changed = _NEXT[order.status], text(just_before(dice, batch))
            names = ("status", "modified_at") if connector == "erp" else ("订单状态", "更新时间")
            books.enter(shelf, order.row | dict(zip(names, (status, changed), strict=True)), batch)


def _returned(order: Order, dice: Random) -> list[tuple[int, str, datetime]]:
    """Refunds of an order: (fen, status, asked at). Never more than was paid."""
    if order.batch or order.status != "已完成" or order.paid <= 0 or dice.random() > 0.045:
        return []
    whole = dice.random() < 0.4
    amount = order.paid if whole else max(1, order.paid * dice.randint(10, 60) // 100)
    status = dice.choices(("已完成", "已拒绝"), (90, 10))[0]
    asked = min(order.changed_at + timedelta(hours=dice.uniform(2, 160)), FIRST_PULL - timedelta(days=1))
    return [(amount, status, asked.replace(microsecond=0))]


def _paid_at(order: Order, dice: Random) -> str | None:
    if order.status in UNPAID:
        return None
    return text(min(order.at + timedelta(seconds=dice.randint(5, 300)), order.changed_at))


def _erp_row(order: Order, dice: Random) -> Row:
    return {
        "bill_no": order.no,
        "cust_no": order.person.cust_no,
        "sales_type": order.sales_type,
        "status": order.status,
        "order_date": text(order.at),
        "pay_date": _paid_at(order, dice),
        "goods_amount": yuan(order.goods_amount),
        "discount_amount": yuan(order.goods_amount + order.freight if order.is_gift else order.discount),
        "freight_amount": yuan(order.freight),
        "paid_amount": yuan(order.paid),
        "refunded_amount": yuan(order.refunded),
        "currency": "CNY",
        "is_gift": order.is_gift,
        "is_internal": order.is_internal,
        "salesman": dice.choice(SALESMEN),
        "created_at": text(order.at),
        "modified_at": text(order.changed_at),
    }


def _shop_row(order: Order, dice: Random) -> Row:
    person = order.person
    # Only of those whom no other system knows: else an order with nothing but a mask would be another customer.
    alone = person.shop_phone and person.unionid and not person.cust_no and not person.crm_id
    hidden = alone and dice.random() < 0.04
    return {
        "订单编号": order.no,
        "订单状态": order.status,
        "店铺名称": "示例商贸微商城",
        "下单时间": text(order.at),
        "付款时间": _paid_at(order, dice),
        "更新时间": text(order.changed_at),
        "商品总额": yuan(order.goods_amount),
        "优惠金额": yuan(order.discount),
        "运费": yuan(order.freight),
        "实付金额": yuan(order.paid),
        "退款金额": yuan(order.refunded),
        "买家ID": person.buyer_id,
        "买家姓名": person.name,
        "买家手机": f"{person.shop_phone[:3]}****{person.shop_phone[7:]}" if hidden else person.shop_phone or None,
        "UnionID": person.unionid or None,
        "OpenID": person.openid or None,
        "省份": person.province,
        "城市": person.city,
        "备注": dice.choice(("尽快发货", "送人，请包装好", "周末送货")) if dice.random() < 0.05 else None,
    }


def _enter_erp_line(books: Books, order: Order, number: int, line: Line) -> Row:
    return books.enter(
        ERP_LINES,
        {
            "bill_no": order.no,
            "line_no": number,
            "material_no": line.good.sku,
            "material_name": line.good.name,
            "qty": str(line.quantity),
            "price": f"{yuan(line.price)}0000",
            "amount": yuan(line.amount),
            "is_gift": order.is_gift,
            "modified_at": text(order.at),
        },
        order.batch,
    )


def _enter_shop_line(books: Books, order: Order, number: int, line: Line) -> Row:
    return books.enter(
        SHOP_LINES,
        {
            "订单编号": order.no,
            "行号": str(number),
            "商品编码": line.good.sku,
            "商品名称": line.good.name,
            "规格": line.good.spec,
            "数量": str(line.quantity),
            "单价": yuan(line.price),
            "商品小计": yuan(line.amount),
            "更新时间": text(order.at),
        },
        order.batch,
    )


def enter_refund(
    books: Books, order: Order, number: int, amount: int, status: str, asked: datetime, dice: Random
) -> Row:
    """One refund in the books of the order's system."""
    done = min(asked + timedelta(hours=dice.randint(1, 20)), FIRST_PULL - timedelta(hours=1))
    reason = dice.choice(REFUND_REASONS)
    if order.connector == "erp":
        row: Row = {
            "refund_no": f"TK{number:05d}",
            "bill_no": order.no,
            "line_no": None,
            "amount": yuan(amount),
            "qty": None,
            "status": status,
            "reason": reason,
            "requested_at": text(asked),
            "done_at": text(done) if status == "已完成" else None,
            "modified_at": text(done),
        }
        return books.enter(ERP_REFUNDS, row, order.batch)
    row = {
        "退款编号": f"TD{number:05d}",
        "订单编号": order.no,
        "退款金额": yuan(amount),
        "退款状态": status,
        "退款原因": reason,
        "申请时间": text(asked),
        "完成时间": text(done) if status == "已完成" else None,
        "更新时间": text(done),
    }
    return books.enter(SHOP_REFUNDS, row, order.batch)
