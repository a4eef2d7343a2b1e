"""Runs scoring, refreshing, approving and draining as the hub does, for tests to stand on."""

from __future__ import annotations

from fractions import Fraction

from mappings.scores import load_definitions
from state.bulk import execute
from state.store import Store
from sync import definitions as lifecycle
from sync.clock import FixedClock, microseconds
from sync.score import score
from sync.writeback import apply as sending
from sync.writeback import desired
from sync.writeback import plan as planning
from sync.writeback.target import Guard, Target
from tests.writeback.wire import NOON, Crm, WireWriter

DEFINITIONS = load_definitions()
FREE = Guard(Fraction(10), Fraction(10))
"""Guards that never trip: records that are gone count as changed, and not among the customers there are."""


class Hub:
    """One target, its system, and the clock; `kill` puts a fresh writer in place of the dead process's."""

    def __init__(self, store: Store, target: Target | None = None) -> None:
        self.store = store
        self.clock = FixedClock(NOON)
        self.crm = Crm()
        self.target = target or Target("crm", guard=FREE, sandbox=True)
        self.writer = WireWriter(self.crm, self.clock)

    @property
    def now(self) -> int:
        return microseconds(self.clock.now())

    def publish(self) -> None:
        """Registers the shipped definitions and takes those of score and tier to publication."""
        self.score()
        for name in ("rfm@1", "tiers@1"):
            lifecycle.review(self.store, name, "王磊", self.now)
            lifecycle.publish(self.store, name, "李娜", self.now)

    def score(self) -> None:
        score(self.store, DEFINITIONS, self.now, "run", industry="retail")

    def refresh(self) -> desired.Refreshed:
        """Scores and refreshes everybody."""
        self.score()
        return desired.refresh_all(self.store, self.target, DEFINITIONS, self.now)

    def plan(self) -> planning.Plan:
        return planning.plan(self.store, self.target, self.writer, self.clock, run_id="run")

    def approve(self, by: str = "李娜") -> planning.Plan:
        """Plans and approves."""
        return planning.approve(self.store, self.target, self.plan().digest, by, self.now)

    def apply(self, digest: str) -> sending.Applied:
        return sending.apply(self.store, self.target, self.writer, self.clock, digest, owner="test", run_id="run")

    def drain(self) -> sending.Drained:
        return sending.drain(self.store, self.target, self.writer, self.clock, owner="test", run_id="run")

    def open(self) -> None:
        """The first load: planned, approved, applied."""
        self.apply(self.approve().digest)

    def rows(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """Status and wanted value by (record, field)."""
        with self.store.reading() as tx:
            rows = execute(tx, "SELECT source_id, field, status, value FROM outbox ORDER BY 1, 2")
            return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def statuses(self) -> dict[str, int]:
        """Rows by status."""
        counted: dict[str, int] = {}
        for status, _ in self.rows().values():
            counted[status] = counted.get(status, 0) + 1
        return counted

    def wire(self) -> list[tuple[str, str, object]]:
        """What the system took, in order."""
        return [(one.source_id, one.field, one.value) for one in self.crm.applied]
