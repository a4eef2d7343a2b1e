"""Orders, their lines and refunds: what refers to nothing, and what does not add up."""

from __future__ import annotations

from quality.set_checks import Asked, Judged, set_check

DAY_US = 86_400_000_000


@set_check("order.customer-missing")
def orders_without_customer(_asked: Asked) -> Judged:
    """Orders without any buyer, or whose buyer is a record that no system has given us."""
    return Judged(
        """
        SELECT o.connector, o.source_id AS key,
               CASE WHEN by_number.source_id IS NULL AND by_id.source_id IS NULL THEN 1 ELSE 0 END AS bad,
               o.customer_source_id AS note
        FROM "order" AS o
        LEFT JOIN record_registry AS r ON r.record_no = o.buyer_record_no
        LEFT JOIN customer_record AS by_number
          ON by_number.connector = r.connector AND by_number.source_id = r.source_id AND by_number.deleted = 0
        LEFT JOIN customer_record AS by_id
          ON by_id.connector = o.connector AND by_id.source_id = o.customer_source_id AND by_id.deleted = 0
        WHERE o.deleted = 0
        """
    )


@set_check("order_line.order-missing")
def lines_without_order(_asked: Asked) -> Judged:
    """Order lines whose order is not visible."""
    return Judged(
        """
        SELECT l.connector, l.source_id AS key,
               CASE WHEN o.source_id IS NULL THEN 1 ELSE 0 END AS bad,
               l.order_source_id AS note
        FROM order_line AS l
        LEFT JOIN "order" AS o
          ON o.connector = l.connector AND o.source_id = l.order_source_id AND o.deleted = 0
        WHERE l.deleted = 0
        """
    )


@set_check("refund.order-missing")
def refunds_without_order(_asked: Asked) -> Judged:
    """Refunds whose order is not visible."""
    return Judged(
        """
        SELECT r.connector, r.source_id AS key,
               CASE WHEN o.source_id IS NULL THEN 1 ELSE 0 END AS bad,
               r.order_source_id AS note
        FROM refund AS r
        LEFT JOIN "order" AS o
          ON o.connector = r.connector AND o.source_id = r.order_source_id AND o.deleted = 0
        WHERE r.deleted = 0
        """
    )


@set_check("refund.exceeds-paid")
def orders_refunded_beyond_paid(_asked: Asked) -> Judged:
    """Orders of which more was given back (refunds that are done) than was paid; the key is the order's."""
    return Judged(
        """
        WITH given_back AS (
            SELECT connector, order_source_id, sum(amount) AS amount
            FROM refund
            WHERE deleted = 0 AND status = 'done'
            GROUP BY connector, order_source_id
        )
        SELECT o.connector, o.source_id AS key,
               CASE WHEN g.amount > o.paid_amount THEN 1 ELSE 0 END AS bad,
               NULL AS note
        FROM given_back AS g
        JOIN "order" AS o
          ON o.connector = g.connector AND o.source_id = g.order_source_id AND o.deleted = 0
        WHERE o.paid_amount IS NOT NULL
        """
    )


@set_check("history.depth")
def days_of_order_history_missing(asked: Asked) -> Judged:
    """One row for each of the last 12 months' days of every connector with orders: bad before its first order."""
    days = asked.expectations.thresholds.history_days
    return Judged(
        f"""
        WITH RECURSIVE day (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM day WHERE n < {int(days)}
        ),
        first_order AS (
            SELECT connector, min(coalesce(ordered_at, source_created_at)) AS at
            FROM "order"
            WHERE deleted = 0
            GROUP BY connector
        )
        SELECT f.connector, CAST(d.n AS TEXT) AS key,
               CASE WHEN ? - d.n * {DAY_US} >= f.at THEN 0 ELSE 1 END AS bad,
               NULL AS note
        FROM first_order AS f CROSS JOIN day AS d
        WHERE f.at IS NOT NULL
        """,
        (asked.now,),
        listed=False,
    )
