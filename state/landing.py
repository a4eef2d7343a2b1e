"""Lands what a source sent, durably and in order, before anybody looks at it.

    landing/CONNECTOR/STREAM/DAY/NO.ndjson.zst    lines, as independent zstd frames
    landing/CONNECTOR/STREAM/DAY/NO.json          sidecar: counts, checksum, index of the frames

NO is (fence of the lease, sequence); the number is part of a row's version and never changes. A Singer STATE
speaks for all streams of its tap, so it seals all their open files together: every file is fsynced and
renamed, then every sidecar, the last of which carries the state and names its siblings. The rename of that
last sidecar *is* the seal: before it nothing happened, after it the rows and the bookmark are safe. STATEs
that come close together share one seal.
"""

from __future__ import annotations

import copy
import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from mappings import lines
from mappings.problems import LiukeError, Problem, Text
from state.seams import seam

FRAME_LINES = 10_000
FRAME_BYTES = 8 * 1024 * 1024
FILE_LINES = 50_000
FILE_BYTES = 64 * 1024 * 1024
"""A file closes at the first of its two limits; a frame is what is mapped at once."""

SEAL_ROWS = 10_000
SEAL_SECONDS = 5.0
"""STATEs that arrive within both of these since the last seal wait for the next one."""

LEVEL = 1
"""zstd level: 1 costs half of 3 and loses 8 % of space on order records (docs/performance.md)."""

SHANGHAI_OFFSET_US = 8 * 3600 * 1_000_000
_NAME = re.compile(r"[\w][\w.\-]{0,99}")
_FENCE_SHIFT = 32


class LandingError(LiukeError):
    """Nothing more can be landed; what was not sealed will be pulled again."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One independent zstd frame of a landing file."""

    offset: int
    length: int
    raw_bytes: int
    lines: int


class Seal(msgspec.Struct, frozen=True):
    """What makes a group of files one durable step: its number, its files, the tap's state after them.

    `bookmark` is the name the state is kept under: the connector's, or that of one window of a backfill.
    """

    seal_no: int
    siblings: list[str]
    state: dict[str, Any] | None
    bookmark: str


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one landing file; times are microseconds UTC."""

    connector: str
    stream: str
    landing_no: int
    path: str
    lines: int
    rejected: int
    bytes: int
    checksum: str
    frames: list[Frame]
    first_extracted_at: int
    last_extracted_at: int
    run_id: str
    backfill: bool
    sealed_at: int
    seal: Seal | None = None

    @property
    def fence(self) -> int:
        """Fencing number of the lease under which the file was written."""
        return self.landing_no >> _FENCE_SHIFT


@dataclass(frozen=True)
class SealedGroup:
    """Files that became durable together, and the tap's state after them (None: not known)."""

    connector: str
    fence: int
    seal_no: int
    files: tuple[Sidecar, ...]
    state: Mapping[str, Any] | None
    bookmark: str
    sealed_at: int


@dataclass
class Landed:
    """What one stream has landed so far in this run."""

    read: int = 0
    rejected: int = 0


@dataclass
class _OpenFile:
    """One file being written; becomes visible under its own name only when its group is sealed."""

    stream: str
    landing_no: int
    path: Path
    handle: IO[bytes]
    first_extracted_at: int
    last_extracted_at: int
    buffer: bytearray = field(default_factory=bytearray)
    buffered: int = 0
    frames: list[Frame] = field(default_factory=list)
    lines: int = 0
    rejected: int = 0
    raw_bytes: int = 0
    written: int = 0
    digest: Any = field(default_factory=lambda: blake2b(digest_size=16))


def number(fence: int, sequence: int) -> int:
    """The landing number of the sequence-th file under that fence."""
    return fence << _FENCE_SHIFT | sequence


def file_name(landing_no: int) -> str:
    """A landing number as it stands in file names; names sort as numbers do."""
    return f"{landing_no >> _FENCE_SHIFT:08d}-{landing_no & 0xFFFFFFFF:08d}"


class Lander:
    """Writes the landing files of one run of one connector. Not for use from several threads.

    `on_seal` is called with every group after its seal: it registers files and bookmark in the database. It
    may fail without harm: the group is found again at the next start.
    """

    def __init__(
        self,
        root: Path,
        connector: str,
        *,
        fence: int,
        run_id: str,
        now: Callable[[], int],
        on_seal: Callable[[SealedGroup], None],
        backfill: bool = False,
        bookmark: str | None = None,
    ) -> None:
        self._root = root
        self._bookmark = bookmark or connector
        self._connector = _checked_name(connector)
        self._fence = fence
        self._run_id = run_id
        self._now = now
        self._on_seal = on_seal
        self._backfill = backfill
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._open: dict[str, _OpenFile] = {}
        self._finished: list[_OpenFile] = []
        self._sequence = 0
        self._seal_no = 0
        self._state: Mapping[str, Any] | None = None
        self._state_pending = False
        self._rows_since_seal = 0
        self._sealed_at = now()
        self._broken = False
        self.landed: dict[str, Landed] = {}

    def page(
        self,
        stream: str,
        records: Sequence[bytes | msgspec.Raw],
        extracted_at: int,
        *,
        validated: bool = False,
    ) -> None:
        """Lands records given as JSON bytes; `validated` says that msgspec split them from a decoded page."""
        for start in range(0, len(records), FRAME_LINES):
            part = records[start : start + FRAME_LINES]
            data, counts = lines.lines_of_page(part, extracted_at, validated=validated)
            self._write(stream, data, len(part), counts.rejected, extracted_at)

    def record(self, stream: str, record: Mapping[str, Any], extracted_at: int) -> None:
        """Lands one record given as Python values."""
        line = lines.line_of_record(record, extracted_at)
        self._write(stream, line, 1, int(line.startswith(lines.REJECTED_START)), extracted_at)

    def rejected(self, stream: str, code: str, raw: bytes, extracted_at: int) -> None:
        """Lands bytes that the connector itself found to be no record, with the code of its reason."""
        self._write(stream, lines.rejected_line(code, raw, extracted_at), 1, 1, extracted_at)

    def state(self, value: Mapping[str, Any]) -> None:
        """Takes the tap's state after everything landed so far; seals, or waits for a neighbour."""
        # The SDK hands out its live dictionary: without a copy the bookmark would run ahead of the data.
        self._state = copy.deepcopy(dict(value))
        self._state_pending = True
        waited = (self._now() - self._sealed_at) / 1_000_000
        if self._rows_since_seal >= SEAL_ROWS or waited >= SEAL_SECONDS:
            self.seal()

    def seal(self) -> None:
        """Makes everything landed so far durable, with the newest state known."""
        if self._broken:
            return
        files = [*self._finished, *(self._open[stream] for stream in sorted(self._open))]
        if not files and not self._state_pending:
            return
        with self._unharmed():
            for file in files:
                self._flush(file)
            group = self._seal(files)
        self._open.clear()
        self._finished.clear()
        self._rows_since_seal = 0
        self._state_pending = False
        self._sealed_at = group.sealed_at
        self._on_seal(group)

    def discard(self) -> None:
        """Drops what is not sealed; it will be pulled again."""
        self._broken = True
        for file in (*self._finished, *self._open.values()):
            file.handle.close()
            _temporary(file.path).unlink(missing_ok=True)
        self._open.clear()
        self._finished.clear()

    def _write(self, stream: str, data: bytes, count: int, rejected: int, extracted_at: int) -> None:
        if self._broken:
            raise LandingError(_discarded(self._connector, stream))
        with self._unharmed():
            file = self._open.get(stream) or self._begin(stream, extracted_at)
            file.last_extracted_at = max(file.last_extracted_at, extracted_at)
            file.buffer += data
            file.buffered += count
            file.lines += count
            file.rejected += rejected
            file.raw_bytes += len(data)
            if file.buffered >= FRAME_LINES or len(file.buffer) >= FRAME_BYTES:
                self._end_frame(file)
            if file.lines >= FILE_LINES or file.raw_bytes >= FILE_BYTES:
                self._flush(file)
                self._finished.append(self._open.pop(stream))
        self._rows_since_seal += count
        landed = self.landed.setdefault(stream, Landed())
        landed.read += count
        landed.rejected += rejected

    def _begin(self, stream: str, extracted_at: int) -> _OpenFile:
        self._sequence += 1
        landing_no = number(self._fence, self._sequence)
        folder = self._root / self._connector / _checked_name(stream) / shanghai_day(extracted_at)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{file_name(landing_no)}.ndjson.zst"
        # Landing files hold what the source sent, persons included: for the owner's eyes only.
        handle = os.fdopen(os.open(_temporary(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        file = _OpenFile(stream, landing_no, path, handle, extracted_at, extracted_at)
        self._open[stream] = file
        return file

    def _end_frame(self, file: _OpenFile) -> None:
        if not file.buffered:
            return
        frame = self._compressor.compress(bytes(file.buffer))
        file.handle.write(frame)
        file.digest.update(frame)
        file.frames.append(Frame(file.written, len(frame), len(file.buffer), file.buffered))
        file.written += len(frame)
        file.buffer.clear()
        file.buffered = 0
        seam("landing.frame-written")

    def _flush(self, file: _OpenFile) -> None:
        if file.handle.closed:
            return
        self._end_frame(file)
        file.handle.flush()
        os.fsync(file.handle.fileno())
        file.handle.close()

    def _seal(self, files: list[_OpenFile]) -> SealedGroup:
        self._seal_no += 1
        sealed_at = self._now()
        for file in files:
            _temporary(file.path).rename(file.path)
        sync_folders({file.path.parent for file in files}, self._root)
        seam("landing.files-renamed")
        siblings = [file.path.relative_to(self._root).as_posix() for file in files]
        sidecars: list[Sidecar] = []
        for position, file in enumerate(files):
            last = position == len(files) - 1
            state = dict(self._state) if self._state is not None else None
            seal = Seal(self._seal_no, siblings, state, self._bookmark)
            sidecar = self._sidecar(file, siblings[position], sealed_at, seal if last else None)
            if last:
                seam("landing.before-seal")
            write_durably(sidecar_path(file.path), msgspec.json.encode(sidecar))
            sidecars.append(sidecar)
        seam("landing.sealed")
        return SealedGroup(
            self._connector, self._fence, self._seal_no, tuple(sidecars), self._state, self._bookmark, sealed_at
        )

    def _sidecar(self, file: _OpenFile, path: str, sealed_at: int, seal: Seal | None) -> Sidecar:
        return Sidecar(
            connector=self._connector,
            stream=file.stream,
            landing_no=file.landing_no,
            path=path,
            lines=file.lines,
            rejected=file.rejected,
            bytes=file.written,
            checksum=file.digest.hexdigest(),
            frames=file.frames,
            first_extracted_at=file.first_extracted_at,
            last_extracted_at=file.last_extracted_at,
            run_id=self._run_id,
            backfill=self._backfill,
            sealed_at=sealed_at,
            seal=seal,
        )

    def _unharmed(self) -> _Unharmed:
        return _Unharmed(self)


class _Unharmed:
    """Drops everything unsealed when the disk fails in the middle of a write."""

    def __init__(self, lander: Lander) -> None:
        self._lander = lander

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            self._lander.discard()
            raise LandingError(_disk_problem(error, self._lander._root)) from error


# --- reading ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """Consecutive lines of one landing file; `first_line` counts from 1."""

    first_line: int
    lines: int
    data: bytes


def read_sidecar(root: Path, path: str) -> Sidecar:
    """The sidecar of the landing file at that path below the root."""
    return msgspec.json.decode(sidecar_path(root / path).read_bytes(), type=Sidecar)


def chunks(root: Path, sidecar: Sidecar) -> Iterator[Chunk]:
    """The file's lines, frame by frame, after its checksum was found right."""
    data = (root / sidecar.path).read_bytes()
    if len(data) != sidecar.bytes or blake2b(data, digest_size=16).hexdigest() != sidecar.checksum:
        raise LandingError(_damaged(root / sidecar.path))
    view = memoryview(data)
    decompressor = zstandard.ZstdDecompressor()
    first_line = 1
    for frame in sidecar.frames:
        raw = decompressor.decompress(view[frame.offset : frame.offset + frame.length], frame.raw_bytes)
        yield Chunk(first_line, frame.lines, raw)
        first_line += frame.lines


def line(root: Path, sidecar: Sidecar, line_no: int) -> bytes:
    """One line by its number, reading only its frame."""
    first_line = 1
    for frame in sidecar.frames:
        if line_no < first_line + frame.lines:
            with (root / sidecar.path).open("rb") as handle:
                handle.seek(frame.offset)
                raw = zstandard.ZstdDecompressor().decompress(handle.read(frame.length), frame.raw_bytes)
            return raw.split(b"\n")[line_no - first_line]
        first_line += frame.lines
    raise IndexError(f"{sidecar.path} has no line {line_no}")


def sealed_groups(root: Path, connector: str, *, from_fence: int = 0) -> Iterator[SealedGroup]:
    """Complete sealed groups written under that fence or a later one, oldest first by (fence, seal number)."""
    found: list[SealedGroup] = []
    for path in sorted((root / connector).glob("*/*/*.json")):
        if _fence_in(path) < from_fence:
            continue
        sidecar = msgspec.json.decode(path.read_bytes(), type=Sidecar)
        if sidecar.seal is None:
            continue
        try:
            files = tuple(read_sidecar(root, sibling) for sibling in sidecar.seal.siblings)
        except FileNotFoundError:
            # A process that had lost its lease sealed after its files were cleared away: not a seal.
            continue
        if all((root / file.path).exists() for file in files):
            found.append(
                SealedGroup(
                    connector,
                    sidecar.fence,
                    sidecar.seal.seal_no,
                    files,
                    sidecar.seal.state,
                    sidecar.seal.bookmark,
                    sidecar.sealed_at,
                )
            )
    yield from sorted(found, key=lambda group: (group.fence, group.seal_no))


def clear_unsealed(root: Path, connector: str, *, before_fence: int, from_fence: int = 0) -> int:
    """Removes what processes with fences from..before left unsealed; it was never acknowledged. The count."""
    sealed = {file.path for group in sealed_groups(root, connector, from_fence=from_fence) for file in group.files}
    removed = 0
    for path in sorted((root / connector).glob("*/*/*.ndjson.zst*")):
        if not from_fence <= _fence_in(path) < before_fence or path.relative_to(root).as_posix() in sealed:
            continue
        path.unlink()
        sidecar_path(path).unlink(missing_ok=True)
        removed += 1
    return removed


def highest_fence(root: Path, connector: str) -> int:
    """The highest fence any landing file of the connector carries; 0 without files."""
    return max((_fence_in(path) for path in (root / connector).glob("*/*/*.ndjson.zst*")), default=0)


def _fence_in(path: Path) -> int:
    return int(path.name.partition("-")[0])


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a landing file stands."""
    return path.with_name(path.name.removesuffix(".open").removesuffix(".ndjson.zst") + ".json")


def shanghai_day(at: int) -> str:
    """The Shanghai calendar day of an instant, YYYY-MM-DD."""
    days = (at + SHANGHAI_OFFSET_US) // 86_400_000_000
    return _day_text(days)


def _day_text(days: int) -> str:
    # Civil date from days since 1970-01-01, by the calendar's 400-year cycle: no clock, no time zone data.
    z = days + 719_468
    era, doe = divmod(z, 146_097)
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}"


# --- durable writes -----------------------------------------------------------------------------------


def write_durably(path: Path, data: bytes) -> None:
    """Writes the whole file or nothing: temporary file, fsync, rename, fsync of the folder."""
    temporary = _temporary(path)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.rename(path)
    _sync_folder(path.parent)


def sync_folders(folders: set[Path], root: Path) -> None:
    """Makes the names in these folders durable, and the folders' own names up to the root."""
    every = set(folders)
    for folder in folders:
        every.update(parent for parent in folder.parents if parent.is_relative_to(root))
    for folder in every:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".open")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise LandingError(
            Problem(
                "landing.bad-name",
                Text(f"名称不能用作文件夹: {name!r}", f"cannot be the name of a folder: {name!r}"),
                "",
                Text(
                    "名称只用字母、数字、点、横线、下划线",
                    "use letters, digits, dots, dashes and underscores only",
                ),
            )
        )
    return name


def _disk_problem(error: OSError, root: Path) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            "landing.disk-full",
            Text(
                "磁盘空间不足, 落地文件无法写入; 同步位点未前移",
                "the disk is full; the bookmark was not advanced",
            ),
            str(root),
            Text(
                "请清理磁盘后重新运行 liuke sync, 未落地的数据会重新拉取",
                "free disk space and run liuke sync again; what was not landed is pulled again",
            ),
        )
    return Problem(
        "landing.unwritable",
        Text("落地文件无法写入; 同步位点未前移", f"landing files cannot be written: {error.strerror}"),
        str(error.filename or root),
        Text("请检查文件夹权限与磁盘: liuke doctor", "check permissions and disk: liuke doctor"),
    )


def _damaged(path: Path) -> Problem:
    return Problem(
        "landing.damaged",
        Text("落地文件已损坏, 与其校验值不符", "the landing file does not match its checksum"),
        str(path),
        Text(
            "请从备份恢复该文件, 或对该连接器补数",
            "restore the file from a backup, or backfill the connector",
        ),
    )


def _discarded(connector: str, stream: str) -> Problem:
    return Problem(
        "landing.stopped",
        Text("本次同步的落地已停止", "landing has stopped in this run"),
        f"{connector}.{stream}",
        Text("请先处理之前报告的磁盘问题", "mend the disk problem reported before"),
    )
