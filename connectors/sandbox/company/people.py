"""The demo company's customers, and how each of its systems knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from connectors.sandbox.company.books import Books, Row
from connectors.sandbox.company.calendar import HISTORY_DAYS, OPENING_DAY, at, just_before, text
from connectors.sandbox.company.shelves import CRM_CUSTOMERS, CRM_LEADS, ERP_CUSTOMERS
from connectors.sandbox.company.words import (
    CAMPAIGNS,
    INDUSTRIES,
    SALESMEN,
    SIZES,
    TITLES,
    company_name,
    person_name,
    phone_number,
    place,
)

CUSTOMERS = 5_000
BUSINESS = 2_000
"""Contacts of shops, restaurants and companies; they buy on account, through the ERP."""
WALK_IN = 180
"""Consumers who also have an ERP customer number."""
BUSINESS_IN_SHOP = 400
"""Contacts who also buy for themselves in the online shop, with the same phone."""
IN_CRM = 4_200
LEADS = 300
CHANGED = 12
"""ERP customers edited before each increment."""


@dataclass
class Person:
    """One real person, with every identifier that any system has of them."""

    no: int
    name: str
    phone: str
    province: str
    city: str
    business: bool
    appetite: float
    """How many orders they place against the others."""
    first_day: int
    last_day: int
    """Days of the history between which they buy."""
    cust_no: str = ""
    buyer_id: str = ""
    unionid: str = ""
    openid: str = ""
    crm_id: str = ""
    shop_phone: str = ""
    """What the shop knows: the phone, a masked form, or nothing (then there is a UnionID)."""
    quiet: bool = False
    """Has an account and never buys."""


def make_people(dice: Random) -> list[Person]:
    """The customers: who they are, how long they stay, and in which systems they appear."""
    people = []
    for no in range(CUSTOMERS):
        province, city = place(dice)
        # A third was there from the start; four in ten stop buying somewhere on the way.
        first = 0 if dice.random() < 0.35 else int(dice.random() ** 0.8 * (HISTORY_DAYS - 5))
        stays = dice.random() > 0.42
        last = HISTORY_DAYS - 1 if stays else first + int(dice.random() ** 1.5 * (HISTORY_DAYS - 1 - first))
        people.append(
            Person(
                no=no,
                name=person_name(dice),
                phone=phone_number(no),
                province=province,
                city=city,
                business=no < BUSINESS,
                appetite=min(dice.paretovariate(1.1), 60.0),
                first_day=first,
                last_day=last,
            )
        )
    _give_numbers(people, dice)
    return people


def _give_numbers(people: list[Person], dice: Random) -> None:
    business, consumers = people[:BUSINESS], people[BUSINESS:]
    in_erp = business + dice.sample(consumers, WALK_IN)
    for number, person in enumerate(sorted(in_erp, key=lambda p: (p.first_day, p.no)), 1):
        person.cust_no = f"KH{number:05d}"
        person.quiet = dice.random() < 0.03
    in_shop = consumers + dice.sample(business, BUSINESS_IN_SHOP)
    for number, person in enumerate(in_shop, 1):
        person.buyer_id = f"by{1_000_000 + number * 37}"
        person.shop_phone = person.phone
        if dice.random() < 0.85:
            person.unionid = f"oU6m{_letters(dice, 24)}"
            person.openid = f"oM3p{_letters(dice, 24)}"
    in_crm = business + dice.sample(consumers, IN_CRM - BUSINESS)
    for number, person in enumerate(sorted(in_crm, key=lambda p: p.no), 1):
        person.crm_id = f"C{number:05d}"
    # The shop hides the phone of a few members; only those who are in no other system, so that one person
    # stays one customer.
    members_only = [p for p in consumers if p.unionid and not p.cust_no and not p.crm_id]
    for person in dice.sample(members_only, 60):
        person.shop_phone = "" if dice.random() < 0.4 else f"{person.phone[:3]}****{person.phone[7:]}"


def _letters(dice: Random, count: int) -> str:
    return "".join(dice.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=count))


def enter_people(books: Books, people: list[Person], dice: Random) -> None:
    """Fills the customer tables of the ERP and the CRM, and the leads."""
    for person in sorted((p for p in people if p.cust_no), key=lambda p: p.cust_no):
        books.enter(ERP_CUSTOMERS, _erp_row(person, dice))
    for person in (p for p in people if p.crm_id):
        books.enter(CRM_CUSTOMERS, _crm_row(person, dice))
    _enter_leads(books, people, dice)
    _edit_customers(books, dice)


def _erp_row(person: Person, dice: Random) -> Row:
    registered = at(OPENING_DAY, person.first_day * 86_400) + timedelta(hours=9, minutes=dice.randint(0, 500))
    industry = dice.choice(INDUSTRIES)
    birthday = at(OPENING_DAY, 0) - timedelta(days=dice.randint(22 * 365, 58 * 365))
    return {
        "cust_no": person.cust_no,
        "name": person.name,
        "title": dice.choice(TITLES) if person.business and dice.random() < 0.97 else None,
        "company_name": company_name(dice, person.city, industry) if person.business else None,
        "mobile": _as_typed(person.phone, dice),
        "mobile2": phone_number(10_000 + person.no) if dice.random() < 0.08 else None,
        "email": f"kh{person.no:05d}@example.com" if dice.random() < 0.3 else None,
        "industry": industry if person.business else "个人",
        "size": dice.choice(SIZES) if person.business else None,
        "province": person.province,
        "city": person.city,
        "birthday": birthday.strftime("%Y-%m-%d") if dice.random() < 0.4 else None,
        "salesman": dice.choice(SALESMEN),
        "status": "启用",
        "created_at": text(registered),
        "modified_at": text(registered + timedelta(days=dice.randint(0, 3))),
    }


def _crm_row(person: Person, dice: Random) -> Row:
    registered = at(OPENING_DAY, person.first_day * 86_400) + timedelta(hours=10, minutes=dice.randint(0, 600))
    active = at(OPENING_DAY, person.last_day * 86_400) + timedelta(hours=20, seconds=dice.randint(0, 3000))
    left = dice.random() < 0.03
    return {
        "id": person.crm_id,
        "member_no": f"HY{person.no:06d}",
        "name": person.name,
        "mobile": person.phone,
        "province": person.province,
        "city": person.city,
        "level": dice.choices(("普通", "银卡", "金卡"), (70, 22, 8))[0],
        "consent": 0 if left else 1,
        "opted_out_at": text(active) if left else None,
        "owner": dice.choice(SALESMEN),
        "registered_at": text(registered),
        "last_active_at": text(max(active, registered)),
        "modified_at": text(max(active, registered)),
    }


def _as_typed(phone: str, dice: Random) -> str:
    """As people type it into an ERP: mostly plain, sometimes with +86, spaces or dashes."""
    style = dice.random()
    if style < 0.94:
        return phone
    if style < 0.96:
        return f"+86 {phone}"
    if style < 0.98:
        return f"{phone[:3]}-{phone[3:7]}-{phone[7:]}"
    return f"{phone[:3]} {phone[3:7]} {phone[7:]}"


def _enter_leads(books: Books, people: list[Person], dice: Random) -> None:
    """Leads from fairs and forms: half are new people, half are customers already, each once."""
    known = dice.sample([p for p in people if p.crm_id], LEADS // 2)
    for number in range(LEADS):
        entered = at(OPENING_DAY, dice.randint(HISTORY_DAYS - 200, HISTORY_DAYS - 1) * 86_400 + 36_000)
        person = known[number // 2] if number % 2 else None
        books.enter(
            CRM_LEADS,
            {
                "lead_no": f"XS{number + 1:05d}",
                "name": person.name if person else person_name(dice),
                "mobile": person.phone if person else phone_number(20_000 + number),
                "company_name": company_name(dice, place(dice)[1], dice.choice(INDUSTRIES)),
                "title": dice.choice(TITLES),
                "source": dice.choice(CAMPAIGNS),
                "status": dice.choice(("新建", "跟进中", "已转化", "无效")),
                "owner": dice.choice(SALESMEN),
                "entered_at": text(entered),
                "modified_at": text(entered),
            },
        )


def _edit_customers(books: Books, dice: Random) -> None:
    """Before each increment a few ERP customers get another salesman, a second number, an e-mail."""
    rows = list(books.of(ERP_CUSTOMERS, 0))
    edited = dice.sample(range(len(rows)), CHANGED * 3)
    for position, index in enumerate(edited):
        batch = position // CHANGED + 1
        row = dict(rows[index])
        row["salesman"] = dice.choice([name for name in SALESMEN if name != row["salesman"]])
        row["email"] = row["email"] or f"{str(row['cust_no']).lower()}@example.com"
        row["modified_at"] = text(just_before(dice, batch))
        books.enter(ERP_CUSTOMERS, row, batch)
