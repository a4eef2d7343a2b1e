"""One process's work at one target: its writer, its clock, its lease, and transactions that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from connectors.problems import Problem as ConnectorProblem
from connectors.writer import Writer
from mappings.problems import Problem, Text
from state.leases import Lease, acquire, release, renew
from state.store import Store
from state.turns import take_turns
from sync.clock import Clock, microseconds
from sync.writeback.target import Target


@dataclass(frozen=True)
class Session:
    """What sending and reading back need. Without a lease only rows that are not on their way are touched."""

    store: Store
    target: Target
    writer: Writer
    clock: Clock
    run_id: str
    lease: Lease | None = None

    def now(self) -> int:
        """Microseconds UTC."""
        return microseconds(self.clock.now())

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction in which nobody else changes this target's rows, and only while the lease holds."""
        with self.store.transaction() as tx:
            take_turns(tx, f"outbox.{self.target.name}")
            if self.lease is not None:
                renew(tx, self.lease, self.now())
            yield tx


@contextmanager
def leased(store: Store, target: Target, writer: Writer, clock: Clock, *, owner: str, run_id: str) -> Iterator[Session]:
    """A session with the target's lease, given back at the end; LeaseTaken if another process writes there now.

    A process that dies keeps its lease for two minutes: nobody reads its rows as unknown while it may still be
    sending.
    """
    lease = acquire(store, f"write:{target.name}", owner, microseconds(clock.now()))
    try:
        yield Session(store, target, writer, clock, run_id, lease)
    finally:
        release(store, lease)


def told(problem: ConnectorProblem) -> Problem:
    """A connector's problem as the hub tells it; connectors have a class of their own of the same shape."""
    return Problem(problem.code, Text(*problem.what), problem.where, Text(*problem.do))
