"""Says why records are one customer, and why others that share something with them are not; masks only."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mappings.identity.exact import Claim, Decided, Refusal, decide
from mappings.identity.graph import Graph, Identifier
from mappings.identity.incremental import Change, Part, Touched
from mappings.identity.partition import CODES, Refused
from mappings.identity.rules import DEFAULT, Rules
from mappings.model import IDENTIFIER_KINDS
from mappings.problems import Text

Masks = Callable[[Collection[Identifier]], Mapping[Identifier, str]]
"""Looks up what may be shown of identifiers; those it does not know are shown without a value."""


@dataclass(frozen=True)
class Tie:
    """Two records of one customer and what makes them one. identifier None: a must_link."""

    record_a: int
    record_b: int
    identifier: Identifier | None
    mask: str
    with_name: bool
    sentence: Text


@dataclass(frozen=True)
class NotUnited:
    """Two records that share something and yet are two customers; `open`: waits for a person.

    `against`: the records that carry what differs, or that a decision names.
    """

    record_a: int
    record_b: int
    customer_a: int
    customer_b: int
    identifier: Identifier | None
    mask: str
    code: str
    against: tuple[int, int] | None
    open: bool
    sentence: Text


@dataclass(frozen=True)
class Ignored:
    """An identifier of the customer's that joins nobody by itself, because too many records carry it."""

    identifier: Identifier
    mask: str
    records: int
    cap: int
    sentence: Text


@dataclass(frozen=True)
class Explanation:
    """One customer: its records, what ties each of them to the ones before, and what was refused."""

    customer_id: int
    component_id: int
    records: tuple[int, ...]
    ties: tuple[Tie, ...]
    refused: tuple[NotUnited, ...]
    ignored: tuple[Ignored, ...]


def explain(graph: Graph, record_no: int, masks: Masks, rules: Rules = DEFAULT) -> Explanation | None:
    """The customer that this record belongs to, solved again from the store; None if there is no such record."""
    case = _Solved(graph, record_no, rules, masks)
    if record_no not in case.decided.customer:
        return None
    customer_id = case.decided.customer[record_no]
    records = tuple(sorted(n for n, customer in case.decided.customer.items() if customer == customer_id))
    refused = [
        case.not_united(refusal)
        for refusal in case.decided.refused
        if customer_id in (case.decided.customer[refusal.record_a], case.decided.customer[refusal.record_b])
    ]
    return Explanation(
        customer_id=customer_id,
        component_id=min(case.component(record_no)),
        records=records,
        ties=tuple(case.tree(customer_id).values()),
        refused=tuple(sorted(refused, key=lambda row: (not row.open, row.record_a, row.record_b))),
        ignored=case.ignored(records),
    )


def path(graph: Graph, record_a: int, record_b: int, masks: Masks, rules: Rules = DEFAULT) -> tuple[Tie, ...] | None:
    """The shortest chain of ties from one record to the other; None if they are not one customer.

    Of several shortest ones, the one over the stronger kinds.
    """
    case = _Solved(graph, record_a, rules, masks)
    tree = case.tree(record_a)
    chain: deque[Tie] = deque()
    while record_b != record_a:
        if record_b not in tree:
            return None
        chain.appendleft(tree[record_b])
        record_b = tree[record_b].record_a
    return tuple(chain)


class _Solved:
    """The component of one record, solved, with everything needed to speak about it."""

    def __init__(self, graph: Graph, record_no: int, rules: Rules, masks: Masks) -> None:
        self.found = Touched(graph, rules, Change([record_no]))
        self.part = Part(self.found)
        self.decided: Decided = decide(self.part.case)
        self.masks = masks(self.part.identifiers)
        self.holds: defaultdict[int, list[Claim]] = defaultdict(list)
        for claim in self.decided.accepted:
            for record in claim.holders:
                self.holds[record].append(claim)
        self.linked: defaultdict[int, list[int]] = defaultdict(list)
        for a, b in self.decided.obeyed:
            self.linked[a].append(b)
            self.linked[b].append(a)

    def component(self, record_no: int) -> set[int]:
        """All that hangs together with the record before refusals."""
        groups: defaultdict[int, list[Collection[int]]] = defaultdict(list)
        for group in self.part.groups():
            for record in group:
                groups[record].append(group)
        seen, frontier = {record_no}, [record_no]
        while frontier:
            new = {record for known in frontier for group in groups[known] for record in group} - seen
            seen |= new
            frontier = list(new)
        return seen

    def tree(self, root: int) -> dict[int, Tie]:
        """For each other record of the root's customer, the tie by which the shortest path reaches it."""
        reached: dict[int, Tie] = {}
        frontier = deque([root])
        while frontier:
            record = frontier.popleft()
            for claim in sorted(self.holds[record]):
                for other in claim.holders:
                    if other != root and other not in reached:
                        reached[other] = self._tie(record, other, claim)
                        frontier.append(other)
            for other in sorted(self.linked[record]):
                if other != root and other not in reached:
                    reached[other] = self._tie(record, other, None)
                    frontier.append(other)
        return reached

    def not_united(self, refusal: Refusal) -> NotUnited:
        identifier = None if refusal.identifier is None else self.part.identifiers[refusal.identifier]
        against = None
        if refusal.against_a is not None and refusal.against_b is not None:
            against = (refusal.against_a, refusal.against_b)
        return NotUnited(
            record_a=refusal.record_a,
            record_b=refusal.record_b,
            customer_a=self.decided.customer[refusal.record_a],
            customer_b=self.decided.customer[refusal.record_b],
            identifier=identifier,
            mask=self._mask(identifier),
            code=refusal.code,
            against=against,
            open=refusal.open,
            sentence=_refused(
                identifier, self._mask(identifier), refusal.with_name, refusal.code, refusal.against_kind
            ),
        )

    def ignored(self, records: Collection[int]) -> tuple[Ignored, ...]:
        carried = {identifier for record in records for identifier in self.found.links[record]}
        return tuple(self._ignored(identifier) for identifier in sorted(carried & self.found.capped))

    def _ignored(self, identifier: Identifier) -> Ignored:
        count, cap = self.found.degree[identifier], self.found.rule(identifier).cap
        name = _named(identifier, self._mask(identifier))
        sentence = Text(
            f"{name.zh.lstrip()} 有 {count:,} 条记录共用,超过上限 {cap},不单独作为依据",
            f"{name.en} is shared by {count:,} records, over the cap of {cap}: it joins nobody by itself",
        )
        return Ignored(identifier, self._mask(identifier), count, cap, sentence)

    def _tie(self, a: int, b: int, claim: Claim | None) -> Tie:
        identifier = None if claim is None else self.part.identifiers[claim.identifier]
        with_name = claim is not None and claim.with_name
        mask = self._mask(identifier)
        return Tie(a, b, identifier, mask, with_name, _shared(identifier, mask, with_name))

    def _mask(self, identifier: Identifier | None) -> str:
        return "" if identifier is None else self.masks.get(identifier, "")


def describe(refused: Refused, mask: str) -> Text:
    """The refused union as a sentence; `mask` is what may be shown of the identifier the two records share."""
    identifier = Identifier(refused.kind, refused.scope, refused.digest) if refused.digest else None
    if refused.code == "several_values":
        kind = _named(Identifier(refused.kind, refused.scope, b""), "")
        return Text(f"一条记录带有多个{kind.zh}", f"one record carries several values of {kind.en}")
    return _refused(identifier, mask, refused.with_name, refused.code, refused.against_kind)


def _refused(identifier: Identifier | None, mask: str, with_name: bool, code: str, against_kind: str) -> Text:
    shared, but = _shared(identifier, mask, with_name), CODES[code]
    if code == "exclusive":
        kind = _named(Identifier(against_kind, "", b""), "")
        but = Text(f"{kind.zh} 不同", f"their {kind.en} differs")
    return Text(f"{shared.zh},但{but.zh}", f"{shared.en}, but {but.en}")


def _shared(identifier: Identifier | None, mask: str, with_name: bool) -> Text:
    if identifier is None:
        return Text("已人工确认为同一客户", "a person decided that they are the same customer")
    name = _named(identifier, mask)
    if with_name:
        return Text(f"两条记录的{name.zh} 与姓名都相同", f"two records share the {name.en} and the name")
    return Text(f"两条记录共用{name.zh}", f"two records share the {name.en}")


def _named(identifier: Identifier, mask: str) -> Text:
    """Kind and mask; Chinese text has a space before a Latin word."""
    zh = IDENTIFIER_KINDS[identifier.kind]
    return Text(f"{' ' if zh[0].isascii() else ''}{zh} {mask}".rstrip(), f"{_english(identifier.kind)} {mask}".rstrip())


def _english(kind: str) -> str:
    return {"unionid": "UnionID", "openid": "OpenID"}.get(kind, kind.replace("_", " "))
