"""Works out what every target should hold, and notes in the outbox where that differs from what it holds.

Every source record of a customer gets the customer's values: what all of the customer's records bought, in
orders of record only. Rows are keyed by the source record, so a merge, an un-merge or a customer who is gone
changes values and never keys: corrections come out by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from sqlalchemy import Connection

from mappings.scores.definitions import Definitions
from mappings.scores.words import yuan
from state import outbox
from state.bulk import execute, listed
from state.outbox import Decision, Row
from state.seams import seam
from state.store import Store
from state.turns import take_turns
from sync import purchases
from sync.definitions import current, published_kinds
from sync.purchases import Some
from sync.writeback.fields import FACTS, FIELDS, time_text
from sync.writeback.target import Target, keyed_by, plain_key

SCORED = {"score": ("rfm", frozenset({"rfm"})), "tier": ("tier", frozenset({"rfm", "tiers"}))}
"""Field -> score it shows, and the definitions that must be published before it is written anywhere."""

CAUSE = {
    "cause_at": pl.Int64,
    "cause_connector": pl.String,
    "cause_id": pl.String,
    "cause_committed_at": pl.Int64,
    "cause_backfill": pl.Int64,
}

APPROVAL = "writeback.approval"


@dataclass(frozen=True)
class Refreshed:
    """What a refresh found: records looked at, rows that owe something new, and rows that owe nothing more."""

    records: int = 0
    owed: int = 0
    settled: int = 0

    def __add__(self, other: Refreshed) -> Refreshed:
        return Refreshed(self.records + other.records, self.owed + other.owed, self.settled + other.settled)


def refresh_all(store: Store, target: Target, definitions: Definitions, now: int) -> Refreshed:
    """Refreshes everybody, in transactions of some ten thousand customers each."""
    with store.reading() as tx:
        portions = purchases.ranges(tx)
    total = Refreshed()
    for some in portions:
        with store.transaction() as tx:
            total += _refresh_some(tx, target, definitions, some, now)
    with store.transaction() as tx:
        total += _refresh_lost(tx, target, now)
        seam("outbox.before-commit")
    return total


def refresh(tx: Connection, target: Target, definitions: Definitions, customers: Iterable[int], now: int) -> Refreshed:
    """Refreshes the customers named, in the caller's transaction: ids from before and after the change."""
    total = Refreshed()
    for some in purchases.chunks(list(customers)):
        total += _refresh_some(tx, target, definitions, some, now)
    return total


def _refresh_some(tx: Connection, target: Target, definitions: Definitions, some: Some, now: int) -> Refreshed:
    take_turns(tx, f"outbox.{target.name}")
    records = _records(tx, target, some)
    wanted = _wanted(tx, target, definitions, some)
    result = _settle(tx, target, records, wanted, now)
    _ask_for_approval(tx, target, now)
    seam("outbox.before-commit")
    return result


def _refresh_lost(tx: Connection, target: Target, now: int) -> Refreshed:
    """Rows whose record is gone, or no more keyed: what was written there is taken back."""
    take_turns(tx, f"outbox.{target.name}")
    keyed = keyed_by(tx, target)
    connectors = ", ".join("?" * len(keyed))
    which = f"c.connector IN ({connectors}) AND" if keyed else ""
    found = execute(
        tx,
        "SELECT DISTINCT source_id FROM outbox WHERE target = ? AND value IS NOT NULL AND source_id NOT IN ("
        "SELECT CASE WHEN c.connector = ? THEN c.source_id ELSE c.connector || '/' || c.source_id END "
        f"FROM customer_record AS c WHERE {which} c.deleted = 0 AND c.customer_id IS NOT NULL "
        "AND coalesce(c.kind, 'person') <> 'channel')",
        (target.name, plain_key(target), *keyed),
    )
    lost = pl.DataFrame({"source_id": [row[0] for row in found]}, schema={"source_id": pl.String}).with_columns(
        pl.lit(None, dtype=pl.Int64).alias("customer_id")
    )
    if lost.is_empty():
        return Refreshed()
    return _settle(tx, target, lost, _nothing_wanted(), now)


# --- what is wanted ---------------------------------------------------------------------------------------


def _records(tx: Connection, target: Target, some: Some) -> pl.DataFrame:
    """source_id (as the outbox names it) and customer_id of the target's records of these customers.

    A deleted record and a channel have no customer_id here: nothing is wanted for them.
    """
    keyed = keyed_by(tx, target)
    where, parameters = some.sql(tx, "customer_id")
    connectors = ", ".join("?" * len(keyed))
    which = f"AND connector IN ({connectors})" if keyed else ""
    return purchases.frame(
        tx,
        "SELECT CASE WHEN connector = ? THEN source_id ELSE connector || '/' || source_id END, "
        "CASE WHEN deleted = 0 AND coalesce(kind, 'person') <> 'channel' THEN customer_id END "
        f"FROM customer_record WHERE {where} {which}",
        (plain_key(target), *parameters, *keyed),
        {"source_id": pl.String, "customer_id": pl.Int64},
    )


def _nothing_wanted() -> pl.DataFrame:
    return pl.DataFrame(schema={"customer_id": pl.Int64, "field": pl.String, "value": pl.String, **CAUSE})


def _wanted(tx: Connection, target: Target, definitions: Definitions, some: Some) -> pl.DataFrame:
    """customer_id, field, value, cause_*: one row per field that has a value."""
    orders = purchases.orders_of(tx, some)
    causes = _causes(orders)
    facts = _facts(orders, current(tx, definitions).rfm.least_net_amount)
    values = pl.concat([facts, _scores(tx, some)]).filter(pl.col("field").is_in(list(target.fields)))
    return values.join(causes, on="customer_id", how="left").select(_nothing_wanted().columns)


def _facts(orders: pl.DataFrame, least_net_amount: int) -> pl.DataFrame:
    """When, how often and for how much each customer bought, over all time.

    As in the RFM score, an order that was refunded below the least amount is no purchase, but its money counts.
    """
    bought = orders.filter(pl.col("purchase"))
    counts = pl.col("net_amount") >= least_net_amount
    facts = (
        bought.group_by("customer_id")
        .agg(
            pl.col("at").filter(counts).max().alias("last_purchase_at"),
            counts.sum().cast(pl.Int64).alias("purchase_count"),
            pl.col("net_amount").sum().alias("purchase_amount"),
        )
        .with_columns(
            time_text(pl.col("last_purchase_at")),
            pl.col("purchase_count").cast(pl.String),
            yuan(pl.col("purchase_amount")).alias("purchase_amount"),
        )
    )
    return facts.unpivot(FACTS, index="customer_id", variable_name="field").filter(pl.col("value").is_not_null())


def _scores(tx: Connection, some: Some) -> pl.DataFrame:
    """Score and tier, as far as their definitions are published."""
    published = published_kinds(tx)
    shown = {score: name for name, (score, needed) in SCORED.items() if needed <= published}
    where, parameters = some.sql(tx, "customer_id")
    found = purchases.frame(
        tx,
        f"SELECT customer_id, name, value FROM score WHERE {where} AND name IN ('rfm', 'tier')",
        parameters,
        {"customer_id": pl.Int64, "field": pl.String, "value": pl.String},
    )
    return found.filter(pl.col("field").is_in(list(shown)) & pl.col("value").is_not_null()).with_columns(
        pl.col("field").replace(shown)
    )


def _causes(orders: pl.DataFrame) -> pl.DataFrame:
    """The order of each customer that came to the hub last."""
    return (
        orders.sort("committed_at", "source_updated_at", "connector", "source_id", nulls_last=False)
        .group_by("customer_id", maintain_order=True)
        .last()
        .select(
            "customer_id",
            pl.col("source_updated_at").alias("cause_at"),
            pl.col("connector").alias("cause_connector"),
            pl.col("source_id").alias("cause_id"),
            pl.col("committed_at").alias("cause_committed_at"),
            pl.col("backfill").alias("cause_backfill"),
        )
    )


# --- what the outbox says -----------------------------------------------------------------------------------


def _settle(tx: Connection, target: Target, records: pl.DataFrame, wanted: pl.DataFrame, now: int) -> Refreshed:
    """Compares what is wanted with the outbox; writes only the rows that change."""
    known = _known(tx, target, records["source_id"].to_list())
    seen = (
        records.join(known, on="source_id", how="inner")
        .group_by("customer_id")
        .agg(pl.col("known_committed_at").max().alias("seen_committed_at"))
    )
    desired = records.join(wanted, on="customer_id", how="inner").join(seen, on="customer_id", how="left")
    compared = desired.join(known, on=["source_id", "field"], how="full", coalesce=True).filter(
        pl.col("value").ne_missing(pl.col("known_value"))
    )
    owed = settled = 0
    for part in compared.sort("source_id", "field").iter_slices(PORTION):
        rows = outbox.rows_of(tx, target.name, part["source_id"].unique().to_list())
        changed, dropped = [], []
        for one in part.iter_rows(named=True):
            row = rows.get((one["source_id"], one["field"]))
            new = _changed(target, row, one, now)
            if new is not None:
                changed.append(new)
            elif row is not None:
                dropped.append(row)
        outbox.put(tx, changed)
        outbox.drop(tx, dropped)
        still = sum(row.status in outbox.OWED for row in changed)
        owed, settled = owed + still, settled + len(changed) - still + len(dropped)
    return Refreshed(records.height, owed, settled)


PORTION = 20_000
"""Rows of the outbox held in memory at once."""


def _known(tx: Connection, target: Target, source_ids: list[str]) -> pl.DataFrame:
    sql, parameter = listed(tx, source_ids)
    return purchases.frame(
        tx,
        f"SELECT source_id, field, value, cause_committed_at FROM outbox WHERE target = ? AND source_id IN {sql}",
        (target.name, parameter),
        {
            "source_id": pl.String,
            "field": pl.String,
            "known_value": pl.String,
            "known_committed_at": pl.Int64,
        },
    )


def _changed(target: Target, row: Row | None, wanted: dict[str, Any], now: int) -> Row | None:
    """The row with its new value; None where nothing is wanted and nothing was ever sent."""
    value = wanted["value"]
    cause = _cause(wanted, row)
    if row is None:
        return Row(
            target.name,
            wanted["source_id"],
            wanted["field"],
            value,
            outbox.AVAILABLE,
            desired_at=now,
            due_at=now + outbox.DUE_US,
            **cause,
        )
    # A debt keeps its age: a value that changes every hour is not new every hour.
    due_at = row.due_at if row.status in outbox.OWED else now + outbox.DUE_US
    renewed = replace(row, value=value, desired_at=now, due_at=due_at, plan=None, **cause)
    if row.status in outbox.IN_FLIGHT:
        return renewed
    if row.confirmed_at is not None and value == row.confirmed_value:
        return replace(renewed, status=outbox.CONFIRMED, code=None) if value is not None else None
    if row.sent_at is None and value is None:
        return None
    if row.status == outbox.DRIFTED:
        return renewed
    return replace(renewed, status=outbox.AVAILABLE, attempts=0, snoozes=0, next_at=0, code=None, receipt=None)


def _cause(wanted: dict[str, Any], row: Row | None) -> dict[str, Any]:
    """The order behind a value; its time only if the order is newer than all that this customer's rows know.

    Otherwise a merge or a new day changed the value, and an old order would look as if it came late.
    """
    cause = {name: wanted[name] for name in CAUSE}
    if cause["cause_committed_at"] is None:
        kept = {name: getattr(row, name) for name in CAUSE} if row is not None else cause
        return kept | {"cause_at": None}
    seen = wanted["seen_committed_at"]
    if seen is not None and cause["cause_committed_at"] <= seen:
        cause["cause_at"] = None
    return cause


def _ask_for_approval(tx: Connection, target: Target, now: int) -> None:
    """While writing is off, what waits is a person's decision."""
    if outbox.is_on(tx, target.name):
        return
    waiting = execute(
        tx, "SELECT 1 FROM outbox WHERE target = ? AND status = ? LIMIT 1", (target.name, outbox.AVAILABLE)
    ).first()
    if waiting is None:
        outbox.decided(tx, APPROVAL, target.name)
        return
    titles = [FIELDS[name].title for name in target.fields]
    zh, en = "、".join(title.zh for title in titles), ", ".join(title.en for title in titles)
    outbox.ask(
        tx,
        Decision(
            APPROVAL,
            target.name,
            now,
            now + outbox.DUE_US,
            f"{target.name} 的回写尚未批准 ({zh}): liuke writeback plan {target.name}",
            f"write-back to {target.name} waits for its first approval ({en}): liuke writeback plan {target.name}",
        ),
    )


__all__ = ["APPROVAL", "FACTS", "Refreshed", "refresh", "refresh_all"]
