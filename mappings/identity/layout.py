"""Lays records and links out as numbered nodes and claims, so that whole columns can be worked on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import polars as pl

from mappings.identity.exact import Case, Claim, Exclusive
from mappings.identity.names import name_key
from mappings.identity.partition import DECISIONS, IDENTIFIER, LINKS, RECORDS, shaped
from mappings.identity.rules import CUSTOMER_KINDS, KindRule, Rules


class Layout:
    """Records as nodes 0..n-1 in the order of their numbers, identifiers as consecutive numbers.

    Frames of held identifiers have one row per (identifier, node), in that order, with the columns
    identifier, node, customer_kind, rank, scope_no, row (of `links`), degree, cap.
    """

    def __init__(
        self,
        records: pl.DataFrame,
        links: pl.DataFrame,
        decisions: pl.DataFrame,
        rules: Rules,
    ) -> None:
        self.rules = rules
        self.links = shaped(links, LINKS).with_columns(pl.col("scope").fill_null(""))
        self.scopes = self.links["scope"].unique().sort()
        self.nodes = _nodes(shaped(records, RECORDS))
        self.must_link, self.cannot_link = _pairs(shaped(decisions, DECISIONS), self.nodes)
        self.held = self._held()
        self._split()
        self.named = self._named()

    def edges(self) -> pl.DataFrame:
        """Each identifier ties its holders of one customer kind to the first of them; decisions tie pairs."""
        first = pl.col("node").first()
        return pl.concat(
            [
                self.plain.select(u=first.over("identifier", "customer_kind"), v="node"),
                self.named.select(u=first.over("identifier", "customer_kind", "name_key"), v="node"),
                self.must_link.select(u="a", v="b"),
            ]
        ).filter(pl.col("u") != pl.col("v"))

    def contested(self, label: pl.Series) -> pl.Series:
        """Labels of the components in which something may have to stay apart, ascending."""
        exclusive = self.exclusive.select("rank", "scope_no", "identifier", label=label.gather(self.exclusive["node"]))
        two_values = (
            exclusive.group_by("label", "rank", "scope_no")
            .agg(low=pl.col("identifier").min(), high=pl.col("identifier").max())
            .filter(pl.col("low") != pl.col("high"))
        )
        kind = self.nodes["customer_kind"]
        apart, together = self.cannot_link, self.must_link
        inside = label.gather(apart["a"]) == label.gather(apart["b"])
        mixed = kind.gather(together["a"]) != kind.gather(together["b"])
        found = [
            two_values["label"],
            label.gather(apart["a"]).filter(inside),
            label.gather(together["a"]).filter(mixed),
        ]
        return pl.concat(found).unique().sort()

    def case(self, label: pl.Series, contested: pl.Series) -> Case:
        """The contested components, as plain values for the exact solver."""
        inside = pl.repeat(False, self.nodes.height, eager=True).scatter(contested, True).gather(label)

        def within(frame: pl.DataFrame, column: str = "node") -> pl.DataFrame:
            return frame.filter(inside.gather(frame[column]))

        nodes = within(self.nodes)
        nodes = nodes.with_columns(name_key=name_key(nodes["name"]))
        with_name = nodes.filter(pl.col("name_key").is_not_null())
        exclusive: defaultdict[int, list[Exclusive]] = defaultdict(list)
        for node, rank, scope_no, identifier in (
            within(self.exclusive).select("node", "rank", "scope_no", "identifier").iter_rows()
        ):
            exclusive[node].append(Exclusive(self.rules.kinds[rank].kind, self.scopes[scope_no], identifier))
        return Case(
            records=nodes["node"].to_list(),
            customer_kind=_mapping(nodes, "customer_kind"),
            name=_mapping(with_name, "name_key"),
            exclusive=exclusive,
            must_link=list(within(self.must_link, "a").select("a", "b").iter_rows()),
            cannot_link=[
                (a, b)
                for a, b in within(self.cannot_link, "a").select("a", "b").iter_rows()
                if inside[b]  # the other record may be in a component where nothing is contested
            ],
            claims=[
                *_claims(within(self.plain), with_name=False),
                *_claims(within(self.named), with_name=True),
            ],
            name_cap={rank: rule.name_cap for rank, rule in enumerate(self.rules.kinds) if rule.with_name},
        )

    def identifiers(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the kind, scope and digest of their identifier."""
        return pl.concat([rows, self.links.select(IDENTIFIER)[rows["row"]]], how="horizontal")

    def _held(self) -> pl.DataFrame:
        """Every usable identifier of a kind that has a rule, once per record."""
        usable = self.links["class"] == "usable"
        if not (self.links["digest"].filter(usable).bin.size() == 16).fill_null(False).all():
            raise ValueError("a usable identifier has a digest of 16 bytes")
        # Digests are compared as two integers: sorting them is several times as fast as grouping bytes.
        high, low = (
            pl.col("digest").bin.slice(start, 8).bin.reinterpret(dtype=pl.UInt64, endianness="big") for start in (0, 8)
        )
        node, known = _positions(self.links["record_no"], self.nodes["record_no"])
        kinds = pl.Enum([rule.kind for rule in self.rules.kinds])
        held = (
            self.links.select(
                usable=usable,
                row=pl.int_range(pl.len(), dtype=pl.Int64),
                node=node,
                known=known,
                rank=pl.col("kind").cast(kinds, strict=False).to_physical().cast(pl.Int32),
                scope_no=pl.col("scope").cast(pl.Enum(self.scopes)).to_physical(),
                digest_high=high,
                digest_low=low,
            )
            .filter(pl.col("usable") & pl.col("rank").is_not_null() & pl.col("known"))
            .drop("usable", "known")
        )
        held = _numbered(held)
        caps = pl.Series([rule.cap for rule in self.rules.kinds], dtype=pl.Int64)
        degree = held["identifier"].rle().struct.field("len").cast(pl.Int64)
        return held.with_columns(
            customer_kind=self.nodes["customer_kind"].gather(held["node"]),
            degree=degree.gather(held["identifier"]),
            cap=caps.gather(held["rank"]),
        )

    def _split(self) -> None:
        """What may join by itself (plain) or only with the name (weak), and what excludes (exclusive)."""
        held = self.held
        exclusive = held.filter(pl.col("rank").is_in(self._ranks(lambda rule: rule.exclusive)))
        # A record with two values of an exclusive identifier says nothing certain by either of them.
        scoped = ["node", "rank", "scope_no"]
        self.several = exclusive.group_by(scoped).agg(pl.len(), pl.col("row").first()).filter(pl.col("len") > 1)
        if self.several.height:
            held = held.join(self.several, on=scoped, how="anti", maintain_order="left")
            exclusive = exclusive.join(self.several, on=scoped, how="anti", maintain_order="left")
        self.exclusive = exclusive
        shared = held.filter(pl.col("degree") > 1)
        over = pl.col("degree") > pl.col("cap")
        joins = self._allowed(lambda rule: rule.joins)
        self.plain = shared.filter(joins & ~over)
        falls_back = pl.col("rank").is_in(self._ranks(lambda rule: rule.with_name))
        self._weak = shared.filter((joins & over & falls_back) | self._allowed(lambda rule: rule.joins_with_name))

    def _named(self) -> pl.DataFrame:
        """Holders that an identifier joins only together with the name, with their name_key."""
        weak = self._weak
        if weak.is_empty():
            return weak.with_columns(name_key=pl.lit(None, pl.String))
        # The name's cap counts all holders of that name, as the store does, whatever their customer kind.
        every = self.held.filter(pl.col("identifier").is_in(weak["identifier"].unique().implode()))
        named = self.nodes.filter(pl.col("node").is_in(every["node"].unique().implode()))
        keys = named.select("node", name_key=name_key(named["name"]))
        every = every.join(keys.drop_nulls(), on="node", maintain_order="left")
        every = every.with_columns(records=pl.len().over("identifier", "name_key").cast(pl.Int64))
        caps = pl.Series([rule.name_cap for rule in self.rules.kinds], dtype=pl.Int64)
        every = every.filter((pl.col("records") > 1) & (pl.col("records") <= caps.gather(every["rank"])))
        return weak.join(
            every.select("identifier", "node", "name_key"), on=["identifier", "node"], maintain_order="left"
        )

    def _ranks(self, wanted: Callable[[KindRule], bool]) -> list[int]:
        return [rank for rank, rule in enumerate(self.rules.kinds) if wanted(rule)]

    def _allowed(self, customer_kinds: Callable[[KindRule], tuple[str, ...]]) -> pl.Expr:
        """Whether the kind's rule names the customer kind of the row's record."""
        allowed = [
            rank * len(CUSTOMER_KINDS) + CUSTOMER_KINDS.index(customer_kind)
            for rank, rule in enumerate(self.rules.kinds)
            for customer_kind in customer_kinds(rule)
        ]
        return (pl.col("rank") * len(CUSTOMER_KINDS) + pl.col("customer_kind")).is_in(allowed)


def _nodes(records: pl.DataFrame) -> pl.DataFrame:
    records = records.sort("record_no")
    if (records["record_no"] == records["record_no"].shift()).any():
        raise ValueError("a record_no appears twice among the records")
    customer_kind = pl.col("kind").cast(pl.Enum(CUSTOMER_KINDS), strict=False).to_physical()
    return records.select(
        "record_no",
        "name",
        node=pl.int_range(pl.len(), dtype=pl.Int64),
        customer_kind=customer_kind.fill_null(0).cast(pl.Int32),
    )


def _positions(values: pl.Series, ascending: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Where each value stands among the ascending ones, and whether it stands there at all."""
    if ascending.is_empty():
        nowhere = pl.repeat(0, len(values), dtype=pl.Int64, eager=True)
        return nowhere, nowhere != 0
    place = ascending.search_sorted(values).cast(pl.Int64).clip(upper_bound=len(ascending) - 1)
    return place, ascending.gather(place) == values


def _numbered(held: pl.DataFrame) -> pl.DataFrame:
    """Sorted by identifier and node, each pair once, identifiers numbered from 0 in the order of digests."""
    identity = ["digest_high", "digest_low", "rank", "scope_no"]
    if not held["node"].is_sorted():
        held = held.sort("node")
    quick = held.sort("digest_high", maintain_order=True)
    same = pl.col("digest_high") == pl.col("digest_high").shift()
    agree = pl.all_horizontal(pl.col(column) == pl.col(column).shift() for column in identity[1:])
    if quick.select((same & ~agree).any()).item():
        # Two identifiers agree in the first half of their digests: all four columns have to be sorted.
        quick = held.sort(*identity, "node")
    new = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift()) for column in identity)
    quick = quick.with_columns(new=new).filter(pl.col("new") | (pl.col("node") != pl.col("node").shift()))
    return quick.select("row", "node", "rank", "scope_no", identifier=pl.col("new").cast(pl.Int64).cum_sum() - 1)


def _pairs(decisions: pl.DataFrame, nodes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """must_link and cannot_link as node pairs a < b; for a pair with both, cannot_link holds."""
    number = nodes.select("record_no", "node")
    pairs = (
        decisions.select(
            "kind", low=pl.min_horizontal("record_a", "record_b"), high=pl.max_horizontal("record_a", "record_b")
        )
        .filter(pl.col("low") != pl.col("high"))
        .unique()
        .join(number.rename({"record_no": "low", "node": "a"}), on="low")
        .join(number.rename({"record_no": "high", "node": "b"}), on="high")
        .select("kind", "a", "b")
        .sort("kind", "a", "b")
    )
    apart = pairs.filter(pl.col("kind") == "cannot_link")
    together = pairs.filter(pl.col("kind") == "must_link").join(apart, on=["a", "b"], how="anti", maintain_order="left")
    return together, apart


def _claims(held: pl.DataFrame, *, with_name: bool) -> list[Claim]:
    keys = ["rank", "identifier", "customer_kind", *(["name_key"] if with_name else [])]
    groups = held.group_by(keys, maintain_order=True).agg("node").filter(pl.col("node").list.len() > 1)
    return [
        Claim(rank, tuple(holders), identifier, with_name)
        for rank, identifier, holders in groups.select("rank", "identifier", "node").iter_rows()
    ]


def _mapping(nodes: pl.DataFrame, column: str) -> dict[int, Any]:
    return dict(zip(nodes["node"].to_list(), nodes[column].to_list(), strict=True))
