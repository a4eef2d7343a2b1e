"""Reads an instance's field map: the one that ships with its connector, under the user's mappings/INSTANCE.yaml.

Apart from liuke.yaml, because translating needs Polars and `liuke status` does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mappings import documents
from mappings.documents import Document, near
from mappings.problems import LiukeError, Problem, Text

if TYPE_CHECKING:
    from mappings.fieldmap import FieldMap
    from sync.config import Instance

FOLDER = "mappings"


def field_map(instance: Instance) -> FieldMap:
    """The map of all streams the instance pulls; LiukeError with everything that is wrong with it."""
    from mappings.fieldmap import FieldMap
    from mappings.fieldmap_parse import parse

    shipped, own = _shipped(instance), _own(instance)
    first = shipped or own
    made = parse(first, own if shipped else None) if first else FieldMap(_name(instance), {})
    problems = [
        *_misnamed_streams(instance, made, own),
        *(_unmapped(instance, stream) for stream in instance.streams if stream not in made.streams),
    ]
    if problems:
        raise LiukeError(*problems)
    return made


def check_maps(folder: Path, instances: Iterable[Instance]) -> None:
    """Reads the maps of all instances; LiukeError with the problems of all of them."""
    known = {instance.name: instance for instance in instances}
    files = sorted((folder / FOLDER).glob("*.yaml"))
    problems = [_of_nobody(file, list(known)) for file in files if file.stem not in known]
    for instance in known.values():
        try:
            _ = instance.field_map
        except LiukeError as error:
            problems += error.problems
    if problems:
        raise LiukeError(*problems)


def _shipped(instance: Instance) -> Document | None:
    file = instance.connector.map_file()
    return documents.parse(file.read_text(encoding="utf-8"), f"{instance.connector.name}/map.yaml") if file else None


def _own(instance: Instance) -> Document | None:
    file = instance.folder / FOLDER / f"{instance.name}.yaml"
    return documents.load(file, _name(instance)) if file.exists() else None


def _name(instance: Instance) -> str:
    return f"{FOLDER}/{instance.name}.yaml"


def _misnamed_streams(instance: Instance, made: FieldMap, own: Document | None) -> Iterable[Problem]:
    """Streams that the user's file names and the connector does not have: a typing mistake, or they are gone."""
    there = [stream.name for stream in instance.connector.streams(instance.settings)]
    for stream in made.streams:
        if own is not None and stream not in there and ("streams", stream) in own.lines:
            yield own.problem(
                ("streams", stream),
                "config.unknown-stream",
                Text(f"{instance.name} 没有名为 {stream} 的同步对象", f"{instance.name} has no stream {stream}"),
                near(stream, there),
            )


def _unmapped(instance: Instance, stream: str) -> Problem:
    return Problem(
        "config.stream-unmapped",
        Text(
            f"同步对象 {instance.name}.{stream} 没有字段映射, 拉取后无法入库",
            f"the stream {instance.name}.{stream} has no field map and could not be loaded",
        ),
        f"{_name(instance)}: streams",
        Text(
            f"在 {_name(instance)} 里补上 {stream}, 或在 liuke.yaml 的 streams 里不列它",
            f"add {stream} to {_name(instance)}, or leave it out of `streams` in liuke.yaml",
        ),
    )


def _of_nobody(file: Path, known: list[str]) -> Problem:
    return Problem(
        "config.map-of-nobody",
        Text(
            f"没有名为 {file.stem} 的连接器实例, 这份映射不会被使用",
            f"no instance is called {file.stem}; nothing uses this map",
        ),
        f"{FOLDER}/{file.name}",
        near(file.stem, known),
    )
