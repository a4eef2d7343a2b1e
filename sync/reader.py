"""Turns the lines of a landing file into rows of the unified model and records that may not become visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mappings.fieldmap import EntityMap, FieldMap, StreamMap
from mappings.fieldmap_apply import BUYER, REASONS, Mapped, apply, with_buyers
from mappings.identity.digest import Keys
from mappings.model import ENTITIES
from mappings.objects import LINE_NO
from mappings.problems import LiukeError, Problem, Text
from mappings.reading import EXTRACTED_AT, Frame, read
from quality.check_rows import check
from quality.contract import Contracts
from state.identifiers import COLUMNS
from state.landing_files import Chunk, Sidecar, chunks
from state.quarantine import BadRecord, Reason, line_key
from sync.identify import buyer_ids, identifier_sets, of_buyers, protected

FUTURE_US = 24 * 3600 * 1_000_000
"""A source's own time may be this far ahead of ours (clock skew) before it cannot be believed."""


@dataclass(frozen=True)
class Reader:
    """All that decides how one connector's lines are read: field map, contracts, identity key."""

    connector: str
    field_map: FieldMap
    contracts: Contracts
    keys: Keys


@dataclass
class Batch:
    """What the lines of one file are. lines = good + bad, and every bad one has its reasons.

    `entities` are rows in storage types of good records only, with _line_no and _extracted_at; `parents` names,
    for an entity whose rows are elements of the record's own line, the column with the record's source_id.
    `identifiers` have the identifier_set of their record's version, as customer_record has.
    """

    stream: str
    primary: str
    partial: bool
    lines: int = 0
    good: int = 0
    filtered: int = 0
    entities: dict[str, pl.DataFrame] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    identifiers: pl.DataFrame = field(default_factory=pl.DataFrame)
    bad: list[BadRecord] = field(default_factory=list)
    drift: tuple[str, ...] = ()


def read_file(reader: Reader, root: Path, sidecar: Sidecar) -> Batch:
    """Reads, maps and checks every line of a landing file.

    Raises LiukeError when the file cannot be judged at all (no map, damaged, a check that cannot run): then no
    row of it may pass.
    """
    stream = reader.field_map.streams.get(sidecar.stream)
    if stream is None:
        raise LiukeError(_no_map(reader.connector, sidecar.stream))
    parts = [_read_chunk(reader, stream, chunk, sidecar.landing_no) for chunk in chunks(root, sidecar)]
    return _joined(stream, parts)


@dataclass(frozen=True)
class _Part:
    """One chunk, read."""

    frame: Frame
    good: int
    filtered: int
    entities: Mapping[str, pl.DataFrame]
    identifiers: pl.DataFrame
    bad: list[BadRecord]


def _read_chunk(reader: Reader, stream: StreamMap, chunk: Chunk, landing_no: int) -> _Part:
    frame = read(chunk.data, stream.columns, first_line=chunk.first_line)
    mapped = apply(stream, frame, reader.connector)
    buyers, own = mapped.buyers, mapped.identifiers
    # Digests cost more than anything else here: the buyers' serve for their ids and as their identifiers.
    of_them = protected(buyers.identifiers, reader.keys)
    ids = buyer_ids(of_them, buyers.rows.height)
    mapped = with_buyers(mapped, ids)
    reasons = pl.concat([mapped.reasons, _failures(reader, mapped), _doubled(stream, mapped), _from_future(mapped)])
    bad_lines = reasons[LINE_NO].unique()
    entities = {name: _without(bad_lines, rows).drop(BUYER, strict=False) for name, rows in mapped.entities.items()}
    parts = (
        protected(_without(bad_lines, own), reader.keys),
        _without(bad_lines, of_buyers(of_them, buyers, ids)),
    )
    identifiers = pl.concat([part.select(LINE_NO, *COLUMNS) for part in parts])
    sets = identifier_sets(identifiers)
    identifiers = _with_sets(identifiers, sets)
    if "customer_record" in entities:
        entities["customer_record"] = _with_sets(entities["customer_record"], sets)
    bad = [*_bad_records(stream, mapped, reasons, landing_no), *_rejected_lines(stream.name, frame, landing_no)]
    return _Part(frame, frame.rows.height - len(bad_lines), mapped.filtered, entities, identifiers, bad)


def _without(lines: pl.Series, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if lines.is_empty() else frame.filter(~pl.col(LINE_NO).is_in(lines.implode()))


def _with_sets(frame: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    return frame.join(sets, on=[LINE_NO, "source_id"], how="left", maintain_order="left")


def _failures(reader: Reader, mapped: Mapped) -> pl.DataFrame:
    """What contracts find wrong, as reasons."""
    found = [pl.DataFrame(schema=REASONS)]
    for entity, rows in mapped.entities.items():
        contract = reader.contracts.of(entity, reader.connector)
        failures = check(rows.rename({EXTRACTED_AT: "extracted_at"}), contract)
        if failures.height:
            lines = rows[LINE_NO].gather(failures["row"])
            names = failures["field"].str.strip_prefix(f"{entity}.")
            found.append(
                failures.select(
                    lines.alias(LINE_NO), pl.lit(entity).alias("entity"), names.alias("field"), "code", "sample"
                )
            )
    return pl.concat(found)


def _doubled(stream: StreamMap, mapped: Mapped) -> pl.DataFrame:
    """Elements of one record with the same source_id: one of them would hide the other."""
    found = [pl.DataFrame(schema=REASONS)]
    for entity in stream.entities:
        if entity.each is None:
            continue
        rows = mapped.entities[entity.entity.name]
        twice = (
            rows.filter(pl.col("source_id").is_not_null())
            .group_by(LINE_NO, "source_id")
            .len()
            .filter(pl.col("len") > 1)
        )
        found.append(
            twice.select(
                LINE_NO,
                pl.lit(entity.entity.name).alias("entity"),
                pl.lit("source_id").alias("field"),
                pl.lit("row.key-doubled").alias("code"),
                pl.lit("").alias("sample"),
            )
        )
    return pl.concat(found)


def _from_future(mapped: Mapped) -> pl.DataFrame:
    """Records that claim to have changed after they were read: as versions they would never be superseded."""
    rows = mapped.entities[mapped.primary]
    wrong = rows.filter(pl.col("source_updated_at") > pl.col(EXTRACTED_AT) + FUTURE_US)
    shown = (pl.col("source_updated_at") + 8 * 3_600_000_000).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")
    return wrong.select(
        LINE_NO,
        pl.lit(mapped.primary).alias("entity"),
        pl.lit("source_updated_at").alias("field"),
        pl.lit("row.updated-in-future").alias("code"),
        shown.alias("sample"),
    )


def _bad_records(stream: StreamMap, mapped: Mapped, reasons: pl.DataFrame, landing_no: int) -> list[BadRecord]:
    if reasons.is_empty():
        return []
    primary = mapped.entities[mapped.primary]
    rows = {
        row[LINE_NO]: row
        for row in primary.filter(pl.col(LINE_NO).is_in(reasons[LINE_NO].unique().implode()))
        .select(LINE_NO, EXTRACTED_AT, "source_id", "source_updated_at")
        .iter_rows(named=True)
    }
    by_line: dict[int, list[tuple[str, str, str, str]]] = {}
    for line_no, entity, name, code, sample in reasons.select(LINE_NO, "entity", "field", "code", "sample").rows():
        by_line.setdefault(line_no, []).append((entity, name, code, sample))
    records = []
    for line_no, found in sorted(by_line.items()):
        row = rows.get(line_no)
        key = row["source_id"] if row else None
        updated = row["source_updated_at"] if row else None
        extracted_at = row[EXTRACTED_AT] if row else 0
        if any(name == "source_updated_at" for _, name, _, _ in found):
            # Its own time cannot be read or believed: the time it was pulled at stands in, so that it is
            # neither older than everything nor newer than every correction.
            updated = extracted_at
        records.append(
            BadRecord(
                stream.name,
                mapped.primary if key is not None else "",
                key if key is not None else line_key(stream.name, landing_no, line_no),
                landing_no,
                line_no,
                updated,
                extracted_at,
                tuple(Reason(code, f"{entity}.{name}", sample or "") for entity, name, code, sample in found),
            )
        )
    return records


def _rejected_lines(stream: str, frame: Frame, landing_no: int) -> list[BadRecord]:
    return [
        BadRecord(
            stream,
            "",
            line_key(stream, landing_no, line.line_no),
            landing_no,
            line.line_no,
            None,
            line.extracted_at or 0,
            (Reason("line.rejected", line.code, f"{len(line.record)} B"),),
        )
        for line in frame.rejected
    ]


def _joined(stream: StreamMap, parts: list[_Part]) -> Batch:
    batch = Batch(stream.name, stream.primary.entity.name, stream.partial)
    for part in parts:
        batch.lines += part.frame.lines - part.frame.blank
        batch.good += part.good
        batch.filtered += part.filtered
        batch.bad += part.bad
    for entity in dict.fromkeys(name for part in parts for name in part.entities):
        batch.entities[entity] = pl.concat([part.entities[entity] for part in parts if entity in part.entities])
    batch.identifiers = pl.concat([part.identifiers for part in parts]) if parts else pl.DataFrame()
    batch.parents = {e.entity.name: column for e in stream.entities if (column := _parent_column(e, batch.primary))}
    absent = [set(part.frame.absent) for part in parts if part.frame.rows.height]
    batch.drift = tuple(sorted(set.intersection(*absent))) if absent else ()
    return batch


def _parent_column(entity: EntityMap, primary: str) -> str | None:
    """The column of an element's entity that holds the source_id of its record; None if it is no element."""
    if entity.each is None:
        return None
    fields = ENTITIES[entity.entity.name].fields
    return next((f.name for f in fields if f.references == primary), None)


def _no_map(connector: str, stream: str) -> Problem:
    return Problem(
        "map.stream-missing",
        Text(
            f"同步对象 {stream} 没有字段映射, 数据留在落地文件中",
            f"stream {stream} has no field map; its data waits in landing files",
        ),
        f"mappings/{connector}.yaml",
        Text(
            f"在 mappings/{connector}.yaml 中为 {stream} 写字段映射, 然后运行 liuke replay",
            f"write a field map for {stream} in mappings/{connector}.yaml, then run liuke replay",
        ),
    )
