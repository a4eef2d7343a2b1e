"""The promises the programme made, judged: how fast (latency), how reliably (failure), how recently (freshness)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

STATUSES = ("ok", "ok_todo", "warning", "breach")
"""Words that can be compared, best first; no_data says nothing and stands apart."""


@dataclass(frozen=True)
class Share:
    """So many good of so many; exact, because a rounded share hides the last one that failed."""

    good: int
    total: int

    @property
    def bad(self) -> int:
        return self.total - self.good

    def at_least(self, target: Decimal) -> bool:
        """Whether the share reaches the target; of nothing, yes."""
        return self.good >= target * self.total

    def plus(self, other: Share) -> Share:
        return Share(self.good + other.good, self.total + other.total)


def worst(statuses: Iterable[str]) -> str:
    """The worst of some status words; no_data if there is nothing else."""
    known = [status for status in statuses if status in STATUSES]
    return max(known, key=STATUSES.index) if known else "no_data"
