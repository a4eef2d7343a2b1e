"""Landing files as they lie on disk: their names, their sidecars, their lines, and which of them are sealed.

    landing/CONNECTOR/STREAM/DAY/NO.ndjson.zst    lines, as independent zstd frames
    landing/CONNECTOR/STREAM/DAY/NO.json          sidecar: counts, checksum, index of the frames

NO is (fence of the lease, sequence); the number is part of a row's version and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from mappings.problems import LiukeError, Problem, Text

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


def number(fence: int, sequence: int) -> int:
    """The landing number of the sequence-th file under that fence."""
    return fence << _FENCE_SHIFT | sequence


def file_name(landing_no: int) -> str:
    """A landing number as it stands in file names; names sort as numbers do."""
    return f"{landing_no >> _FENCE_SHIFT:08d}-{landing_no & 0xFFFFFFFF:08d}"


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
