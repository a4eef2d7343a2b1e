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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connectors.bookmarks import as_time, bookmark, later_of
from connectors.outcomes import Outcome
from connectors.ports import Page, Ports, Rejected, Sink
from connectors.problems import ConnectorError, Unreachable
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
        if source.unplaced and window.since is None and window.until is None:
            # Rows without modified value or key have no place in the order: usually none, read as they come.
            rest = source.select.where(sa.or_(*source.unplaced)).order_by(*source.key)
            yield from self._everything(source, "unplaced", rest, paged=False)
        placed = source.select.where(*(sa.not_(condition) for condition in source.unplaced))
        if source.modified is None:
            yield from self._everything(source, "chunks", placed.order_by(*source.key), paged=True)
        else:
            yield from self._changed(source, placed)

    def all_keys(self) -> Iterator[list[tuple[Any, ...]]]:
        """The keys of all rows there are now, in chunks: what is not among them was deleted."""
        source = describe(self._database, self._settings, self._where)
        statement = sa.select(*source.key).select_from(source.select.subquery("lk_keys"))
        with self._database.connect(self._where, self._zone) as connection:
            for chunk in self._database.chunks(connection, statement, CHUNK):
                yield [tuple(row) for row in chunk]

    # --- changed rows -------------------------------------------------------------------------------------

    def _changed(self, source: Source, placed: Any) -> Iterator[Step]:
        assert source.modified is not None  # noqa: S101 asked for before
        progress, begin = self._start(source)
        seen = _Seen(self, source, dict(progress.recent), progress.latest) if progress.recent else None
        progress.recent = {}
        order = (source.modified, *source.key)
        statement = placed.order_by(*order).where(*self._bounds(source))
        behind = partial(after, modified=source.modified, key=source.key)
        for page, rows in self._walk(source, statement, begin, behind, seen=seen):
            self._advance(progress, source, rows)
            yield Step(page, progress.latest, progress.as_extra())
        if not progress.recent and seen is not None:
            progress.recent = seen.known
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

    def _advance(self, progress: _Progress, source: Source, rows: Sequence[Row]) -> None:
        last = rows[-1]
        progress.place = Place(source.modified_of(last), source.key_of(last))
        progress.latest = later_of(progress.latest, self.mark_of(source, last))
        before = progress.recent
        unsettled: list[tuple[str, str]] = []
        for row in reversed(rows):
            if len(unsettled) >= REMEMBERED or self._is_settled(progress, source, row):
                # Rows come in order: those before a settled row are settled. The last is kept in any case.
                before = {}
                break
            unsettled.append((key_text(source.key_of(row)), _row_digest(row)))
        unsettled = unsettled or [(key_text(source.key_of(last)), _row_digest(last))]
        merged = before | dict(reversed(unsettled))
        progress.recent = dict(islice(merged.items(), max(0, len(merged) - REMEMBERED), None))

    def _is_settled(self, progress: _Progress, source: Source, row: Row) -> bool:
        mark = self.mark_of(source, row)
        if isinstance(mark, int):
            latest = progress.latest
            return isinstance(latest, int) and mark < latest - self.overlap.total_seconds()
        at = as_time(mark, UTC)
        return at is None or at < progress.settled

    def mark_of(self, source: Source, row: Row) -> str | int | None:
        """The row's modified value as a bookmark."""
        return as_bookmark(source.modified_of(row), self._kind, self._zone)

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

    def _everything(self, source: Source, state_key: str, statement: Any, *, paged: bool) -> Iterator[Step]:
        before: Mapping[str, str] = self.get_context_state(None).get(state_key) or {}
        found: dict[str, str] = {}
        behind = partial(after, modified=source.key[0], key=source.key, key_only=True)
        walk = self._walk(source, statement, None, behind, paged=paged)
        for end, page in _chunks(walk, source, frozenset(before)):
            content = (*map(bytes, page.records), *(one.raw for one in page.rejected))
            digest = found[end] = _digest(b"\n".join(content))
            if before.get(end) != digest:
                yield Step(page)
        if found != dict(before):
            yield Step(None, None, {state_key: found})

    # --- statements ---------------------------------------------------------------------------------------

    def _walk(
        self,
        source: Source,
        statement: Any,
        begin: Place | None,
        behind: Callable[[Place], ColumnElement[bool]],
        *,
        seen: _Seen | None = None,
        paged: bool = True,
    ) -> Iterator[tuple[Page, Sequence[Row]]]:
        """Runs the statement again from the place reached, until nothing is left; mends lost connections.

        Gives all rows that were read, in pages; of those that `seen` knows the page holds no record.
        """
        encoder = RowEncoder(source.columns, self._zone, source.text_times)
        limit = 1 if self.hub_tap.trial else self._settings["page_size"]
        place, at_place, failures = begin, set[str](), 0
        while True:
            bounded = statement.where(behind(place)) if paged and place is not None else statement
            # Rows at the place come again: room for them, or a page of them alone would never end.
            size = limit + len(at_place)
            count, moved = 0, False
            try:
                for chunk, extracted_at in self._fetch(bounded.limit(size) if paged else bounded):
                    count += len(chunk)
                    failures = 0
                    rows = _without(source, chunk, place, at_place)
                    if not rows:
                        continue
                    moved = True
                    place, at_place = _new_place(source, rows, place, at_place)
                    fresh = [row for row in rows if not seen.holds(row)] if seen is not None else rows
                    records, rejected = encoder.encode(fresh)
                    yield Page(self.name, records, extracted_at, True, rejected), rows
            except BrokenText:
                continue
            except Unreachable:
                failures += 1
                if failures >= _POLICY.attempts:
                    self.hub_tap.ports.meter.call(self.name, Outcome.RETRIABLE)
                    raise
                self.hub_tap.ports.clock.sleep(min(_POLICY.first_wait_s * 2**failures, _POLICY.longest_wait_s))
                continue
            if not paged or count < size or self.hub_tap.trial:
                return
            if not moved:
                limit *= 2  # more rows that are the same in every column than one statement holds

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


class _Seen:
    """Rows of the overlap that the last pull has given, by key and content; only the changed ones are new."""

    def __init__(self, stream: SqlStream, source: Source, known: dict[str, str], until: str | int | None) -> None:
        self.known = known
        self._stream = stream
        self._source = source
        self._until = until
        self._past = False

    def holds(self, row: Row) -> bool:
        """True for a row that was given as it is. Rows must come in order."""
        if self._past:
            return False
        mark = self._stream.mark_of(self._source, row)
        if mark != self._until and later_of(mark, self._until) == mark:
            self._past = True  # behind the bookmark of the last pull: from here on nothing was given
            return False
        return self.known.get(key_text(self._source.key_of(row))) == _row_digest(row)


def _without(source: Source, rows: Sequence[Row], place: Place | None, given: set[str]) -> Sequence[Row]:
    """The rows without those at the place that were given already."""
    if place is None or not given:
        return rows
    there_still = list(takewhile(lambda row: _here(source, row, place), rows))
    new = [row for row in there_still if _row_digest(row) not in given]
    return [*new, *rows[len(there_still) :]] if len(new) < len(there_still) else rows


def _new_place(source: Source, rows: Sequence[Row], place: Place | None, given: set[str]) -> tuple[Place, set[str]]:
    """Where the last row stands, and the content of all rows given there."""
    last = rows[-1]
    end = Place(source.modified_of(last), source.key_of(last))
    there = {_row_digest(row) for row in _tail(source, rows, end)}
    return end, there | given if end == place else there


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
