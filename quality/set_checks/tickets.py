"""Tickets: bound to a customer, and not contradicting themselves."""

from __future__ import annotations

from quality.set_checks import Asked, Judged, set_check


@set_check("ticket.customer-missing")
def tickets_without_customer(_asked: Asked) -> Judged:
    """Tickets without any customer, or whose customer is a record that no system has given us."""
    return Judged(
        """
        SELECT t.connector, t.source_id AS key,
               CASE WHEN by_number.source_id IS NULL AND by_id.source_id IS NULL THEN 1 ELSE 0 END AS bad,
               t.customer_source_id AS note
        FROM ticket AS t
        LEFT JOIN record_registry AS r ON r.record_no = t.buyer_record_no
        LEFT JOIN customer_record AS by_number
          ON by_number.connector = r.connector AND by_number.source_id = r.source_id AND by_number.deleted = 0
        LEFT JOIN customer_record AS by_id
          ON by_id.connector = t.connector AND by_id.source_id = t.customer_source_id AND by_id.deleted = 0
        WHERE t.deleted = 0
        """
    )


@set_check("ticket.rating-contradicts")
def complaints_rated_best(_asked: Asked) -> Judged:
    """Complaints whose customer gave the best mark: one of the two is probably wrong."""
    return Judged(
        """
        SELECT connector, source_id AS key,
               CASE WHEN rating = 5 THEN 1 ELSE 0 END AS bad,
               NULL AS note
        FROM ticket
        WHERE deleted = 0 AND type = 'complaint' AND rating IS NOT NULL
        """
    )
