"""Shows a source record as it landed, fit for a person's eyes: mapped fields masked, everything else hidden."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection

from connectors.redact import SECRETS
from mappings.fieldmap import EntityMap, Source, StreamMap
from mappings.identity.masks import mask_name
from mappings.identity.normalise import normalise
from mappings.lines import REJECTED_START
from state.bulk import execute
from state.landing_files import line, read_sidecar

LONGEST = 80
_KEPT = {"_extracted_at"}


@dataclass(frozen=True)
class Sample:
    """One landed record: where it lies, its mapped fields with persons masked, the names of all others.

    A line that is no record has its `rejected` code, and `shape`: its text with every letter and digit changed.
    """

    path: str
    line_no: int
    fields: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    rejected: str = ""
    shape: str = ""


def sample(
    tx: Connection, root: Path, stream: StreamMap | None, connector: str, name: str, landing_no: int, line_no: int
) -> Sample | None:
    """The record at that place; None if its landing file is not known or no longer there."""
    row = execute(
        tx,
        "SELECT path FROM landing_file WHERE connector = ? AND stream = ? AND landing_no = ?",
        (connector, name, landing_no),
    ).first()
    if row is None or not (root / row[0]).exists():
        return None
    raw = line(root, read_sidecar(root, row[0]), line_no)
    if raw.startswith(REJECTED_START):
        return _rejected(row[0], line_no, raw)
    try:
        record = json.loads(raw, parse_float=str, parse_int=str)
    except ValueError:
        return Sample(row[0], line_no, rejected="line.unreadable", shape=shape(raw))
    return _masked(row[0], line_no, record, stream)


def shape(raw: bytes) -> str:
    """A text as it is built, without what it says: digits are 9, letters x, Chinese 某; names of members stay."""
    text = raw[: LONGEST * 4].decode("utf-8", "replace")
    parts = re.split(r'("[A-Za-z_][\w.-]{0,40}"\s*:)', text)
    hidden = [part if number % 2 else _shapeless(part) for number, part in enumerate(parts)]
    return "".join(hidden)[: LONGEST * 2]


def _shapeless(text: str) -> str:
    text = re.sub(r"[0-9]", "9", text)
    text = re.sub(r"[A-Za-z]", "x", text)
    text = re.sub(r"[^\x00-\x7f]", "某", text)
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def _rejected(path: str, line_no: int, raw: bytes) -> Sample:
    from base64 import b64decode

    landed = json.loads(raw)
    return Sample(path, line_no, rejected=landed["_rejected"], shape=shape(b64decode(landed.get("_bytes", ""))))


def _masked(path: str, line_no: int, record: Mapping[str, Any], stream: StreamMap | None) -> Sample:
    shown: dict[str, str] = {}
    kinds = dict(_kinds(stream)) if stream is not None else {}
    for source, kind in sorted(kinds.items()):
        value = _at(record, source)
        if value is not None and not isinstance(value, (dict, list)):
            shown[".".join(source)] = _shown(str(value), kind)
    mapped = {source[0] for source in kinds}
    return Sample(path, line_no, shown, tuple(sorted(set(record) - mapped - _KEPT)))


def _kinds(stream: StreamMap) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every field of the record that is mapped, with what it holds: "" (may be shown), name, or an identifier's kind.

    What holds a person in any of its uses comes last, so that it counts.
    """
    plain = [(source.path, "") for rule in (*stream.key, *stream.versions) for source in rule.sources]
    personal: list[tuple[tuple[str, ...], str]] = []
    for entity in stream.entities:
        for source, kind in _uses(entity):
            own = entity.each is None or source.parent
            if own and source.path:
                (personal if kind else plain).append((source.path, kind))
    yield from plain
    yield from personal


def _uses(entity: EntityMap) -> Iterator[tuple[Source, str]]:
    rules = [*entity.rules, *(entity.buyer.rules if entity.buyer else ())]
    for rule in rules:
        for source in rule.sources:
            yield source, "name" if rule.target.personal else ""
    found = [*entity.identifiers, *(entity.buyer.identifiers if entity.buyer else ())]
    for one in found:
        for source in one.rule.sources:
            yield source, one.kind
    for source in entity.extra.values():
        yield source, "name"  # nobody has said what stands there
    for only in entity.only:
        yield only.source, ""


def _at(record: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = record
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _shown(value: str, kind: str) -> str:
    if kind == "name":
        value = pl.DataFrame({"text": [value]}).select(mask_name(pl.col("text"))).item() or "—"
    elif kind:
        # Normalised first: of "139 1234 5678" as it stands too much would be shown.
        value = normalise(pl.Series([value]), kind)["mask"][0] or "—"
    value = SECRETS.clean(value)
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"
