"""Says what went wrong in four parts: what, where, what to do, code; Chinese first, English beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Text(NamedTuple):
    """One sentence for a person, in both languages of the product."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} {self.en}"


NOTHING = Text("", "")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `where` is file:line and key, or connector, stream and run; `do` is the next step, with the exact
    command where there is one. Neither may hold a secret or an unmasked person.
    """

    code: str
    what: Text
    where: str = ""
    do: Text = NOTHING

    def __str__(self) -> str:
        lines = [f"[{self.code}] {self.what.zh}", f"    {self.what.en}"]
        if self.where:
            lines.append(f"    位置 where: {self.where}")
        if self.do.zh:
            lines.append(f"    处理 do: {self.do.zh}")
            if self.do.en and self.do.en != self.do.zh:
                lines.append(f"             {self.do.en}")
        return "\n".join(lines)


class LiukeError(Exception):
    """Stops what is being done because of one or more problems; nothing was half done."""

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("a LiukeError needs at least one Problem")
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
