"""The questions an incremental resolution asks of the store, and their answers from frames in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

import polars as pl

from mappings.identity.names import name_key
from mappings.identity.partition import DECISIONS, LINKS, MEMBERS, RECORDS, shaped


class Identifier(NamedTuple):
    """What two records can have in common."""

    kind: str
    scope: str
    digest: bytes


class Named(NamedTuple):
    """An identifier together with the key of a name (names.name_key); None: a name that does not count."""

    identifier: Identifier
    name_key: str | None


class Graph(Protocol):
    """The store as it is after a change; only `members` tells what was resolved before it.

    Everywhere only *usable* links of records that exist count: the same rows that a full resolution would
    be given. Answers may come in any order; unknown record numbers and identifiers are left out of them.
    Plain values, because a change is small and frames would cost more than the work itself.
    """

    def records(self, record_nos: Collection[int]) -> Iterable[tuple[int, str | None, str | None]]:
        """record_no, name and customer kind of those that (still) exist."""

    def links(self, record_nos: Collection[int]) -> Iterable[tuple[int, Identifier]]:
        """The usable identifiers of these records, each once."""

    def degrees(self, identifiers: Collection[Identifier]) -> Iterable[tuple[Identifier, int]]:
        """How many records carry each identifier."""

    def holders(self, identifiers: Collection[Identifier]) -> Iterable[int]:
        """The records that carry any of the identifiers. Never asked for one far over its cap."""

    def namesakes(self, named: Collection[Named]) -> Iterable[tuple[Named, int]]:
        """The records that carry the identifier and have a name of this key. Asked for identifiers over
        their cap."""

    def decisions(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, str]]:
        """record_a, record_b, must_link or cannot_link: those in force that name any of these records."""

    def members(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, int]]:
        """record_no, component_id, customer_id, as last resolved, of *all* records of the components that
        these records were in; records removed since included."""


def name_keys(names: Sequence[str | None]) -> list[str | None]:
    """names.name_key of plain values."""
    return name_key(pl.Series(names, dtype=pl.String)).to_list()


class MemoryGraph:
    """A Graph over frames (partition.RECORDS, LINKS, DECISIONS, MEMBERS): to try rules out on a copy."""

    def __init__(
        self, records: pl.DataFrame, links: pl.DataFrame, decisions: pl.DataFrame, members: pl.DataFrame
    ) -> None:
        records = shaped(records, RECORDS)
        self._records = {number: (name, kind) for number, _, name, kind in records.iter_rows()}
        self._name_key = dict(zip(records["record_no"].to_list(), name_keys(records["name"].to_list()), strict=True))
        self._links: defaultdict[int, set[Identifier]] = defaultdict(set)
        self._holders: defaultdict[Identifier, set[int]] = defaultdict(set)
        for number, kind, scope, digest, its_class in shaped(links, LINKS).iter_rows():
            if its_class == "usable" and number in self._records:
                self._links[number].add(Identifier(kind, scope or "", digest))
                self._holders[Identifier(kind, scope or "", digest)].add(number)
        self._decisions = shaped(decisions, DECISIONS).rows()
        self._component = {number: component for number, component, _ in shaped(members, MEMBERS).iter_rows()}
        self._members: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for member in shaped(members, MEMBERS).iter_rows():
            self._members[member[1]].append(member)

    def records(self, record_nos: Collection[int]) -> Iterable[tuple[int, str | None, str | None]]:
        return [(number, *self._records[number]) for number in record_nos if number in self._records]

    def links(self, record_nos: Collection[int]) -> Iterable[tuple[int, Identifier]]:
        return [(number, identifier) for number in record_nos for identifier in self._links.get(number, ())]

    def degrees(self, identifiers: Collection[Identifier]) -> Iterable[tuple[Identifier, int]]:
        return [(identifier, len(self._holders[identifier])) for identifier in identifiers]

    def holders(self, identifiers: Collection[Identifier]) -> Iterable[int]:
        return {number for identifier in identifiers for number in self._holders.get(identifier, ())}

    def namesakes(self, named: Collection[Named]) -> Iterable[tuple[Named, int]]:
        return [
            (key, number)
            for key in named
            for number in self._holders.get(key.identifier, ())
            if self._name_key[number] == key.name_key
        ]

    def decisions(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, str]]:
        asked = set(record_nos)
        return [(a, b, kind) for a, b, kind in self._decisions if a in asked or b in asked]

    def members(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, int]]:
        components = {self._component[number] for number in record_nos if number in self._component}
        return [member for component in components for member in self._members[component]]
