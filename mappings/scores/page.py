"""A YAML page whose values know their line: asks for what a definition needs and collects what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import yaml

from mappings.model import MONEY_SCALE
from mappings.problems import LiukeError, Problem, Text


class Page:
    """One YAML text. Mistakes gather in `problems`; asking goes on with harmless stand-ins."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise LiukeError(
                Problem(
                    "score.definition-yaml",
                    Text("评分定义不是有效的 YAML", "the score definition is not valid YAML"),
                    f"{where}{line}",
                    Text("检查缩进和引号", "check indentation and quotes"),
                )
            ) from error
        if not isinstance(node, yaml.MappingNode):
            node = yaml.MappingNode("tag:yaml.org,2002:map", [])
        self.top = Place(self, node, "")


class Place:
    """One mapping on the page; `path` is the way to it, as messages show it."""

    def __init__(self, page: Page, node: yaml.MappingNode, path: str) -> None:
        self._page = page
        self._node = node
        self._path = path
        self._asked: set[str] = set()
        self._values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in self._values:
                self.problem(
                    "score.key-twice",
                    Text(f"{name} 写了两次", f"{name} is written twice"),
                    Text("删除一处", "remove one of them"),
                    name,
                )
            self._values.setdefault(name, value)

    # ------------------------------------------------------------------ what is there

    def has(self, key: str) -> bool:
        return key in self._values

    def plain(self) -> object:
        """The whole mapping as plain values, for a digest: same meaning, same digest."""
        return _plain(self._node)

    def map(self, key: str) -> Place:
        node = self._get(key, required=True)
        if node is not None and not isinstance(node, yaml.MappingNode):
            self._wrong(key, Text("一组键值", "a mapping"))
            node = None
        return Place(self._page, node or yaml.MappingNode("tag:yaml.org,2002:map", []), self._way(key))

    def each(self, key: str) -> Iterator[Place]:
        """Every mapping of a list; what was not asked of one when the next is reached is a mistake."""
        node = self._get(key, required=True)
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._wrong(key, Text("一个非空列表", "a list with at least one entry"))
            return
        for number, inner in enumerate(node.value):
            if isinstance(inner, yaml.MappingNode):
                place = Place(self._page, inner, f"{self._way(key)}[{number}]")
                yield place
                place.no_other_keys()
            else:
                self._wrong(key, Text("由键值组成的列表", "a list of mappings"))

    def word(self, key: str, *, required: bool = True) -> str:
        node = self._get(key, required=required)
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._wrong(key, Text("一段文字", "text"))
            return ""
        return str(node.value)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words; absent means none."""
        node = self._get(key, required=False)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(key, Text("一个列表", "a list"))
            return ()
        return tuple(str(inner.value) for inner in node.value)

    def choice(self, key: str, words: tuple[str, ...]) -> str:
        value = self.word(key)
        if value and value not in words:
            self._wrong(key, Text("、".join(words) + " 之一", "one of " + ", ".join(words)))
        return value

    def text_pair(self, key: str) -> Text:
        """A sentence in both languages: {zh: ..., en: ...}."""
        place = self.map(key)
        pair = Text(place.word("zh"), place.word("en"))
        place.no_other_keys()
        return pair

    def whole(self, key: str, least: int, most: int | None = None) -> int:
        value = self._number(key, required=True)
        if value is None:
            return least
        if value != value.to_integral_value() or value < least or (most is not None and value > most):
            zh = f"不小于 {least} 的整数" if most is None else f"{least} 到 {most} 之间的整数"
            en = f"a whole number of at least {least}" + ("" if most is None else f" and at most {most}")
            self._wrong(key, Text(zh, en))
            return least
        return int(value)

    def whole_or_none(self, key: str, least: int) -> int | None:
        return self.whole(key, least) if self.has(key) else None

    def number(self, key: str, *, required: bool = True) -> Decimal | None:
        return self._number(key, required=required)

    def above_zero(self, key: str) -> Decimal:
        value = self._number(key, required=True)
        if value is not None and value <= 0:
            self._wrong(key, Text("大于 0 的数字", "a number greater than 0"))
        return value if value is not None and value > 0 else Decimal(1)

    def money(self, key: str) -> int:
        """Yuan as written, in 1/10,000 yuan."""
        return self._stored(key, self._number(key, required=True))

    def money_or_none(self, key: str) -> int | None:
        return self.money(key) if self.has(key) else None

    def ascending(self, key: str, count: int, *, money: bool) -> tuple[int, ...]:
        """A list of exactly `count` rising numbers: whole, or yuan in 1/10,000."""
        node = self._get(key, required=True)
        if node is None:
            return ()
        parts = node.value if isinstance(node, yaml.SequenceNode) else []
        numbers = [_decimal(inner) for inner in parts]
        known = [number for number in numbers if number is not None]
        rising = all(a < b for a, b in pairwise(known))
        whole = money or all(number == number.to_integral_value() for number in known)
        if len(known) != len(parts) or len(parts) != count or not rising or not whole:
            self._wrong(
                key,
                Text(f"{count} 个从小到大的数字", f"{count} rising numbers (one fewer than points)"),
            )
            return ()
        return tuple(self._stored(key, number) if money else int(number) for number in known)

    # ------------------------------------------------------------------ what is wrong

    def no_other_keys(self, *known: str) -> None:
        """Reports every key that nobody asked for: a misspelt key must not be ignored."""
        for key in self._values:
            if key not in self._asked and key not in known:
                self.problem(
                    "score.key-unknown",
                    Text(f"不认识的键 {key}", f"unknown key {key}"),
                    Text(
                        f"删除，或改为 {'、'.join(sorted(self._asked))} 之一",
                        f"remove it, or use one of {', '.join(sorted(self._asked))}",
                    ),
                    key,
                )

    def problem(self, code: str, what: Text, do: Text, key: str = "") -> None:
        """Notes one mistake at the line of `key`, or of this mapping."""
        node = self._values.get(key, self._node)
        mark = node.start_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        way = self._way(key) if key else self._path
        self._page.problems.append(Problem(code, what, f"{self._page.where}{line} {way}".rstrip(), do))

    def _get(self, key: str, *, required: bool) -> yaml.Node | None:
        self._asked.add(key)
        node = self._values.get(key)
        if node is None and required:
            self.problem(
                "score.key-missing",
                Text(f"缺少 {self._way(key)}", f"{self._way(key)} is missing"),
                Text(f"补上 {key}", f"add {key}"),
            )
        return node

    def _number(self, key: str, *, required: bool) -> Decimal | None:
        node = self._get(key, required=required)
        if node is None:
            return None
        value = _decimal(node)
        if value is None:
            self._wrong(key, Text("数字", "a number"))
        return value

    def _stored(self, key: str, value: Decimal | None) -> int:
        stored = (value or Decimal(0)) * MONEY_SCALE
        if stored != stored.to_integral_value() or stored < 0:
            self._wrong(key, Text("不为负、最多四位小数的金额（元）", "yuan, not negative, four decimals at most"))
        return int(stored)

    def _wrong(self, key: str, wanted: Text) -> None:
        self.problem(
            "score.value",
            Text(f"{self._way(key)} 应为{wanted.zh}", f"{self._way(key)} must be {wanted.en}"),
            Text(f"修改 {key}", f"change {key}"),
            key,
        )

    def _way(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _decimal(node: yaml.Node) -> Decimal | None:
    """The exact number a plain scalar spells; None for quoted text, true, words, nan and infinity."""
    if not isinstance(node, yaml.ScalarNode) or node.style in {"'", '"'}:
        return None
    try:
        value = Decimal(node.value)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(inner) for inner in node.value]
    return node.value
