"""Pulls tables and queries of a SQL database: changed rows where there is a modified column, else everything.

Changed rows. A statement reads rows from a place on, in the order of (modified, key), at most page_size of
them; the next begins where it ended. Transactions may become visible late, with a modified time that has
passed already; so only what is older than `overlap` counts as *settled*. A pull begins at the bookmark if that
is settled, else at the settled time, and drops what it has given before and finds unchanged. A quiet table
therefore gives nothing, however often it is asked.

Everything. Without a modified column (and for rows whose modified value is null) rows are read in the order of
their key, cut into chunks that end at the same keys as last time; a chunk whose content is as it was is
dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connectors.bookmarks import as_time, bookmark, later_of
from connectors.outcomes import Outcome
from connectors.ports import Page, Ports, Rejected, Sink
from connectors.problems import ConnectorError, Problem, Text, Unreachable
from connectors.registry import Window
from connectors.retry import Policy
from connectors.rows import Row, RowEncoder
from connectors.settings import Settings
from connectors.sink_writer import microseconds
from connectors.sql.cursor import Place, after, as_bookmark, from_state, key_text, raw_like, to_state
from connectors.sql.database import BrokenText, Database, zone_named
from connectors.sql.source import Source, describe
from connectors.tap import BulkStream, HubTap, Step

if TYPE_CHECKING:
    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context

CHUNK = 5_000
"""Rows that are in memory at once, and in one page."""

REMEMBERED = 1_000
"""Unsettled rows whose content is kept in the state, to see whether they changed."""

_POLICY = Policy()


class SqlTap(HubTap):
    """The streams the settings name, over one database."""

    name = "liuke-sql"

    def __init__(
        self, settings: Settings, state: Mapping[str, Any], ports: Ports, sink: Sink, window: Window | None = None
    ) -> None:
        self.database = Database(settings, ports)
        super().__init__(settings, state, ports, sink, window)

    def discover_streams(self) -> list[Stream]:
        return [SqlStream(self, name, stream) for name, stream in (self.settings["streams"] or {}).items()]

    def close(self) -> None:
        self.database.close()


@dataclass
class _Progress:
    """How far the pull of one stream is; becomes its state after each page."""

    settled: datetime
    place: Place | None
    latest: str | int | None
    recent: dict[str, str] = field(default_factory=dict)

    def as_extra(self) -> dict[str, Any]:
        return {
            "settled": bookmark(self.settled),
            "place": to_state(self.place) if self.place is not None else None,
            "recent": dict(self.recent),
        }


class SqlStream(BulkStream):
    """One table or query."""

    def __init__(self, tap: SqlTap, name: str, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._database = tap.database
        self._zone = zone_named(settings["time_zone"])
        self._kind: str = settings["modified_as"]
        modified = settings["modified"]
        self.overlap = timedelta(seconds=settings["overlap"])
        self._where = f"{tap.ports.connector}/{name}"
        super().__init__(tap, name, key=settings["key"], updated_at=modified[0] if modified else None)

    @property
    def is_sorted(self) -> bool:
        return True

    def steps(self, context: Context | None) -> Iterator[Step]:
        source = describe(self._database, self._settings, self._where)
        window = self.hub_tap.window
        if source.modified is None:
            yield from self._everything(source, "chunks", None)
            return
        if source.may_be_null and window.since is None and window.until is None:
            yield from self._everything(source, "null_chunks", source.modified.is_(None))
        yield from self._changed(source)

    def all_keys(self) -> Iterator[list[tuple[Any, ...]]]:
        """The keys of all rows there are now, in chunks: what is not among them was deleted."""
        source = describe(self._database, self._settings, self._where)
        statement = sa.select(*source.key).select_from(source.select.subquery("lk_keys"))
        with self._database.connect(self._where, self._zone) as connection:
            for chunk in self._database.chunks(connection, statement, CHUNK):
                yield [tuple(row) for row in chunk]

    # --- changed rows -------------------------------------------------------------------------------------

    def _changed(self, source: Source) -> Iterator[Step]:
        progress, begin = self._start(source)
        known, known_until = dict(progress.recent), progress.latest
        progress.recent = {}
        for page, rows in self._pages(source, begin):
            self._advance(progress, source, rows, page)
            fresh = self._unseen(source, rows, page, known, known_until) if known else page
            yield Step(fresh, progress.latest, progress.as_extra())
        if not progress.recent:
            progress.recent = dict(islice(known.items(), REMEMBERED))
        yield Step(None, None, progress.as_extra())

    def _start(self, source: Source) -> tuple[_Progress, Place | None]:
        """Where this pull stands and where it begins (None: at the first row)."""
        state = self.get_context_state(None)
        settled = self._database.now() - self.overlap
        latest, kept = self.bookmarked(), state.get("place")
        if latest is None or kept is None:
            since = self.hub_tap.window.since
            begin = Place(self._raw(source, since)) if since is not None else None
            return _Progress(settled, None, None), begin
        place = from_state(kept)
        progress = _Progress(settled, place, latest, dict(state.get("recent") or {}))
        if isinstance(latest, int):
            steps = int(self.overlap.total_seconds()) if self._kind == "sequence" else 0
            return progress, Place(int(place.modified) - steps) if steps else place
        before = as_time(state.get("settled"), UTC)
        # Of the place, not the bookmark: a pull that was cut off may have stood before the bookmark.
        reached = as_time(as_bookmark(place.modified, self._kind, self._zone), UTC)
        if before is None or reached is None or reached <= before:
            return progress, place
        return progress, Place(raw_like(place.modified, before, self._kind, self._zone))

    def _raw(self, source: Source, at: datetime) -> Any:
        """A time in the form of this table's modified column; asks for one row to see the form."""
        assert source.modified is not None  # noqa: S101 only streams with a modified column have windows
        statement = source.select.where(source.modified.is_not(None)).limit(1)
        with self._database.connect(self._where, self._zone) as connection:
            row = connection.execute(statement).first()
        sample = source.modified_of(row) if row is not None else at
        return raw_like(sample, at, self._kind, self._zone)

    def _advance(self, progress: _Progress, source: Source, rows: Sequence[Row], page: Page) -> None:
        last = rows[-1]
        progress.place = Place(source.modified_of(last), source.key_of(last))
        progress.latest = later_of(progress.latest, self._bookmark(source, last))
        encoded = page.records
        if len(encoded) != len(rows):
            return  # a rejected row among them: bytes and rows no longer stand side by side
        unsettled: dict[str, str] = {}
        merged: dict[str, str] = progress.recent
        for row, record in zip(reversed(rows), reversed(encoded), strict=True):
            if len(unsettled) >= REMEMBERED or self._is_settled(progress, source, row):
                # Rows come in order: those before a settled row are settled. The last is kept in any case.
                merged = {}
                break
            unsettled[key_text(source.key_of(row))] = _digest(bytes(record))
        unsettled = unsettled or {key_text(source.key_of(last)): _digest(bytes(encoded[-1]))}
        merged = merged | dict(reversed(unsettled.items()))
        progress.recent = dict(islice(merged.items(), max(0, len(merged) - REMEMBERED), None))

    def _is_settled(self, progress: _Progress, source: Source, row: Row) -> bool:
        mark = self._bookmark(source, row)
        if isinstance(mark, int):
            latest = progress.latest
            return isinstance(latest, int) and mark < latest - self.overlap.total_seconds()
        at = as_time(mark, UTC)
        return at is None or at < progress.settled

    def _bookmark(self, source: Source, row: Row) -> str | int | None:
        return as_bookmark(source.modified_of(row), self._kind, self._zone)

    def _unseen(
        self,
        source: Source,
        rows: Sequence[Row],
        page: Page,
        known: Mapping[str, str],
        known_until: str | int | None,
    ) -> Page:
        """The page without the rows that were given before and have not changed since."""
        if len(page.records) != len(rows):
            return page
        records: list[Any] = []
        for number, (row, record) in enumerate(zip(rows, page.records, strict=True)):
            mark = self._bookmark(source, row)
            if mark != known_until and later_of(mark, known_until) == mark:
                # Behind the bookmark of the last pull: nothing from here on was given before.
                records.extend(page.records[number:])
                break
            if known.get(key_text(source.key_of(row))) != _digest(bytes(record)):
                records.append(record)
        return Page(page.stream, records, page.extracted_at, True, page.rejected, page.skew_us)

    def _pages(self, source: Source, begin: Place | None) -> Iterator[tuple[Page, Sequence[Row]]]:
        """Rows from a place on, to the end; each page with its rows."""
        assert source.modified is not None  # noqa: S101 only streams with a modified column are pulled so
        order = [source.modified, *source.key]
        statement = source.select.order_by(*order).where(source.modified.is_not(None), *self._bounds(source))
        yield from self._walk(source, statement, begin, lambda place: after(place, order[0], source.key))

    def _bounds(self, source: Source) -> list[ColumnElement[bool]]:
        """Where the stream ends: at the window's end, or before transactions that still run (rowversion)."""
        assert source.modified is not None  # noqa: S101 only streams with a modified column are pulled so
        bounds: list[ColumnElement[bool]] = []
        if self.hub_tap.window.until is not None:
            end = self._raw(source, self.hub_tap.window.until)
            bounds.append(source.modified < sa.bindparam(None, end, type_=sa.types.NullType(), unique=True))
        if self._kind == "rowversion" and self._database.dialect == "mssql":
            bounds.append(source.modified < sa.func.MIN_ACTIVE_ROWVERSION())
        return bounds

    # --- everything ---------------------------------------------------------------------------------------

    def _everything(self, source: Source, state_key: str, only: ColumnElement[bool] | None) -> Iterator[Step]:
        before: Mapping[str, str] = self.get_context_state(None).get(state_key) or {}
        found: dict[str, str] = {}
        statement = source.select.order_by(*source.key)
        if only is not None:
            statement = statement.where(only)
        walk = self._walk(source, statement, None, lambda place: after(place, source.key[0], source.key, key_only=True))
        for end, page in _chunks(walk, source, frozenset(before)):
            digest = _digest(b"\n".join(bytes(record) for record in page.records))
            found[end] = digest
            if page.rejected or before.get(end) != digest:
                yield Step(page)
        if found != dict(before):
            yield Step(None, None, {state_key: found})

    # --- statements ---------------------------------------------------------------------------------------

    def _walk(
        self, source: Source, statement: Any, begin: Place | None, behind: Any
    ) -> Iterator[tuple[Page, Sequence[Row]]]:
        """Runs the statement again and again from the place reached, until nothing is left; mends lost connections."""
        encoder = RowEncoder(source.columns, self._zone, source.text_times)
        limit = 1 if self.hub_tap.trial else self._settings["page_size"]
        place, at_place, failures = begin, set[str](), 0
        while True:
            bounded = statement.where(behind(place)) if place is not None else statement
            # Rows at the place come again: room for them, or a page of them alone would never end.
            size = limit + len(at_place)
            count, new = 0, 0
            try:
                for rows, extracted_at in self._fetch(bounded.limit(size)):
                    count += len(rows)
                    place, at_place, page, kept = self._page(source, encoder, rows, extracted_at, place, at_place)
                    failures = 0
                    if kept:
                        new += len(kept)
                        yield page, kept
            except BrokenText:
                continue
            except Unreachable:
                failures += 1
                if failures >= _POLICY.attempts:
                    self.hub_tap.ports.meter.call(self.name, Outcome.RETRIABLE)
                    raise
                self.hub_tap.ports.clock.sleep(min(_POLICY.first_wait_s * 2**failures, _POLICY.longest_wait_s))
                continue
            if count < size or self.hub_tap.trial:
                return
            if not new:
                raise ConnectorError(_stuck(self._where, source, size))

    def _page(
        self,
        source: Source,
        encoder: RowEncoder,
        rows: Sequence[Row],
        extracted_at: int,
        place: Place | None,
        at_place: set[str],
    ) -> tuple[Place, set[str], Page, Sequence[Row]]:
        """The rows as a page, without those at the place that were given already; and the new place."""
        skip = 0
        if at_place and place is not None:
            there_still = list(takewhile(lambda row: _here(source, row, place), rows))
            new = [row for row in there_still if _row_digest(row) not in at_place]
            skip = len(there_still) - len(new)
            rows = [*new, *rows[len(there_still) :]] if skip else rows
        if not rows and place is not None:
            return place, at_place, Page(self.name, [], extracted_at), rows
        records, rejected = encoder.encode(rows)
        end = Place(source.modified_of(rows[-1]), source.key_of(rows[-1]))
        there = {_row_digest(row) for row in _tail(source, rows, end)}
        if place is not None and end == place and skip:
            there |= at_place
        return end, there, Page(self.name, records, extracted_at, True, rejected), rows

    def _fetch(self, statement: Any) -> Iterator[tuple[Sequence[Row], int]]:
        """Runs one statement and meters it; chunks of rows, each with the time the statement began."""
        ports = self.hub_tap.ports
        started, extracted_at = ports.clock.monotonic(), microseconds(ports.clock.now())
        outcome, rows = Outcome.EMPTY, 0
        try:
            with self._database.connect(self._where, self._zone) as connection:
                for chunk in self._database.chunks(connection, statement, CHUNK):
                    rows += len(chunk)
                    outcome = Outcome.OK
                    yield chunk, extracted_at
        except Unreachable:
            outcome = Outcome.RETRIABLE
            raise
        except ConnectorError:
            outcome = Outcome.FATAL
            raise
        finally:
            took_ms = round((ports.clock.monotonic() - started) * 1000)
            ports.meter.attempt(self.name, outcome, took_ms)
            if outcome is not Outcome.RETRIABLE:
                ports.meter.call(self.name, outcome)


def _chunks(
    walk: Iterator[tuple[Page, Sequence[Row]]], source: Source, ends: frozenset[str]
) -> Iterator[tuple[str, Page]]:
    """Cuts rows into chunks that end where they ended last time, so that one new row changes one chunk."""
    records: list[Any] = []
    rejected: list[Rejected] = []
    last, extracted_at, stream = "", 0, ""
    for page, rows in walk:
        extracted_at = extracted_at if records else page.extracted_at
        stream = page.stream
        rejected.extend(page.rejected)
        if len(page.records) != len(rows):
            records.extend(page.records)
            last = key_text(source.key_of(rows[-1]))
            continue
        for row, record in zip(rows, page.records, strict=True):
            records.append(record)
            last = key_text(source.key_of(row))
            if len(records) >= 2 * CHUNK or (len(records) >= CHUNK // 2 and last in ends):
                yield last, Page(stream, records, extracted_at, True, rejected)
                records, rejected, extracted_at = [], [], page.extracted_at
    if records or rejected:
        yield last, Page(stream, records, extracted_at, True, rejected)


def _here(source: Source, row: Row, place: Place) -> bool:
    return source.key_of(row) == place.key and source.modified_of(row) == place.modified


def _tail(source: Source, rows: Sequence[Row], place: Place) -> Iterator[Row]:
    """The rows at the end that stand at the place: more than one where the key is not unique."""
    for row in reversed(rows):
        if not _here(source, row, place):
            return
        yield row


def _row_digest(row: Row) -> str:
    return _digest(repr(tuple(row)).encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def _stuck(where: str, source: Source, rows: int) -> Problem:
    key = ", ".join(column.name for column in source.key)
    return Problem(
        "sql.key-not-unique",
        Text(f"超过 {rows} 行的 {key} 相同, 无法继续", f"more than {rows} rows share one {key}: no way on"),
        where,
        Text("在 key 中补充列, 使其唯一", "add columns to key until it names one row"),
    )
