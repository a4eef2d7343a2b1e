"""Reads files that are new, grown or rewritten since the last time; a file that did not change is not opened.

State is kept per file: size, time, content hash, rows done. Rows of a file that has grown are read from where
the last reading ended; a rewritten file is read again from its start. Killed in the middle of a file, the next
pull goes on there.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.files.excel import excel_rows
from connectors.files.source import Seen, kind_of, look, opened
from connectors.files.table import Headers, Table, read_headers
from connectors.files.templates import TEMPLATES, Template
from connectors.files.text import text_rows
from connectors.outcomes import Outcome
from connectors.ports import Page, Ports, Sink
from connectors.problems import ConnectorError, Problem, Text
from connectors.registry import Window
from connectors.settings import Settings
from connectors.sink_writer import microseconds
from connectors.tap import BulkStream, HubTap, Step

if TYPE_CHECKING:
    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context

PAGE = 5_000
"""Rows of one page."""

Row = tuple[list[str], bytes]


class FilesTap(HubTap):
    """The streams the settings name."""

    name = "liuke-files"

    def __init__(
        self, settings: Settings, state: Mapping[str, Any], ports: Ports, sink: Sink, window: Window | None = None
    ) -> None:
        super().__init__(settings, state, ports, sink, window)

    def discover_streams(self) -> list[Stream]:
        return [FilesStream(self, name, stream) for name, stream in self.settings["streams"].items()]


@dataclass(frozen=True)
class _Piece:
    """Some rows of one file; `rows` are all rows of the file that are done after them.

    `skipped` of the piece's own rows are no records: sums and blank lines.
    """

    page: Page
    rows: int
    skipped: int = 0


class FilesStream(BulkStream):
    """One kind of record, in one or many files."""

    def __init__(self, tap: FilesTap, name: str, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._template: Template | None = TEMPLATES[settings["template"]] if settings["template"] else None
        self._key = self._template.key if self._template else tuple(settings["key"])
        self._root = tap.settings.folder
        self._clock = tap.ports.clock
        super().__init__(tap, name, key=self._key)

    def steps(self, context: Context | None) -> Iterator[Step]:
        known: dict[str, dict[str, Any]] = dict(self.get_context_state(None).get("files") or {})
        problems: list[Problem] = []
        files = self._listed()
        there = {self._name(file) for file in files}
        known = {name: entry for name, entry in known.items() if name in there}
        for file in files:
            name = self._name(file)
            begun = self._clock.monotonic()
            try:
                for page, entry in self._read(file, known.get(name)):
                    known[name] = entry
                    yield Step(page, None, {"files": known})
                self._count("read", Outcome.OK, begun)
            except ConnectorError as error:
                self._count("read", Outcome.REJECTED, begun)
                # One bad file stops no other; the stream says so at its end. One that is still being written
                # may be bad for that reason alone, and is read again next time.
                if not self._is_young(file.stat().st_mtime_ns):
                    problems.extend(error.problems)
            except FileNotFoundError:
                known.pop(name, None)
        if problems:
            raise ConnectorError(*problems)

    def _listed(self) -> list[Path]:
        """The files there are; looking counts as a call, so that a folder that is gone shows in the failure rate."""
        begun = self._clock.monotonic()
        try:
            files = self._files()
        except (ConnectorError, OSError):
            self._count("list", Outcome.FATAL, begun)
            raise
        self._count("list", Outcome.OK, begun)
        return files

    def _count(self, what: str, outcome: Outcome, begun: float) -> None:
        meter, endpoint = self.hub_tap.ports.meter, f"{self.name}.{what}"
        meter.attempt(endpoint, outcome, round((self._clock.monotonic() - begun) * 1000))
        meter.call(endpoint, outcome)

    def _files(self) -> list[Path]:
        """The files of this stream, oldest first: of two versions of a record the newer file's shall win."""
        written = self._settings["path"]
        path = self._root / written
        if glob.has_magic(written):
            found = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 as people write it
        elif path.is_dir():
            found = list(path.iterdir())
        elif path.exists():
            found = [path]
        else:
            raise ConnectorError(_no_path(self._where, written))
        ours = [file for file in found if file.is_file() and kind_of(file) and not _is_temporary(file)]
        return sorted(ours, key=lambda file: (file.stat().st_mtime_ns, file.name))

    def _read(self, file: Path, entry: Mapping[str, Any] | None) -> Iterator[tuple[Page | None, dict[str, Any]]]:
        """Pages of one file that are not done yet, each with the file's entry after it."""
        stat = file.stat()
        if entry and entry["done"] and (entry["bytes"], entry["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
            return
        seen = look(file, entry["size"] if entry else None)
        done = self._rows_done(entry, seen)
        if entry and entry["done"] and entry["sha256"] == seen.sha256:
            yield None, {**entry, "bytes": stat.st_size, "mtime_ns": seen.mtime_ns}
            return
        going_on = bool(entry) and done > 0
        rows, rejected = done, int(entry["rejected"]) if entry and going_on else 0
        skipped = int(entry["skipped"]) if entry and going_on else 0
        begun: dict[str, Any] = {
            "bytes": stat.st_size,
            "mtime_ns": seen.mtime_ns,
            "size": seen.size,
            "sha256": seen.sha256,
        }
        cut = kind_of(file) in {"csv", "ndjson"} and not seen.ends_with_newline
        waits = cut and self._is_young(seen.mtime_ns)
        # Whether the rows done end with a whole one: a cut one that was counted is read again if it grows.
        begun["whole"] = not cut or waits
        for piece in self._pieces(file, done, cut=cut, drop_last=waits):
            rows = piece.rows
            rejected += len(piece.page.rejected)
            skipped += piece.skipped
            counts = {"rows": rows, "rejected": rejected, "skipped": skipped}
            yield piece.page, {**begun, **counts, "done": False}
        after = file.stat()
        unchanged = (after.st_size, after.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        counts = {"rows": rows, "rejected": rejected, "skipped": skipped}
        yield None, {**begun, **counts, "done": unchanged and not waits}

    def _is_young(self, mtime_ns: int) -> bool:
        """The file changed a moment ago: somebody may still be writing it."""
        age = microseconds(self.hub_tap.ports.clock.now()) / 1e6 - mtime_ns / 1e9
        return 0 <= age < int(self._settings["quiet_seconds"])

    def _rows_done(self, entry: Mapping[str, Any] | None, seen: Seen) -> int:
        """Rows that need not be read again: the file is the same as far as it was read."""
        if entry is None:
            return 0
        if entry["sha256"] == seen.sha256:
            return int(entry["rows"])
        # It has grown. An order that goes on in the new rows must be read as a whole.
        grouped = self._template is not None and self._template.grouped
        if entry["sha256"] != seen.prefix_sha256 or grouped:
            return 0
        return int(entry["rows"]) if entry["whole"] else max(0, int(entry["rows"]) - 1)

    def _pieces(self, file: Path, done: int, *, cut: bool, drop_last: bool) -> Iterator[_Piece]:
        kind = kind_of(file)
        if kind == "ndjson":
            yield from self._json_lines(file, done, drop_last)
        elif kind == "json":
            yield from self._json(file, done)
        else:
            yield from self._table(file, done, excel=kind == "excel", cut=cut, drop_last=drop_last)

    def _json_lines(self, file: Path, done: int, drop_last: bool) -> Iterator[_Piece]:
        """Lines as they are, broken ones too: whoever lands them keeps their bytes and says why."""
        with opened(file) as content:
            lines = enumerate(content, start=1)
            for _ in islice(lines, done):
                pass
            while chunk := list(islice(lines, PAGE)):
                started = self._now()
                number, last = chunk[-1]
                if drop_last and not last.endswith(b"\n"):
                    chunk.pop()
                    number -= 1
                records = [line.strip(b"\r\n") for _, line in chunk]
                if chunk and chunk[0][0] == 1:
                    records[0] = records[0].removeprefix(b"\xef\xbb\xbf")
                kept = [line for line in records if line.strip()]
                yield _Piece(Page(self.name, kept, started), number, len(records) - len(kept))

    def _json(self, file: Path, done: int) -> Iterator[_Piece]:
        with opened(file) as content:
            body = content.read()
        try:
            records = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConnectorError(_no_array(f"{self._where}: {self._name(file)}")) from None
        for start in range(done, len(records), PAGE):
            part = records[start : start + PAGE]
            yield _Piece(Page(self.name, part, self._now(), validated=True), start + len(part))

    def _table(self, file: Path, done: int, *, excel: bool, cut: bool, drop_last: bool) -> Iterator[_Piece]:
        settings, where = self._settings, f"{self._where}: {self._name(file)}"
        if excel:
            found: Iterator[Row] = ((cells, _excel_raw(cells)) for cells in excel_rows(file, settings["sheet"], where))
        else:
            found = text_rows(file, settings["encoding"], settings["delimiter"])
        first = list(islice(found, max(10, settings["header_row"])))
        headers = read_headers(
            [cells for cells, _ in first], settings["header_row"], settings["columns"] or (), self._template, where
        )
        if not headers.names:
            return
        table = Table(headers, self._key, settings["number_columns"] or (), self._template, where)
        rows = _after_headers(first, found, headers)
        for _ in islice(rows, done):
            pass
        yield from self._table_pieces(table, rows, done, cut, drop_last)

    def _table_pieces(
        self, table: Table, rows: Iterator[Row], done: int, cut: bool, drop_last: bool
    ) -> Iterator[_Piece]:
        limit = 1 if self.hub_tap.trial else PAGE
        waiting: list[Row] = []
        while True:
            started = self._now()
            chunk = list(islice(rows, limit))
            at_end = len(chunk) < limit
            data = waiting + chunk
            done += len(chunk)
            waiting = []
            if at_end and drop_last and data:
                data.pop()
                done -= 1
            if table.grouped and not at_end:
                data, waiting = _split_last_group(table, data)
            wanted = [row for row in data if not table.is_total(row[0])]
            records, rejected = table.records(wanted, last_is_cut=at_end and cut)
            skipped = len(data) - len(wanted)
            if records or rejected or skipped:
                # Rows that wait for their group are not done: killed here, they are read again.
                page = Page(self.name, records, started, True, rejected)
                yield _Piece(page, done - len(waiting), skipped)
            if at_end or self.hub_tap.trial:
                return

    def _name(self, file: Path) -> str:
        """The file's name in the state: relative to the user's folder, so that the folder may move."""
        try:
            return file.relative_to(self._root).as_posix()
        except ValueError:
            return file.as_posix()

    def _now(self) -> int:
        return microseconds(self.hub_tap.ports.clock.now())

    @property
    def _where(self) -> str:
        return f"{self.hub_tap.ports.connector}/{self.name}"


def _after_headers(first: list[Row], rest: Iterator[Row], headers: Headers) -> Iterator[Row]:
    yield from first[headers.rows_before :]
    yield from rest


def _split_last_group(table: Table, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Rows whose group is complete, and those of the last key, of which more may follow."""
    if not rows:
        return rows, []
    last = table.key_of(rows[-1][0])
    split = len(rows)
    while split and table.key_of(rows[split - 1][0]) == last:
        split -= 1
    return rows[:split], rows[split:]


def _excel_raw(cells: list[str]) -> bytes:
    return "\t".join(cell.lstrip("\x00") for cell in cells).encode("utf-8", "replace")


def _is_temporary(file: Path) -> bool:
    """What Excel, browsers and upload tools leave beside a file while it is open or on its way."""
    return file.name.startswith((".", "~$")) or file.suffix.lower() in {".tmp", ".part", ".crdownload", ".filepart"}


def _no_path(where: str, written: str) -> Problem:
    return Problem(
        "files.no-path",
        Text(f"找不到 {written}", f"there is no {written}"),
        where,
        Text("检查路径; 相对路径从 liuke.yaml 所在文件夹算起", "check the path; it starts at the folder of liuke.yaml"),
    )


def _no_array(where: str) -> Problem:
    return Problem(
        "files.no-json-array",
        Text("JSON 文件的内容不是数组", "the JSON file does not hold a list"),
        where,
        Text(
            "改为每行一个对象的 .ndjson, 或一个对象数组", "write one object a line as .ndjson, or one list of objects"
        ),
    )
