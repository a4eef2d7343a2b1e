"""Turns identifiers as sources wrote them into digests, masks and sealed values; makes buyers into records."""

from __future__ import annotations

import polars as pl

from mappings.fieldmap_apply import BUYER, Buyers
from mappings.identity.digest import Keys
from mappings.identity.normalise import normalise
from mappings.identity.rules import Rules
from mappings.objects import LINE_NO

SET_BYTES = 8
"""Bytes of each digest that stand in a record's identifier_set: enough to see that one changed."""


def protected(raw: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """The identifiers with value normalised away: class, reason, mask, digest, value_enc; blanks left out.

    `raw` has kind, scope, value and any other columns, which are kept.
    """
    parts = []
    for (kind,), part in raw.group_by("kind", maintain_order=True):
        found = normalise(part["value"], str(kind))
        parts.append(part.drop("value").hstack(found).filter(pl.col("value").is_not_null()))
    if not parts:
        return raw.drop("value").with_columns(
            *(pl.lit(None, pl.String).alias(name) for name in ("class", "reason", "mask")),
            *(pl.lit(None, pl.Binary).alias(name) for name in ("digest", "value_enc")),
        )
    return keys.protect(pl.concat(parts)).drop("value")


def buyer_ids(buyers: Buyers, keys: Keys, rules: Rules) -> pl.Series:
    """The source_id of the record each buyer becomes: kind and digest of its strongest identifier.

    The same buyer is the same record in every order. Null where no identifier can be read at all. A masked or
    weak identifier serves only where there is no usable one: it names a record, and still joins nobody.
    """
    if buyers.identifiers.is_empty():
        return pl.repeat(None, buyers.rows.height, dtype=pl.String(), eager=True)
    rank = {kind: number for number, kind in enumerate(rules.rank)}
    best = (
        protected(buyers.identifiers, keys)
        .with_columns(
            _class=(pl.col("class") != "usable").cast(pl.Int8),
            _rank=pl.col("kind").replace_strict(rank, default=len(rank), return_dtype=pl.Int64),
        )
        .sort(BUYER, "_class", "_rank", "scope", "digest")
        .unique(BUYER, keep="first")
        .select(BUYER, made="buyer:" + pl.col("kind") + ":" + pl.col("digest").bin.encode("hex"))
    )
    numbers = pl.DataFrame({BUYER: pl.int_range(buyers.rows.height, dtype=pl.Int64, eager=True)})
    return numbers.join(best, on=BUYER, how="left", maintain_order="left")["made"]


def identifier_sets(identifiers: pl.DataFrame) -> pl.DataFrame:
    """One text a record version (_line_no, source_id) that changes when any of its identifiers does."""
    each = pl.col("kind") + ":" + pl.col("class") + ":" + pl.col("digest").bin.slice(0, SET_BYTES).bin.encode("hex")
    return (
        identifiers.select(LINE_NO, "source_id", each.alias("identifier_set"))
        .unique()
        .sort(LINE_NO, "source_id", "identifier_set")
        .group_by(LINE_NO, "source_id", maintain_order=True)
        .agg(pl.col("identifier_set").str.join(" "))
    )
