"""Reads the orders that count as purchases, customer by customer.

The one place that says which orders count: those of record, neither gift nor internal purchase, not deleted,
in yuan, and paid, shipped or done. Their money is what was paid minus what was refunded. Orders of a channel
(the "customer" that stands for a whole shop) belong to no customer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection

from state.bulk import execute, listed

PURCHASE_STATUS = ("paid", "shipped", "done")
"""States of an order that is a purchase; a cancelled, closed or unpaid one is none."""

CHUNK = 50_000
"""Customers worked on at once."""

LAST = 2**63 - 1


@dataclass(frozen=True)
class Range:
    """Customers with after < customer_id <= upto."""

    after: int
    upto: int

    def sql(self, tx: Connection, column: str) -> tuple[str, tuple[Any, ...]]:
        """A condition on a customer_id column, and its parameters."""
        return f"({column} > ? AND {column} <= ?)", (self.after, self.upto)


@dataclass(frozen=True)
class Listed:
    """Customers by name."""

    ids: tuple[int, ...]

    def sql(self, tx: Connection, column: str) -> tuple[str, tuple[Any, ...]]:
        """A condition on a customer_id column, and its parameters."""
        sql, parameter = listed(tx, self.ids, "bigint")
        return f"{column} IN {sql}", (parameter,)


Some = Range | Listed
"""Some customers; ids that no customer has any more belong to it too."""

EVERYONE = Range(-1, LAST)


def ranges(tx: Connection, size: int = CHUNK) -> list[Range]:
    """Everyone in ranges of about `size` customers, without a gap between them."""
    found, after = [], -1
    while True:
        row = execute(
            tx,
            "SELECT max(customer_id), count(*) FROM (SELECT DISTINCT customer_id FROM customer_record "
            "WHERE customer_id > ? ORDER BY customer_id LIMIT ?) AS next_ones",
            (after, size),
        ).one()
        if row[1] < size:
            found.append(Range(after, LAST))
            return found
        found.append(Range(after, row[0]))
        after = row[0]


def chunks(ids: Sequence[int], size: int = CHUNK) -> Iterator[Listed]:
    """Named customers in portions of at most `size`, in order."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), size):
        yield Listed(tuple(ordered[start : start + size]))


def customers_of(tx: Connection, some: Some) -> pl.DataFrame:
    """Those of them that are customers, by id: customer_id, registered_at, last_active_at (microseconds, null
    where no record of theirs says so).
    """
    where, parameters = some.sql(tx, "c.customer_id")
    return frame(
        tx,
        "SELECT c.customer_id, min(c.registered_at), max(c.last_active_at) FROM customer_record AS c "
        f"WHERE {where} AND c.deleted = 0 AND coalesce(c.kind, 'person') <> 'channel' "
        "GROUP BY c.customer_id ORDER BY c.customer_id",
        parameters,
        {"customer_id": pl.Int64, "registered_at": pl.Int64, "last_active_at": pl.Int64},
    )


def orders_of(tx: Connection, some: Some) -> pl.DataFrame:
    """Orders of record of these customers, whatever has become of them.

    customer_id; at (when it was paid, or else placed); net_amount (1/10,000 yuan); purchase (whether its
    status makes it one); connector, source_id, source_updated_at, committed_at, backfill: which order it is and
    how it came. A refund is known from the order itself or from refund records; one of the two can lag behind,
    so the greater counts.
    """
    where, parameters = some.sql(tx, "c.customer_id")
    statuses = ", ".join(f"'{status}'" for status in PURCHASE_STATUS)
    return frame(
        tx,
        f"""
        WITH of_record AS (
            SELECT c.customer_id, o.*, coalesce(o.refunded_amount, 0) AS known_refund,
                   coalesce((SELECT CAST(sum(f.amount) AS BIGINT) FROM refund AS f
                             WHERE f.connector = o.connector AND f.order_source_id = o.source_id
                               AND f.status = 'done' AND f.deleted = 0), 0) AS done_refunds
            FROM customer_record AS c JOIN "order" AS o ON o.buyer_record_no = c.record_no
            WHERE {where} AND coalesce(c.kind, 'person') <> 'channel' AND o.deleted = 0
              AND coalesce(o.of_record, 1) <> 0 AND coalesce(o.is_gift, 0) = 0
              AND coalesce(o.is_internal, 0) = 0 AND coalesce(o.currency, 'CNY') = 'CNY'
        )
        SELECT o.customer_id, coalesce(o.paid_at, o.ordered_at),
               coalesce(o.paid_amount, 0)
                 - CASE WHEN o.done_refunds > o.known_refund THEN o.done_refunds ELSE o.known_refund END,
               CASE WHEN o.status IN ({statuses}) THEN 1 ELSE 0 END,
               o.connector, o.source_id, o.source_updated_at, o.committed_at, coalesce(run.backfill, 0)
        FROM of_record AS o LEFT JOIN run ON run.run_id = o.run_id
        """,
        parameters,
        {
            "customer_id": pl.Int64,
            "at": pl.Int64,
            "net_amount": pl.Int64,
            "purchase": pl.Int64,
            "connector": pl.String,
            "source_id": pl.String,
            "source_updated_at": pl.Int64,
            "committed_at": pl.Int64,
            "backfill": pl.Int64,
        },
    ).with_columns(pl.col("purchase") == 1)


FETCH = 100_000


def frame(tx: Connection, sql: str, parameters: Sequence[Any], columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """The answer of a query as a frame of these columns, fetched in portions so that few rows are Python's."""
    result = execute(tx, sql, parameters)
    parts = [pl.DataFrame(schema=columns)]
    while rows := result.fetchmany(FETCH):
        parts.append(pl.DataFrame([tuple(row) for row in rows], schema=columns, orient="row"))
    return pl.concat(parts)
