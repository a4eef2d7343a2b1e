"""The rules by which records become one customer, as data: which kinds join whom, in which order, up to how many.

Written by hand they look like this; what is left out of a kind has the value it has in DEFAULT (or, for a
kind of one's own order, the general one below).

    version: 1
    kinds:                        # strongest first; a kind that is not listed joins nobody
      - kind: unionid
        exclusive: true
        cap: 100
      - kind: phone
        cap: 12
        with_name: true
        name_cap: 100
        proposes: [masked, weak]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b

from mappings.model import CUSTOMER_RECORD, IDENTIFIER_KINDS
from mappings.problems import Problem, Text

CUSTOMER_KINDS = CUSTOMER_RECORD.field("kind").choices
"""person, company, channel. A record that does not say counts as a person."""

SCOPES = ("global", "connector", "named")
"""Whose numbers they are: everybody's (phone), one connector's (member number), or of an account that the
field map must name (unionid: the open platform account)."""

PROPOSING = ("masked", "weak", "shared")


@dataclass(frozen=True)
class KindRule:
    """What identifiers of one kind may do.

    `joins`: customer kinds whose records it joins by itself; records of two customer kinds are never joined.
    `joins_with_name`: customer kinds whose records it joins only if the name agrees too.
    `cap`: an identifier that more records than this carry joins nobody by itself.
    `exclusive`: two values of one scope are two customers; a union that would mix them is refused.
    `with_name`: over the cap, or between two customers that must stay apart, it still joins records that also
    carry the same name, up to `name_cap` records.
    `proposes`: classes that are no keys, but with the same full name are worth a person's look.
    """

    kind: str
    joins: tuple[str, ...] = ("person",)
    joins_with_name: tuple[str, ...] = ()
    scope: str = "connector"
    cap: int = 100
    exclusive: bool = False
    with_name: bool = False
    name_cap: int = 100
    proposes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All kinds, strongest first: unions are made in this order, so a stronger kind is never refused for the
    sake of a weaker one."""

    kinds: tuple[KindRule, ...]

    @cached_property
    def by_kind(self) -> Mapping[str, KindRule]:
        return {rule.kind: rule for rule in self.kinds}

    @cached_property
    def rank(self) -> Mapping[str, int]:
        return {rule.kind: rank for rank, rule in enumerate(self.kinds)}

    @cached_property
    def version(self) -> str:
        """Sixteen characters that change when any rule does: all customers are resolved again then."""
        canonical = json.dumps([asdict(rule) for rule in self.kinds], sort_keys=True)
        return blake2b(canonical.encode(), digest_size=8).hexdigest()

    def default_scope(self, kind: str, connector: str) -> str | None:
        """The scope of an identifier whose field map names none; None if it has to name one."""
        rule = self.by_kind.get(kind)
        return {"global": "", "connector": connector, "named": None}[rule.scope if rule else "connector"]


_ANYBODY = ("person", "company", "channel")

DEFAULT = Rules(
    (
        # A person has a record in each official account, mini program, shop and community: dozens, not hundreds.
        KindRule("unionid", scope="named", exclusive=True),
        KindRule("external_userid"),
        KindRule("openid"),
        # Contacts carry their company's code too; only the company's own records are joined by it.
        KindRule("company_code", joins=("company",), scope="global", exclusive=True),
        KindRule("member_no", joins=("person", "company")),
        KindRule("customer_no", joins=_ANYBODY),
        KindRule("shop_buyer"),
        # One person in half a dozen systems, or a household in three, stays under 12; a shop assistant who
        # types his own number for walk-in customers does not. A book-keeper's phone stands behind many
        # companies, so companies need the name as well.
        KindRule(
            "phone",
            joins_with_name=("company",),
            scope="global",
            cap=12,
            with_name=True,
            proposes=("masked", "weak"),
        ),
        KindRule("email", joins_with_name=("company",), scope="global", cap=12, with_name=True, proposes=("weak",)),
    )
)
"""Used where the company's folder has no identity.yaml."""


def parse(data: object, locate: Callable[[str], str] = str) -> tuple[Rules, list[Problem]]:
    """Reads rules from a parsed document; with problems, the rules are the valid part and must not be used.

    `locate` turns a key path such as kinds[3].cap into what the reader of the message needs (file:line).
    """
    problems: list[Problem] = []

    def wrong(path: str, zh: str, en: str) -> None:
        do = Text("改正后重新运行", "correct it and run again")
        problems.append(Problem("identity.rules", Text(f"{path}:{zh}", f"{path}: {en}"), locate(path), do))

    if not isinstance(data, Mapping):
        wrong("identity", "应为键值结构", "must be a mapping")
        return DEFAULT, problems
    for key in data:
        if key not in ("version", "kinds"):
            wrong(str(key), "未知的键", "no such key")
    if data.get("version") != 1:
        wrong("version", "应为 1", "must be 1")
    listed = data.get("kinds")
    if not isinstance(listed, list) or not listed:
        wrong("kinds", "至少列出一种标识", "must list at least one kind")
        return DEFAULT, problems
    rules: list[KindRule] = []
    for number, entry in enumerate(listed):
        rule = _kind_rule(entry, f"kinds[{number}]", wrong)
        if rule is not None and rule.kind in {other.kind for other in rules}:
            wrong(f"kinds[{number}].kind", f"{rule.kind} 出现两次", f"{rule.kind} appears twice")
        elif rule is not None:
            rules.append(rule)
    return Rules(tuple(rules)), problems


def _kind_rule(entry: object, path: str, wrong: Callable[[str, str, str], None]) -> KindRule | None:
    """One entry of `kinds`; None after telling what is wrong with it."""
    if isinstance(entry, str):
        entry = {"kind": entry}
    kind = entry.get("kind") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(kind, str) or kind not in IDENTIFIER_KINDS:
        known = ", ".join(IDENTIFIER_KINDS)
        wrong(f"{path}.kind", f"应为 {known} 之一", f"must be one of {known}")
        return None
    values = asdict(DEFAULT.by_kind.get(kind, KindRule(kind)))
    good = True
    for key, value in entry.items():
        if _is_valid(str(key), value):
            values[key] = tuple(value) if isinstance(value, list) else value
        elif key != "kind":
            zh, en = _EXPECTED.get(str(key), ("未知的键", "no such key"))
            wrong(f"{path}.{key}", zh, en)
            good = False
    if "joins_with_name" not in entry:
        values["joins_with_name"] = tuple(k for k in values["joins_with_name"] if k not in values["joins"])
    if set(values["joins"]) & set(values["joins_with_name"]):
        wrong(f"{path}.joins_with_name", "不能与 joins 重复", "must not repeat what joins holds")
        good = False
    return KindRule(**values) if good else None


def _is_valid(key: str, value: object) -> bool:
    choices = {"joins": CUSTOMER_KINDS, "joins_with_name": CUSTOMER_KINDS, "proposes": PROPOSING}.get(key)
    if choices is not None:
        return isinstance(value, list) and all(item in choices for item in value)
    if key in {"cap", "name_cap"}:
        return type(value) is int and value >= 1  # True is an int too, and no number
    if key in {"exclusive", "with_name"}:
        return isinstance(value, bool)
    return key == "scope" and value in SCOPES


_KINDS_LIST = (f"应为列表,可选 {', '.join(CUSTOMER_KINDS)}", f"must be a list out of {', '.join(CUSTOMER_KINDS)}")
_WHOLE = ("应为不小于 1 的整数", "must be a whole number of at least 1")
_FLAG = ("应为 true 或 false", "must be true or false")
_EXPECTED = {
    "joins": _KINDS_LIST,
    "joins_with_name": _KINDS_LIST,
    "proposes": (f"应为列表,可选 {', '.join(PROPOSING)}", f"must be a list out of {', '.join(PROPOSING)}"),
    "cap": _WHOLE,
    "name_cap": _WHOLE,
    "exclusive": _FLAG,
    "with_name": _FLAG,
    "scope": (f"应为 {', '.join(SCOPES)} 之一", f"must be one of {', '.join(SCOPES)}"),
}
