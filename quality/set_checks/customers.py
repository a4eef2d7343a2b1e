"""Customers: conflicts and shared numbers that identity resolution met, and leads that stand twice."""

from __future__ import annotations

from quality.set_checks import HUB, Asked, Judged, set_check


@set_check("identity.conflict")
def customers_with_refused_unions(_asked: Asked) -> Judged:
    """Components in which an exclusive identifier refused a union, among all customers; hub-wide.

    The key names the two records; the note says which kind of identifier refused.
    """
    return Judged(
        """
        WITH conflict AS (
            SELECT record_a, record_b, min(kind) AS kind
            FROM identity_conflict
            GROUP BY record_a, record_b
        )
        SELECT '' AS connector,
               CAST(record_a AS TEXT) || '-' || CAST(record_b AS TEXT) AS key,
               1 AS bad, kind AS note
        FROM conflict
        UNION ALL
        SELECT '' AS connector, CAST(customer_id AS TEXT) AS key, 0 AS bad, NULL AS note
        FROM (SELECT DISTINCT customer_id FROM customer_record WHERE deleted = 0 AND customer_id IS NOT NULL)
             AS customer
        """,
        connectors=(HUB,),
    )


@set_check("identity.shared-phone")
def phones_of_too_many_records(asked: Asked) -> Judged:
    """Phones that more records carry than the degree cap allows (a clerk's, a shop's); hub-wide, shown masked."""
    return Judged(
        """
        SELECT '' AS connector, max(mask) AS key,
               CASE WHEN count(*) > ? THEN 1 ELSE 0 END AS bad,
               CAST(count(*) AS TEXT) AS note
        FROM identifier
        WHERE kind = 'phone' AND "class" = 'usable'
        GROUP BY scope, digest
        """,
        (asked.expectations.thresholds.phone_cap,),
        connectors=(HUB,),
    )


@set_check("lead.duplicate")
def leads_of_one_customer(_asked: Asked) -> Judged:
    """Leads that turned out to be one and the same customer; each of them is listed, with the customer's number."""
    return Judged(
        """
        WITH of_customer AS (
            SELECT l.connector, l.source_id,
                   coalesce(by_number.customer_id, by_id.customer_id) AS customer_id
            FROM lead AS l
            LEFT JOIN record_registry AS r ON r.record_no = l.buyer_record_no
            LEFT JOIN customer_record AS by_number
              ON by_number.connector = r.connector AND by_number.source_id = r.source_id AND by_number.deleted = 0
            LEFT JOIN customer_record AS by_id
              ON by_id.connector = l.connector AND by_id.source_id = l.customer_source_id AND by_id.deleted = 0
            WHERE l.deleted = 0
        ),
        leads_of AS (
            SELECT customer_id, count(*) AS leads
            FROM of_customer
            WHERE customer_id IS NOT NULL
            GROUP BY customer_id
        )
        SELECT o.connector, o.source_id AS key,
               CASE WHEN n.leads > 1 THEN 1 ELSE 0 END AS bad,
               CAST(o.customer_id AS TEXT) AS note
        FROM of_customer AS o
        LEFT JOIN leads_of AS n ON n.customer_id = o.customer_id
        """
    )
