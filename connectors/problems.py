"""Says what went wrong at an outside system in four parts: what, where, what to do, code; Chinese first.

    ConnectorError          stop: configuration, rights or a fault of ours; a person has to do something
    ├── Refused             stop this one: the vendor refused this request, others may go through
    ├── Unreachable         try again at the next run: network, time-out, the vendor's own fault
    └── Later               snooze until a time the vendor named: not a failure

Problem and Text have the shape of those in the hub's other folders, which connectors may not import.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

__all__ = ["NOTHING", "ConnectorError", "Later", "Problem", "Refused", "Text", "Unreachable"]


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

    `where` is a key path of the settings, or connector, stream and endpoint; the hub puts file and line
    before it. `do` is the next step. Neither may hold a secret or an unmasked person.
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


class ConnectorError(Exception):
    """Stops what is being done at an outside system because of one or more problems."""

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("a ConnectorError needs at least one Problem")
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def problem(self) -> Problem:
        """The first problem; most errors have one."""
        return self.problems[0]


class Refused(ConnectorError):
    """The vendor refused this one request; sending it again changes nothing.

    `vendor_code` is the code in the answer's body, or the HTTP status as text.
    """

    def __init__(self, *problems: Problem, vendor_code: str = "") -> None:
        super().__init__(*problems)
        self.vendor_code = vendor_code


class Unreachable(ConnectorError):
    """Tried as often as the policy allows and got no usable answer; the next run tries again.

    `sent` says that at least one attempt may have reached the vendor: a write is then unknown, not failed.
    """

    def __init__(self, *problems: Problem, sent: bool = False) -> None:
        super().__init__(*problems)
        self.sent = sent


class Later(ConnectorError):
    """The vendor, or our own budget for it, asks to come back at `until` (aware UTC)."""

    def __init__(self, problem: Problem, until: datetime) -> None:
        super().__init__(problem)
        self.until = until
