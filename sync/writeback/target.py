"""Says what is written back to one system, whose records are keyed, and how much a day may change by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sqlalchemy import Connection

from state.bulk import execute
from sync.writeback.fields import FIELDS

OURS, THEIRS = "ours", "theirs"
"""Field ownership: the hub's value is put back when somebody changes it, or is left to whoever changed it."""


@dataclass(frozen=True)
class Guard:
    """How much scheduled writes may change in a Shanghai day without anybody's approval."""

    customers: Fraction = Fraction(5, 100)
    """Share of the target's customers."""
    tier: Fraction = Fraction(20, 100)
    """Share of the customers of one tier that may leave it."""


@dataclass(frozen=True)
class Target:
    """One system that takes values back; `name` is the connector instance.

    `records` names the connectors whose customer records are keyed. Empty: the target's own ones if it has
    any, otherwise (a staging table beside a CRM that we do not pull) those of every connector.
    `owners` gives the owner of a field; fields not named are ours. `sandbox`: a simulated system, whose plans
    the demo may approve. `daily_calls` is the declared quota, for the plan.
    """

    name: str
    fields: tuple[str, ...] = tuple(FIELDS)
    records: tuple[str, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    guard: Guard = Guard()
    sandbox: bool = False
    daily_calls: int | None = None

    def owner(self, field_name: str) -> str:
        """Who owns the field."""
        return self.owners.get(field_name, OURS)


def keyed_by(tx: Connection, target: Target) -> tuple[str, ...]:
    """The connectors whose customer records the target's rows stand for; empty means all of them."""
    if target.records:
        return target.records
    own = execute(
        tx, "SELECT 1 FROM customer_record WHERE connector = ? AND deleted = 0 LIMIT 1", (target.name,)
    ).first()
    return (target.name,) if own is not None else ()


def plain_key(target: Target) -> str:
    """The connector whose records go by their bare id: the target's own, or the only one that is named.

    Records of other systems have the system before their id (`shop/1001`), since two systems may both have 1001.
    """
    return target.records[0] if len(target.records) == 1 else target.name
