"""Proposes pairs of customers that may be one: a masked phone or another weak key, and the same full name.

Proposals are chances, never debts: nothing is merged by them and no status waits for them.
"""

from __future__ import annotations

import polars as pl

from mappings.identity.names import name_key
from mappings.identity.partition import DECISIONS, IDENTIFIER, LINKS, PROPOSALS, RECORDS, shaped
from mappings.identity.rules import Rules

MOST_CUSTOMERS = 4
"""A weak key that more customers share says nothing about any two of them."""


def propose(
    records: pl.DataFrame, links: pl.DataFrame, members: pl.DataFrame, decisions: pl.DataFrame, rules: Rules
) -> pl.DataFrame:
    """One row per pair (the customer with the smallest record, another one) of each weak key and name.

    A masked number meets whole numbers through its mask 138****0001, so `links` needs the column `mask`;
    without it nothing is proposed. Not proposed: customers of two kinds, pairs that a decision keeps apart,
    pairs that differ in an exclusive identifier.
    """
    if "mask" not in links.columns:
        return pl.DataFrame(schema=PROPOSALS)
    links = shaped(links, LINKS, "mask").with_columns(pl.col("scope").fill_null(""))
    records = shaped(records, RECORDS)
    keys = _weak_keys(links, rules)
    people = records.select(
        "record_no", customer_kind=pl.col("kind").fill_null("person"), name_key=name_key(records["name"])
    )
    holders = (
        keys.join(people.drop_nulls(), on="record_no")
        .join(members.select("record_no", "customer_id"), on="record_no")
        .sort("record_no")
    )
    weak_key = ["kind", "scope", "key", "name_key", "customer_kind"]
    customers = holders.group_by(*weak_key, "customer_id", maintain_order=True).agg(
        pl.col("record_no").first(), pl.col("mask").first(), pl.col("proposing").max()
    )
    pairs = (
        customers.group_by(weak_key, maintain_order=True)
        .agg(
            record_a=pl.col("record_no").first(),
            customer_a=pl.col("customer_id").first(),
            record_b=pl.col("record_no").slice(1),
            customer_b=pl.col("customer_id").slice(1),
            code=pl.col("proposing").max(),
            mask=pl.col("mask").first(),
            customers=pl.len(),
        )
        .filter(pl.col("customers").is_between(2, MOST_CUSTOMERS) & pl.col("code").is_not_null())
        .explode("record_b", "customer_b")
        .select(pl.col(name).cast(dtype) for name, dtype in PROPOSALS.items())
        .unique(["customer_a", "customer_b"], keep="first", maintain_order=True)
        .sort("record_a", "record_b", "kind")
    )
    kept_apart = pl.concat([_decided(members, decisions), _excluded(pairs, links, members, rules)])
    return pairs.join(kept_apart, on=["customer_a", "customer_b"], how="anti", maintain_order="left")


def _weak_keys(links: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """record_no, kind, scope, key, mask, proposing (the class, if it is one that proposes; else null)."""
    proposing = [(rule.kind, its_class) for rule in rules.kinds for its_class in rule.proposes]
    listed = pl.DataFrame(proposing, schema={"kind": pl.String, "class": pl.String}, orient="row")
    # Three digits and four: anything masked further fits thousands of numbers.
    comparable = pl.col("mask").str.contains(r"^\d{3}\*{4}\d{4}$")
    weak = links.join(listed, on=["kind", "class"], how="semi").filter((pl.col("class") != "masked") | comparable)
    masks = weak.filter(pl.col("class") == "masked").select("kind", "scope", "mask").unique()
    whole = links.filter(pl.col("class") == "usable").join(masks, on=["kind", "scope", "mask"], how="semi")
    by_mask = pl.col("class").is_in(["masked", "usable"])
    return pl.concat([weak, whole]).select(
        "record_no",
        "kind",
        "scope",
        "mask",
        key=pl.when(by_mask).then(pl.col("mask").cast(pl.Binary)).otherwise("digest"),
        proposing=pl.when(pl.col("class") != "usable").then("class"),
    )


def _decided(members: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Pairs of customers that a cannot_link keeps apart, in both directions."""
    customer = members.select("record_no", "customer_id")
    pairs = (
        shaped(decisions, DECISIONS)
        .filter(pl.col("kind") == "cannot_link")
        .join(customer.rename({"record_no": "record_a", "customer_id": "customer_a"}), on="record_a")
        .join(customer.rename({"record_no": "record_b", "customer_id": "customer_b"}), on="record_b")
        .select("customer_a", "customer_b")
    )
    return pl.concat([pairs, pairs.select(customer_a="customer_b", customer_b="customer_a")]).unique()


def _excluded(pairs: pl.DataFrame, links: pl.DataFrame, members: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Pairs that both have an exclusive identifier of one scope, and none in common."""
    exclusive = [rule.kind for rule in rules.kinds if rule.exclusive]
    named = pl.concat([pairs["customer_a"], pairs["customer_b"]]).unique()
    values = (
        links.filter((pl.col("class") == "usable") & pl.col("kind").is_in(exclusive))
        .join(members.filter(pl.col("customer_id").is_in(named.implode())), on="record_no")
        .select("customer_id", *IDENTIFIER)
        .unique()
    )
    left = values.rename({"customer_id": "customer_a"})
    right = values.rename({"customer_id": "customer_b", "digest": "other"})
    return (
        pairs.select("customer_a", "customer_b")
        .join(left, on="customer_a")
        .join(right, on=["customer_b", "kind", "scope"])
        .group_by("customer_a", "customer_b", "kind", "scope")
        .agg(common=(pl.col("digest") == pl.col("other")).any())
        .filter(~pl.col("common"))
        .select("customer_a", "customer_b")
        .unique()
    )
