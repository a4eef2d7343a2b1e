"""Builds the demo company's books from a seed."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from connectors.sandbox.company.books import Books
from connectors.sandbox.company.calendar import INCREMENTS
from connectors.sandbox.company.defects import Planter, amount, plant
from connectors.sandbox.company.goods import UNMATCHED, crosswalk, make_goods
from connectors.sandbox.company.people import enter_people, make_people
from connectors.sandbox.company.service import enter_tickets
from connectors.sandbox.company.trade import enter_orders, make_orders


def build(seed: int, *, clean: bool = False) -> Books:
    """All that the systems hold after every increment. About 4 CPU seconds; the last one is kept.

    Each part has dice of its own, so that the clean company is the same company without the defects. Callers
    must not change what they get.
    """
    return _build(seed, clean)


@lru_cache(maxsize=1)
def _build(seed: int, clean: bool) -> Books:

    def dice(part: str) -> Random:
        return Random(f"{seed}:{part}")

    books = Books()
    people = make_people(dice("people"))
    enter_people(books, people, dice("customers"))
    goods = make_goods(books, dice("goods"), 0 if clean else amount(seed, UNMATCHED))
    orders = make_orders(people, goods, dice("orders"))
    enter_orders(books, orders, dice("fates"))
    enter_tickets(books, people, orders, dice("tickets"))
    books.crosswalk = crosswalk(goods)
    if not clean:
        plant(Planter(books, people, orders, goods, dice("defects"), seed))
    return books


def manifest(seed: int, *, after: int = INCREMENTS, clean: bool = False) -> list[dict[str, object]]:
    """What the hub must find once the first load and `after` increments are in, ordered by code and key.

    Each finding has code, connector, stream, entity, key and, where they mean something, field, also (the other
    records of the finding) and because (the order whose quarantine it follows from). key is empty where the
    record has none, or the finding is about all records of an entity.
    """
    found = [
        finding
        for finding in build(seed, clean=clean).findings
        if finding.mended_in is None or finding.mended_in > after
    ]
    return [finding.plain() for finding in sorted(found, key=lambda f: (f.code, f.connector, f.key, f.also))]
