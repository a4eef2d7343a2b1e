"""Reads contracts from their YAML files and says everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from mappings import documents, model
from mappings.documents import Document, KeyPath
from mappings.problems import LiukeError, Problem, Text
from quality import row_checks, set_checks
from quality.contract import Contract, Contracts, Dimension, Kind, Rule, Severity

API_VERSION = "v3.1.0"
T = TypeVar("T")
HOUR_US = 3_600_000_000

_DIMENSIONS = {
    **{d: Dimension(d) for d in ("completeness", "accuracy", "consistency", "timeliness", "uniqueness")},
    "conformity": Dimension.VALIDITY,
    "coverage": Dimension.LINKAGE,
}
"""Words of ODCS -> ours; the last two are named otherwise there."""

_UNITS = {"m": 1 / 60, "h": 1, "d": 24}
_RULE_WORDS = frozenset({"title", "repair", "check", "findings", "target"})
"""Keys of an implementation that are not arguments of its check."""


class ContractError(LiukeError):
    """Contracts cannot be used as they are written."""


def load(folder: Path | None = None, connectors: Collection[str] = ()) -> Contracts:
    """The shipped contracts with the user's changes from `folder`; ContractError holds all problems."""
    problems: list[Problem] = []
    shipped = {
        entity: _read(documents.parse(text, f"quality/contracts/{entity}.yaml"), entity, None, problems)
        for entity, text in _shipped()
    }
    changed: dict[tuple[str, str], Contract] = {}
    files = sorted(folder.glob("*.yaml")) if folder is not None and folder.is_dir() else []
    # Changes for all connectors come first: those for one are made on top of them.
    for path in sorted(files, key=lambda file: file.stem.count(".")):
        connector, _, entity = path.stem.rpartition(".")
        if entity not in shipped or (connector and connector not in connectors):
            problems.append(_misnamed(path, connector, entity, connectors))
            continue
        try:
            document = documents.load(path, f"{path.parent.name}/{path.name}")
        except LiukeError as error:
            problems += error.problems
            continue
        contract = _read(document, entity, shipped[entity], problems)
        if connector:
            changed[connector, entity] = contract
        else:
            shipped[entity] = contract
    if problems:
        raise ContractError(*problems)
    return Contracts(shipped, changed)


def _shipped() -> Iterator[tuple[str, str]]:
    folder = resources.files("quality") / "contracts"
    for entity in model.ENTITIES:
        yield entity, (folder / f"{entity}.yaml").read_text(encoding="utf-8")


# --- one contract -------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """One contract being read: the document, the entity, and the problems found so far."""

    document: Document
    entity: model.Entity
    problems: list[Problem]

    def wrong(self, path: KeyPath, zh: str, en: str, code: str = "contract.wrong") -> None:
        self.problems.append(
            Problem(
                code,
                Text(zh, en),
                self.document.where(path),
                Text(
                    "按 docs/quality.md 的写法更正; 随产品发布的契约可作样例",
                    "correct it as docs/quality.md shows; the shipped contracts are examples",
                ),
            )
        )


def _read(document: Document, entity: str, base: Contract | None, problems: list[Problem]) -> Contract:
    reading = _Reading(document, model.ENTITIES[entity], problems)
    empty = base or _empty(entity)
    data = document.data
    if not isinstance(data, dict):
        reading.wrong((), "文件应为键值结构", "the file is not a mapping")
        return empty
    if data.get("kind") != "DataContract" or data.get("apiVersion") != API_VERSION:
        reading.wrong(
            ("apiVersion",),
            f"应写明 apiVersion: {API_VERSION} 与 kind: DataContract",
            f"needs apiVersion: {API_VERSION} and kind: DataContract",
        )
    table = _table(reading, data)
    if table is None:
        return empty
    labels, personal = dict(empty.labels), set(empty.personal)
    rules = {(rule.code, rule.field): rule for rule in empty.rules}
    _read_rules(reading, table.get("quality"), ("schema", 0, "quality"), "", rules)
    for position, item in enumerate(_items(reading, table.get("properties"), ("schema", 0, "properties"))):
        path = ("schema", 0, "properties", position)
        name = item.get("name")
        if name not in _known_fields(reading.entity):
            reading.wrong(
                (*path, "name"), f"{entity} 没有字段 {name}", f"{entity} has no field {name}", "contract.unknown-field"
            )
            continue
        if "businessName" in item:
            labels[name] = Text(str(item["businessName"]), str(item.get("description", name)))
        if item.get("classification") == "personal":
            personal.add(name)
        _read_rules(reading, item.get("quality"), (*path, "quality"), name, rules)
    return Contract(
        entity,
        Text(reading.entity.zh, str(data.get("id", entity)).removeprefix("liuke.").replace("_", " ")),
        str(data.get("version", empty.version)),
        _team(data.get("team")) or empty.team,
        _due(reading, data, empty.due_us),
        labels,
        frozenset(personal),
        (*_required(reading.entity), *rules.values()) if base is None else tuple(rules.values()),
    )


def _empty(entity: str) -> Contract:
    title = Text(model.ENTITIES[entity].zh, entity.replace("_", " "))
    return Contract(entity, title, "", Text("", ""), 24 * HOUR_US, {}, frozenset(), ())


def _table(reading: _Reading, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tables = _items(reading, data.get("schema"), ("schema",))
    if len(tables) != 1 or tables[0].get("name") != reading.entity.name:
        reading.wrong(
            ("schema",),
            f"schema 应只有一项, 名为 {reading.entity.name}",
            f"schema must have one item, named {reading.entity.name}",
        )
        return None
    return tables[0]


def _items(reading: _Reading, value: Any, path: KeyPath) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        reading.wrong(path, "应为列表, 每项是键值结构", "must be a list of mappings")
        return []
    return value


def _team(team: Any) -> Text | None:
    if not isinstance(team, dict) or not team.get("name"):
        return None
    return Text(str(team["name"]), str(team.get("description", team["name"])))


def _known_fields(entity: model.Entity) -> set[str]:
    fields = {f.name for f in entity.mapped()}
    # Identifiers stand in a table of their own, but people think of them as fields of the customer.
    return fields | set(model.IDENTIFIER_KINDS) if entity is model.CUSTOMER_RECORD else fields


def _due(reading: _Reading, data: Mapping[str, Any], default: int) -> int:
    for position, item in enumerate(_items(reading, data.get("slaProperties"), ("slaProperties",))):
        if item.get("property") != "timeToRepair":
            continue
        value, unit = item.get("value"), item.get("unit", "h")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or unit not in _UNITS:
            reading.wrong(
                ("slaProperties", position),
                "timeToRepair 应为正数, 单位 m、h 或 d",
                "timeToRepair: a positive number of m, h or d",
            )
            continue
        return round(value * _UNITS[unit] * HOUR_US)
    return default


def _required(entity: model.Entity) -> Iterator[Rule]:
    """A required column can never be empty, whatever a contract says: the table would refuse the row."""
    for checked in entity.fields:
        if checked.required and not checked.hub and (entity.name, checked.name) != ("product", "code"):
            yield Rule(
                "row.key-missing", Kind.ROW, entity.name, checked.name, Severity.BLOCKING, Dimension.COMPLETENESS,
                Text(f"{checked.zh}为空", f"{checked.name} is empty"),
                Text("在来源系统补录, 或请 IT 检查字段映射", "enter it in the source, or have IT check the field map"),
                Decimal(1), "mappings/model.py", "filled", {}, (checked.name,),
            )  # fmt: skip


# --- rules --------------------------------------------------------------------------------------------


def _read_rules(reading: _Reading, value: Any, path: KeyPath, name: str, rules: dict[tuple[str, str], Rule]) -> None:
    seen: set[str] = set()
    for position, item in enumerate(_items(reading, value, path)):
        here = (*path, position)
        rule = _rule(reading, item, here, name, rules)
        if rule is None:
            continue
        if rule.code in seen:
            reading.wrong((*here, "name"), f"规则 {rule.code} 重复", f"rule {rule.code} stands here twice")
        seen.add(rule.code)
        rules[rule.code, rule.field] = rule


def _rule(
    reading: _Reading,
    item: Mapping[str, Any],
    path: KeyPath,
    name: str,
    known: Mapping[tuple[str, str], Rule],
) -> Rule | None:
    problems_before = len(reading.problems)
    severity = _word(reading, item, path, "severity", {s.value: s for s in Severity})
    dimension = _word(reading, item, path, "dimension", _DIMENSIONS)
    kind = item.get("type", "library")
    if kind == "library":
        rule = _completeness(reading, item, path, name, known)
    elif kind == "custom" and item.get("engine") == "liuke" and isinstance(item.get("implementation"), dict):
        rule = _custom(reading, item, path, name, known)
    else:
        reading.wrong(
            path,
            "规则应为 type: library (missingValues), 或 type: custom, engine: liuke 加 implementation",
            "a rule is type: library (missingValues), or type: custom, engine: liuke with an implementation",
        )
        return None
    if rule is None or len(reading.problems) > problems_before:
        return None
    return replace(
        rule,
        severity=severity or rule.severity,
        dimension=dimension or rule.dimension,
        where=reading.document.where(path),
    )


def _word(reading: _Reading, item: Mapping[str, Any], path: KeyPath, key: str, words: Mapping[str, T]) -> T | None:
    if key not in item:
        return None
    if item[key] not in words:
        reading.wrong((*path, key), f"{key} 应为 {'、'.join(words)} 之一", f"{key} must be one of {', '.join(words)}")
        return None
    return words[item[key]]


def _completeness(
    reading: _Reading,
    item: Mapping[str, Any],
    path: KeyPath,
    name: str,
    known: Mapping[tuple[str, str], Rule],
) -> Rule | None:
    entity = reading.entity
    code = f"completeness.{entity.name}.{name}"
    share = item.get("mustBeLessOrEqualTo")
    if not name or item.get("metric") not in {"missingValues", "nullValues"} or item.get("unit") != "percent":
        reading.wrong(
            path,
            "完整率写在字段下: metric: missingValues, unit: percent, mustBeLessOrEqualTo: 30",
            "completeness stands below a field: metric: missingValues, unit: percent, mustBeLessOrEqualTo: 30",
        )
        return None
    target = _share(reading, share, (*path, "mustBeLessOrEqualTo"))
    if target is None:
        return None
    label = next((f.zh for f in entity.mapped() if f.name == name), model.IDENTIFIER_KINDS.get(name, name))
    if (code, name) in known:
        return replace(known[code, name], target=1 - target)
    return Rule(
        code, Kind.COMPLETENESS, entity.name, name, Severity.WARNING, Dimension.COMPLETENESS,
        Text(f"{entity.zh}的{label}填写率", f"{entity.name.replace('_', ' ')}: {name.replace('_', ' ')} filled in"),
        Text("在来源系统补录; 编号样例见检查项", "fill them in at the source; some numbers stand beside the check"),
        1 - target, "",
    )  # fmt: skip


def _custom(
    reading: _Reading,
    item: Mapping[str, Any],
    path: KeyPath,
    name: str,
    known: Mapping[tuple[str, str], Rule],
) -> Rule | None:
    code = item.get("name")
    if not isinstance(code, str) or not code:
        reading.wrong(path, "规则缺少 name (检查代码)", "the rule has no name (the code of the check)")
        return None
    base = known.get((code, name))
    implementation, inside = item["implementation"], (*path, "implementation")
    title = _text(reading, implementation, inside, "title") or (base.title if base else None)
    repair = _text(reading, implementation, inside, "repair") or (base.repair if base else Text("", ""))
    if title is None:
        reading.wrong((*inside, "title"), "新规则需要 title: {zh, en}", "a new rule needs title: {zh, en}")
        return None
    target = base.target if base else Decimal(1)
    if "target" in implementation:
        given = _share(reading, implementation["target"], (*inside, "target"))
        target = target if given is None else given
    start = base or Rule(
        code, Kind.ROW, reading.entity.name, name, Severity.WARNING, Dimension.VALIDITY, title, repair, target, ""
    )
    findings = implementation.get("findings", start.kind is Kind.FINDINGS)
    if findings:
        if code not in set_checks.known():
            reading.wrong(
                (*path, "name"),
                f"没有名为 {code} 的检查",
                f"there is no set check named {code}",
                "contract.unknown-check",
            )
            return None
        return replace(start, kind=Kind.FINDINGS, title=title, repair=repair, target=target)
    rule = replace(start, kind=Kind.ROW, title=title, repair=repair, target=target)
    return _row_rule(reading, implementation, inside, rule)


def _row_rule(reading: _Reading, implementation: Mapping[str, Any], path: KeyPath, rule: Rule) -> Rule | None:
    name = implementation.get("check", rule.check)
    check = row_checks.CHECKS.get(name)
    if check is None or not rule.field or rule.field not in {f.name for f in reading.entity.mapped()}:
        reading.wrong(
            (*path, "check"),
            f"行检查写在字段下, check 为 {'、'.join(sorted(row_checks.CHECKS))} 之一",
            f"a row check stands below a field of the table; check is one of {', '.join(sorted(row_checks.CHECKS))}",
            "contract.unknown-check",
        )
        return None
    given = {key: value for key, value in implementation.items() if key not in _RULE_WORDS}
    if not given and rule.check == name:
        return rule
    try:
        arguments = check.read(reading.entity.field(rule.field), reading.entity, given)
    except row_checks.WrongArgument as error:
        reading.wrong(
            path, f"{name} 的参数不对: {error}", f"wrong argument of {name}: {error}", "contract.wrong-argument"
        )
        return None
    return replace(rule, check=name, arguments=arguments, columns=check.columns(rule.field, arguments))


def _text(reading: _Reading, implementation: Mapping[str, Any], path: KeyPath, key: str) -> Text | None:
    value = implementation.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        return Text(value, value)
    if not isinstance(value, dict) or not {"zh", "en"} >= set(value) or "zh" not in value:
        reading.wrong((*path, key), f"{key} 应写作 {{zh: …, en: …}}", f"{key} is written {{zh: …, en: …}}")
        return None
    return Text(str(value["zh"]), str(value.get("en", value["zh"])))


def _share(reading: _Reading, percent: Any, path: KeyPath) -> Decimal | None:
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        reading.wrong(path, "应为 0 至 100 的百分数", "must be a percentage from 0 to 100")
        return None
    return Decimal(str(percent)) / 100


def _misnamed(path: Path, connector: str, entity: str, connectors: Collection[str]) -> Problem:
    known = ", ".join(sorted(connectors)) or "-"
    if entity not in model.ENTITIES:
        what = Text(f"没有实体 {entity}", f"there is no entity {entity}")
    else:
        what = Text(f"没有连接器 {connector}", f"there is no connector {connector}")
    return Problem(
        "contract.misnamed",
        what,
        f"{path.parent.name}/{path.name}",
        Text(
            f"文件名应为 实体.yaml 或 连接器.实体.yaml; 连接器: {known}; 实体: {', '.join(model.ENTITIES)}",
            f"name it ENTITY.yaml or CONNECTOR.ENTITY.yaml; connectors: {known}",
        ),
    )
