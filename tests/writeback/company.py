"""Writes customers and orders straight into the unified tables, as loading and resolving would leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from mappings.model import MONEY_SCALE
from state.bulk import execute
from state.store import Store
from sync.clock import microseconds

BEIJING = timezone(timedelta(hours=8))


def at(text: str) -> int:
    """A Beijing time such as "2026-11-21 10:00" as stored."""
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=BEIJING))


NOW = at("2026-11-21 12:00")
MINUTE = 60_000_000
DAY = 1440 * MINUTE


@dataclass
class Company:
    """`records` numbers source records as they are first named."""

    store: Store
    records: dict[tuple[str, str], int] = field(default_factory=dict)

    def customer(self, connector: str, source_id: str, customer_id: int | None = None, **more: Any) -> int:
        """A source record of a customer; by itself unless it joins a customer. Returns its customer_id."""
        number = self.records.setdefault((connector, source_id), len(self.records) + 1)
        row = {"record_no": number, "customer_id": customer_id or number, "component_id": customer_id or number}
        self._put("customer_record", connector, source_id, row | more)
        return customer_id or number

    def order(
        self, connector: str, source_id: str, buyer: tuple[str, str], yuan: float, paid: str, **more: Any
    ) -> None:
        """A paid order of a source record, updated in the source and committed here a minute after payment."""
        row = {
            "buyer_record_no": self.records[buyer],
            "status": "paid",
            "ordered_at": at(paid),
            "paid_at": at(paid),
            "paid_amount": round(yuan * MONEY_SCALE),
            "source_updated_at": at(paid),
            "committed_at": at(paid) + MINUTE,
        }
        self._put("order", connector, source_id, row | more)

    def put(self, entity: str, connector: str, source_id: str, **row: Any) -> None:
        """A row of any entity."""
        self._put(entity, connector, source_id, row)

    def _put(self, entity: str, connector: str, source_id: str, row: dict[str, Any]) -> None:
        row = {
            "connector": connector,
            "source_id": source_id,
            "extracted_at": 0,
            "landing_no": 1,
            "line_no": 1,
            "run_id": "r1",
        } | row
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join("?" * len(row))
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in row)
        with self.store.transaction() as tx:
            execute(
                tx,
                f'INSERT INTO "{entity}" ({names}) VALUES ({values}) '
                f"ON CONFLICT (connector, source_id) DO UPDATE SET {changes}",
                tuple(row.values()),
            )
