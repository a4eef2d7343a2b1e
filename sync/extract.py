"""Pulls one connector into landing files, and goes on doing so when the database is away."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.outcomes import Outcome
from connectors.ports import Page, Ports
from connectors.problems import ConnectorError
from connectors.problems import Problem as ConnectorProblem
from connectors.registry import Connector, Window
from connectors.settings import Settings
from mappings.problems import Problem
from state import leases, register, runs
from state.durable import write_durably
from state.landing import Lander
from state.landing_files import SealedGroup, highest_fence, sealed_groups
from state.leases import Lease
from state.store import Store, StoreUnavailable


class Stopped(BaseException):
    """Somebody asked the process to stop; what has landed is sealed before this goes on."""


@dataclass
class Extracted:
    """What one pull did. `unregistered` groups lie safely on disk and are registered at the next start."""

    streams: list[runs.StreamRun] = field(default_factory=list)
    problems: list[ConnectorProblem] = field(default_factory=list)
    groups: int = 0
    unregistered: int = 0
    away: Problem | None = None
    skew_us: int | None = None

    @property
    def read(self) -> int:
        """Records landed, rejected ones included."""
        return sum(s.read for s in self.streams)

    @property
    def outcome(self) -> str:
        """ok when every stream went through, failed when none did."""
        bad = [s for s in self.streams if s.outcome == runs.FAILED]
        if not bad:
            return runs.OK
        return runs.FAILED if len(bad) == len(self.streams) else runs.PARTLY


@dataclass
class _LandingSink:
    """Where the tap's pages and states go: straight into landing files."""

    lander: Lander
    stop: threading.Event
    skew_us: int | None = None

    def page(self, page: Page) -> None:
        if self.stop.is_set():
            raise Stopped
        self.lander.page(page.stream, page.records, page.extracted_at, validated=page.validated)
        for rejected in page.rejected:
            self.lander.rejected(page.stream, rejected.code, rejected.raw, page.extracted_at)
        if page.skew_us is not None:
            self.skew_us = page.skew_us

    def state(self, value: Mapping[str, Any]) -> None:
        self.lander.state(value)


def extract(
    store: Store | None,
    root: Path,
    connector: Connector,
    settings: Settings,
    ports: Ports,
    lease: Lease,
    *,
    run_id: str,
    now: Any,
    streams: Collection[str] | None = None,
    window: Window | None = None,
    backfill: bool = False,
    stop: threading.Event | None = None,
) -> Extracted:
    """Lands everything that changed since the bookmark. Never loads; a failing stream stops no other.

    `store` is None when the database cannot be reached: then the bookmark comes from the sealed files alone.
    """
    done = Extracted()
    started_at = now()

    def registered(group: SealedGroup) -> None:
        done.groups += 1
        # Sealed groups are registered in order; after one that could not be, all wait for `recover`.
        if store is None or done.unregistered:
            done.unregistered += 1
            return
        try:
            register.register(store, group, lease, now())
        except StoreUnavailable as error:
            done.unregistered += 1
            done.away = error.problems[0]

    name = bookmark_name(ports.connector, window)
    lander = Lander(
        root,
        ports.connector,
        fence=lease.fence,
        run_id=run_id,
        now=now,
        on_seal=registered,
        backfill=backfill,
        bookmark=name,
    )
    sink = _LandingSink(lander, stop or threading.Event())
    state = bookmark(store, root, ports.connector, name)
    tap = connector.tap(settings, state, ports, sink, window=window)
    try:
        pulled = tap.pull(streams)
    except BaseException as error:
        _seal_what_there_is(lander, error)
        raise
    finally:
        tap.close()
    lander.seal()
    for one in pulled:
        counts = lander.landed.get(one.stream)
        done.streams.append(
            runs.StreamRun(
                one.stream,
                started_at,
                now(),
                _outcome(one.outcome),
                counts.read if counts else 0,
                counts.rejected if counts else 0,
            )
        )
        if one.problem is not None:
            done.problems.append(one.problem)
    done.skew_us = sink.skew_us
    return done


def bookmark_name(connector: str, window: Window | None) -> str:
    """What the state is kept under: each window of a backfill has a state of its own."""
    if window is None:
        return connector
    since, until = (at.isoformat() if at is not None else "" for at in (window.since, window.until))
    return f"{connector}@{since}..{until}"


def bookmark(store: Store | None, root: Path, connector: str, name: str) -> dict[str, Any]:
    """The newest state by (fence, seal number) among the database and the sealed files."""
    if store is not None:
        try:
            with store.reading() as tx:
                return register.read_bookmark(tx, name)
        except StoreUnavailable:
            pass
    newest: dict[str, Any] = {}
    for group in sealed_groups(root, connector):
        if group.state is not None and group.bookmark == name:
            newest = dict(group.state)
    return newest


def take_lease(store: Store | None, root: Path, connector: str, owner: str, now: int) -> Lease:
    """The right to pull. Without a database the fence is claimed by a file, so that no number is used twice."""
    at_least = max(highest_fence(root, connector), highest_claim(root, connector))
    if store is not None:
        try:
            return leases.acquire(store, connector, owner, now, at_least=at_least)
        except StoreUnavailable:
            pass
    folder = root / connector
    folder.mkdir(parents=True, exist_ok=True)
    fence = at_least + 1
    write_durably(folder / f"{fence:08d}.claim", owner.encode())
    return Lease(connector, owner, fence, now + leases.LEASE_US, in_store=False)


def highest_claim(root: Path, connector: str) -> int:
    """The highest fence that was claimed while the database was away; 0 without one."""
    return max((int(path.stem) for path in (root / connector).glob("*.claim")), default=0)


def _outcome(outcome: Outcome) -> str:
    if outcome in (Outcome.OK, Outcome.EMPTY):
        return runs.OK
    return "later" if outcome is Outcome.LATER else runs.FAILED


def _seal_what_there_is(lander: Lander, error: BaseException) -> None:
    """What landed before the pull broke off is kept; its state is never ahead of it."""
    if isinstance(error, (Stopped, KeyboardInterrupt, ConnectorError)):
        lander.seal()
    else:
        lander.discard()
