"""Recognises our own writes when a system hands them back, so that they start no new round."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from connectors.writer import Value, Writer
from state import outbox
from sync.writeback.fields import value_for


def echoes(
    tx: Connection, target_name: str, writer: Writer, changes: Mapping[str, Mapping[str, Value]]
) -> frozenset[str]:
    """The records whose pulled change is nothing but what we wrote there.

    `changes`: source_id (as the outbox names it) -> the fields that differ from before, by the hub's names. A
    field that we never wrote, or another value than the one we sent or saw confirmed, makes it a change of its
    own. Content that the hub does not map needs no such question: the row's content hash has not changed.
    """
    fields = {field.name: field for field in writer.fields()}
    known = outbox.rows_of(tx, target_name, sorted(changes))

    def ours(source_id: str, name: str, value: Value) -> bool:
        row, field = known.get((source_id, name)), fields.get(name)
        if row is None or field is None or row.sent_at is None:
            return False
        texts = (row.sent_value if row.status in outbox.IN_FLIGHT else row.confirmed_value, row.confirmed_value)
        return any(
            value is None if text is None else value is not None and writer.same(name, value_for(field, text), value)
            for text in texts
        )

    return frozenset(
        source_id
        for source_id, values in changes.items()
        if values and all(ours(source_id, name, value) for name, value in values.items())
    )
