"""Lands what a source sent, durably and in order, before anybody looks at it.

A Singer STATE speaks for all streams of its tap, so it seals all their open files together: every file is fsynced
and renamed, then every sidecar, the last of which carries the state and names its siblings. The rename of that
last sidecar *is* the seal: before it nothing happened, after it the rows and the bookmark are safe. STATEs that
come close together share one seal. How the files look is in landing_files.py.
"""

from __future__ import annotations

import copy
import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard

from mappings import lines
from mappings.problems import Problem, Text
from state.days import shanghai_day
from state.durable import sync_folders, temporary, write_durably
from state.landing_files import Frame, LandingError, Seal, SealedGroup, Sidecar, file_name, number, sidecar_path
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

_NAME = re.compile(r"[\w][\w.\-]{0,99}")


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
            temporary(file.path).unlink(missing_ok=True)
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
        handle = os.fdopen(os.open(temporary(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
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
            temporary(file.path).rename(file.path)
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


def _discarded(connector: str, stream: str) -> Problem:
    return Problem(
        "landing.stopped",
        Text("本次同步的落地已停止", "landing has stopped in this run"),
        f"{connector}.{stream}",
        Text("请先处理之前报告的磁盘问题", "mend the disk problem reported before"),
    )
