"""The audit: who did what to what, and when; entries are only ever added (the database refuses the rest)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from state.bulk import execute


@dataclass(frozen=True)
class Entry:
    """One act of a person or of the hub itself; `at` is microseconds UTC."""

    at: int
    actor: str
    act: str
    object: str
    detail: Mapping[str, Any]


def record(tx: Connection, at: int, actor: str, act: str, object: str, detail: Mapping[str, Any] | None = None) -> None:
    """Adds an entry in the transaction of the act itself: neither stands without the other.

    `detail` holds numbers, names and reasons; no secret and no unmasked person.
    """
    execute(
        tx,
        "INSERT INTO audit (at, actor, act, object, detail) VALUES (?, ?, ?, ?, ?)",
        (at, actor, act, object, json.dumps(detail or {}, ensure_ascii=False, sort_keys=True)),
    )


def entries(tx: Connection, *, act: str = "", object: str = "", limit: int = 100) -> list[Entry]:
    """The newest entries first; `act` is a prefix (`writeback.`), `object` the exact one."""
    rows = execute(
        tx,
        "SELECT at, actor, act, object, detail FROM audit "
        "WHERE substr(act, 1, ?) = ? AND (? = '' OR object = ?) ORDER BY id DESC LIMIT ?",
        (len(act), act, object, object, limit),
    )
    return [Entry(at, actor, act, object, json.loads(detail)) for at, actor, act, object, detail in rows]
