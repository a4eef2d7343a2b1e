"""The questions an incremental resolution asks of the store, and their answers from frames in memory."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from mappings.identity.names import name_key
from mappings.identity.partition import DECISIONS, IDENTIFIER, LINKS, MEMBERS, RECORDS, shaped

NAMED = [*IDENTIFIER, "name_key"]
"""The columns that name one identifier together with a name."""


class Graph(Protocol):
    """The store as it is after a change; only `components` and `members` tell what was resolved before it.

    Everywhere only *usable* links of records that exist count: the same rows that a full resolution would
    be given. Answers may come in any order; unknown record numbers and identifiers are left out of them.
    Arguments hold no duplicates.
    """

    def records(self, record_nos: pl.Series) -> pl.DataFrame:
        """partition.RECORDS of those that (still) exist."""

    def links(self, record_nos: pl.Series) -> pl.DataFrame:
        """partition.LINKS: the usable identifiers of these records."""

    def degrees(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        """kind, scope, digest, records: how many records carry each identifier (kind, scope, digest)."""

    def holders(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        """kind, scope, digest, record_no: the records that carry each identifier. Asked only for
        identifiers at or near their cap, and below."""

    def namesakes(self, named: pl.DataFrame) -> pl.DataFrame:
        """kind, scope, digest, name_key, record_no: the records that carry the identifier and whose name
        has this key (names.name_key). Asked for identifiers over their cap."""

    def decisions(self, record_nos: pl.Series) -> pl.DataFrame:
        """partition.DECISIONS in force that name at least one of these records."""

    def components(self, record_nos: pl.Series) -> pl.Series:
        """The component ids these records had when last resolved; of records since removed too."""

    def members(self, component_ids: pl.Series) -> pl.DataFrame:
        """partition.MEMBERS as last resolved, of these components; records since removed included."""


class FrameGraph:
    """A Graph over frames in memory: for trying rules out on a copy, and for tests."""

    def __init__(
        self, records: pl.DataFrame, links: pl.DataFrame, decisions: pl.DataFrame, members: pl.DataFrame
    ) -> None:
        self._records = shaped(records, RECORDS)
        links = shaped(links, LINKS).with_columns(pl.col("scope").fill_null(""))
        usable = links.filter(pl.col("class") == "usable").unique()
        self._links = usable.join(self._records.select("record_no"), on="record_no", how="semi")
        self._decisions = shaped(decisions, DECISIONS)
        self._members = shaped(members, MEMBERS)

    def records(self, record_nos: pl.Series) -> pl.DataFrame:
        return self._records.filter(pl.col("record_no").is_in(record_nos.implode()))

    def links(self, record_nos: pl.Series) -> pl.DataFrame:
        return self._links.filter(pl.col("record_no").is_in(record_nos.implode()))

    def degrees(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        return self.holders(identifiers).group_by(IDENTIFIER).agg(records=pl.len().cast(pl.Int64))

    def holders(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        return self._links.join(identifiers, on=IDENTIFIER, how="semi").select(*IDENTIFIER, "record_no")

    def namesakes(self, named: pl.DataFrame) -> pl.DataFrame:
        names = self._records.select("record_no", name_key=name_key(pl.col("name")))
        return (
            self.holders(named.select(IDENTIFIER).unique())
            .join(names, on="record_no")
            .join(named, on=NAMED, how="semi")
        )

    def decisions(self, record_nos: pl.Series) -> pl.DataFrame:
        named = record_nos.implode()
        return self._decisions.filter(pl.col("record_a").is_in(named) | pl.col("record_b").is_in(named))

    def components(self, record_nos: pl.Series) -> pl.Series:
        return self._members.filter(pl.col("record_no").is_in(record_nos.implode()))["component_id"].unique()

    def members(self, component_ids: pl.Series) -> pl.DataFrame:
        return self._members.filter(pl.col("component_id").is_in(component_ids.implode()))
