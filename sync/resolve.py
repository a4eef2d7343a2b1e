"""Finds out who is one customer, for what changed since last time, or for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mappings.identity.incremental import Change, resolve_incremental
from mappings.identity.partition import Capped, Member, Refused
from mappings.identity.rules import DEFAULT, Rules
from mappings.identity.solve import resolve as resolve_all
from state import identity
from state.bulk import execute
from state.seams import seam
from state.store import Store

FULL_SHARE = 0.3
"""When more of all records than this changed, resolving everything is quicker than finding what is touched."""

_VERSION = "identity.rules"


@dataclass(frozen=True)
class Resolved:
    """What a resolution did: records it looked at, customers whose set of records changed, open conflicts."""

    full: bool
    records: int
    customers: tuple[int, ...]
    conflicts: int


def resolve(store: Store, now: int, rules: Rules = DEFAULT, *, full: bool = False) -> Resolved:
    """Brings customers up to date with their records. Incremental and full give the same customers.

    One transaction: customers, conflicts and the emptied queue stand or fall together, so a crash before the
    commit leaves the queue as it was.
    """
    with store.transaction() as tx:
        changed, lost = identity.queued(tx)
        known_rules = execute(tx, "SELECT value FROM setting WHERE name = ?", (_VERSION,)).scalar()
        total = execute(tx, "SELECT count(*) FROM customer_record").scalar_one()
        full = full or known_rules != rules.version or len(changed) > FULL_SHARE * total
        if not full and not changed:
            conflicts = execute(tx, "SELECT count(*) FROM identity_conflict").scalar_one()
            return Resolved(False, 0, (), conflicts)
        customers, records = _everybody(tx, rules, now) if full else _touched(tx, Change(changed, lost), rules, now)
        execute(
            tx,
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_VERSION, rules.version),
        )
        conflicts = execute(tx, "SELECT count(*) FROM identity_conflict").scalar_one()
        seam("resolve.before-commit")
    seam("resolve.committed")
    return Resolved(full, records, tuple(customers), conflicts)


def _everybody(tx: Connection, rules: Rules, now: int) -> tuple[list[int], int]:
    records, links, decisions = identity.everything(tx)
    found = resolve_all(records, links, rules, decisions)
    members = [Member(*row) for row in found.members.rows()]
    conflicts = [Refused(*row) for row in found.conflicts.rows()]
    # Every component there is or was: one that is not named again has no conflict any more.
    components = {component for (component,) in execute(tx, "SELECT DISTINCT component_id FROM identity_conflict")}
    components |= {member.component_id for member in members}
    capped = [Capped(*row) for row in found.capped.rows()]
    return identity.keep(tx, members, conflicts, components, capped, None, now), len(members)


def _touched(tx: Connection, change: Change, rules: Rules, now: int) -> tuple[list[int], int]:
    found = resolve_incremental(identity.StoreGraph(tx), change, rules)
    components = {member.component_id for member in found.members} | set(found.vanished_components)
    customers = identity.keep(tx, found.members, found.conflicts, components, found.capped, found.checked, now)
    return customers, len(found.members)
