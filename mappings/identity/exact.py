"""Decides the few groups of records in which something must stay apart: one union at a time, strongest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Claim(NamedTuple):
    """An identifier says that these records, all of one customer kind, are one customer.

    Claims are heard in the order of these fields: kind, then the oldest records, then the identifier.
    """

    rank: int
    holders: tuple[int, ...]
    """Ascending."""
    identifier: int
    with_name: bool = False


class Refusal(NamedTuple):
    """Why the two records were not united by the claim; identifier None: by a must_link."""

    record_a: int
    record_b: int
    identifier: int | None
    with_name: bool
    code: str
    against_kind: str
    against_scope: str
    against_a: int | None
    against_b: int | None
    open: bool = False
    """Waits for a person: nobody has decided yet that the two are not the same customer."""


class Decided(NamedTuple):
    """Each record's customer (the smallest record of its set), the unions that were refused, and the claims
    and must_links that hold: every customer hangs together by these."""

    customer: dict[int, int]
    refused: list[Refusal]
    accepted: list[Claim]
    obeyed: list[tuple[int, int]]


class Exclusive(NamedTuple):
    """The scope in which a record may have only one value, and the value."""

    kind: str
    scope: str
    value: int


@dataclass(frozen=True)
class Case:
    """Everything that is known of the records to decide about; records are any ascending integers."""

    records: Sequence[int]
    customer_kind: Mapping[int, int]
    name: Mapping[int, str]
    """Only of records whose name counts."""
    exclusive: Mapping[int, Sequence[Exclusive]]
    must_link: Iterable[tuple[int, int]]
    cannot_link: Iterable[tuple[int, int]]
    claims: Sequence[Claim]
    name_cap: Mapping[int, int]
    """Of each rank whose contested identifiers still join records with the same name."""


def decide(case: Case) -> Decided:
    """Unites what may be united, strongest claim first.

    A claim whose holders belong to customers that must stay apart unites nobody: it cannot be told whose the
    number is. With the name beside it, it may still unite holders of the same name.
    """
    sets = _Sets(case)
    refused: list[Refusal] = []
    accepted: list[Claim] = []
    obeyed: list[tuple[int, int]] = []
    for pair in sorted({(min(pair), max(pair)) for pair in case.must_link}):
        refusals = sets.obey(*pair)
        refused += refusals
        if not refusals:
            obeyed.append(pair)
    plain: defaultdict[int, list[Claim]] = defaultdict(list)
    named: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in case.claims:
        (named if claim.with_name else plain)[claim.rank].append(claim)
    for rank in sorted(plain.keys() | named.keys()):
        for claims in (plain[rank], named[rank]):
            for claim in sorted(claims):
                refusals = sets.hear(claim)
                refused += refusals
                if not refusals:
                    accepted.append(claim)
                elif not claim.with_name and rank in case.name_cap:
                    named[rank] += _by_name(claim, case.name, case.name_cap[rank])
    customer = {record: sets.smallest[sets.find(record)] for record in case.records}
    return Decided(customer, sets.final(refused), accepted, obeyed)


def joined(records: Iterable[int], groups: Iterable[Collection[int]]) -> dict[int, int]:
    """Each record's component: the smallest record that the groups tie it to."""
    parent = {record: record for record in records}

    def find(record: int) -> int:
        while parent[record] != record:
            parent[record] = parent[parent[record]]
            record = parent[record]
        return record

    for group in groups:
        roots = {find(record) for record in group}
        low = min(roots)
        for root in roots:
            parent[root] = low
    return {record: find(record) for record in parent}


def _by_name(claim: Claim, names: Mapping[int, str], cap: int) -> Iterable[Claim]:
    """The weaker claims that remain of a contested one."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for record in claim.holders:
        if record in names:
            groups[names[record]].append(record)
    return (claim._replace(holders=tuple(g), with_name=True) for g in groups.values() if 2 <= len(g) <= cap)


class _Sets:
    """The sets as they grow: union-find in which every root knows what stands against other sets."""

    def __init__(self, case: Case) -> None:
        self.parent = {record: record for record in case.records}
        self.smallest = dict(self.parent)
        self.size = dict.fromkeys(self.parent, 1)
        self.customer_kind = case.customer_kind
        self.values: dict[int, dict[tuple[str, str], dict[int, int]]] = {}
        """By root: for each exclusive kind and scope, each value and the smallest record that carries it."""
        self.foes: dict[int, dict[int, int]] = {}
        """By root: records that must stay outside, each with the record of this set that a decision names."""
        for record, exclusives in case.exclusive.items():
            self.values[record] = {(kind, scope): {value: record} for kind, scope, value in exclusives}
        for a, b in case.cannot_link:
            self.foes.setdefault(a, {})[b] = a
            self.foes.setdefault(b, {})[a] = b

    def find(self, record: int) -> int:
        while self.parent[record] != record:
            self.parent[record] = self.parent[self.parent[record]]
            record = self.parent[record]
        return record

    def obey(self, a: int, b: int) -> list[Refusal]:
        """Unites two records as a person decided; only another decision or their customer kind forbids it.

        Two values of an exclusive identifier do not: who decides has seen them (one person, two WeChat
        accounts).
        """
        left, right = self.find(a), self.find(b)
        if left == right:
            return []
        against = self._forbidden(left, right)
        if self.customer_kind[a] != self.customer_kind[b]:
            against = ("customer_kind", "", "", None, None)
        if against:
            return [Refusal(a, b, None, False, *against)]
        self._unite(left, right)
        return []

    def hear(self, claim: Claim) -> list[Refusal]:
        """Unites all holders, or nobody and says what stands between whom."""
        first: dict[int, int] = {}
        for record in claim.holders:
            first.setdefault(self.find(record), record)
        if len(first) == 1:
            return []
        roots = list(first)
        clashes: dict[int, tuple[int, _Against]] = {}
        for i, right in enumerate(roots):
            for left in roots[:i]:
                against = self._against(left, right)
                if against:
                    clashes[right] = (left, against)
                    break
        if not clashes:
            for right in roots[1:]:
                self._unite(self.find(roots[0]), self.find(right))
            return []
        nothing: _Against = ("ambiguous", "", "", None, None)
        refusals = []
        for right in roots[1:]:
            left, against = clashes.get(right, (roots[0], nothing))
            refusals.append(Refusal(first[left], first[right], claim.identifier, claim.with_name, *against))
        return refusals

    def final(self, refused: Iterable[Refusal]) -> list[Refusal]:
        """Without refusals that another union made pointless, and one a pair and identifier."""
        kept: dict[tuple[int, int, int | None], Refusal] = {}
        for refusal in refused:
            left, right = self.find(refusal.record_a), self.find(refusal.record_b)
            if left != right:
                undecided = refusal.code == "exclusive" and not self._forbidden(left, right)
                waiting = refusal.identifier is None or undecided
                kept.setdefault(refusal[:3], refusal._replace(open=waiting))
        return list(kept.values())

    def _against(self, left: int, right: int) -> _Against | None:
        return self._forbidden(left, right) or self._excluded(left, right)

    def _forbidden(self, left: int, right: int) -> _Against | None:
        """A cannot_link between the two sets: the pair with the smallest records."""
        if left not in self.foes or right not in self.foes:
            return None
        pairs = [(record, foe) for foe, record in self.foes[left].items() if self.find(foe) == right]
        return ("cannot_link", "", "", *min(pairs)) if pairs else None

    def _excluded(self, left: int, right: int) -> _Against | None:
        """An exclusive kind and scope of which neither set's values contain the other's."""
        if left not in self.values or right not in self.values:
            return None
        ours, theirs = self.values[left], self.values[right]
        for scoped in sorted(ours.keys() & theirs.keys()):
            mine, others = ours[scoped], theirs[scoped]
            if not (mine.keys() <= others.keys() or others.keys() <= mine.keys()):
                a = min(record for value, record in mine.items() if value not in others)
                b = min(record for value, record in others.items() if value not in mine)
                return "exclusive", *scoped, a, b
        return None

    def _unite(self, left: int, right: int) -> None:
        if left == right:
            return
        if self.size[left] < self.size[right]:
            left, right = right, left
        self.parent[right] = left
        self.smallest[left] = min(self.smallest[left], self.smallest[right])
        self.size[left] += self.size[right]
        if right in self.values:
            kept = self.values.setdefault(left, {})
            for scoped, values in self.values.pop(right).items():
                merged = kept.setdefault(scoped, {})
                for value, record in values.items():
                    merged[value] = min(record, merged.get(value, record))
        if right in self.foes:
            foes = self.foes.setdefault(left, {})
            for foe, record in self.foes.pop(right).items():
                foes[foe] = min(record, foes.get(foe, record))


_Against = tuple[str, str, str, int | None, int | None]
