"""Registers sealed groups: files and bookmark in one transaction, whoever sealed them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from state.bulk import execute, execute_many
from state.landing_files import SealedGroup, clear_unsealed, sealed_groups
from state.leases import Lease, renew
from state.seams import seam
from state.store import Store


@dataclass(frozen=True)
class Registered:
    """What recovery found: groups that were sealed but not registered, and unsealed files it cleared away."""

    groups: int
    cleared: int


def register(store: Store, group: SealedGroup, lease: Lease | None, now: int) -> None:
    """Makes a sealed group known: its files await loading, its state is the bookmark if it is the newest.

    With a lease, only its holder may register. Registering a group again changes nothing.
    """
    with store.transaction() as tx:  # files and bookmark stand or fall together: no bookmark without its rows
        if lease is not None:
            renew(tx, lease, now)
        execute_many(
            tx,
            "INSERT INTO landing_file (connector, stream, landing_no, path, lines, rejected, bytes, checksum, "
            "backfill, run_id, first_extracted_at, sealed_at, status) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'sealed') ON CONFLICT DO NOTHING",
            [
                (
                    f.connector,
                    f.stream,
                    f.landing_no,
                    f.path,
                    f.lines,
                    f.rejected,
                    f.bytes,
                    f.checksum,
                    int(f.backfill),
                    f.run_id,
                    f.first_extracted_at,
                    f.sealed_at,
                )
                for f in group.files
            ],
        )
        if group.state is not None:
            save_bookmark(tx, group.bookmark, group.state, group.fence, group.seal_no, now)
        seam("register.before-commit")
    seam("register.committed")


def save_bookmark(tx: Connection, name: str, state: Mapping[str, Any], fence: int, seal_no: int, now: int) -> None:
    """Keeps the tap's state unless the database has one of a later seal; states are never compared."""
    execute(
        tx,
        "INSERT INTO bookmark (name, state, fence, seal_no, saved_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET state = excluded.state, fence = excluded.fence, "
        "seal_no = excluded.seal_no, saved_at = excluded.saved_at "
        "WHERE (excluded.fence, excluded.seal_no) > (bookmark.fence, bookmark.seal_no)",
        (name, json.dumps(state, ensure_ascii=False, sort_keys=True), fence, seal_no, now),
    )


def read_bookmark(tx: Connection, name: str) -> dict[str, Any]:
    """The tap's state to start from; empty for a connector, or a window of it, that never ran."""
    row = execute(tx, "SELECT state FROM bookmark WHERE name = ?", (name,)).first()
    return json.loads(row[0]) if row else {}


def recover(store: Store, root: Path, lease: Lease, now: int) -> Registered:
    """Registers what earlier processes sealed and could not register, and clears away what they left unsealed."""
    mark = f"recovered.{lease.connector}"
    with store.reading() as tx:
        row = execute(tx, "SELECT value FROM setting WHERE name = ?", (mark,)).first()
        from_fence = int(row[0]) if row else 0
        known = {
            n
            for (n,) in execute(
                tx,
                "SELECT landing_no FROM landing_file WHERE connector = ? AND landing_no >= ?",
                (lease.connector, from_fence << 32),
            )
        }
    found = 0
    for group in sealed_groups(root, lease.connector, from_fence=from_fence):
        if group.fence < lease.fence and not all(f.landing_no in known for f in group.files):
            register(store, group, None, now)
            found += 1
    cleared = clear_unsealed(root, lease.connector, before_fence=lease.fence, from_fence=from_fence)
    with store.transaction() as tx:
        execute(
            tx,
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (mark, str(lease.fence)),
        )
    return Registered(found, cleared)
