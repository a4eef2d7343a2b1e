"""Resolves what a change touches, and only that, with the same answer as resolving everything.

Customers depend on nothing outside their raw component (all that hangs together under the caps, before
refusals). So it is enough to find the components that the change can have altered, before and after it, and
to solve them whole.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import polars as pl

from mappings.identity.graph import NAMED, Graph
from mappings.identity.layout import Degrees
from mappings.identity.names import name_key
from mappings.identity.partition import CAPPED, IDENTIFIER, LINKS, RECORDS, Partition, shaped
from mappings.identity.rules import DEFAULT, Rules
from mappings.identity.solve import solve


@dataclass(frozen=True)
class Change:
    """What happened since the last resolution.

    `records`: numbers of all records that were added, removed, or whose name, kind or identifiers are not
    what they were, and of both records of every decision made or withdrawn. More than these does no harm.
    `lost`: what these records carried before: kind, scope, digest, name_key (names.name_key of the name they
    had; null if it did not count). At least what they carry no more; more does no harm.
    """

    records: pl.Series
    lost: pl.DataFrame

    @classmethod
    def of(cls, record_nos: pl.Series, records_before: pl.DataFrame, links_before: pl.DataFrame) -> Change:
        """The change to these records, from their rows as last resolved (partition.RECORDS, LINKS)."""
        return cls(record_nos, _carried(records_before, links_before))


@dataclass(frozen=True)
class Resolution:
    """The answer for the touched components.

    Replace with `partition`: the members, refusals and conflicts of every component that is in it or in
    `vanished_components`, and the capped identifiers that are in `checked`. Its proposals are empty:
    propose() looks at all weak keys at once. `removed`: touched records that no longer exist.
    `vanished_customers`: ids that were a customer's and are none's any more.
    """

    partition: Partition
    removed: pl.Series
    vanished_components: pl.Series
    vanished_customers: pl.Series
    checked: pl.DataFrame


def resolve_incremental(graph: Graph, change: Change, rules: Rules = DEFAULT) -> Resolution:
    """What a full resolution of the store would answer for the components that the change touches.

    The rules must be those of the last resolution; other rules need a full one.
    """
    found = _Touched(graph, rules, change)
    decisions = graph.decisions(found.records["record_no"])
    partition = solve(found.records, found.links, decisions, rules, found.degrees())
    partition = dataclasses.replace(partition, capped=_capped(found.identifiers))
    before, now = graph.members(graph.components(found.record_nos)), partition.members
    return Resolution(
        partition=partition,
        removed=_without(found.record_nos, now["record_no"]).sort(),
        vanished_components=_without(before["component_id"].unique(), now["component_id"]).sort(),
        vanished_customers=_without(before["customer_id"].unique(), now["customer_id"]).sort(),
        checked=found.identifiers.select(IDENTIFIER).sort(IDENTIFIER),
    )


def touched(graph: Graph, change: Change, rules: Rules = DEFAULT) -> pl.Series:
    """The records whose components the change can have altered: whole components, before and after it."""
    return _Touched(graph, rules, change).record_nos.sort()


class _Touched:
    """The touched records, found step by step, with all that was read of the store on the way.

    `identifiers`: kind, scope, digest, records, cap, name_cap of every identifier met. `names`: the same
    with name_key, for identifiers over their cap; its records are those of that name.
    """

    def __init__(self, graph: Graph, rules: Rules, change: Change) -> None:
        self.graph = graph
        self.rules = pl.DataFrame(
            [(r.kind, r.cap, r.name_cap, r.with_name or bool(r.joins_with_name)) for r in rules.kinds],
            schema={"kind": pl.String, "cap": pl.Int64, "name_cap": pl.Int64, "by_name": pl.Boolean},
            orient="row",
        )
        self.record_nos = pl.Series("record_no", [], pl.Int64)
        self.records = pl.DataFrame(schema=RECORDS)
        self.links = pl.DataFrame(schema=LINKS)
        identifier = {name: LINKS[name] for name in IDENTIFIER}
        self.identifiers = pl.DataFrame(schema={**identifier, **_COUNTED})
        self.names = pl.DataFrame(schema={**identifier, "name_key": pl.String, **_COUNTED})
        self._namesake_rows = pl.DataFrame(schema={**identifier, "name_key": pl.String, "record_no": pl.Int64})
        self._start(change)

    def degrees(self) -> Degrees:
        return Degrees(self.identifiers, self.names)

    def _start(self, change: Change) -> None:
        """From the changed records, over all that was one component with them, to all that now is."""
        changed = change.records.cast(pl.Int64).unique()
        now = _carried(self.graph.records(changed), self.graph.links(changed))
        carried = pl.concat([now.select(NAMED), change.lost.select(NAMED)]).unique()
        holders = self.graph.holders(self._unsettled(self._count(carried), now, IDENTIFIER).select(IDENTIFIER))
        namesakes = self._namesakes(self._unsettled(self._count_names(carried), now, NAMED))
        seeds = pl.concat([changed, holders["record_no"], namesakes["record_no"]]).unique()
        before = self.graph.members(self.graph.components(seeds))["record_no"]
        frontier = self._add(pl.concat([seeds, before]))
        while len(frontier):
            frontier = self._add(self._tied_to(frontier))

    def _unsettled(self, counted: pl.DataFrame, now: pl.DataFrame, key: list[str]) -> pl.DataFrame:
        """Of what the changed records carry or carried, that whose other holders may be affected.

        Under the cap: they were one component with the loser, or are with the new holder. Over the cap, but
        not by more than the changed records that carry it: it may have crossed. Far over the cap: it joined
        nobody before and joins nobody now.
        """
        cap = "cap" if key == IDENTIFIER else "name_cap"
        holding = now.drop_nulls(key).group_by(key).agg(holding=pl.len().cast(pl.Int64))
        fewest_before = pl.col("records") - pl.col("holding").fill_null(0)
        return counted.join(holding, on=key, how="left").filter(fewest_before <= pl.col(cap))

    def _tied_to(self, record_nos: pl.Series) -> pl.Series:
        """All that these records are tied to: by an identifier, by an identifier and the name, by decision."""
        records, links = self.graph.records(record_nos), self.graph.links(record_nos)
        self.records = pl.concat([self.records, shaped(records, RECORDS)])
        self.links = pl.concat([self.links, shaped(links, LINKS)])
        carried = _carried(records, links)
        joining = self._count(carried).filter(pl.col("records").is_between(2, pl.col("cap")))
        by_name = self._count_names(carried).filter(pl.col("records").is_between(2, pl.col("name_cap")))
        together = self.graph.decisions(record_nos).filter(pl.col("kind") == "must_link")
        return pl.concat(
            [
                self.graph.holders(joining.select(IDENTIFIER))["record_no"],
                self._namesakes(by_name)["record_no"],
                together["record_a"],
                together["record_b"],
            ]
        )

    def _add(self, record_nos: pl.Series) -> pl.Series:
        """Remembers records as touched; answers those that were not yet."""
        new = _without(record_nos.unique(), self.record_nos)
        self.record_nos = pl.concat([self.record_nos, new])
        return new

    def _count(self, carried: pl.DataFrame) -> pl.DataFrame:
        """The identifiers of kinds that have a rule, with records (0: nobody any more), cap and name_cap."""
        wanted = carried.select(IDENTIFIER).unique().join(self.rules, on="kind")
        new = wanted.join(self.identifiers, on=IDENTIFIER, how="anti")
        if new.height:
            counted = new.join(self.graph.degrees(new.select(IDENTIFIER)), on=IDENTIFIER, how="left")
            self.identifiers = pl.concat([self.identifiers, _counted(counted, IDENTIFIER)])
        return self.identifiers.join(wanted, on=IDENTIFIER, how="semi")

    def _count_names(self, carried: pl.DataFrame) -> pl.DataFrame:
        """The same for names beside identifiers over the cap; under it, all holders are touched anyway.
        Asks for the namesakes once and keeps them."""
        over = self.identifiers.filter(pl.col("records") > pl.col("cap"))
        by_name = self.rules.filter("by_name")
        wanted = carried.drop_nulls("name_key").select(NAMED).unique().join(by_name, on="kind")
        wanted = wanted.join(over, on=IDENTIFIER, how="semi")
        new = wanted.join(self.names, on=NAMED, how="anti")
        if new.height:
            rows = self.graph.namesakes(new.select(NAMED)).select(*NAMED, "record_no")
            self._namesake_rows = pl.concat([self._namesake_rows, rows])
            counted = new.join(rows.group_by(NAMED).agg(records=pl.len()), on=NAMED, how="left")
            self.names = pl.concat([self.names, _counted(counted, NAMED)])
        return self.names.join(wanted, on=NAMED, how="semi")

    def _namesakes(self, counted: pl.DataFrame) -> pl.DataFrame:
        return self._namesake_rows.join(counted, on=NAMED, how="semi")


_COUNTED = {"records": pl.Int64, "cap": pl.Int64, "name_cap": pl.Int64}


def _counted(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.select(*key, pl.col("records").fill_null(0).cast(pl.Int64), "cap", "name_cap")


def _carried(records: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """record_no, kind, scope, digest, name_key of every usable identifier of these records, once."""
    names = records.select(pl.col("record_no").cast(pl.Int64), name_key=name_key(pl.col("name")))
    usable = shaped(links, LINKS).filter(pl.col("class") == "usable")
    carried = usable.select("record_no", "kind", pl.col("scope").fill_null(""), "digest").unique()
    return carried.join(names, on="record_no", how="left").select("record_no", *NAMED)


def _capped(identifiers: pl.DataFrame) -> pl.DataFrame:
    over = identifiers.filter(pl.col("records") > pl.col("cap")).sort(IDENTIFIER)
    return over.select(pl.col(name).cast(dtype) for name, dtype in CAPPED.items())


def _without(values: pl.Series, taken: pl.Series) -> pl.Series:
    return values.filter(~values.is_in(taken.implode()))
