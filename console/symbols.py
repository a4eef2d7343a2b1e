"""Symbols for consoles: the pretty ones where the console can print them, the next best where it cannot.

A Chinese Windows console speaks GBK, which knows neither "✓" nor "¥"; a server's C locale speaks ASCII. What a
stream can print is found by trying its encoding, never by guessing from its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol


class Stream(Protocol):
    """What is needed of sys.stdout: the name of its encoding, None for a stream of plain text."""

    @property
    def encoding(self) -> str | None: ...


@dataclass(frozen=True)
class Symbols:
    """The symbols that one console can print. `yuan` stands before an amount, `dash` for "cannot be given"."""

    ok: str
    ok_todo: str
    warning: str
    breach: str
    no_data: str
    up: str
    down: str
    dash: str
    dot: str
    yuan: str

    def status(self, status: str) -> str:
        """The symbol of a status word of report.json; the one of no_data for a word it does not know."""
        known = {"ok": self.ok, "ok_todo": self.ok_todo, "warning": self.warning, "breach": self.breach}
        return known.get(status, self.no_data)


CHOICES: Final = MappingProxyType(
    {
        "ok": ("✓", "√", "[OK]"),
        "ok_todo": ("○", "[OK*]"),
        "warning": ("▲", "[!]"),
        "breach": ("✗", "×", "[X]"),
        "no_data": ("◌", "□", "[-]"),
        "up": ("↑", "^"),
        "down": ("↓", "v"),
        "dash": ("—", "-"),
        "dot": ("●", "*"),
        "yuan": ("¥", "元", "CNY "),
    }
)
"""For each symbol what to try, best first; the last is ASCII and always works."""

_STAND_INS: Final = MappingProxyType(
    {choices[0]: choices for choices in CHOICES.values()}
    | {
        "·": ("·", "-"),
        "…": ("…", "..."),
        "→": ("→", "->"),
        "≥": ("≥", ">="),
        "≤": ("≤", "<="),
        "×": ("×", "x"),
        "−": ("−", "-"),
        "\N{NO-BREAK SPACE}": ("\N{NO-BREAK SPACE}", " "),
    }
)


def symbols_for(stream: Stream) -> Symbols:
    """The symbols that this stream can print."""
    encoding = stream.encoding or "utf-8"
    return Symbols(**{name: _first_printable(choices, encoding) for name, choices in CHOICES.items()})


def printable(text: str, stream: Stream) -> str:
    """The same text with every character that the stream cannot print replaced by one that it can.

    Known symbols get their stand-in; anything else becomes "?", so that printing never raises.
    """
    encoding = stream.encoding or "utf-8"
    if can_print(text, encoding):
        return text
    return "".join(_first_printable((*_STAND_INS.get(one, (one,)), "?"), encoding) for one in text)


def can_print(text: str, encoding: str) -> bool:
    """Whether every character of the text exists in that encoding."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _first_printable(choices: tuple[str, ...], encoding: str) -> str:
    return next((choice for choice in choices if can_print(choice, encoding)), choices[-1])
