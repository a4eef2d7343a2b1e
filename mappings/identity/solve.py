"""Decides which records are one customer, in a way that does not depend on the order of their arrival.

Records that hang together under the caps are found on whole columns (components); only where something must
stay apart (exclusive identifiers, decisions) does the exact solver look, union by union (exact).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mappings.identity.components import components
from mappings.identity.exact import Refusal, decide
from mappings.identity.layout import Layout
from mappings.identity.partition import CAPPED, DECISIONS, IDENTIFIER, MEMBERS, REFUSED, Partition
from mappings.identity.propose import propose
from mappings.identity.rules import DEFAULT, Rules


def resolve(
    records: pl.DataFrame,
    links: pl.DataFrame,
    rules: Rules = DEFAULT,
    decisions: pl.DataFrame | None = None,
) -> Partition:
    """Who is one customer, among all records (columns: partition.RECORDS, LINKS, DECISIONS).

    Links and decisions of records that are not in `records` count for nothing. ValueError for two rows of one
    record_no and for digests that do not have 16 bytes.
    """
    if decisions is None:
        decisions = pl.DataFrame(schema=DECISIONS)
    layout = Layout(records, links, decisions, rules)
    label = components(layout.nodes.height, layout.edges())
    contested = layout.contested(label)
    customer, refusals = label, list[Refusal]()
    if len(contested):
        decided = decide(layout.case(label, contested))
        customer = label.clone().scatter(list(decided.customer.keys()), list(decided.customer.values()))
        refusals = decided.refused
    numbers = layout.nodes["record_no"]
    members = pl.DataFrame(
        {"record_no": numbers, "component_id": numbers.gather(label), "customer_id": numbers.gather(customer)},
        schema=MEMBERS,
    )
    refused = _refused(layout, refusals, members)
    return Partition(
        members=members,
        refused=refused,
        conflicts=_conflicts(refused, _several_values(layout, members)),
        capped=_capped(layout),
        proposals=propose(records, links, members, decisions, rules),
        rules_version=rules.version,
    )


def _refused(layout: Layout, refusals: Sequence[Refusal], members: pl.DataFrame) -> pl.DataFrame:
    """The refusals, with the numbers of records and the identifiers in place of the solver's numbers."""
    if not refusals:
        return pl.DataFrame(schema=REFUSED)
    rows = pl.DataFrame(refusals, schema=_REFUSAL, orient="row")
    named = layout.held.join(rows.select("identifier").drop_nulls().unique(), on="identifier", how="semi")
    named = layout.identifiers(named.unique("identifier", keep="any").select("identifier", "row", "rank"))
    rows = rows.join(named, on="identifier", how="left")
    rows = rows.with_columns(_placed(members, rows["a"], rows["b"])).with_columns(
        kind=pl.col("kind").fill_null("must_link"),
        scope=pl.col("scope").fill_null(""),
        digest=pl.col("digest").fill_null(b""),
        against_a=members["record_no"].gather(rows["x"]),
        against_b=members["record_no"].gather(rows["y"]),
    )
    order = ["component_id", "rank", "record_a", "record_b", "scope", "digest"]
    return rows.sort(order, nulls_last=False).select(pl.col(name).cast(dtype) for name, dtype in REFUSED.items())


_REFUSAL = {
    "a": pl.Int64,
    "b": pl.Int64,
    "identifier": pl.Int64,
    "with_name": pl.Boolean,
    "code": pl.String,
    "against_kind": pl.String,
    "against_scope": pl.String,
    "x": pl.Int64,
    "y": pl.Int64,
    "open": pl.Boolean,
}


def _several_values(layout: Layout, members: pl.DataFrame) -> pl.DataFrame:
    """A conflict for each record that carries several values of an exclusive identifier."""
    rows = layout.identifiers(layout.several).drop("digest")
    return (
        rows.with_columns(_placed(members, rows["node"], rows["node"]))
        .with_columns(
            digest=pl.lit(b""),
            with_name=pl.lit(False),
            code=pl.lit("several_values"),
            against_kind=pl.lit(""),
            against_scope=pl.lit(""),
            against_a=pl.lit(None),
            against_b=pl.lit(None),
            open=pl.lit(True),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in REFUSED.items())
    )


def _placed(members: pl.DataFrame, a: pl.Series, b: pl.Series) -> list[pl.Series]:
    """Component, record numbers and customers of two columns of nodes."""
    columns = {"component_id": ("component_id", a), "record_a": ("record_no", a), "record_b": ("record_no", b)}
    columns |= {"customer_a": ("customer_id", a), "customer_b": ("customer_id", b)}
    return [members[source].gather(nodes).alias(name) for name, (source, nodes) in columns.items()]


def _conflicts(refused: pl.DataFrame, several_values: pl.DataFrame) -> pl.DataFrame:
    """What waits for a person: the strongest evidence for each pair of customers."""
    low, high = pl.min_horizontal("customer_a", "customer_b"), pl.max_horizontal("customer_a", "customer_b")
    pairs = refused.filter("open").unique([low.alias("low"), high.alias("high")], keep="first", maintain_order=True)
    return pl.concat([pairs, several_values]).sort("component_id", "record_a", "record_b", "kind", "scope", "digest")


def _capped(layout: Layout) -> pl.DataFrame:
    over = layout.held.filter(pl.col("degree") > pl.col("cap")).unique("identifier", keep="first")
    rows = layout.identifiers(over).select(*IDENTIFIER, records="degree", cap="cap")
    return rows.sort(IDENTIFIER).select(pl.col(name).cast(dtype) for name, dtype in CAPPED.items())
