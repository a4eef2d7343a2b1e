"""Writes files so that they are there whole, or not at all, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Writes the whole file or nothing: temporary file, fsync, rename, fsync of the folder."""
    unfinished = temporary(path)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    unfinished.rename(path)
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


def temporary(path: Path) -> Path:
    """What a file is called until it is whole."""
    return path.with_name(path.name + ".open")
