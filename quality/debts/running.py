"""Debts of the running hub: landing files that are not loaded, and streams that nobody has pulled in time."""

from __future__ import annotations

from sqlalchemy import Connection

from mappings.problems import Text
from quality.debts import Answer, Item, Owing, Query, debt
from quality.objectives import freshness


@debt("landing", Text("未入库的落地文件", "landing files not loaded"))
def landing(_tx: Connection, owing: Owing) -> Answer:
    """Files that were sealed and are not loaded, known to the database or not. Key: CONNECTOR/STREAM/NUMBER.

    Files only the disk knows cannot be waived one by one: their key is "unregistered".
    """
    due_us = owing.expectations.thresholds.debt_due_us
    unregistered = owing.unregistered
    since = owing.now if unregistered.oldest_at is None else unregistered.oldest_at
    return Answer(
        Query(
            """
            SELECT connector || '/' || stream || '/' || CAST(landing_no AS TEXT) AS key,
                   sealed_at AS since, sealed_at + ? AS due
            FROM landing_file
            WHERE status IN ('sealed', 'frozen')
            """,
            (due_us,),
        ),
        (Item("unregistered", since, since + due_us),) * unregistered.files,
    )


@debt("streams", Text("超时未同步的对象", "streams not pulled in time"))
def streams(tx: Connection, owing: Owing) -> Answer:
    """Streams past max(3 x interval, 300 s); overdue a day after that. Key: CONNECTOR/STREAM."""
    due_us = owing.expectations.thresholds.debt_due_us
    return Answer(
        items=tuple(
            Item(f"{stream.connector}/{stream.name}", stream.stale_at, stream.stale_at + due_us)
            for stream in freshness.streams(tx, owing.now, owing.expectations)
            if stream.stale
        )
    )
