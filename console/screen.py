"""Prints on any console: UTF-8, a GBK window, a server's C locale; nothing that is said can make it fail."""

from __future__ import annotations

import codecs
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, TextIO

from connectors.problems import Problem as ConnectorProblem
from connectors.redact import SECRETS
from console.symbols import can_print, printable
from mappings.problems import Problem, Text

Said = str | Text
"""What can be printed: a line as it is, or a sentence in both languages."""

_ERRORS = "liuke"


@dataclass(frozen=True)
class _Encoded:
    """A stream of that encoding, as far as console/symbols.py needs to know it."""

    encoding: str


def prepare() -> None:
    """From now on what stdout and stderr cannot print becomes its stand-in, or "?", instead of an error."""
    codecs.register_error(_ERRORS, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def say(what: Said = "", *, before: str = "", error: bool = False) -> None:
    """Prints one line, after what stands before it; on a console without Chinese only the English of a Text."""
    stream = sys.stderr if error else sys.stdout
    print(before + spoken(what, stream), file=stream)


def spoken(what: Said, stream: TextIO | None = None) -> str:
    """The line as it is printed there (by default on stdout)."""
    if isinstance(what, str):
        return what
    if not speaks_chinese(stream or sys.stdout):
        return what.en or what.zh
    return f"{what.zh}  {what.en}" if what.en and what.en != what.zh else what.zh


def speaks_chinese(stream: TextIO) -> bool:
    """Whether Chinese can be printed there."""
    return can_print("留客", stream.encoding or "utf-8")


def say_json(value: Any) -> None:
    """Prints one JSON value; in ASCII where the console has no UTF-8, so that a program can always read it."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") not in ("utf8", "utf_8")
    print(json.dumps(value, ensure_ascii=plain, indent=2, allow_nan=False))


def say_problems(problems: Iterable[Problem | ConnectorProblem], *, error: bool = True) -> None:
    """Prints each problem in its four parts: what, where, what to do, code."""
    stream = sys.stderr if error else sys.stdout
    for problem in problems:
        for line in problem_lines(problem, chinese=speaks_chinese(stream)):
            print(SECRETS.clean(line), file=stream)


def problem_lines(problem: Problem | ConnectorProblem, *, chinese: bool = True) -> list[str]:
    """The problem as it stands on a console; without Chinese in English only."""
    if chinese:
        return str(problem).splitlines()
    lines = [f"[{problem.code}] {problem.what.en}"]
    if problem.where:
        lines.append(f"    where: {problem.where}")
    if problem.do.en:
        lines.append(f"    do: {problem.do.en}")
    return lines


def say_table(head: Sequence[Said], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under their heads, aligned by what a console shows: a Chinese character is two wide."""
    chinese = speaks_chinese(sys.stdout)
    titles = [one if isinstance(one, str) else one.zh if chinese else one.en for one in head]
    cells = [titles, *([_cell(value, chinese=chinese) for value in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)]
        print("  ".join(padded).rstrip())


def text_of(text: Text | tuple[str, str]) -> dict[str, str]:
    """A Text as it stands in JSON."""
    return {"zh": text[0], "en": text[1]}


def problem_of(problem: Problem | ConnectorProblem) -> dict[str, Any]:
    """A problem as it stands in JSON, without secrets."""
    clean = SECRETS.clean
    return {
        "code": problem.code,
        "what": {"zh": clean(problem.what.zh), "en": clean(problem.what.en)},
        "where": clean(problem.where),
        "do": {"zh": clean(problem.do.zh), "en": clean(problem.do.en)},
    }


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return printable(error.object[error.start : error.end], _Encoded(error.encoding)), error.end


def _cell(value: object, *, chinese: bool) -> str:
    if value is None:
        return "—"
    if isinstance(value, Text):
        return value.zh if chinese else value.en
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
