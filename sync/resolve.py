"""Finds out who is one customer, for what changed since last time, or for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mappings.identity.incremental import Change, resolve_incremental
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
    customers: pl.Series
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
        if not full and changed.is_empty():
            conflicts = execute(tx, "SELECT count(*) FROM identity_conflict").scalar_one()
            return Resolved(False, 0, pl.Series("customer_id", [], dtype=pl.Int64), conflicts)
        if full:
            records, links, decisions = identity.everything(tx)
            partition = resolve_all(records, links, rules, decisions)
            # Every component there is or was: what it does not name again has no conflict any more.
            old = [n for (n,) in execute(tx, "SELECT DISTINCT component_id FROM identity_conflict")]
            components = pl.concat([partition.members["component_id"], pl.Series(old, dtype=pl.Int64)]).unique()
            customers = identity.keep(tx, partition, components, None, now)
        else:
            done = resolve_incremental(identity.StoreGraph(tx), Change(changed, lost), rules)
            partition = done.partition
            components = pl.concat([partition.members["component_id"], done.vanished_components]).unique()
            customers = identity.keep(tx, partition, components, done.checked, now)
        execute(
            tx,
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_VERSION, rules.version),
        )
        conflicts = execute(tx, "SELECT count(*) FROM identity_conflict").scalar_one()
        seam("resolve.before-commit")
    seam("resolve.committed")
    return Resolved(full, partition.members.height, customers, conflicts)
