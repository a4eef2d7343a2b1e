"""Loads landing files into the unified tables: one file, one transaction, as often and in any order you like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from sqlalchemy import Connection

from mappings.hashing import content_hash
from mappings.model import ENTITIES
from mappings.objects import LINE_NO
from mappings.problems import LiukeError
from mappings.reading import EXTRACTED_AT
from state import crosswalk, identifiers, leases, ledger, quarantine, touched, unified
from state.bulk import execute
from state.landing_files import Sidecar, read_sidecar
from state.leases import Lease
from state.records import record_numbers
from state.seams import seam
from state.store import Store
from sync.reader import Batch, Reader, read_file

SEALED, LOADED, FROZEN = "sealed", "loaded", "frozen"


@dataclass
class Loaded:
    """What loading did: files, their lines, and what became of each entity's rows."""

    files: int = 0
    lines: int = 0
    quarantined: int = 0
    late: int = 0
    frozen: list[LiukeError] = field(default_factory=list)
    new: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    drift: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, other: Loaded) -> None:
        """Adds what another load did."""
        self.files += other.files
        self.lines += other.lines
        self.quarantined += other.quarantined
        self.late += other.late
        self.frozen += other.frozen
        for mine, theirs in ((self.new, other.new), (self.changed, other.changed), (self.seen, other.seen)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        self.drift |= other.drift


def load_waiting(
    store: Store,
    reader: Reader,
    root: Path,
    now: Callable[[], int],
    run_id: str,
    *,
    library: str | None = None,
    lease: Lease | None = None,
    on_file: Callable[[Sidecar], None] | None = None,
) -> Loaded:
    """Loads every registered file of the connector that is not loaded yet, oldest first.

    A file that cannot be judged is frozen (and owed) and stops no other.
    """
    with store.reading() as tx:
        paths = [
            path
            for (path,) in execute(
                tx,
                "SELECT path FROM landing_file WHERE connector = ? AND status = ? ORDER BY landing_no",
                (reader.connector, SEALED),
            )
        ]
    done = Loaded()
    for path in paths:
        sidecar = read_sidecar(root, path)
        done.add(load_file(store, reader, root, sidecar, now, run_id, library=library, lease=lease))
        if on_file is not None:
            on_file(sidecar)
    return done


def load_file(
    store: Store,
    reader: Reader,
    root: Path,
    sidecar: Sidecar,
    now: Callable[[], int],
    run_id: str,
    *,
    library: str | None = None,
    lease: Lease | None = None,
    again: bool = False,
) -> Loaded:
    """Loads one file. `again` loads it even if it was loaded before (replay after a map or contract changed)."""
    try:
        batch = read_file(reader, root, sidecar)
    except LiukeError as error:
        _freeze(store, sidecar, error)
        return Loaded(files=1, frozen=[error])
    hashed = {name: _versioned(name, rows, sidecar, run_id) for name, rows in batch.entities.items()}
    with store.transaction() as tx:  # rows, quarantine, ledger and "file loaded" stand or fall together
        committed_at = now()
        if lease is not None:
            leases.renew(tx, lease, committed_at)
        if not _claim(tx, sidecar, batch, committed_at, again):
            return Loaded()
        done = _write(tx, reader.connector, batch, hashed, committed_at, library)
        due_us = reader.contracts.of(batch.primary, reader.connector).due_us
        done.quarantined = quarantine.settle(tx, reader.connector, batch.bad, run_id, committed_at, due_us=due_us)
        if not again:
            moved = done.moved
            done.late = ledger.enter_load(
                tx, reader.connector, sidecar.stream, moved, committed_at, backfill=sidecar.backfill
            )
        seam("load.before-commit")
    seam("load.committed")
    done.lines = batch.lines
    if batch.drift:
        done.drift[f"{reader.connector}.{sidecar.stream}"] = batch.drift
    return done


@dataclass
class _Written(Loaded):
    """Loaded, with the record's own rows that moved (source_id, source_updated_at, extracted_at)."""

    moved: pl.DataFrame = field(default_factory=pl.DataFrame)


def _write(
    tx: Connection,
    connector: str,
    batch: Batch,
    versioned: dict[str, pl.DataFrame],
    committed_at: int,
    library: str | None,
) -> _Written:
    done = _Written(files=1)
    known_parents = pl.Series("source_id", [], dtype=pl.String)
    people = versioned.get("customer_record")
    before = identifiers.facts(tx, connector, people["source_id"].unique().sort()) if people is not None else None
    numbers = record_numbers(tx, connector, _customers_named(versioned))
    # The record itself first: its elements are compared with the version of it that is visible then.
    for entity in sorted(versioned, key=lambda name: (name != batch.primary, name)):
        frame = _numbered(entity, versioned[entity], numbers).with_columns(pl.lit(committed_at).alias("committed_at"))
        if entity == "order_line":
            frame = crosswalk.line_status(
                frame, crosswalk.links(tx, connector, committed_at) if library is not None else None
            )
        column = batch.parents.get(entity)
        rows = unified.Rows(entity, frame, batch.partial, column, batch.primary if column else None)
        applied = unified.apply(tx, connector, rows)
        done.new[entity], done.changed[entity], done.seen[entity] = applied.new, applied.changed, applied.seen
        if entity == batch.primary:
            done.moved = applied.rows.select("source_id", "source_updated_at", "extracted_at")
            known_parents = applied.known
        if column:
            done.changed[entity] += unified.drop_children(tx, connector, rows, known_parents)
        touched.mark(tx, _touched(tx, connector, entity, applied.rows), committed_at)
        if entity == "customer_record" and before is not None:
            _identify(tx, connector, applied.rows, batch.identifiers, before, partial=batch.partial)
    return done


def _touched(tx: Connection, connector: str, entity: str, rows: pl.DataFrame) -> list[int]:
    """The customer records whose purchases these rows change."""
    if entity == "order":
        return rows["buyer_record_no"].drop_nulls().unique().to_list()
    if entity == "refund":
        return touched.buyers_of(tx, connector, rows["order_source_id"].drop_nulls().unique().to_list())
    return []


def _customers_named(versioned: dict[str, pl.DataFrame]) -> pl.Series:
    """source_id of every customer record that the rows are or name: named before known gets its number too."""
    named = [
        frame[column].drop_nulls()
        for name, frame in versioned.items()
        for column in (("source_id",) if name == "customer_record" else ("customer_source_id",))
        if column in frame.columns
    ]
    return pl.concat([pl.Series([], dtype=pl.String), *named])


def _numbered(entity: str, frame: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """The rows with their record numbers: their own, or that of the customer they name."""
    if entity == "customer_record":
        return frame.join(numbers, on="source_id", how="left", maintain_order="left")
    if "customer_source_id" not in frame.columns:
        return frame
    named = numbers.rename({"source_id": "customer_source_id", "record_no": "buyer_record_no"})
    return frame.join(named, on="customer_source_id", how="left", maintain_order="left")


def _identify(
    tx: Connection,
    connector: str,
    records: pl.DataFrame,
    found: pl.DataFrame,
    before: pl.DataFrame,
    *,
    partial: bool,
) -> None:
    """Gives records the identifiers of the version that is visible now."""
    if partial:
        # What a partial record did not bring stays as it is.
        records = records.filter(pl.col("identifier_set").is_in(found["identifier_set"].unique().implode()))
    visible = found.join(records.select("source_id", "identifier_set"), on=["source_id", "identifier_set"], how="semi")
    unique = visible.select(*identifiers.COLUMNS).unique(subset=["source_id", "kind", "scope", "digest"])
    identifiers.replace(tx, connector, records, unique, before)


def _versioned(entity: str, rows: pl.DataFrame, sidecar: Sidecar, run_id: str) -> pl.DataFrame:
    """The rows with their version, the run that brings them, and the hash of their content."""
    return rows.rename({LINE_NO: "line_no", EXTRACTED_AT: "extracted_at"}).with_columns(
        pl.lit(sidecar.landing_no).alias("landing_no"),
        pl.lit(run_id).alias("run_id"),
        content_hash(rows, ENTITIES[entity].content()).alias("content_hash"),
    )


def _claim(tx: Connection, sidecar: Sidecar, batch: Batch, now: int, again: bool) -> bool:
    """Marks the file as loaded by this transaction; False if another one has loaded it already."""
    result = execute(
        tx,
        "UPDATE landing_file SET status = ?, loaded_at = ?, problem = NULL, visible = ?, quarantined = ? "
        f"WHERE connector = ? AND stream = ? AND landing_no = ? {'' if again else 'AND status <> ?'}",
        (
            *(LOADED, now, batch.good, len(batch.bad), sidecar.connector, sidecar.stream, sidecar.landing_no),
            *(() if again else (LOADED,)),
        ),
    )
    return bool(result.rowcount)


def _freeze(store: Store, sidecar: Sidecar, error: LiukeError) -> None:
    with store.transaction() as tx:
        execute(
            tx,
            "UPDATE landing_file SET status = ?, problem = ? WHERE connector = ? AND stream = ? AND landing_no = ?",
            (FROZEN, error.problems[0].code, sidecar.connector, sidecar.stream, sidecar.landing_no),
        )
