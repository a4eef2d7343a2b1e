"""Looks at a file once before it is read: content hash, size, encoding, and whether its end is there."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, cast

__all__ = ["Seen", "find_encoding", "kind_of", "look", "opened"]

_BLOCK = 1 << 20
_SAMPLE = 10_000
"""Lines with other than ASCII characters that decide the encoding of a file that is not clean UTF-8."""

EXCEL = {".xlsx", ".xlsm", ".xls", ".xlsb"}
JSON_LINES = {".ndjson", ".jsonl"}
JSON = {".json"}
TEXT = {".csv", ".tsv", ".txt"}


@dataclass(frozen=True)
class Seen:
    """What one look at a file found. `prefix_sha256` is the hash of its first `prefix` bytes, if asked for."""

    size: int
    mtime_ns: int
    sha256: str
    ends_with_newline: bool
    prefix_sha256: str | None = None


def kind_of(path: Path) -> str | None:
    """csv, excel, ndjson or json, by the name; None for a file that is none of ours."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    for kind, known in (("excel", EXCEL), ("ndjson", JSON_LINES), ("json", JSON), ("csv", TEXT)):
        if last in known:
            return kind
    return None


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's content, unpacked if it is packed with gzip."""
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "rb") as unpacked:
            yield cast("IO[bytes]", unpacked)
    else:
        with path.open("rb") as plain:
            yield plain


def look(path: Path, prefix: int | None = None) -> Seen:
    """Reads the file through. Sizes and hashes are those of the content, unpacked."""
    before = path.stat()
    digest, size, last = sha256(), 0, b""
    prefix_digest, prefix_left = sha256(), prefix or 0
    with opened(path) as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            if prefix_left:
                prefix_digest.update(block[:prefix_left])
                prefix_left -= min(prefix_left, len(block))
            size += len(block)
            last = block[-1:]
    whole_prefix = prefix is not None and prefix <= size
    return Seen(
        size,
        before.st_mtime_ns,
        digest.hexdigest(),
        last in {b"\n", b"\r", b""},
        prefix_digest.hexdigest() if whole_prefix else None,
    )


def find_encoding(path: Path) -> str:
    """utf-8-sig, utf-16 or gb18030: by the byte order mark, else by what decodes.

    One wrong byte among thousands of good lines does not turn a UTF-8 file into a GBK one: lines with
    characters beyond ASCII vote.
    """
    with opened(path) as content:
        start = content.read(4)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        if start.startswith(b"\xef\xbb\xbf"):
            return "utf-8-sig"
        content.seek(0)
        utf8 = other = 0
        for line in content:
            if line.isascii():
                continue
            if _decodes(line, "utf-8"):
                utf8 += 1
            else:
                other += 1
            if utf8 + other >= _SAMPLE:
                break
    return "gb18030" if other > utf8 else "utf-8-sig"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
