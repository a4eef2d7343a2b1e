"""The report's parts about the business: product codes, identities, scores, write-back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from mappings import model
from quality.checking import CheckResult
from quality.expectations import Expectations
from quality.set_checks import Asked
from quality.set_checks.products import CODES, code_parameters
from quality.times import iso
from state import outbox
from state.bulk import execute

UNMATCHED = 20
STAGES = ("draft", "reviewed", "published")


def yuan(stored: int) -> str:
    """Stored money as exact text in yuan, with at least two decimals."""
    amount = Decimal(stored) / model.MONEY_SCALE
    return f"{amount:.4f}".removesuffix("00")


def sku(tx: Connection, now: int, expectations: Expectations) -> dict[str, Any] | None:
    """How many of the codes sold or enabled outside the library are in it: by codes, lines and money.

    None without a library: nothing to be matched with is not 100 %.
    """
    if not expectations.library:
        return None
    rows = execute(
        tx,
        f"WITH {CODES} SELECT connector, sku, name, lines, amount, bad FROM judged",
        code_parameters(Asked(now, expectations)),
    ).all()
    # A sum is a Decimal in PostgreSQL.
    codes = [(str(c), str(code), name or "", int(n), int(amount), bool(bad)) for c, code, name, n, amount, bad in rows]
    unmatched = sorted((one for one in codes if one[5]), key=lambda one: (-one[4], -one[3], one[0], one[1]))
    lines, amount = sum(one[3] for one in codes), sum(one[4] for one in codes)
    return {
        "library": expectations.library,
        "codes": {"good": len(codes) - len(unmatched), "total": len(codes)},
        "lines": {"good": lines - sum(one[3] for one in unmatched), "total": lines},
        "amount": {"good_yuan": yuan(amount - sum(one[4] for one in unmatched)), "total_yuan": yuan(amount)},
        "unmatched": [
            {"connector": connector, "sku": code, "name": name, "lines": count, "amount_yuan": yuan(value)}
            for connector, code, name, count, value, _ in unmatched[:UNMATCHED]
        ],
        "unmatched_total": len(unmatched),
    }


def identity(tx: Connection, results: Sequence[CheckResult]) -> dict[str, Any] | None:
    """Source records and the customers they are; None before the first resolution.

    `merged_by` counts, per kind of identifier, the customers in whom it joins at least two records.
    """
    records, customers = execute(
        tx, "SELECT count(*), count(DISTINCT customer_id) FROM customer_record WHERE deleted = 0", ()
    ).one()
    if not customers:
        return None
    merged = execute(
        tx,
        """
        WITH joined AS (
            SELECT i.kind, c.customer_id
            FROM identifier AS i
            JOIN customer_record AS c
              ON c.connector = i.connector AND c.source_id = i.source_id AND c.deleted = 0
            WHERE i."class" = 'usable' AND c.customer_id IS NOT NULL
            GROUP BY i.kind, i.scope, i.digest, c.customer_id
            HAVING count(*) > 1
        )
        SELECT kind, count(DISTINCT customer_id) FROM joined GROUP BY kind
        """,
        (),
    )
    by_kind = {kind: int(count) for kind, count in merged}
    found = {one.code: one.found for one in results if one.code.startswith("identity.")}
    return {
        "records": int(records),
        "customers": int(customers),
        "merged_by": {kind: by_kind[kind] for kind in model.IDENTIFIER_KINDS if kind in by_kind},
        "conflicts": found.get("identity.conflict", 0),
        "shared_identifiers": found.get("identity.shared-phone", 0),
        "proposals": None,
    }


def scores(tx: Connection) -> dict[str, Any] | None:
    """Customers by tier, and how far the definitions behind them have come; None before the first scoring."""
    rows = execute(
        tx,
        "SELECT value, count(*), max(scored_at) FROM score WHERE name = 'tier' AND value IS NOT NULL "
        "GROUP BY value ORDER BY value",
        (),
    ).all()
    if not rows:
        return None
    total = sum(int(row[1]) for row in rows)
    names = [row[0] for row in execute(tx, "SELECT DISTINCT version FROM score WHERE name IN ('rfm', 'tier')", ())]
    known = execute(tx, "SELECT name, version, status FROM score_definition", ())
    stages = {f"{name}@{version}": status for name, version, status in known}
    # A retired version was published when it made the scores.
    reached = [{"retired": "published"}.get(stages.get(name, "draft"), stages.get(name, "draft")) for name in names]
    return {
        "tiers": [
            {"tier": tier, "customers": int(count), "share": {"good": int(count), "total": total}}
            for tier, count, _ in rows
        ],
        "definition": " · ".join(sorted(names)),
        "status": min(reached, key=STAGES.index),
        "scored_at": iso(max(int(row[2]) for row in rows)),
    }


def writeback(tx: Connection, now: int, expectations: Expectations) -> list[dict[str, Any]]:
    """Every target that is configured or still has something on its way."""
    counted = {one.target: one for one in outbox.counts(tx, now)}
    names = [c.name for c in expectations.connectors.values() if c.writes or c.name in counted]
    found = []
    for name in [*names, *(name for name in counted if name not in names)]:
        one = counted.get(name)
        by_status = one.by_status if one else {}
        on_its_way = (outbox.AVAILABLE, outbox.SENDING, outbox.ACCEPTED)
        found.append(
            {
                "name": name,
                "waiting": sum(by_status.get(status, 0) for status in on_its_way),
                "confirmed": by_status.get(outbox.CONFIRMED, 0),
                "rejected": by_status.get(outbox.REJECTED, 0),
                "unknown": by_status.get(outbox.UNKNOWN, 0),
                "later": by_status.get(outbox.LATER, 0),
                "drifted": by_status.get(outbox.DRIFTED, 0),
                "last_confirmed_at": iso(one.last_confirmed_at if one else None),
                "approved": outbox.is_on(tx, name),
            }
        )
    return found
