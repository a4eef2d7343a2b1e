"""Counts landing files that are sealed on disk and that the database does not know: it was away when they landed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from quality.debts import Unregistered
from state.bulk import execute
from state.landing_files import sealed_groups


def unregistered(tx: Connection, root: Path, connectors: Iterable[str]) -> Unregistered:
    """How many there are, and when the oldest was sealed. They are registered by the connector's next run."""
    files, oldest_at = 0, None
    for connector in connectors:
        row = execute(tx, "SELECT value FROM setting WHERE name = ?", (f"recovered.{connector}",)).first()
        from_fence = int(row[0]) if row else 0
        known = {
            number
            for (number,) in execute(
                tx,
                "SELECT landing_no FROM landing_file WHERE connector = ? AND landing_no >= ?",
                (connector, from_fence << 32),
            )
        }
        for group in sealed_groups(root, connector, from_fence=from_fence):
            missing = sum(file.landing_no not in known for file in group.files)
            if missing:
                files += missing
                oldest_at = group.sealed_at if oldest_at is None else min(oldest_at, group.sealed_at)
    return Unregistered(files, oldest_at)
