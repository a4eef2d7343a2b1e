"""Makes the one profile of each customer out of its records, field by field, and keeps where each value is from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mappings.identity.names import name_key
from mappings.model import CUSTOMER_RECORD

FIELDS = tuple(f.name for f in CUSTOMER_RECORD.fields if not f.hub)
"""What a profile consists of: the columns of customer_record that a source can give."""


@dataclass(frozen=True)
class Survivorship:
    """Which source is believed first.

    `order`: connector names or roles, most trusted first; the rest follow together. `fields`: other orders
    for single fields. `roles`: the role of each connector; an order may name either.
    """

    order: tuple[str, ...] = ("crm", "erp", "shop", "tickets", "wechat")
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def order_of(self, name: str) -> tuple[str, ...]:
        return tuple(self.fields.get(name, self.order))


@dataclass(frozen=True)
class Golden:
    """`profiles`: customer_id and one column per field, null where no record has a value.
    `provenance`: customer_id, field, record_no, connector, source_updated_at of every value that is there.
    Both sorted by customer_id (and field, in the model's order)."""

    profiles: pl.DataFrame
    provenance: pl.DataFrame


def golden(records: pl.DataFrame, survivorship: Survivorship | None = None) -> Golden:
    """The profiles of all customers in `records`.

    `records` has customer_id, record_no, connector, and any of: source_updated_at (microseconds), deleted
    (0 or 1), FIELDS. For each field, of the records that have a value (blank text is none): those not
    deleted first; for the name, full names before masked and made-up ones; then by source, then the newest
    source_updated_at (none is oldest), then the smallest record_no. The order of the rows does not matter.
    """
    survivorship = survivorship or Survivorship()
    present = [name for name in FIELDS if name in records.columns]
    records = _prepared(records, present)
    groups: defaultdict[tuple[tuple[str, ...], bool], list[str]] = defaultdict(list)
    for name in present:
        groups[survivorship.order_of(name), name == "name"].append(name)
    profiles = records.select(pl.col("customer_id").unique().sort())
    chosen: list[pl.DataFrame] = []
    for (order, full_name_first), names in groups.items():
        ordered = _by_trust(records, order, survivorship.roles, full_name_first)
        first = ordered.group_by("customer_id", maintain_order=True).agg(
            *(pl.col(name).drop_nulls().first() for name in names),
            *(pl.col("record_no").filter(pl.col(name).is_not_null()).first().alias(f"{name}/from") for name in names),
        )
        profiles = profiles.join(
            first.select("customer_id", *names), on="customer_id", how="left", maintain_order="left"
        )
        chosen += [_provenance(first, name) for name in names]
    order_of_fields = pl.Enum(FIELDS)
    source = records.select("record_no", "connector", "source_updated_at")
    empty = pl.DataFrame(schema={"customer_id": pl.Int64, "field": pl.String, "record_no": pl.Int64})
    provenance = (
        pl.concat([empty, *chosen])
        .join(source, on="record_no", how="left", maintain_order="left")
        .sort("customer_id", pl.col("field").cast(order_of_fields))
    )
    return Golden(profiles.select("customer_id", *present), provenance)


def _prepared(records: pl.DataFrame, present: Sequence[str]) -> pl.DataFrame:
    """The columns that matter, with blank text as null and missing columns filled."""
    text = [name for name in present if records.schema[name] == pl.String]
    columns = [
        pl.col("customer_id", "record_no").cast(pl.Int64),
        pl.col("connector"),
        _or_null(records, "source_updated_at"),
        _or_null(records, "deleted").fill_null(0).alias("deleted"),
        *(pl.when(pl.col(name).str.strip_chars() != "").then(name).alias(name) for name in text),
        *(pl.col(name) for name in present if name not in text),
    ]
    return records.select(columns)


def _or_null(records: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64) if name in records.columns else pl.lit(None, pl.Int64).alias(name)


def _by_trust(
    records: pl.DataFrame, order: Sequence[str], roles: Mapping[str, str], full_name_first: bool
) -> pl.DataFrame:
    """The records of each customer, the one to believe first."""
    place = {name: position for position, name in enumerate(order)}
    last = len(order)
    trust = {
        connector: min(place.get(connector, last), place.get(roles.get(connector, ""), last))
        for connector in records["connector"].unique().drop_nulls().to_list()
    }
    by_connector = pl.DataFrame(list(trust.items()), schema={"connector": pl.String, "place": pl.Int64}, orient="row")
    ranked = records.join(by_connector, on="connector", how="left", maintain_order="left").with_columns(
        pl.col("place").fill_null(last),
        pl.col("source_updated_at").fill_null(_OLDEST).alias("newest"),
        (name_key(records["name"]).is_null() if full_name_first else pl.lit(False)).alias("unnamed"),
    )
    return ranked.sort(
        ["customer_id", "deleted", "unnamed", "place", "newest", "record_no"],
        descending=[False, False, False, False, True, False],
    )


_OLDEST = -(2**63)


def _provenance(first: pl.DataFrame, name: str) -> pl.DataFrame:
    return first.select("customer_id", field=pl.lit(name), record_no=f"{name}/from").drop_nulls("record_no")
