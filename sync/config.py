"""Reads liuke.yaml: everything a person configured, checked as a whole before anything runs.

`doctor`, `test` and every command that works come through `load`, so what is checked is what runs. All that is
wrong is said at once, each with file and line. What translates comes through `Config.check_maps` as well, which
reads the field maps of all instances. Secrets stand in the file as ${NAME}; their values come from the
environment, or from secrets.env beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import problems as connector_problems
from connectors import registry
from connectors.problems import ConnectorError
from connectors.registry import Connector
from connectors.settings import Setting, Settings, read_settings
from mappings import documents
from mappings.documents import near
from mappings.problems import LiukeError, Problem, Text
from sync.settings import DEFAULT_INTERVAL, HUB, INSTANCE

if TYPE_CHECKING:
    from mappings.fieldmap import FieldMap

FILE = "liuke.yaml"
SECRETS_FILE = "secrets.env"

Lookup = Callable[[str], str | None]
"""Gives the value of a variable, or None where it is not set."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Instance:
    """One configured connector: a name of the user's own, the connector it is of, and its checked settings."""

    name: str
    connector: Connector
    settings: Settings
    title: Text
    role: str
    interval_s: int
    owner: str
    streams: tuple[str, ...]
    """The streams it is to pull, in the connector's order."""
    write_back: Mapping[str, Any] | None
    """How values go back to it; None where it is no target."""
    folder: Path
    """The user's folder, which may hold a field map for it."""

    @cached_property
    def field_map(self) -> FieldMap:
        """How its records become rows; LiukeError with everything that is wrong with the map."""
        from sync.maps import field_map

        return field_map(self)


@dataclass(frozen=True)
class Config:
    """One installation. Paths are absolute; `demo_clock` is None on real time."""

    folder: Path
    company: str
    industry: str
    timezone: str
    store_url: str
    landing: Path
    keys: Path
    library: str | None
    demo_clock: Path | None
    instances: Mapping[str, Instance]

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def check_maps(self) -> None:
        """Reads the field maps of all instances and crosswalk.csv; LiukeError with every Problem there is."""
        from sync import crosswalk_file, maps

        problems: list[Problem] = []
        for check in (
            lambda: maps.check_maps(self.folder, self.instances.values()),
            lambda: crosswalk_file.read(self.folder, self.instances),
        ):
            try:
                check()
            except LiukeError as error:
                problems += error.problems
        if problems:
            raise LiukeError(*problems)


def load(folder: Path, lookup: Lookup) -> Config:
    """The configuration in that folder; LiukeError with every Problem there is."""
    folder = folder.resolve()
    document = _document(folder / FILE)
    reading = _Reading(lookup, folder)
    page = reading.group(document.data, "")
    values = reading.read(HUB, {key: value for key, value in page.items() if key != "connectors"}, "")
    raw = reading.group(page.get("connectors"), "connectors")
    instances = {name: made for name, one in raw.items() if (made := _instance(reading, str(name), one))}
    library = page.get("library")
    if isinstance(library, str) and library not in raw:
        reading.problems.append(_unknown_instance(library, raw, "library"))
    for name, instance in instances.items():
        for record in (instance.write_back or {}).get("records") or ():
            if record not in raw:
                place = f"connectors.{name}.write_back.records"
                reading.problems.append(_unknown_instance(record, raw, place))
    if reading.problems or values is None:
        raise LiukeError(*_placed(document, reading.problems))
    return Config(
        folder=folder,
        company=values["company"],
        industry=values["industry"],
        timezone=values["timezone"],
        store_url=_anchored(values["store"], folder),
        landing=folder / values["landing"],
        keys=folder / values["keys"],
        library=values["library"],
        demo_clock=folder / values["demo_clock"] if values["demo_clock"] else None,
        instances=instances,
    )


def _document(file: Path) -> documents.Document:
    if not file.exists():
        raise LiukeError(
            Problem(
                "config.missing",
                Text("这个文件夹里没有 liuke.yaml", "there is no liuke.yaml in this folder"),
                str(file),
                Text(
                    "先建立配置: liuke init, 或用 --folder 指定文件夹",
                    "make one: liuke init, or name the folder with --folder",
                ),
            )
        )
    return documents.load(file)


def _placed(document: documents.Document, problems: Iterable[connector_problems.Problem]) -> list[Problem]:
    """Each problem with file and line instead of a bare key path, in the order of the file, none twice."""
    places = {problem: _keys(problem.where) for problem in problems}
    ordered = sorted(places, key=lambda problem: document.line(places[problem]))
    return [
        Problem(problem.code, Text(*problem.what), document.where(places[problem]), Text(*problem.do))
        for problem in ordered
    ]


def _keys(path: str) -> documents.KeyPath:
    """The keys of `a.b[0]`; a path whose names hold dots leads to the nearest key above."""
    return tuple(int(one[1:-1]) if one[0] == "[" else one for one in re.findall(r"\[\d+\]|[^.\[\]]+", path))


def duration_s(text: object) -> int | None:
    """Seconds of a duration such as 60s, 5m, 1h; None for anything else."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) * _SECONDS[found[2]] if found else None


# ---- One instance --------------------------------------------------------------------------------


class _Reading:
    """One reading of the file: goes on after each mistake and collects them all, with key paths."""

    def __init__(self, lookup: Lookup, folder: Path) -> None:
        self.lookup = lookup
        self.folder = folder
        self.problems: list[connector_problems.Problem] = []

    def group(self, raw: object, path: str) -> Mapping[str, Any]:
        """The group at that place; an empty one where nothing, or something else, stands there."""
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self.problems.append(_not_a_group(path))
            return {}
        return raw

    def read(self, settings: Sequence[Setting], raw: Mapping[str, Any], path: str) -> Settings | None:
        """The checked values; None where something is wrong with them."""
        try:
            return read_settings(settings, raw, self.lookup, path=path, folder=self.folder)
        except ConnectorError as error:
            self.problems += error.problems
            return None


def _instance(reading: _Reading, name: str, raw: object) -> Instance | None:
    path = f"connectors.{name}"
    group = reading.group(raw, path)
    if not _NAME.fullmatch(name):
        reading.problems.append(_bad_name(name, path))
    plain = reading.read(INSTANCE, {key: value for key, value in group.items() if key != "settings"}, path)
    interval = group.get("interval", DEFAULT_INTERVAL)
    interval_s = duration_s(interval)
    if interval_s is None:
        reading.problems.append(_bad_interval(interval, f"{path}.interval"))
    made = _connector(reading, group, path)
    if made is None:
        return None
    connector, settings = made
    known = [stream.name for stream in connector.streams(settings)]
    chosen = (plain["streams"] if plain is not None else None) or known
    for one in chosen:
        if one not in known:
            reading.problems.append(_unknown_stream(one, known, f"{path}.streams"))
    if "write_back" in group and not connector.write_back:
        reading.problems.append(_no_write_back(connector.name, f"{path}.write_back"))
    if plain is None or interval_s is None:
        return None
    title = plain["title"]
    return Instance(
        name=name,
        connector=connector,
        settings=settings,
        title=Text(title, title) if title else Text(*connector.title),
        role=plain["role"],
        interval_s=interval_s,
        owner=plain["owner"] or "",
        streams=tuple(one for one in known if one in chosen),
        write_back=plain["write_back"],
        folder=reading.folder,
    )


def _connector(reading: _Reading, group: Mapping[str, Any], path: str) -> tuple[Connector, Settings] | None:
    """The connector and its settings, even where other keys of the instance are wrong: all is said at once."""
    kind = group.get("type")
    if not isinstance(kind, str):
        return None  # said already: `type` is required text
    if kind not in registry.names():
        reading.problems.append(_unknown_type(kind, f"{path}.type"))
        return None
    try:
        connector = registry.connector(kind)
        raw = group.get("settings")
        return connector, connector.read_settings(raw, reading.lookup, path=f"{path}.settings", folder=reading.folder)
    except ConnectorError as error:
        reading.problems += error.problems
        return None


def _anchored(url: str, folder: Path) -> str:
    """A SQLite file with a relative path lies in the user's folder, wherever the command is run."""
    scheme, found, path = url.partition(":///")
    if not found or not scheme.startswith("sqlite") or path.startswith(("/", ":memory:")):
        return url
    return f"{scheme}:///{folder / path}" if path else url


# ---- Variables -----------------------------------------------------------------------------------


def variables(folder: Path, environment: Mapping[str, str]) -> Lookup:
    """Looks a variable up in the environment, then in secrets.env of that folder.

    A secrets.env that others may read is a Problem: it would be no better than a password in liuke.yaml.
    """
    file = folder / SECRETS_FILE
    kept = _secrets(file) if file.exists() else {}

    def lookup(name: str) -> str | None:
        return environment.get(name) or kept.get(name)

    return lookup


def _secrets(file: Path) -> dict[str, str]:
    if file.stat().st_mode & 0o077:
        raise LiukeError(
            Problem(
                "config.secrets-readable",
                Text("其他用户可以读取机密文件", "other users can read the file of secrets"),
                SECRETS_FILE,
                Text(f"收回权限: chmod 600 {file}", f"take that right away: chmod 600 {file}"),
            )
        )
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if equals and name.strip().isidentifier():
            found[name.strip()] = _unquoted(value.strip())
        else:
            # The line is not shown: what stands in this file is secret even where it is misspelt.
            problems.append(
                Problem(
                    "config.secrets-line",
                    Text("这一行不是 NAME=值", "this line is not NAME=value"),
                    f"{SECRETS_FILE}:{number}",
                    Text("改成 NAME=值, 或删除这一行", "write NAME=value, or remove the line"),
                )
            )
    if problems:
        raise LiukeError(*problems)
    return found


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value


# ---- What can be wrong ---------------------------------------------------------------------------


def _not_a_group(path: str) -> connector_problems.Problem:
    return _problem(
        "settings.wrong",
        "需要一组“键: 值”",
        "needs a group of key: value",
        path,
        Text("改正缩进", "mend the indentation"),
    )


def _bad_name(name: str, path: str) -> connector_problems.Problem:
    return _problem(
        "config.instance-name",
        f"实例名称 {name} 不能用",
        f"{name} cannot be the name of an instance",
        path,
        Text(
            "只用英文字母、数字、_ 和 -, 最长 40 个字符",
            "use letters a-z, digits, _ and - only, 40 characters at most",
        ),
    )


def _bad_interval(value: object, path: str) -> connector_problems.Problem:
    return _problem(
        "config.duration",
        f"同步周期 {value} 看不懂",
        f"{value} is no interval",
        path,
        Text("写成 60s、5m 或 1h", "write it as 60s, 5m or 1h"),
    )


def _unknown_type(kind: str, path: str) -> connector_problems.Problem:
    return _problem(
        "config.unknown-type",
        f"没有名为 {kind} 的连接器",
        f"there is no connector {kind}",
        path,
        near(kind, registry.names()),
    )


def _unknown_stream(stream: str, known: Collection[str], path: str) -> connector_problems.Problem:
    return _problem(
        "config.unknown-stream",
        f"没有名为 {stream} 的同步对象",
        f"there is no stream {stream}",
        path,
        near(stream, known),
    )


def _unknown_instance(name: str, known: Collection[str], path: str) -> connector_problems.Problem:
    return _problem(
        "config.unknown-instance",
        f"没有名为 {name} 的连接器实例",
        f"there is no connector instance {name}",
        path,
        near(name, known),
    )


def _no_write_back(kind: str, path: str) -> connector_problems.Problem:
    return _problem(
        "config.cannot-write-back",
        f"连接器 {kind} 不支持回写",
        f"the connector {kind} cannot write back",
        path,
        Text("去掉 write_back", "remove write_back"),
    )


def _problem(code: str, zh: str, en: str, path: str, do: Text) -> connector_problems.Problem:
    return connector_problems.Problem(code, connector_problems.Text(zh, en), path, connector_problems.Text(*do))
