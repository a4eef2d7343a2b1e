"""Debts that are rows: records in quarantine, and order lines held for want of a product."""

from __future__ import annotations

from sqlalchemy import Connection

from mappings.problems import Text
from quality.debts import Answer, Owing, Query, debt


@debt("quarantine", Text("待处理数据", "quarantined records"))
def quarantine(_tx: Connection, _owing: Owing) -> Answer:
    """Source records that are not visible because something is wrong with them. Key: CONNECTOR/ENTITY/RECORD."""
    return Answer(
        Query(
            """
            SELECT connector || '/' || entity || '/' || record_key AS key, opened_at AS since, due_at AS due
            FROM quarantine
            WHERE status = 'open'
            """
        )
    )


@debt("held_lines", Text("挂起明细", "held order lines"))
def held_lines(_tx: Connection, owing: Owing) -> Answer:
    """Order lines whose code has no link to the product library. Key: CONNECTOR/SKU, so one waiver covers a code."""
    return Answer(
        Query(
            """
            SELECT connector || '/' || coalesce(sku, '') AS key, committed_at AS since, committed_at + ? AS due
            FROM order_line
            WHERE status = 'held' AND deleted = 0
            """,
            (owing.expectations.thresholds.debt_due_us,),
        )
    )
