"""Reads and checks field maps; every mistake of a map is found at once, with its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from mappings.documents import Document, KeyPath, near
from mappings.fieldmap import (
    POSITION,
    Buyer,
    EntityMap,
    FieldMap,
    IdentifierRule,
    Only,
    Rule,
    Source,
    StreamMap,
)
from mappings.fieldmap_layers import Layers
from mappings.fieldmap_table import ROW
from mappings.model import CUSTOMER_RECORD, DELETED, ENTITIES, IDENTIFIER_KINDS, Entity, Field, Type
from mappings.objects import LINE_NO
from mappings.problems import LiukeError, Problem, Text
from mappings.reading import EXTRACTED_AT
from mappings.transforms import Option, Transform, find, names
from mappings.transforms.texts import KEEP_NULL, KEEP_TEXT

OURS = {LINE_NO, EXTRACTED_AT, ROW}
"""Columns of our frames: what a record calls so cannot be mapped."""

RECORD_KEY = Field("key", "记录主键", Type.ID)
IDENTIFIER_VALUE = Field("identifier", "标识", Type.ID, personal=True)

_STREAM_KEYS = ("key", "updated_at", "created_at", "partial", "deleted", "entities")
_ENTITY_KEYS = ("entity", "each", "only", "extra", "identifiers", "buyer")
_RULE_KEYS = ("from", "as", "value", "join", "empty")
_MAKES_TEXT = {Type.TEXT, Type.ID}


def parse(shipped: Document, override: Document | None = None) -> FieldMap:
    """The map of a connector, with the user's changes laid over it. LiukeError with all problems."""
    reader = _Reader(Layers((shipped, override) if override else (shipped,)))
    fieldmap = reader.field_map(shipped.name)
    if reader.problems:
        raise LiukeError(*reader.problems)
    return fieldmap


def source_of(text: str) -> Source:
    """A source field as it is written: `id`, `buyer.phone`, `^id`, `#`. A backslash makes the next sign plain."""
    if text == POSITION:
        return Source(())
    parent = text.startswith("^")
    parts: list[str] = [""]
    signs = iter(text[1:] if parent else text)
    for sign in signs:
        if sign == "\\":
            parts[-1] += next(signs, "\\")
        elif sign == ".":
            parts.append("")
        else:
            parts[-1] += sign
    if not all(parts) or not OURS.isdisjoint(parts):
        raise ValueError(text)
    return Source(tuple(parts), parent)


class _Reader:
    """One reading of a map: collects problems instead of stopping at the first."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.problems: list[Problem] = []

    def field_map(self, name: str) -> FieldMap:
        for document in self.layers.documents:
            data = document.data
            if not isinstance(data, dict) or data.get("version") != 1:
                what = Text("缺少 version: 1。", "version: 1 is missing.")
                do = Text("在第一行写 version: 1。", "Write version: 1 on the first line.")
                self.problems.append(document.problem("version", "map.version", what, do))
        data = self.layers.data
        self._only_keys(data, (), ("version", "streams"))
        streams = self._map(data.get("streams"), ("streams",))
        return FieldMap(
            name, {stream: self._stream(stream, value, ("streams", stream)) for stream, value in streams.items()}
        )

    def _stream(self, name: str, value: object, path: KeyPath) -> StreamMap:
        data = self._map(value, path)
        self._only_keys(data, path, _STREAM_KEYS)
        keys = self._list(data.get("key"), (*path, "key"))
        if not keys:
            self._add((*path, "key"), "map.key-missing", Text("没有主键字段 key。", "There is no key."), _WRITE_KEY)
        key = tuple(
            Rule(RECORD_KEY, (source,), ("id",))
            for i, _ in enumerate(keys)
            if (source := self._source((*path, "key", i) if isinstance(data["key"], list) else (*path, "key")))
        )
        versions = [
            self._rule(data[written], (*path, written), CUSTOMER_RECORD.field(column))
            for written, column in (
                ("created_at", "source_created_at"),
                ("updated_at", "source_updated_at"),
            )
            if written in data
        ]
        deleted = self._rule(data["deleted"], (*path, "deleted"), DELETED) if "deleted" in data else None
        partial = data.get("partial", False)
        if not isinstance(partial, bool):
            self._add((*path, "partial"), "map.value", Text("应为 true 或 false。", "Write true or false."))
        entities = self._map(data.get("entities"), (*path, "entities"))
        if not entities:
            what = Text("没有任何实体。", "There are no entities.")
            self._add((*path, "entities"), "map.no-entity", what)
        found = [self._entity(label, item, (*path, "entities", label)) for label, item in entities.items()]
        return StreamMap(
            name,
            key,
            tuple(entity for entity in found if entity),
            tuple(rule for rule in versions if rule),
            deleted,
            partial is True,
        )

    def _entity(self, label: str, value: object, path: KeyPath) -> EntityMap | None:
        data = self._map(value, path)
        name = str(data.get("entity", label))
        if name not in ENTITIES:
            where = (*path, "entity") if "entity" in data else path
            what = Text(f"没有实体 {name}。", f"There is no entity {name}.")
            self._add(where, "map.unknown-entity", what, near(name, ENTITIES))
            return None
        entity = ENTITIES[name]
        each = self._source((*path, "each")) if "each" in data else None
        if each and (each.parent or not each.path):
            self._add((*path, "each"), "map.source", Text("each 要写记录的数组字段。", "Name a list of the record."))
        rules = self._rules(data, path, entity, _ENTITY_KEYS)
        if not any(rule.target.name == "source_id" for rule in rules) and "source_id" not in data:
            what = Text(f"{name} 没有 source_id。", f"{name} has no source_id.")
            do = Text(
                "写 source_id: 来源里的编号字段。", "Write source_id: and the field that numbers it in the source."
            )
            self._add(path, "map.source-id-missing", what, do)
        self._no_parent(each is not None, data, path, rules)
        identifiers: tuple[IdentifierRule, ...] = ()
        if "identifiers" in data:
            if entity is not CUSTOMER_RECORD:
                what = Text("只有 customer_record 有 identifiers。", "Only a customer_record has identifiers.")
                do = Text("订单等的买家写在 buyer 下。", "Write the buyer of an order or event under buyer.")
                self._add((*path, "identifiers"), "map.identifiers-misplaced", what, do)
            identifiers = self._identifiers(
                self._map(data["identifiers"], (*path, "identifiers")), (*path, "identifiers")
            )
        return EntityMap(
            label,
            entity,
            rules,
            each.path if each else None,
            self._only(data, path),
            self._extra(data, path),
            identifiers,
            self._buyer(data, path, entity),
        )

    def _rules(
        self, data: Mapping[str, Any], path: KeyPath, entity: Entity, other: Collection[str]
    ) -> tuple[Rule, ...]:
        fields = {field.name: field for field in entity.mapped()}
        rules = []
        for name, value in data.items():
            if name in other:
                continue
            if name in fields:
                rules.append(self._rule(value, (*path, name), fields[name]))
                continue
            if name == DELETED.name or any(name == field.name for field in entity.fields):
                what = Text(f"{name} 由系统填写。", f"{name} is filled by the hub.")
                do = Text("删掉这一行。", "Take the line out.")
                if name == DELETED.name:
                    do = Text("写在 stream 下。", "Write it under the stream.")
                self._add((*path, name), "map.hub-field", what, do)
                continue
            what = Text(f"{entity.name} 没有字段 {name}。", f"{entity.name} has no field {name}.")
            self._add((*path, name), "map.unknown-field", what, near(name, [*fields, *other]))
        return tuple(rule for rule in rules if rule)

    def _rule(self, value: object, path: KeyPath, target: Field) -> Rule | None:
        """`value` is a source field, a list of them (the first that is not empty), or a map with from or value."""
        if not isinstance(value, dict):
            sources = self._sources(path)
            return Rule(target, sources, (_default(target),), self._closed(target)) if sources else None
        if "value" in value:
            self._only_keys(value, path, ("value",))
            return self._constant(path, target)
        if "from" not in value:
            what = Text("没有 from 也没有 value。", "There is neither from nor value.")
            self._add(path, "map.value", what)
            return None
        steps = self._steps(value, path, target)
        own = {option.name: option for step in steps for option in step.options}
        self._only_keys(value, path, (*_RULE_KEYS, *own))
        options = {
            name: self._option(value[name], (*path, name), option, target)
            for name, option in own.items()
            if name in value
        }
        for name, option in own.items():
            if option.required and name not in value:
                what = Text(f"缺少 {name}: {option.meaning.zh}。", f"{name} is missing: {option.meaning.en}.")
                self._add(path, "map.option-missing", what)
        join = self.layers.text((*path, "join")) if "join" in value else None
        if join is not None and target.type not in _MAKES_TEXT:
            what = Text(f"{target.name} 不是文字, 不能拼接。", f"{target.name} is not text: nothing to join.")
            self._add((*path, "join"), "map.join", what)
        return Rule(
            target,
            self._sources((*path, "from")),
            tuple(step.name for step in steps),
            {**self._closed(target), **options},
            join,
            None,
            self._texts(value.get("empty"), (*path, "empty")),
        )

    def _steps(self, value: Mapping[str, Any], path: KeyPath, target: Field) -> list[Transform]:
        if "as" not in value:
            return [find(_default(target))]
        steps = []
        for name in self._texts(value["as"], (*path, "as")):
            if name not in names():
                what = Text(f"没有转换 {name}。", f"There is no transform {name}.")
                self._add((*path, "as"), "map.unknown-transform", what, near(name, names()))
            else:
                steps.append(find(name))
        if steps and (target.type not in steps[-1].fills or any(not step.fills & _MAKES_TEXT for step in steps[:-1])):
            fitting = [name for name in names() if target.type in find(name).fills]
            what = Text(
                f"{target.name} 的类型是 {target.type.value}, 这样转换不出来。",
                f"{target.name} is {target.type.value}, which these transforms do not make.",
            )
            do = Text(f"可用: {', '.join(fitting)}", f"These do: {', '.join(fitting)}")
            self._add((*path, "as"), "map.transform-type", what, do)
        return steps or [find(_default(target))]

    def _option(self, value: object, path: KeyPath, option: Option, target: Field) -> Any:
        if option.kind == "list":
            return self._texts(value, path)
        if option.kind == "text":
            if option.name == "other" and value not in (KEEP_NULL, KEEP_TEXT):
                self._known_choice(str(value), path, target)
            if option.name == "other" and value == KEEP_TEXT and target.choices:
                what = Text(f"{target.name} 只能取固定值。", f"{target.name} takes fixed values only.")
                self._add(path, "map.unknown-choice", what, near(KEEP_TEXT, target.choices))
            return self.layers.text(path) if not isinstance(value, (dict, list)) else self._no_text(path)
        found = self._map(value, path)
        for name in found:
            self._known_choice(str(found[name]), (*path, name), target)
        return {name: self.layers.text((*path, name)) for name in found if not isinstance(found[name], (dict, list))}

    def _no_text(self, path: KeyPath) -> str:
        self._add(path, "map.value", Text("应为一个文字。", "Write one text."))
        return ""

    def _known_choice(self, value: str, path: KeyPath, target: Field) -> None:
        if target.choices and value not in target.choices:
            what = Text(f"{target.name} 没有取值 {value}。", f"{target.name} has no value {value}.")
            self._add(path, "map.unknown-choice", what, near(value, target.choices))

    def _constant(self, path: KeyPath, target: Field) -> Rule | None:
        try:
            text = self.layers.text((*path, "value"))
        except KeyError:
            self._no_text((*path, "value"))
            return None
        step = find(_default(target))
        value = step.apply(pl.Series([text], dtype=pl.String), self._closed(target)).values[0]
        if value is None:
            what = Text(
                f"{target.name} 的类型是 {target.type.value}, 读不出 {text}。",
                f"{target.name} is {target.type.value}; {text} is none.",
            )
            self._add((*path, "value"), "map.value", what, Text(*step.meaning))
            return None
        return Rule(target, value=value)

    def _identifiers(self, data: Mapping[str, Any], path: KeyPath) -> tuple[IdentifierRule, ...]:
        """Each kind: one source, several (each is a value of its own), or a map with from and scope."""
        found = []
        for kind, value in data.items():
            here = (*path, kind)
            if kind not in IDENTIFIER_KINDS:
                what = Text(f"没有标识类型 {kind}。", f"There is no kind of identifier {kind}.")
                self._add(here, "map.unknown-kind", what, near(kind, IDENTIFIER_KINDS))
                continue
            items = [(item, (*here, i)) for i, item in enumerate(value)] if isinstance(value, list) else [(value, here)]
            for item, at in items:
                scope = None
                rest = item
                if isinstance(item, dict):
                    scope = self.layers.text((*at, "scope")) if "scope" in item else None
                    rest = {name: part for name, part in item.items() if name != "scope"}
                rule = self._rule(rest, at, IDENTIFIER_VALUE)
                if rule:
                    found.append(IdentifierRule(kind, scope, rule))
        return tuple(found)

    def _buyer(self, data: Mapping[str, Any], path: KeyPath, entity: Entity) -> Buyer | None:
        if "buyer" not in data:
            return None
        here = (*path, "buyer")
        if not any(field.name == "customer_source_id" for field in entity.fields):
            what = Text(f"{entity.name} 没有买家。", f"{entity.name} has no buyer.")
            self._add(here, "map.buyer-misplaced", what)
            return None
        members = self._map(data["buyer"], here)
        identifiers = self._identifiers({k: v for k, v in members.items() if k in IDENTIFIER_KINDS}, here)
        if not identifiers:
            what = Text("买家没有任何标识。", "The buyer has no identifier.")
            known = ", ".join(IDENTIFIER_KINDS)
            self._add(here, "map.buyer-without-identifier", what, Text(f"可用: {known}", f"Known: {known}"))
        return Buyer(identifiers, self._rules(members, here, CUSTOMER_RECORD, IDENTIFIER_KINDS))

    def _extra(self, data: Mapping[str, Any], path: KeyPath) -> dict[str, Source]:
        if "extra" not in data:
            return {}
        here = (*path, "extra")
        value = self._map(data["extra"], here)
        self._only_keys(value, here, ("from",))
        members = self._map(value.get("from"), (*here, "from"))
        found = {name: self._source((*here, "from", name)) for name in members}
        return {name: source for name, source in found.items() if source}

    def _only(self, data: Mapping[str, Any], path: KeyPath) -> tuple[Only, ...]:
        if "only" not in data:
            return ()
        members = self._map(data["only"], (*path, "only"))
        found = []
        for name, value in members.items():
            try:
                found.append(Only(source_of(name), self._texts(value, (*path, "only", name))))
            except ValueError:
                self._bad_source((*path, "only", name), name)
        return tuple(found)

    def _no_parent(self, is_child: bool, data: Mapping[str, Any], path: KeyPath, rules: tuple[Rule, ...]) -> None:
        """^ and # mean something only in the rows of a list."""
        for rule in rules:
            if not is_child and any(source.parent or not source.path for source in rule.sources):
                what = Text("^ 和 # 只能用在带 each 的实体里。", "^ and # are for entities with each only.")
                self._add((*path, rule.target.name), "map.source", what)

    def _closed(self, target: Field) -> dict[str, Any]:
        return {"closed": target.choices} if target.choices else {}

    def _sources(self, path: KeyPath) -> tuple[Source, ...]:
        value = self.layers.at(path)
        paths = [(*path, i) for i in range(len(value))] if isinstance(value, list) else [path]
        found = [self._source(at) for at in paths]
        if not found:
            self._bad_source(path, "[]")
        return tuple(source for source in found if source)

    def _source(self, path: KeyPath) -> Source | None:
        value = self.layers.at(path)
        if value is None or isinstance(value, (dict, list)):
            self._bad_source(path, "")
            return None
        try:
            return source_of(self.layers.text(path))
        except ValueError:
            self._bad_source(path, str(value))
            return None

    def _bad_source(self, path: KeyPath, written: str) -> None:
        what = Text(f"不是来源字段: {written}", f"This is not a source field: {written}")
        do = Text("写字段名, 嵌套用点: buyer.phone", "Write a name, with dots for nested ones: buyer.phone")
        self._add(path, "map.source", what, do)

    def _texts(self, value: object, path: KeyPath) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            return (self.layers.text(path),) if not isinstance(value, dict) else (self._no_text(path),)
        return tuple(
            self.layers.text((*path, i)) if not isinstance(item, (dict, list)) else self._no_text((*path, i))
            for i, item in enumerate(value)
        )

    def _list(self, value: object, path: KeyPath) -> list[Any]:
        if value is None:
            return []
        return value if isinstance(value, list) else [value]

    def _map(self, value: object, path: KeyPath) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value is not None:
            self._add(path, "map.value", Text("这里要写 键: 值。", "Write key: value here."))
        return {}

    def _only_keys(self, data: Mapping[str, Any], path: KeyPath, known: Collection[str]) -> None:
        for name in data:
            if name not in known:
                what = Text(f"没有键 {name}。", f"There is no key {name}.")
                self._add((*path, name), "map.unknown-key", what, near(name, known))

    def _add(self, path: KeyPath, code: str, what: Text, do: Text | None = None) -> None:
        self.problems.append(self.layers.problem(path, code, what, do or _CORRECT))


_CORRECT = Text("改好这一行。", "Correct this line.")
_WRITE_KEY = Text("写 key: [编号字段]。", "Write key: and the fields that name a record.")


def _default(target: Field) -> str:
    """The transform of a column that names none."""
    return str(target.type.value)
