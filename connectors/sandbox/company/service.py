"""The demo company's tickets and their ratings."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from connectors.sandbox.company.books import Books, Row
from connectors.sandbox.company.calendar import FIRST_PULL, HISTORY_DAYS, INCREMENTS, Season, just_before
from connectors.sandbox.company.people import Person
from connectors.sandbox.company.shelves import RATINGS, TICKETS
from connectors.sandbox.company.trade import Order
from connectors.sandbox.company.words import AGENTS, RATING_WORDS, TICKET_SUBJECTS

TICKETS_IN_ALL = 3_000
NEW_TICKETS = 5
"""Tickets opened before each increment."""
SOLVED_TICKETS = 3
"""Tickets of the last days that are solved before each increment."""
MOST_OF_ONE_PERSON = 3

_HOURS_ALLOWED = {"紧急": 24, "重要": 72, "一般": 168}


def enter_tickets(books: Books, people: list[Person], orders: list[Order], dice: Random) -> None:
    """Tickets of people whose phone the company knows; half of them about an order."""
    orders_of: dict[int, list[Order]] = {}
    for order in sorted(orders, key=lambda o: (o.at, o.no)):
        orders_of.setdefault(order.person.no, []).append(order)
    callers = [p for p in people if p.cust_no or p.shop_phone == p.phone]
    pool = callers * MOST_OF_ONE_PERSON
    chosen = dice.sample(pool, TICKETS_IN_ALL)
    season = Season(festive=True)
    old = TICKETS_IN_ALL - NEW_TICKETS * INCREMENTS
    opened = sorted(season.instant(dice, HISTORY_DAYS - 420) for _ in range(old))
    rated = 0
    waiting: list[Row] = []
    for number, person in enumerate(chosen, 1):
        batch = 0 if number <= old else (number - old - 1) // NEW_TICKETS + 1
        received = opened[number - 1] if not batch else just_before(dice, batch)
        earlier = [order for order in orders_of.get(person.no, ()) if order.at < received]
        about = earlier[-1] if earlier and dice.random() < 0.6 else None
        row = _ticket(number, person, received, batch, about, dice)
        books.enter(TICKETS, row, batch)
        if row["status"] == "处理中" and not batch:
            waiting.append(row)
        if row["rating"] is not None and dice.random() < 0.6:
            rated += 1
            _enter_rating(books, rated, row, dice)
    for position, row in enumerate(dice.sample(waiting, SOLVED_TICKETS * INCREMENTS)):
        batch = position // SOLVED_TICKETS + 1
        solved = just_before(dice, batch)
        books.enter(TICKETS, row | {"status": "已解决", "solved_at": iso(solved), "updated_at": iso(solved)}, batch)


def iso(instant: datetime | None) -> str | None:
    """As the ticket system writes times: 2026-11-11T20:15:03+08:00."""
    return None if instant is None else instant.isoformat()


def _ticket(number: int, person: Person, received: datetime, batch: int, about: Order | None, dice: Random) -> Row:
    kind = dice.choices(("投诉", "咨询", "报修", "其他"), (24, 50, 12, 14))[0]
    priority = dice.choices(("紧急", "重要", "一般"), (10, 25, 65))[0]
    responded = received + timedelta(seconds=dice.randint(20, 1500))
    solved: datetime | None = received + timedelta(hours=min(dice.lognormvariate(1.5, 1.2), 200))
    solved = max(solved, responded) if solved is not None else None
    if batch or (solved is not None and solved > FIRST_PULL - timedelta(minutes=15)) or dice.random() < 0.01:
        solved = None
    if batch or responded > FIRST_PULL:
        responded = received
    closed = min(solved + timedelta(hours=24), FIRST_PULL - timedelta(minutes=12)) if solved is not None else None
    rating = None
    if solved is not None and dice.random() < 0.55:
        weights = (18, 27, 30, 25, 0) if kind == "投诉" else (2, 4, 14, 38, 42)
        rating = dice.choices((1, 2, 3, 4, 5), weights)[0]
    return {
        "ticket_no": f"GD{number:05d}",
        "type": kind,
        "subject": dice.choice(TICKET_SUBJECTS[kind]),
        "priority": priority,
        "status": "处理中" if solved is None else "已关闭",
        "channel": dice.choices(("电话", "微信", "网页", "邮件"), (35, 45, 15, 5))[0],
        "agent": dice.choice(AGENTS),
        "received_at": iso(received),
        "first_response_at": iso(responded.replace(microsecond=0)),
        "due_at": iso(received + timedelta(hours=_HOURS_ALLOWED[priority])),
        "solved_at": iso(solved.replace(microsecond=0)) if solved else None,
        "closed_at": iso(closed.replace(microsecond=0)) if closed else None,
        "reopened": 1 if solved and dice.random() < 0.04 else 0,
        "rating": rating,
        "order_no": about.no if about else None,
        "customer": {
            "name": person.name,
            "phone": person.phone,
        },
        "updated_at": iso((closed or solved or responded).replace(microsecond=0)),
    }


def _enter_rating(books: Books, number: int, ticket: Row, dice: Random) -> None:
    score = int(str(ticket["rating"]))
    rated = str(ticket["closed_at"])[:19].replace("T", " ")
    books.enter(
        RATINGS,
        {
            "评价编号": f"PJ{number:05d}",
            "工单编号": ticket["ticket_no"],
            "评分": str(score),
            "评价内容": dice.choice(RATING_WORDS[score]),
            "评价时间": rated,
        },
    )
