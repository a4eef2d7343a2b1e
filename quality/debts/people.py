"""Debts to and of people: values not yet confirmed in their systems, and decisions that wait for somebody."""

from __future__ import annotations

from sqlalchemy import Connection

from mappings.problems import Text
from quality.debts import Answer, Owing, Query, debt
from state import outbox


@debt("writes", Text("未确认的回写", "writes not confirmed"))
def writes(tx: Connection, owing: Owing) -> Answer:
    """Values that a target should hold and has not been seen to hold. Key: TARGET/RECORD/FIELD.

    A refused value stays owed until its value or the target changes, or until somebody waives it. While writing is
    on, customers whose values have yet to be worked out are owed as well. Key: record/NUMBER.
    """
    words = ", ".join(f"'{status}'" for status in outbox.OWED)
    waiting = """
            UNION ALL
            SELECT 'record/' || CAST(record_no AS TEXT) AS key, since, since + ? AS due
            FROM touched_record
    """
    on = outbox.any_on(tx)
    return Answer(
        Query(
            f"""
            SELECT target || '/' || source_id || '/' || field AS key, desired_at AS since, due_at AS due
            FROM outbox
            WHERE status IN ({words})
            {waiting if on else ""}
            """,
            (owing.expectations.thresholds.debt_due_us,) if on else (),
        )
    )


@debt("decisions", Text("待人工决定", "decisions waiting"))
def decisions(_tx: Connection, owing: Owing) -> Answer:
    """Refused unions, plans and other questions put to a person, and score definitions waiting for approval.

    Keys: conflict/RECORD-RECORD, KIND/OBJECT as the question names itself, definition/NAME@VERSION. Of each
    definition only the newest version waits, and only if it is newer than the published one.
    """
    due_us = owing.expectations.thresholds.debt_due_us
    return Answer(
        Query(
            """
            SELECT 'conflict/' || CAST(record_a AS TEXT) || '-' || CAST(record_b AS TEXT) AS key,
                   min(opened_at) AS since, min(opened_at) + ? AS due
            FROM identity_conflict
            GROUP BY record_a, record_b
            UNION ALL
            SELECT kind || '/' || object AS key, opened_at AS since, due_at AS due
            FROM waiting_decision
            UNION ALL
            SELECT 'definition/' || d.name || '@' || d.version AS key, d.registered_at AS since,
                   d.registered_at + ? AS due
            FROM score_definition AS d
            WHERE d.status IN ('draft', 'reviewed')
              AND NOT EXISTS (
                  SELECT 1 FROM score_definition AS newer
                  WHERE newer.name = d.name AND newer.status <> 'retired'
                    AND CAST(newer.version AS INTEGER) > CAST(d.version AS INTEGER))
            """,
            (due_us, due_us),
        )
    )
