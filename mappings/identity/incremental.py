"""Resolves what a change touches, and only that, with the same answer as resolving everything.

Customers depend on nothing outside their raw component (all that hangs together under the caps, before
refusals). So it is enough to find the components that the change can have altered, before and after it, and
to solve them whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mappings.identity.exact import Case, Claim, Exclusive, Refusal, decide, joined
from mappings.identity.graph import Graph, Identifier, Named, name_keys
from mappings.identity.partition import Capped, Member, Refused
from mappings.identity.rules import CUSTOMER_KINDS, DEFAULT, KindRule, Rules


@dataclass(frozen=True)
class Change:
    """What happened since the last resolution.

    `records`: numbers of all records that were added, removed, or whose name, kind or identifiers are not
    what they were, and of both records of every decision made or withdrawn. More than these does no harm.
    `lost`: what these records carried before, each identifier with the name they had then. At least what
    they carry no more; more does no harm.
    """

    records: Collection[int]
    lost: Collection[Named] = ()

    @classmethod
    def of(
        cls,
        record_nos: Collection[int],
        names_before: Mapping[int, str | None],
        links_before: Iterable[tuple[int, Identifier]],
    ) -> Change:
        """The change to these records, from the names and usable links they had when last resolved."""
        keys = dict(zip(names_before, name_keys(list(names_before.values())), strict=True))
        return cls(record_nos, {Named(identifier, keys.get(number)) for number, identifier in links_before})


@dataclass(frozen=True)
class Resolution:
    """The answer for the touched components, as rows.

    They replace: the members, refusals and conflicts of every component that has a row in `members` or is in
    `vanished_components`; the capped rows of the identifiers in `checked`. `removed`: touched records that no
    longer exist. `vanished_customers`: ids that were a customer's and are none's any more. There are no
    proposals: propose() looks at all weak keys at once.
    """

    members: list[Member]
    refused: list[Refused]
    conflicts: list[Refused]
    capped: list[Capped]
    checked: set[Identifier]
    removed: list[int]
    vanished_components: list[int]
    vanished_customers: list[int]
    rules_version: str


def resolve_incremental(graph: Graph, change: Change, rules: Rules = DEFAULT) -> Resolution:
    """What a full resolution of the store would answer for the components that the change touches.

    The rules must be those of the last resolution; other rules need a full one. It takes about 50 us of CPU
    a touched record (a full resolution 2 us a record): a change of more than a few per cent of a large store
    is cheaper as a full one.
    """
    found = Touched(graph, rules, change)
    part = Part(found)
    customers, refusals, _, _ = decide(part.case)
    component = joined(found.people, part.groups())
    members = [Member(number, component[number], customers[number]) for number in sorted(found.people)]
    refused = [part.refused(refusal, component, customers) for refusal in refusals]
    refused.sort(key=lambda row: (row.component_id, rules.rank.get(row.kind, -1), *row[1:3], row.scope, row.digest))
    before = list(graph.members(found.record_nos))
    return Resolution(
        members=members,
        refused=refused,
        conflicts=_conflicts(refused, part.several_values(component, customers)),
        capped=_capped(found),
        checked=set(found.degree),
        removed=sorted(found.record_nos - found.people.keys()),
        vanished_components=sorted({row[1] for row in before} - {member.component_id for member in members}),
        vanished_customers=sorted({row[2] for row in before} - {member.customer_id for member in members}),
        rules_version=rules.version,
    )


def touched(graph: Graph, change: Change, rules: Rules = DEFAULT) -> set[int]:
    """The records whose components the change can have altered: whole components, before and after it."""
    return Touched(graph, rules, change).record_nos


class Touched:
    """The touched records, found step by step, with all that was read of the store on the way.

    `people`: customer kind and name key of those that exist. `links`: their identifiers of kinds that have a
    rule. `degree`: how many records of the whole store carry an identifier; `capped` are those over their
    cap, and `namesakes` says which records carry one of these and have the name. `decisions`: all that name
    a touched record.
    """

    def __init__(self, graph: Graph, rules: Rules, change: Change) -> None:
        self.graph, self.rules = graph, rules
        self.record_nos: set[int] = set()
        self.people: dict[int, tuple[str, str | None]] = {}
        self.links: dict[int, list[Identifier]] = {}
        self.degree: dict[Identifier, int] = {}
        self.capped: set[Identifier] = set()
        self.namesakes: dict[Named, list[int]] = {}
        self.decisions: set[tuple[int, int, str]] = set()
        self._spread: set[Identifier] = set()
        frontier = self._seeds(change)
        while frontier:
            self.record_nos |= frontier
            frontier = self._tied_to(frontier) - self.record_nos

    def rule(self, identifier: Identifier) -> KindRule:
        return self.rules.by_kind[identifier.kind]

    def _seeds(self, change: Change) -> set[int]:
        """The changed records, all whose ties may have changed with them, and all that was one component
        with any of these."""
        changed = set(change.records)
        self._load(changed)
        lost = [named for named in change.lost if named.identifier.kind in self.rules.by_kind]
        now = [(identifier, number) for number in changed for identifier in self.links.get(number, ())]
        holding = Counter(identifier for identifier, _ in now)
        affected = {named.identifier for named in lost} | holding.keys()
        self._count(affected)
        # Under the cap: the others were one component with who lost it, or are with who gained it. Over it,
        # but not by more than there are changed records with it: it may have crossed. Far over: it joined
        # nobody before and joins nobody now.
        alive = {i for i in affected if self.degree[i] - holding[i] <= self.rule(i).cap}
        self._spread = alive
        seeds = changed | set(self.graph.holders(alive))
        named_now = Counter(Named(i, self.people[number][1]) for i, number in now if i in self.capped)
        for named, same in self._count_names({*lost, *named_now}).items():
            if len(same) - named_now[named] <= self.rule(named.identifier).name_cap:
                seeds.update(same)
        return seeds | {number for number, _, _ in self.graph.members(seeds)}

    def _tied_to(self, record_nos: set[int]) -> set[int]:
        """All that these records are tied to: by an identifier, by an identifier and the name, by decision."""
        self._load(record_nos - self.people.keys())
        carried = [(number, self.links[number]) for number in record_nos if number in self.links]
        identifiers = {identifier for _, held in carried for identifier in held}
        self._count(identifiers)
        joining = {i for i in identifiers - self._spread if self.degree[i] > 1} - self.capped
        self._spread |= joining
        tied = set(self.graph.holders(joining)) if joining else set()
        capped = self.capped & identifiers
        if capped:
            names = {Named(i, self.people[number][1]) for number, held in carried for i in held if i in capped}
            for named, same in self._count_names(names).items():
                if len(same) <= self.rule(named.identifier).name_cap:
                    tied.update(same)
        decisions = set(self.graph.decisions(record_nos))
        self.decisions |= decisions
        tied.update(number for a, b, kind in decisions if kind == "must_link" for number in (a, b))
        return tied

    def _load(self, record_nos: set[int]) -> None:
        """Reads records and what they carry."""
        rows = list(self.graph.records(record_nos))
        keys = name_keys([name for _, name, _ in rows])
        for (number, _, kind), key in zip(rows, keys, strict=True):
            self.people[number] = (kind if kind in CUSTOMER_KINDS else "person", key)
            self.links[number] = []
        for number, identifier in self.graph.links(record_nos):
            if identifier.kind in self.rules.by_kind and number in self.links:
                self.links[number].append(identifier)

    def _count(self, identifiers: set[Identifier]) -> None:
        new = identifiers - self.degree.keys()
        if new:
            self.degree.update(dict.fromkeys(new, 0))
            self.degree.update(self.graph.degrees(new))
            self.capped |= {identifier for identifier in new if self.degree[identifier] > self.rule(identifier).cap}

    def _count_names(self, names: set[Named]) -> dict[Named, list[int]]:
        """Who else has the name beside an identifier over its cap; under it, all holders are touched."""
        wanted = {
            named
            for named in names
            if named.name_key is not None
            and named.identifier in self.capped
            and (self.rule(named.identifier).with_name or self.rule(named.identifier).joins_with_name)
        }
        new = wanted - self.namesakes.keys()
        if new:
            self.namesakes.update({named: [] for named in new})
            for named, number in self.graph.namesakes(new):
                self.namesakes[named].append(number)
        return {named: self.namesakes[named] for named in wanted}


class Part:
    """The touched records as a case for the exact solver; all of them, because they are few."""

    def __init__(self, found: Touched) -> None:
        self.found, self.rules = found, found.rules
        self.holders: defaultdict[Identifier, list[int]] = defaultdict(list)
        for number in sorted(found.people):
            for identifier in found.links[number]:
                self.holders[identifier].append(number)
        rank = self.rules.rank
        self.identifiers = sorted(self.holders, key=lambda i: (i.digest, rank[i.kind], i.scope))
        self.number = {identifier: number for number, identifier in enumerate(self.identifiers)}
        self.several: list[tuple[int, str, str]] = []
        exclusive, unclear = self._exclusive()
        claims: list[Claim] = []
        for identifier in self.identifiers:
            if found.degree[identifier] > 1:
                claims += self._claims(identifier, unclear)
        together, apart = self._decided()
        self.case = Case(
            records=sorted(found.people),
            customer_kind={number: CUSTOMER_KINDS.index(kind) for number, (kind, _) in found.people.items()},
            name={number: key for number, (_, key) in found.people.items() if key is not None},
            exclusive=exclusive,
            must_link=together,
            cannot_link=apart,
            claims=claims,
            name_cap={rank: rule.name_cap for rank, rule in enumerate(self.rules.kinds) if rule.with_name},
        )

    def groups(self) -> Iterable[Collection[int]]:
        """What ties records into raw components."""
        yield from (claim.holders for claim in self.case.claims)
        yield from self.case.must_link

    def refused(self, refusal: Refusal, component: Mapping[int, int], customers: Mapping[int, int]) -> Refused:
        must_link = Identifier("must_link", "", b"")
        identifier = must_link if refusal.identifier is None else self.identifiers[refusal.identifier]
        a, b = refusal.record_a, refusal.record_b
        return Refused(
            component_id=component[a],
            record_a=a,
            record_b=b,
            customer_a=customers[a],
            customer_b=customers[b],
            kind=identifier.kind,
            scope=identifier.scope,
            digest=identifier.digest,
            with_name=refusal.with_name,
            code=refusal.code,
            against_kind=refusal.against_kind,
            against_scope=refusal.against_scope,
            against_a=refusal.against_a,
            against_b=refusal.against_b,
            open=refusal.open,
        )

    def several_values(self, component: Mapping[int, int], customers: Mapping[int, int]) -> list[Refused]:
        """A conflict for each record that carries several values of an exclusive identifier."""
        return [
            Refused(
                component_id=component[number],
                record_a=number,
                record_b=number,
                customer_a=customers[number],
                customer_b=customers[number],
                kind=kind,
                scope=scope,
                digest=b"",
                with_name=False,
                code="several_values",
                against_kind="",
                against_scope="",
                against_a=None,
                against_b=None,
                open=True,
            )
            for number, kind, scope in self.several
        ]

    def _exclusive(self) -> tuple[dict[int, list[Exclusive]], set[tuple[int, Identifier]]]:
        """The exclusive values of each record, and those links that say nothing certain: a record with two
        values in one scope is not known by either."""
        exclusive: dict[int, list[Exclusive]] = {}
        unclear: set[tuple[int, Identifier]] = set()
        kinds = {rule.kind for rule in self.rules.kinds if rule.exclusive}
        for number, identifiers in self.found.links.items():
            scoped: defaultdict[tuple[str, str], list[Identifier]] = defaultdict(list)
            for identifier in identifiers:
                if identifier.kind in kinds:
                    scoped[identifier.kind, identifier.scope].append(identifier)
            for (kind, scope), values in scoped.items():
                if len(values) == 1:
                    exclusive.setdefault(number, []).append(Exclusive(kind, scope, self.number[values[0]]))
                else:
                    self.several.append((number, kind, scope))
                    unclear.update((number, value) for value in values)
        return exclusive, unclear

    def _claims(self, identifier: Identifier, unclear: set[tuple[int, Identifier]]) -> list[Claim]:
        """What the identifier claims by itself, for each customer kind, and with the name beside it."""
        found, rule, number = self.found, self.found.rule(identifier), self.number[identifier]
        rank, over = self.rules.rank[identifier.kind], identifier in found.capped
        every = self.holders[identifier]
        plain: defaultdict[str, list[int]] = defaultdict(list)
        named: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for record in every:
            kind, key = found.people[record]
            if (record, identifier) in unclear:
                continue
            if kind in rule.joins and not over:
                plain[kind].append(record)
            elif key is not None and ((kind in rule.joins and rule.with_name) or kind in rule.joins_with_name):
                named[kind, key].append(record)
        claims = [Claim(rank, tuple(group), number) for group in plain.values() if len(group) > 1]
        if named:
            # The name's cap counts all holders of that name, whatever their customer kind.
            here = Counter(found.people[record][1] for record in every)
            for (_, key), group in named.items():
                namesakes = len(found.namesakes[Named(identifier, key)]) if over else here[key]
                if len(group) > 1 and namesakes <= rule.name_cap:
                    claims.append(Claim(rank, tuple(group), number, with_name=True))
        return claims

    def _decided(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """must_link and cannot_link between touched records; for a pair with both, cannot_link holds."""
        pairs: dict[str, set[tuple[int, int]]] = {"must_link": set(), "cannot_link": set()}
        for a, b, kind in self.found.decisions:
            if a != b and a in self.found.people and b in self.found.people:
                pairs[kind].add((min(a, b), max(a, b)))
        return sorted(pairs["must_link"] - pairs["cannot_link"]), sorted(pairs["cannot_link"])


def _capped(found: Touched) -> list[Capped]:
    return [Capped(*i, found.degree[i], found.rule(i).cap) for i in sorted(found.capped)]


def _conflicts(refused: Iterable[Refused], several_values: Iterable[Refused]) -> list[Refused]:
    """What waits for a person: the strongest evidence for each pair of customers."""
    first: dict[frozenset[int], Refused] = {}
    for row in refused:
        if row.open:
            first.setdefault(frozenset((row.customer_a, row.customer_b)), row)
    return sorted([*first.values(), *several_values], key=lambda row: (*row[:3], row.kind, row.scope, row.digest))
