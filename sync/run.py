"""Runs the flow for the connectors of one hub: pull, register, load, link products, resolve customers."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from connectors.problems import ConnectorError
from connectors.problems import Problem as ConnectorProblem
from connectors.registry import Window
from mappings.problems import LiukeError, Problem
from state import crosswalk, leases, register, runs
from state.bulk import execute
from state.leases import LeaseTaken
from state.store import Store, StoreUnavailable
from sync import crosswalk_file
from sync import extract as extracting
from sync.carry_on import carry_on
from sync.extract import Extracted, Stopped
from sync.load import Loaded, load_file, load_waiting
from sync.reader import Reader
from sync.resolve import Resolved, resolve
from sync.writeback.apply import Drained

if TYPE_CHECKING:
    from quality.contract import Contracts
    from sync.config import Instance
    from sync.hub import Hub

PULLS_AT_ONCE = 8
"""Connectors pulled side by side; they mostly wait for their systems."""


@dataclass
class ConnectorSynced:
    """What one run did for one connector."""

    name: str
    run_id: str
    outcome: str = runs.OK
    extracted: Extracted | None = None
    loaded: Loaded = field(default_factory=Loaded)
    problems: list[Problem | ConnectorProblem] = field(default_factory=list)
    backfill: bool = False
    recovered: int = 0
    waiting: bool = False


@dataclass
class Synced:
    """What one run did. `waiting` says that the database was away: what was pulled lies in landing files."""

    connectors: list[ConnectorSynced] = field(default_factory=list)
    linked: int = 0
    resolved: Resolved | None = None
    written: list[Drained] = field(default_factory=list)
    waiting: bool = False
    after: list[Problem | ConnectorProblem] = field(default_factory=list)
    """What went wrong after the connectors were through: linking, resolving, writing back."""

    @property
    def problems(self) -> list[Problem | ConnectorProblem]:
        """Everything that went wrong, in the order of connectors."""
        return [*(problem for one in self.connectors for problem in one.problems), *self.after]


class Runner:
    """Runs the flow over one open hub. `stop` may be set by a signal: pulls then seal and break off."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.stop = threading.Event()

    @cached_property
    def contracts(self) -> Contracts:
        """The shipped contracts under the user's own."""
        from quality.contract_reading import load

        return load(self.hub.folder / "contracts", self.hub.config.instances)

    def reader(self, instance: Instance) -> Reader:
        """What turns the lines of that connector into rows."""
        return Reader(instance.name, instance.field_map, self.contracts, self.hub.keys)

    def sync(
        self,
        names: Collection[str] = (),
        *,
        streams: Collection[str] | None = None,
        window: Window | None = None,
        backfill: bool | None = None,
    ) -> Synced:
        """Pulls and loads these connectors (all, if not named), then links products and resolves customers.

        A connector that fails stops no other. A first load counts as a backfill, unless `backfill` says otherwise.
        """
        instances = [self.hub.instance(name) for name in names or sorted(self.hub.config.instances)]
        store = self.hub.store_or_none
        done = Synced(waiting=store is None)
        with ThreadPoolExecutor(max_workers=min(PULLS_AT_ONCE, max(len(instances), 1))) as pool:
            futures = [pool.submit(self._pull, store, instance, streams, window, backfill) for instance in instances]
            try:
                # Loaded in the order of names, each as soon as its pull is through; later pulls go on meanwhile.
                for instance, future in zip(instances, futures, strict=True):
                    one = future.result()
                    done.connectors.append(one)
                    if store is not None and not one.waiting:
                        self._load(store, instance, one)
                    done.waiting |= one.waiting
            except BaseException:
                self.stop.set()
                raise
        if store is not None and not done.waiting:
            self._finish(store, done)
            self.hub.flush_meters()
        return done

    def replay(self, names: Collection[str] = (), *, everything: bool = False) -> Synced:
        """Loads again: frozen and waiting files, those with quarantined records, or (everything) all files.

        Nothing is pulled. What a mended map or contract now reads becomes visible; what it reads as before stays.
        """
        done = Synced()
        store = self.hub.store
        for name in names or sorted(self.hub.config.instances):
            instance = self.hub.instance(name)
            one = ConnectorSynced(name, self.hub.new_run_id())
            done.connectors.append(one)
            reader = self.reader(instance)
            for path in self._to_replay(store, name, everything):
                from state.landing_files import read_sidecar

                sidecar = read_sidecar(self.hub.landing, path)
                one.loaded.add(
                    load_file(
                        store,
                        reader,
                        self.hub.landing,
                        sidecar,
                        self.hub.now,
                        one.run_id,
                        library=self.hub.config.library,
                        again=True,
                    )
                )
            one.problems += [problem for error in one.loaded.frozen for problem in error.problems]
        self._finish(store, done)
        return done

    # --- one connector --------------------------------------------------------------------------------

    def _pull(
        self,
        store: Store | None,
        instance: Instance,
        streams: Collection[str] | None,
        window: Window | None,
        backfill: bool | None,
    ) -> ConnectorSynced:
        """Pulls one connector; everything that can go wrong there comes back as a problem of it alone."""
        hub = self.hub
        done = ConnectorSynced(instance.name, hub.new_run_id())
        try:
            lease = extracting.take_lease(store, hub.landing, instance.name, hub.owner, hub.now())
        except LeaseTaken as error:
            done.outcome = "later"
            done.problems += error.problems
            return done
        if not lease.in_store:
            # Every further try would wait for the lock again; the next run registers what this one lands.
            store = None
            done.waiting = True
        try:
            done.backfill = backfill if backfill is not None else window is not None or self._is_first(store, instance)
            self._begin(store, done)
            if store is not None:
                done.recovered = register.recover(store, hub.landing, lease, hub.now()).groups
            done.extracted = extracting.extract(
                store,
                hub.landing,
                instance.connector,
                instance.settings,
                hub.ports(instance.name),
                lease,
                run_id=done.run_id,
                now=hub.now,
                streams=streams if streams is not None else instance.streams,
                window=window,
                backfill=done.backfill,
                stop=self.stop,
            )
            done.outcome = done.extracted.outcome
            done.problems += done.extracted.problems
            if done.extracted.away is not None:
                done.waiting = True
                done.problems.append(done.extracted.away)
        except Stopped:
            done.outcome = runs.CANCELLED
            raise
        except (LiukeError, ConnectorError) as error:
            done.outcome = runs.FAILED
            done.problems += error.problems
        finally:
            self._end(store, done)
            self._release(store, lease)
        return done

    def _load(self, store: Store, instance: Instance, done: ConnectorSynced) -> None:
        try:
            done.loaded = load_waiting(
                store,
                self.reader(instance),
                self.hub.landing,
                self.hub.now,
                done.run_id,
                library=self.hub.config.library,
            )
        except StoreUnavailable as error:
            done.waiting = True
            done.problems += error.problems
            return
        done.problems += [problem for error in done.loaded.frozen for problem in error.problems]

    def _finish(self, store: Store, done: Synced) -> None:
        """What concerns all connectors together: product links and customers."""
        try:
            now = self.hub.now()
            library = self.hub.config.library
            decided = crosswalk_file.take(store, self.hub.config, now)
            if library is not None and (decided or any(_moves_links(one.loaded) for one in done.connectors)):
                with store.transaction() as tx:
                    crosswalk.link_same_codes(tx, library, now)
                    done.linked = crosswalk.relink(tx, library, now)
            done.resolved = resolve(store, now)
            done.written = carry_on(self.hub)
            done.after += [problem for one in done.written for problem in one.problems]
        except StoreUnavailable as error:
            done.waiting = True
            done.after += error.problems
        except (LiukeError, ConnectorError) as error:
            done.after += error.problems

    # --- bookkeeping that must never stop a pull ----------------------------------------------------------

    def _is_first(self, store: Store | None, instance: Instance) -> bool:
        if store is None:
            return False
        try:
            with store.reading() as tx:
                return not runs.has_succeeded(tx, instance.name)
        except StoreUnavailable:
            return False

    def _begin(self, store: Store | None, done: ConnectorSynced) -> None:
        if store is None:
            return
        try:
            with store.transaction() as tx:
                runs.begin(tx, done.run_id, done.name, "sync", self.hub.now(), backfill=done.backfill)
        except StoreUnavailable as error:
            done.problems += error.problems

    def _end(self, store: Store | None, done: ConnectorSynced) -> None:
        """A run whose end cannot be written down proves nothing fresh: the streams age until one can."""
        if store is None:
            return
        found = done.extracted or Extracted()
        first = done.problems[0] if done.problems else None
        counts = {"read": found.read, "groups": found.groups, "unregistered": found.unregistered}
        if found.skew_us is not None:
            counts["skew_us"] = found.skew_us
        try:
            with store.transaction() as tx:
                runs.begin(tx, done.run_id, done.name, "sync", self.hub.now(), backfill=done.backfill)
                error = (first.code, str(first.what)) if first else None
                runs.end(tx, done.run_id, done.name, self.hub.now(), done.outcome, found.streams, counts, error)
        except StoreUnavailable as error:
            done.problems += [p for p in error.problems if p not in done.problems]

    def _release(self, store: Store | None, lease: leases.Lease) -> None:
        if store is None:
            return
        try:
            leases.release(store, lease)
        except StoreUnavailable:
            return  # it runs out by itself

    def _to_replay(self, store: Store, name: str, everything: bool) -> list[str]:
        with store.reading() as tx:
            return [
                path
                for (path,) in execute(
                    tx,
                    "SELECT path FROM landing_file AS f WHERE connector = ? AND (? = 1 OR status <> 'loaded' "
                    "OR EXISTS (SELECT 1 FROM quarantine AS q WHERE q.connector = f.connector "
                    "AND q.landing_no = f.landing_no AND q.status = 'open')) ORDER BY landing_no",
                    (name, int(everything)),
                )
            ]


def _moves_links(loaded: Loaded) -> bool:
    """Whether products or order lines came: only then can a link begin or end."""
    return any(counts.get(entity) for counts in (loaded.new, loaded.changed) for entity in ("product", "order_line"))
