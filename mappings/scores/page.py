"""Asks a YAML document for what a score definition needs, and collects what is wrong with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from mappings.documents import Document, KeyPath
from mappings.model import MONEY_SCALE
from mappings.problems import Problem, Text


class Place:
    """One mapping of a document. Asking for what is wrong notes a problem and gives a harmless stand-in, so that
    all mistakes are told at once."""

    def __init__(self, document: Document, problems: list[Problem], path: KeyPath = (), data: Any = None) -> None:
        self.problems = problems
        self._document = document
        self._path = path
        self._asked: set[str] = set()
        self._values: Mapping[str, Any] = data if isinstance(data, dict) else {}

    # ------------------------------------------------------------------ what is there

    def has(self, key: str) -> bool:
        return key in self._values

    def map(self, key: str) -> Place:
        value = self._get(key, required=True)
        if value is not None and not isinstance(value, dict):
            self._wrong(key, Text("一组键值", "a mapping"))
        return Place(self._document, self.problems, (*self._path, key), value)

    def each(self, key: str) -> Iterator[Place]:
        """Every mapping of a list; what was not asked of one when the next is reached is a mistake."""
        items = self._get(key, required=True)
        if items is None:
            return
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            self._wrong(key, Text("由键值组成的非空列表", "a list of mappings, with at least one"))
            return
        for number, item in enumerate(items):
            place = Place(self._document, self.problems, (*self._path, key, number), item)
            yield place
            place.no_other_keys()

    def word(self, key: str, *, required: bool = True) -> str:
        value = self._get(key, required=required)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self._wrong(key, Text("一段文字", "text"))
            return ""
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words; absent means none."""
        value = self._get(key, required=False)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(key, Text("由文字组成的列表", "a list of words"))
            return ()
        return tuple(value)

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
        value = self._get(key, required=True)
        if value is None:
            return least
        if type(value) is not int or value < least or (most is not None and value > most):
            zh = f"不小于 {least} 的整数" if most is None else f"{least} 到 {most} 之间的整数"
            en = f"a whole number of at least {least}" + ("" if most is None else f" and at most {most}")
            self._wrong(key, Text(zh, en))
            return least
        return value

    def whole_or_none(self, key: str, least: int) -> int | None:
        return self.whole(key, least) if self.has(key) else None

    def number(self, key: str, *, required: bool = True) -> Decimal | None:
        if self._get(key, required=required) is None:
            return None
        value = self._decimal((*self._path, key), self._values[key])
        if value is None:
            self._wrong(key, Text("数字", "a number"))
        return value

    def above_zero(self, key: str) -> Decimal:
        value = self.number(key)
        if value is not None and value <= 0:
            self._wrong(key, Text("大于 0 的数字", "a number greater than 0"))
        return value if value is not None and value > 0 else Decimal(1)

    def money(self, key: str) -> int:
        """Yuan as written, in 1/10,000 yuan."""
        return self._stored(key, self.number(key) or Decimal(0))

    def money_or_none(self, key: str) -> int | None:
        return self.money(key) if self.has(key) else None

    def ascending(self, key: str, count: int, *, money: bool) -> tuple[int, ...]:
        """A list of exactly `count` rising numbers: whole, or yuan in 1/10,000."""
        value = self._get(key, required=True)
        if value is None:
            return ()
        items = value if isinstance(value, list) else []
        numbers = [self._decimal((*self._path, key, index), item) for index, item in enumerate(items)]
        known = [number for number in numbers if number is not None]
        rising = all(a < b for a, b in pairwise(known))
        whole = money or all(number == number.to_integral_value() for number in known)
        if len(known) != len(items) or len(items) != count or not rising or not whole:
            self._wrong(key, Text(f"{count} 个从小到大的数字", f"{count} rising numbers (one fewer than points)"))
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
        path = (*self._path, key) if key else self._path
        self.problems.append(self._document.problem(path, code, what, do))

    def _get(self, key: str, *, required: bool) -> Any:
        self._asked.add(key)
        value = self._values.get(key)
        if value is None and required:
            self.problem(
                "score.key-missing", Text(f"缺少 {key}", f"{key} is missing"), Text(f"补上 {key}", f"add {key}"), key
            )
        return value

    def _decimal(self, path: KeyPath, value: Any) -> Decimal | None:
        """The exact number as it is written; None for text, quoted numbers, true and nan."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return Decimal(self._document.text(path))

    def _stored(self, key: str, value: Decimal) -> int:
        stored = value * MONEY_SCALE
        if stored != stored.to_integral_value() or stored < 0:
            self._wrong(key, Text("不为负、最多四位小数的金额（元）", "yuan, not negative, four decimals at most"))
        return int(stored)

    def _wrong(self, key: str, wanted: Text) -> None:
        self.problem(
            "score.value",
            Text(f"{key} 应为{wanted.zh}", f"{key} must be {wanted.en}"),
            Text(f"修改 {key}", f"change {key}"),
            key,
        )
