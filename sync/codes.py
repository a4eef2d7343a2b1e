"""Product codes outside the library: how many of them are linked to it, and which are not."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from quality.expectations import Expectations
from quality.set_checks import Asked
from quality.set_checks.products import CODES, code_parameters
from state.bulk import execute


@dataclass(frozen=True)
class Coverage:
    """How much of one connector is linked: by codes, order lines, and money (1/10,000 yuan)."""

    connector: str
    codes: int
    codes_linked: int
    lines: int
    lines_linked: int
    amount: int
    amount_linked: int


@dataclass(frozen=True)
class Unmatched:
    """One code without an approved link, and the order lines and money that it holds up."""

    connector: str
    sku: str
    name: str
    lines: int
    amount: int


def coverage(tx: Connection, now: int, expectations: Expectations) -> list[Coverage]:
    """One row a connector that sells or lists products; the same judgement as the check sku.unmatched."""
    rows = execute(
        tx,
        f"""
        WITH {CODES}
        SELECT connector, count(*), sum(1 - bad), sum(lines), sum((1 - bad) * lines), sum(amount),
               sum((1 - bad) * amount)
        FROM judged GROUP BY connector ORDER BY connector
        """,
        code_parameters(Asked(now, expectations)),
    )
    return [Coverage(row[0], *(int(value) for value in row[1:])) for row in rows]


def unmatched(tx: Connection, now: int, expectations: Expectations, *, connector: str, limit: int) -> list[Unmatched]:
    """Codes without a link, those that hold up most money first."""
    rows = execute(
        tx,
        f"""
        WITH {CODES}
        SELECT connector, sku, name, lines, amount FROM judged
        WHERE bad = 1 AND (? = '' OR connector = ?)
        ORDER BY amount DESC, lines DESC, connector, sku LIMIT ?
        """,
        (*code_parameters(Asked(now, expectations)), connector, connector, limit),
    )
    return [Unmatched(row[0], row[1], row[2] or "", int(row[3]), int(row[4])) for row in rows]
