"""Turns identifiers as sources wrote them into digests, masks and sealed values; makes buyers into records."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

from mappings.fieldmap_apply import BUYER, Buyers
from mappings.identity.digest import Keys
from mappings.identity.normalise import normalise
from mappings.objects import LINE_NO

SET_BYTES = 8
"""Bytes of each digest that stand in a record's identifier_set: enough to see that one changed."""

FEW = 8
"""Identifiers of one record for which a column each is quicker than a list."""


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


def buyer_ids(identifiers: pl.DataFrame, buyers: int) -> pl.Series:
    """The source_id of the record each buyer becomes: a digest over all of its usable identifiers.

    `identifiers` are those of the `buyers` buyers, protected. So a record never loses an identifier because a later
    order shows less (a masked phone): that order is of another record, which identity joins with the first by what
    they share. A buyer without a usable identifier is named by the others it has; null where none can be read at
    all.
    """
    usable = pl.col("class") == "usable"
    named = (
        identifiers.filter(usable | ~usable.any().over(BUYER))
        .select(BUYER, name=pl.col("kind") + ":" + pl.col("digest").bin.encode("hex"))
        .pipe(_in_one, [BUYER], "name")
    )
    made = [f"buyer:{blake2b(name.encode(), digest_size=16).hexdigest()}" for name in named["name"].to_list()]
    numbers = pl.DataFrame({BUYER: pl.int_range(buyers, dtype=pl.Int64, eager=True)})
    ids = named.select(BUYER, pl.Series("made", made, dtype=pl.String))
    return numbers.join(ids, on=BUYER, how="left", maintain_order="left")["made"]


def of_buyers(identifiers: pl.DataFrame, buyers: Buyers, ids: pl.Series) -> pl.DataFrame:
    """The buyers' identifiers (protected) as those of the records they become; buyers without an id are left out."""
    numbers = identifiers[BUYER]
    line_no, source_id = buyers.rows[LINE_NO].gather(numbers), ids.gather(numbers).alias("source_id")
    found = identifiers.drop(BUYER).with_columns(line_no, source_id)
    return found.filter(pl.col("source_id").is_not_null())


def identifier_sets(identifiers: pl.DataFrame) -> pl.DataFrame:
    """One text a record version (_line_no, source_id) that changes when any of its identifiers does."""
    each = pl.col("kind") + ":" + pl.col("class") + ":" + pl.col("digest").bin.slice(0, SET_BYTES).bin.encode("hex")
    return identifiers.select(LINE_NO, "source_id", identifier_set=each).pipe(
        _in_one, [LINE_NO, "source_id"], "identifier_set"
    )


def _in_one(frame: pl.DataFrame, key: list[str], name: str) -> pl.DataFrame:
    """One row a key with its different texts, sorted and separated by a space.

    A record has few identifiers: laying the texts of its next rows beside its first one takes a fifth of the time of
    a text join inside group_by.
    """
    rows = frame.unique().sort(*key, name)
    runs = rows.select(pl.struct(key).rle_id().alias("run"))["run"]
    longest = runs.rle().struct.field("len").max()
    if not isinstance(longest, int) or longest > FEW:
        return rows.group_by(key, maintain_order=True).agg(pl.col(name).str.join(" "))
    same = [runs == runs.shift(-back) for back in range(1, longest)]
    others = [pl.when(one).then(pl.col(name).shift(-back)) for back, one in enumerate(same, 1)]
    joined = rows.with_columns(pl.concat_str([pl.col(name), *others], separator=" ", ignore_nulls=True))
    return joined.filter(runs.is_first_distinct())
