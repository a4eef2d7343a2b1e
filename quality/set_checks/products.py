"""Product codes: linked to the library or not, and a library without doubles."""

from __future__ import annotations

from quality.set_checks import Asked, Judged, set_check

CODES = """
    sold AS (
        SELECT connector, max(sku) AS sku, max(sku_name) AS name, count(*) AS lines, sum(coalesce(amount, 0)) AS amount
        FROM order_line
        WHERE deleted = 0 AND sku IS NOT NULL AND coalesce(status, '') NOT IN ('gift', 'service')
        GROUP BY connector, coalesce(sku, '')
    ),
    listed AS (
        SELECT connector, code AS sku, max(name) AS name
        FROM product
        WHERE deleted = 0 AND coalesce(enabled, 1) = 1
          AND (source_created_at IS NULL OR source_created_at <= ?)
        GROUP BY connector, code
    ),
    code AS (
        SELECT connector, sku FROM sold
        UNION
        SELECT connector, sku FROM listed
    ),
    linked AS (
        SELECT DISTINCT connector, sku
        FROM sku_link
        WHERE status = 'approved'
          AND (valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR valid_to > ?)
    ),
    judged AS (
        SELECT c.connector, c.sku, coalesce(l.name, s.name) AS name,
               coalesce(s.lines, 0) AS lines, coalesce(s.amount, 0) AS amount,
               CASE WHEN k.sku IS NULL THEN 1 ELSE 0 END AS bad
        FROM code AS c
        LEFT JOIN sold AS s ON s.connector = c.connector AND s.sku = c.sku
        LEFT JOIN listed AS l ON l.connector = c.connector AND l.sku = c.sku
        LEFT JOIN linked AS k ON k.connector = c.connector AND k.sku = c.sku
        WHERE c.connector <> ?
    )
"""
"""Every code that is sold or enabled outside the library, and whether it is linked today.

A code enabled less than 24 h ago has time to be linked. Gifts and services have no product to be linked to.
Grouping by coalesce() reads the table from end to end: SQLite would follow the index of codes from row to row,
which took half as long again (1,000,000 lines: 4.1 s of CPU against 2.8 s).
"""


def code_parameters(asked: Asked) -> tuple[object, ...]:
    """Parameters of CODES, in its order."""
    grace = asked.now - asked.expectations.thresholds.new_code_grace_us
    return (grace, asked.now, asked.now, asked.expectations.library)


def connectors_with_codes(asked: Asked) -> tuple[str, ...]:
    """Every connector but the library that lists or sells products."""
    expected = asked.expectations
    names = {*expected.providing("product"), *expected.providing("order_line", "sku")} - {expected.library}
    return tuple(name for name in expected.connectors if name in names)


@set_check("sku.unmatched")
def codes_without_product(asked: Asked) -> Judged | None:
    """Codes of ERP and shops without an approved link to the library; the note counts the lines it holds up."""
    if not asked.expectations.library:
        return None  # nothing to be matched with: the page says so instead of 100 %
    return Judged(
        f"WITH {CODES} SELECT connector, sku AS key, bad, CAST(lines AS TEXT) AS note FROM judged",
        code_parameters(asked),
        connectors=connectors_with_codes(asked),
    )


@set_check("sku.library-duplicate-barcode")
def library_products_sharing_a_barcode(asked: Asked) -> Judged | None:
    """Products of the library whose barcode stands on another product, too; the note is the barcode."""
    if not asked.expectations.library:
        return None
    return Judged(
        """
        WITH shared AS (
            SELECT barcode, count(*) AS products
            FROM product
            WHERE connector = ? AND deleted = 0 AND coalesce(barcode, '') <> ''
            GROUP BY barcode
        )
        SELECT p.connector, p.source_id AS key,
               CASE WHEN s.products > 1 THEN 1 ELSE 0 END AS bad,
               p.barcode AS note
        FROM product AS p
        JOIN shared AS s ON s.barcode = p.barcode
        WHERE p.connector = ? AND p.deleted = 0
        """,
        (asked.expectations.library, asked.expectations.library),
        connectors=(asked.expectations.library,),
    )
