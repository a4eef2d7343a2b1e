"""Reads YAML files of people: plain values, and for each of them the line that it stands on.

Scalars follow YAML 1.2: only true and false are booleans (no, on, off are text), 12:30 is text, integers are
exact at any size. More careful than YAML 1.2: a number with a leading zero is text (007 is a code), and names
are always text. Nothing in a file can build a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from mappings.problems import LiukeError, Problem, Text

KeyPath = tuple[str | int, ...]
"""How to get to a value: names and, in lists, positions from 0."""


@dataclass(frozen=True)
class Document:
    """A YAML file: `data` is its plain value (dict, list, text, int, float, bool or None; {} for an empty file)."""

    name: str
    data: Any
    lines: dict[KeyPath, int] = field(repr=False, default_factory=dict)
    texts: dict[KeyPath, str] = field(repr=False, default_factory=dict)

    def where(self, path: Sequence[str | int] | str = ()) -> str:
        """`file.yaml:12 key a.b`; of a key that is not there, the line of the nearest one above it."""
        keys = keys_of(path)
        shown = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        return f"{self.name}:{self.line(keys)}" + (f" key {shown}" if shown else "")

    def line(self, path: Sequence[str | int] | str = ()) -> int:
        """The line, from 1, of a name with its value, or of an item of a list."""
        keys = keys_of(path)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def text(self, path: Sequence[str | int] | str) -> str:
        """A scalar as it is written: 1.10 where the value is 1.1. KeyError if there is none."""
        return self.texts[keys_of(path)]

    def problem(self, path: Sequence[str | int] | str, code: str, what: Text, do: Text) -> Problem:
        """A problem with what stands at `path`."""
        return Problem(code, what, self.where(path), do)


def load(path: Path, name: str | None = None) -> Document:
    """The document of a file; LiukeError if it cannot be read or is not YAML. `name` is shown for it."""
    shown = name or path.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LiukeError(
            Problem(
                "file.unreadable",
                Text(f"读不了文件: {error.strerror}", f"The file cannot be read: {error.strerror}"),
                str(path),
                Text("检查路径和权限。", "Check its path and permissions."),
            )
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LiukeError(
            Problem(
                "file.not-utf8",
                Text("文件不是 UTF-8 编码。", "The file is not UTF-8."),
                f"{shown}:{line}",
                Text("在编辑器里另存为 UTF-8。", "Save it as UTF-8 in your editor."),
            )
        ) from None
    return parse(text, shown)


def parse(text: str, name: str) -> Document:
    """The document of a text. Raises LiukeError with every duplicate key, or with the first syntax error."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise LiukeError(_syntax_problem(error, name)) from None
    if node is None:
        return Document(name, {})
    plain = _Plain(name)
    data = plain.value(node, (), ())
    if plain.problems:
        raise LiukeError(*plain.problems)
    return Document(name, data, plain.lines, plain.texts)


def keys_of(path: Sequence[str | int] | str) -> KeyPath:
    """A path written as text (`a.b`), or the keys one by one."""
    if isinstance(path, str):
        return tuple(path.split(".")) if path else ()
    return tuple(path)


def near(word: str, words: Collection[str]) -> Text:
    """What to write instead of a word that is none of `words`: the nearest of them, else all."""
    close = get_close_matches(word.lower(), sorted(words), n=1, cutoff=0.6)
    if close:
        return Text(f"是不是 {close[0]}?", f"Did you mean {close[0]}?")
    known = ", ".join(sorted(words))
    return Text(f"可用: {known}", f"Known: {known}")


class _Plain:
    """Turns nodes into plain values, collecting lines and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self.texts: dict[KeyPath, str] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node in above:
            self._add(node, "yaml.recursive", Text("锚点引用了自己。", "An anchor refers to itself."))
            return None
        if node.tag not in _TAGS:
            self._add(node, "yaml.tag", Text(f"不支持标签 {node.tag}。", f"The tag {node.tag} is not supported."))
            return None
        if isinstance(node, yaml.MappingNode):
            return dict(self._members(node, path, (*above, node)))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i), (*above, node)) for i, item in enumerate(node.value)]
        self.texts[path] = node.value
        return _scalar(node)

    def _members(
        self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]
    ) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._add(key, "yaml.key", Text("键必须是文字。", "A key must be text."))
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                what = Text(
                    f"键 {key.value} 重复, 第 {first[key.value]} 行已经写过。",
                    f"The key {key.value} is there twice, first on line {first[key.value]}.",
                )
                self._add(key, "yaml.duplicate-key", what)
                continue
            first[key.value] = line
            self.lines[(*path, key.value)] = line
            yield key.value, self.value(value, (*path, key.value), above)

    def _add(self, node: yaml.Node, code: str, what: Text) -> None:
        where = f"{self.name}:{node.start_mark.line + 1}"
        self.problems.append(Problem(code, what, where, Text("改好这一行。", "Correct this line.")))


_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
"""Numbers that YAML 1.1, and so PyYAML, takes for text."""

_STR = "tag:yaml.org,2002:str"
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")} | {
    f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "value", "merge")
}
"""What a tag may be; the second row is what PyYAML makes of 2026-01-01, = and <<, which are text to us."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text: str = node.value
    if getattr(node, "style", None) is not None:  # quoted, or a block
        return text
    if node.tag == _STR and not _EXPONENT.fullmatch(text):
        return text  # also 12 after !!str: without it PyYAML would have said int
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _syntax_problem(error: yaml.YAMLError, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or error).splitlines()[0]
    return Problem(
        "yaml.syntax",
        Text(f"YAML 写法有误: {said}", f"This is not valid YAML: {said}"),
        f"{name}:{mark.line + 1}" if mark else name,
        Text("检查缩进、冒号后的空格和引号。", "Check indentation, the space after colons, and quotes."),
    )
