"""Turns records of text into rows of the unified model, as a field map says.

Nothing disappears: a source cell that is not blank and finds no place in its column is a reason, with the line,
the column, a code and a masked sample. What to do with such a record is decided elsewhere (quality/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from mappings import exactjson
from mappings.fieldmap import Buyer, EntityMap, IdentifierRule, Only, Rule, Source, StreamMap
from mappings.fieldmap_table import Failure, Table
from mappings.model import CUSTOMER_RECORD, Entity, Type
from mappings.objects import LINE_NO
from mappings.reading import EXTRACTED_AT, Frame
from mappings.transforms import find
from mappings.transforms.texts import nested

BUYER = "_buyer"
"""In rows whose customer is a buyer that still has no source_id: its number in `Mapped.buyers`."""

KEY_MISSING = "row.key-missing"
PART_MISSING = "cell.part-missing"

REASONS = {
    LINE_NO: pl.Int64,
    "entity": pl.String,
    "field": pl.String,
    "code": pl.String,
    "sample": pl.String,
}
IDENTIFIERS = {
    LINE_NO: pl.Int64,
    "source_id": pl.String,
    "kind": pl.String,
    "scope": pl.String,
    "value": pl.String,
}

_NUMBERS = (Type.MONEY, Type.QUANTITY, Type.TIME, Type.FLAG, Type.INTEGER)
_GLOBAL = ("phone", "email", "company_code")


@dataclass(frozen=True)
class Buyers:
    """Customer records made from buyers' identifiers. `rows` is a frame of customer_record without source_ids.

    `identifiers` has the columns _buyer (row of `rows`, from 0), kind, scope, value.
    """

    rows: pl.DataFrame
    identifiers: pl.DataFrame


@dataclass(frozen=True)
class Mapped:
    """What the records of a frame are in the unified model.

    `entities`: per entity a frame in storage types with `_line_no`, `_extracted_at`, the entity's mapped columns,
    extra, deleted, and `_buyer` where the entity has a customer. `keys`: the record key of each line, as text (a
    JSON list if it has several fields). `identifiers`: one row per identifier of a customer_record row, values as
    the source wrote them. `reasons`: one row per cell that could not be mapped. `filtered` counts rows left out
    because `only` says so; `removed` the control characters taken out of text. `absent` and `unknown` are the
    frame's.
    """

    stream: str
    primary: str
    entities: Mapping[str, pl.DataFrame]
    keys: pl.DataFrame
    identifiers: pl.DataFrame
    buyers: Buyers
    reasons: pl.DataFrame
    partial: bool = False
    filtered: int = 0
    removed: int = 0
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def apply(stream: StreamMap, frame: Frame, connector: str) -> Mapped:
    """The rows that the records of `frame` are, for the connector instance of that name."""
    work = _Work(stream, connector)
    records = Table(frame.rows, stream.paths)
    keys = work.keys(records)
    versions = {rule.target.name: work.column(rule, records, stream.primary) for rule in stream.versions}
    deleted = work.column(stream.deleted, records, stream.primary) if stream.deleted else None
    shared = _Shared(frame.rows[EXTRACTED_AT], versions, deleted)
    frames: dict[str, list[pl.DataFrame]] = {}
    for entity in stream.entities:
        table = records if entity.each is None else work.elements(records, entity)
        frames.setdefault(entity.entity.name, []).append(work.rows(entity, table, shared))
    return Mapped(
        stream=stream.name,
        primary=stream.primary.entity.name,
        entities={name: pl.concat(parts) for name, parts in frames.items()},
        keys=keys,
        identifiers=pl.concat([pl.DataFrame(schema=IDENTIFIERS), *work.identifiers]),
        buyers=work.buyers(),
        reasons=pl.DataFrame(work.reasons, schema=REASONS, orient="row"),
        partial=stream.partial,
        filtered=work.filtered,
        removed=work.removed,
        absent=frame.absent,
        unknown=frame.unknown,
    )


def with_buyers(mapped: Mapped, source_ids: pl.Series) -> Mapped:
    """`mapped` with its buyers as customer records of these source_ids (one for each row of `buyers.rows`).

    Where a source_id is null no record is made and the reference stays empty.
    """
    buyers = mapped.buyers
    if not buyers.rows.height:
        return mapped
    ids = source_ids.cast(pl.String).alias("source_id")
    entities = {
        name: frame.with_columns(
            pl.coalesce("customer_source_id", ids.gather(frame[BUYER]).alias(BUYER)).alias("customer_source_id")
        )
        if BUYER in frame.columns
        else frame
        for name, frame in mapped.entities.items()
    }
    made = buyers.rows.with_columns(ids).filter(pl.col("source_id").is_not_null())
    name = CUSTOMER_RECORD.name
    entities[name] = pl.concat([entities[name], made]) if name in entities else made
    found = buyers.identifiers.with_columns(
        buyers.rows[LINE_NO].gather(buyers.identifiers[BUYER]), ids.gather(buyers.identifiers[BUYER])
    ).filter(pl.col("source_id").is_not_null())
    identifiers = pl.concat([mapped.identifiers, found.select(*IDENTIFIERS)])
    empty = Buyers(buyers.rows.clear(), buyers.identifiers.clear())
    return replace(mapped, entities=entities, identifiers=identifiers, buyers=empty)


def default_scope(kind: str, connector: str) -> str:
    """Where an identifier is valid if its map does not say: everywhere ("") or in this connector alone."""
    if kind in _GLOBAL:
        return ""
    return "default" if kind == "unionid" else connector


def storage_type(kind: Type) -> type[pl.DataType]:
    """The type of a column in frames: Int64 or String."""
    return pl.Int64 if kind in _NUMBERS else pl.String


def masked(cell: str, personal: bool) -> str:
    """A sample of a cell that may be shown: no phone, number, address or name of a person in full."""
    cell = " ".join(cell.split())
    if personal:
        return f"{cell[:3]}****{cell[-4:]}" if len(cell) >= 11 else f"{cell[:1]}***"
    cell = re.sub(r"[0-9]{7,}", lambda run: f"{run[0][:3]}****{run[0][-4:]}", cell)
    cell = re.sub(r"[^\s@]+@", "***@", cell)
    return cell if len(cell) <= 40 else cell[:39] + "…"


@dataclass(frozen=True)
class _Shared:
    """What the rows of all entities take from their record."""

    extracted_at: pl.Series
    versions: Mapping[str, pl.Series]
    deleted: pl.Series | None


@dataclass
class _Work:
    """One application: what is found on the way."""

    stream: StreamMap
    connector: str
    reasons: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    identifiers: list[pl.DataFrame] = field(default_factory=list)
    filtered: int = 0
    removed: int = 0
    _buyers: list[Buyers] = field(default_factory=list)

    def keys(self, records: Table) -> pl.DataFrame:
        """The key of each record; a record without one has a reason."""
        entity = self.stream.primary
        columns = [self.column(rule, records, entity) for rule in self.stream.key]
        if len(columns) == 1:
            key = columns[0]
        else:
            rows = zip(*(column.to_list() for column in columns), strict=True)
            texts = [None if None in row else exactjson.encode(row).decode() for row in rows]
            key = pl.Series(texts, dtype=pl.String)
        self._missing(key, records.line_no, entity, "key")
        return pl.DataFrame({LINE_NO: records.line_no, "key": key})

    def elements(self, records: Table, entity: EntityMap) -> Table:
        """The elements of the entity's list."""
        paths = [source.path for source in entity.sources() if source.path and not source.parent]
        table, failures = records.elements(entity.each or (), paths)
        name = ".".join(entity.each or ())
        self._failed(failures, records.line_no, entity, name, personal=True)
        self._nested_failures(Source(entity.each or ()), records, entity, name)
        return table

    def rows(self, entity: EntityMap, table: Table, shared: _Shared) -> pl.DataFrame:
        """The entity's rows, in the order of lines and elements."""
        at = pl.int_range(table.height, eager=True)
        if entity.only:
            keep = self._kept(entity.only, table)
            self.filtered += table.height - int(keep.sum())
            table, at = table.filtered(keep), at.filter(keep)
            if table.parent is None:
                shared = _Shared(
                    shared.extracted_at.gather(at),
                    {name: column.gather(at) for name, column in shared.versions.items()},
                    shared.deleted.gather(at) if shared.deleted is not None else None,
                )
        filled = {rule.target.name: self.column(rule, table, entity) for rule in entity.rules}
        for name, column in shared.versions.items():
            filled.setdefault(name, table.of_parent(column))
        rows = self._frame(entity.entity, table, shared, filled, self._extra(entity, table))
        for target in entity.entity.mapped():
            if target.required:
                self._missing(rows[target.name], table.line_no, entity, target.name)
        if "customer_source_id" in rows.columns:
            rows = rows.with_columns(self._buyer(entity, table, shared, rows).alias(BUYER))
        self.identifiers += [
            pl.DataFrame({LINE_NO: table.line_no, "source_id": rows["source_id"], "value": values})
            .filter(pl.col("value").is_not_null() & pl.col("source_id").is_not_null())
            .select(LINE_NO, "source_id", pl.lit(kind).alias("kind"), pl.lit(scope).alias("scope"), "value")
            for kind, scope, values in self._identifier_columns(entity.identifiers, table, entity, "identifiers")
        ]
        return rows

    def column(self, rule: Rule, table: Table, entity: EntityMap, named: str | None = None) -> pl.Series:
        """A column in its storage type; each cell that is lost on the way has a reason."""
        name = named or rule.target.name
        dtype = storage_type(rule.target.type)
        if rule.value is not None:
            return pl.repeat(rule.value, table.height, dtype=dtype(), eager=True)
        parts = [self._without(rule.empty, table.cells(source)) for source in rule.sources]
        for source in rule.sources:
            self._nested_failures(source, table, entity, name)
        personal = rule.target.personal
        if rule.join is None:
            cells = parts[0] if len(parts) == 1 else _first(parts)
            return self._converted(rule, cells, table.line_no, entity, name, personal)
        columns = [self._converted(rule, part, table.line_no, entity, name, personal) for part in parts]
        frame = pl.DataFrame(columns, schema=[str(i) for i in range(len(columns))])
        joined = frame.select(pl.concat_str(pl.all(), separator=rule.join).alias(name))[name]
        some = frame.select(pl.any_horizontal(pl.all().is_not_null()).alias("some"))["some"]
        cut = (some & joined.is_null()).arg_true()
        if cut.len():
            there = frame.select(pl.concat_str(pl.all(), separator=rule.join, ignore_nulls=True).alias(name))
            failures = zip(cut.to_list(), there[name].gather(cut).to_list(), strict=True)
            self._failed([(r, PART_MISSING, c) for r, c in failures], table.line_no, entity, name, personal)
        return joined

    def buyers(self) -> Buyers:
        """All buyers of the records, numbered from 0."""
        if self._buyers:
            return Buyers(
                pl.concat([found.rows for found in self._buyers]),
                pl.concat([found.identifiers for found in self._buyers]),
            )
        columns = {target.name: storage_type(target.type) for target in CUSTOMER_RECORD.mapped()}
        rows = pl.DataFrame(
            schema={LINE_NO: pl.Int64, EXTRACTED_AT: pl.Int64, **columns, "extra": pl.String, "deleted": pl.Int64}
        )
        kinds = {"kind": pl.String, "scope": pl.String, "value": pl.String}
        return Buyers(rows, pl.DataFrame(schema={BUYER: pl.Int64, **kinds}))

    def _frame(
        self,
        entity: Entity,
        table: Table,
        shared: _Shared,
        filled: Mapping[str, pl.Series],
        extra: pl.Series | None = None,
        deleted: bool = True,
    ) -> pl.DataFrame:
        columns = [table.line_no.alias(LINE_NO), table.of_parent(shared.extracted_at).alias(EXTRACTED_AT)]
        for target in entity.mapped():
            column = filled.get(target.name)
            if column is None:
                column = pl.repeat(None, table.height, dtype=storage_type(target.type)(), eager=True)
            columns.append(column.alias(target.name))
        columns.append(
            (pl.repeat(None, table.height, dtype=pl.String(), eager=True) if extra is None else extra).alias("extra")
        )
        if shared.deleted is not None and deleted:
            gone = table.of_parent(shared.deleted)
            columns.append((gone if self.stream.partial else gone.fill_null(0)).alias("deleted"))
        else:
            here = None if self.stream.partial else 0
            columns.append(pl.repeat(here, table.height, dtype=pl.Int64(), eager=True).alias("deleted"))
        return pl.DataFrame(columns)

    def _converted(
        self, rule: Rule, cells: pl.Series, line_no: pl.Series, entity: EntityMap, name: str, personal: bool
    ) -> pl.Series:
        values = cells
        for step in rule.steps:
            transform = find(step)
            before, (values, removed) = values, transform.apply(values, rule.options)
            self.removed += removed
            if values.null_count() == before.null_count():
                continue
            lost = (before.is_not_null() & values.is_null()).arg_true()
            texts = zip(lost.to_list(), before.gather(lost).to_list(), strict=True)
            failures = [(row, transform.reason(cell), cell) for row, cell in texts if cell.strip()]
            self._failed(failures, line_no, entity, name, personal)
        return values

    def _extra(self, entity: EntityMap, table: Table) -> pl.Series | None:
        """JSON objects of the extra fields that are not blank."""
        if not entity.extra:
            return None
        columns = []
        for name, source in entity.extra.items():
            self._nested_failures(source, table, entity, f"extra.{name}")
            cells = table.cells(source)
            cells = cells.set(cells.str.strip_chars() == "", None)
            values = cells.to_list()
            if cells.str.contains(r"^[{\[]").any():
                values = [None if cell is None else nested(cell) for cell in values]
            columns.append(values)
        texts: list[str | None] = []
        for row in zip(*columns, strict=True):
            given = {name: value for name, value in zip(entity.extra, row, strict=True) if value is not None}
            texts.append(exactjson.encode(given).decode() if given else None)
        return pl.Series(texts, dtype=pl.String)

    def _identifier_columns(
        self, rules: Sequence[IdentifierRule], table: Table, entity: EntityMap, block: str
    ) -> Iterable[tuple[str, str, pl.Series]]:
        for found in rules:
            scope = default_scope(found.kind, self.connector) if found.scope is None else found.scope
            yield found.kind, scope, self.column(found.rule, table, entity, f"{block}.{found.kind}")

    def _buyer(self, entity: EntityMap, table: Table, shared: _Shared, rows: pl.DataFrame) -> pl.Series:
        """The number of each row's buyer; null where the row names its customer, or has no identifier."""
        if entity.buyer is None:
            return pl.repeat(None, table.height, dtype=pl.Int64(), eager=True)
        columns = list(self._identifier_columns(entity.buyer.identifiers, table, entity, "buyer"))
        some = pl.DataFrame([values.alias(str(i)) for i, (_, _, values) in enumerate(columns)]).select(
            pl.any_horizontal(pl.all().is_not_null()).alias("some")
        )["some"]
        there = some & rows["customer_source_id"].is_null()
        first = sum(found.rows.height for found in self._buyers)
        numbers = pl.DataFrame({"there": there}).select(
            pl.when(pl.col("there")).then(pl.col("there").cum_sum().cast(pl.Int64) - 1 + first).alias(BUYER)
        )[BUYER]
        self._buyers.append(self._minted(entity.buyer, entity, table, shared, rows, columns, numbers))
        return numbers

    def _minted(
        self,
        buyer: Buyer,
        entity: EntityMap,
        table: Table,
        shared: _Shared,
        rows: pl.DataFrame,
        columns: Sequence[tuple[str, str, pl.Series]],
        numbers: pl.Series,
    ) -> Buyers:
        filled = {
            rule.target.name: self.column(rule, table, entity, f"buyer.{rule.target.name}") for rule in buyer.rules
        }
        filled.setdefault("source_updated_at", rows["source_updated_at"])
        made = self._frame(CUSTOMER_RECORD, table, shared, filled, deleted=False)
        identifiers = [
            pl.DataFrame({BUYER: numbers, "value": values})
            .drop_nulls()
            .select(BUYER, pl.lit(kind).alias("kind"), pl.lit(scope).alias("scope"), "value")
            for kind, scope, values in columns
        ]
        return Buyers(made.filter(numbers.is_not_null()), pl.concat(identifiers))

    def _kept(self, only: Sequence[Only], table: Table) -> pl.Series:
        keep = pl.repeat(True, table.height, dtype=pl.Boolean(), eager=True)
        for condition in only:
            cells = table.cells(condition.source).str.strip_chars()
            keep &= cells.is_in(list(condition.values)).fill_null(False)
        return keep

    def _without(self, empty: Sequence[str], cells: pl.Series) -> pl.Series:
        if not empty:
            return cells
        blank = cells.str.strip_chars().is_in(list(empty)).fill_null(False)
        return cells.set(blank, None) if blank.any() else cells

    def _nested_failures(self, source: Source, table: Table, entity: EntityMap, name: str) -> None:
        """Reasons where a nested field was looked for in something that is no object."""
        owner = table.parent if source.parent and table.parent is not None else table
        for depth in range(1, len(source.path)):
            failures = owner.failures.get(source.path[:depth], ())
            self._failed(failures, owner.line_no, entity, name, personal=True)

    def _missing(self, column: pl.Series, line_no: pl.Series, entity: EntityMap, name: str) -> None:
        if column.null_count():
            rows = column.is_null().arg_true()
            lines = line_no.gather(rows).to_list()
            self.reasons += [(line, entity.entity.name, name, KEY_MISSING, "") for line in lines]

    def _failed(
        self, failures: Iterable[Failure], line_no: pl.Series, entity: EntityMap, name: str, personal: bool
    ) -> None:
        self.reasons += [
            (line_no[row], entity.entity.name, name, code, masked(cell, personal)) for row, code, cell in failures
        ]


def _first(parts: Sequence[pl.Series]) -> pl.Series:
    """The first cell of each row that is not blank."""
    frame = pl.DataFrame([part.alias(str(i)) for i, part in enumerate(parts)])
    given = [pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)) for name in frame.columns]
    return frame.select(pl.coalesce(given).alias("first"))["first"]
