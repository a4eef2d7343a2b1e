"""Says what to do first, for whom and how: what is missed, overdue or owed, each as one item with its numbers.

Items for data owners say where to repair what; items for IT carry the exact command. They are sorted by urgency,
then what keeps all data from coming, then by how many records they touch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from mappings.problems import Text
from quality.checking import CheckResult, owner_of
from quality.contract import Contracts
from quality.debts import Owed
from quality.expectations import Expectations
from quality.objectives import STATUSES
from quality.status import Objectives
from quality.times import iso

FIRST = 3
"""So many items stand in front; more would be a list nobody begins with."""


@dataclass(frozen=True)
class Todo:
    """One thing to do. `weight` counts the records it touches; `due_at` in microseconds UTC."""

    status: str
    code: str
    title: Text
    evidence: Text
    impact: Text
    action: Text
    weight: int
    owner: str = ""
    due_at: int | None = None
    command: str = ""
    stops: bool = False
    """No data comes through at all: before anything else of the same urgency."""

    def as_json(self) -> dict[str, Any]:
        """As it stands in report.json."""
        return {
            "status": self.status,
            "code": self.code,
            "title": self.title._asdict(),
            "evidence": self.evidence._asdict(),
            "impact": self.impact._asdict(),
            "action": self.action._asdict(),
            "owner": self.owner,
            "due_at": iso(self.due_at),
            "kind": "it" if self.command else "owner",
            "command": self.command,
        }


@dataclass(frozen=True)
class Seen:
    """Everything that was judged for this report."""

    tx: Connection
    now: int
    expectations: Expectations
    contracts: Contracts
    objectives: Objectives
    owed: Sequence[Owed]
    results: Sequence[CheckResult]
    quarantine: Sequence[dict[str, Any]]
    sku: dict[str, Any] | None
    targets: Sequence[dict[str, Any]]

    def debt(self, name: str) -> Owed:
        """How that debt stands."""
        return next(one for one in self.owed if one.name == name)

    def title(self, connector: str) -> Text:
        """The connector's name on pages."""
        expected = self.expectations.connectors.get(connector)
        return expected.title if expected is not None else Text(connector, connector)

    def owner(self, connector: str, entity: str) -> str:
        """Who looks after that data."""
        return owner_of(self.expectations, self.contracts, connector, entity)

    def it(self, connector: str) -> str:
        """Who looks after the connector's technical side."""
        expected = self.expectations.connectors.get(connector)
        return "" if expected is None else expected.it_owner or expected.owner


_tellers: list[Callable[[Seen], Iterable[Todo]]] = []


def todos(tell: Callable[[Seen], Iterable[Todo]]) -> Callable[[Seen], Iterable[Todo]]:
    """Registers a function that says what is to be done about one kind of thing; modules here are found by name."""
    _tellers.append(tell)
    return tell


def items(seen: Seen) -> list[Todo]:
    """All that is to be done, the most urgent first."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found = [one for tell in _tellers for one in tell(seen)]
    return sorted(
        found, key=lambda one: (-STATUSES.index(one.status), not one.stops, -one.weight, one.code, one.title.zh)
    )


def headline(status: str, found: Sequence[Todo], owed: Sequence[Owed]) -> Text:
    """The report in one sentence."""
    if status == "no_data":
        return Text("还没有运行过: 请先运行 liuke sync", "Nothing ran yet: run liuke sync first")
    if status == "ok":
        return Text("一切正常: 没有任何欠账, 目标全部达到", "All is well: nothing is owed, every objective holds")
    count = sum(one.owed for one in owed)
    if status == "ok_todo":
        return Text(
            f"目标全部达到, 待办 {count:,} 项, 都在期限内", f"Every objective holds; {count:,} to do, all in time"
        )
    breaches = [one for one in found if one.status == "breach"]
    warnings = [one for one in found if one.status == "warning"]
    zh = "、".join([f"{len(group)} 项{word}" for group, word in ((breaches, "未达标"), (warnings, "预警")) if group])
    en = ", ".join(
        [f"{len(group)} {word}" for group, word in ((breaches, "in breach"), (warnings, "warnings")) if group]
    )
    named = [*breaches, *warnings][:2]
    return Text(
        f"{zh}: " + "; ".join(f"{one.title.zh} ({one.impact.zh})" for one in named),
        f"{en}: " + "; ".join(f"{one.title.en} ({one.impact.en})" for one in named),
    )
