"""Finds the connectors there are, ours and installed ones, without a list to edit.

Ours are the packages in this folder (plain modules are the framework); installed ones are entry points of the
group `liuke.connectors`, each naming a module. Both hold a `CONNECTOR`. Names are found without importing;
a connector is imported when asked for; one that cannot be imported is one Problem and stops no other.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.ports import Ports, Sink
from connectors.problems import ConnectorError, Problem, Text
from connectors.settings import Lookup, Setting, Settings, read_settings

if TYPE_CHECKING:
    from connectors.tap import HubTap
    from connectors.writer import Writer

__all__ = ["Connector", "Found", "Stream", "Window", "connector", "connectors", "names"]

GROUP = "liuke.connectors"
_NOT_CONNECTORS = {"sandbox"}
"""Simulated vendors: found and started by tests and the demo, never by the registry."""


@dataclass(frozen=True)
class Stream:
    """One kind of record a connector pulls.

    `key` are the fields that name a record. `modified_since` says that only changed records are asked for;
    without it every pull reads everything, and 300 s are kept only with pushes.
    """

    name: str
    title: Text
    key: tuple[str, ...]
    modified_since: bool = True
    updated_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """The part of the past that a backfill pulls: since <= modified < until, aware; None is open.

    Each window has a state of its own.
    """

    since: datetime | None = None
    until: datetime | None = None


MakeTap = Callable[[Settings, Mapping[str, Any], Ports, Sink, "Window | None"], "HubTap"]
MakeWriter = Callable[[Settings, Ports], "Writer"]
ListStreams = Callable[["Settings | None"], Sequence[Stream]]
DecodePush = Callable[..., Any]
MoreChecks = Callable[[Settings, str], Sequence[Problem]]


@dataclass(frozen=True)
class Connector:
    """One kind of outside system: how it is set up, and what it can do.

    `list_streams` gives the declared streams for None, and the discovered ones for settings. `package` is the
    connector's `__name__`: its map.yaml stands beside its code.
    """

    name: str
    title: Text
    package: str
    settings: tuple[Setting, ...]
    list_streams: ListStreams
    more_checks: MoreChecks | None = None
    """What the description of the settings cannot say, such as "either table or query"."""
    make_tap: MakeTap | None = None
    make_writer: MakeWriter | None = None
    decode_push: DecodePush | None = None

    @property
    def pull(self) -> bool:
        return self.make_tap is not None

    @property
    def push(self) -> bool:
        return self.decode_push is not None

    @property
    def write_back(self) -> bool:
        return self.make_writer is not None

    def read_settings(
        self,
        raw: Mapping[str, Any] | None,
        lookup: Lookup,
        *,
        path: str = "settings",
        folder: Path = Path(),
    ) -> Settings:
        """The user's settings, checked and resolved; ConnectorError with everything that is wrong with them."""
        settings = read_settings(self.settings, raw, lookup, path=path, folder=folder)
        problems = self.more_checks(settings, path) if self.more_checks else ()
        if problems:
            raise ConnectorError(*problems)
        return settings

    def streams(self, settings: Settings | None = None) -> tuple[Stream, ...]:
        """The streams that can be pulled; with settings also those the settings name."""
        return tuple(self.list_streams(settings))

    def tap(
        self,
        settings: Settings,
        state: Mapping[str, Any],
        ports: Ports,
        sink: Sink,
        *,
        window: Window | None = None,
    ) -> HubTap:
        """A tap that starts after `state` and gives everything to `sink`. Neither is changed by making it."""
        if self.make_tap is None:
            raise ConnectorError(self._cannot("拉取", "pull"))
        return self.make_tap(settings, state, ports, sink, window)

    def writer(self, settings: Settings, ports: Ports) -> Writer:
        """A writer for the fields this system takes back."""
        if self.make_writer is None:
            raise ConnectorError(self._cannot("回写", "write back"))
        return self.make_writer(settings, ports)

    def map_file(self) -> Traversable | None:
        """The shipped field map; None where the streams are the user's own."""
        file = files(self.package).joinpath("map.yaml")
        return file if file.is_file() else None

    def test(self, settings: Settings, ports: Ports) -> tuple[Tried, ...]:
        """Logs in and reads one record of each stream; changes nothing, neither there nor here."""
        from connectors.trial import try_streams

        return try_streams(self, settings, ports)

    def _cannot(self, zh: str, en: str) -> Problem:
        return Problem(
            f"connector.cannot-{en.replace(' ', '-')}",
            Text(f"连接器 {self.name} 不支持{zh}", f"connector {self.name} cannot {en}"),
        )


@dataclass(frozen=True)
class Tried:
    """What `test` found for one stream: how many records it saw (0 or 1), or the problem."""

    stream: str
    records: int
    problem: Problem | None = None


@dataclass(frozen=True)
class Found:
    """All connectors that could be imported, by name, and a Problem for each that could not."""

    connectors: Mapping[str, Connector] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def names() -> list[str]:
    """Names of all connectors there are, sorted; nothing is imported."""
    return sorted(_places())


def connector(name: str) -> Connector:
    """The connector of that name; ConnectorError if there is none or it is broken."""
    place = _places().get(name)
    if place is None:
        known = ", ".join(names())
        raise ConnectorError(
            Problem(
                "connector.unknown",
                Text(f"没有名为 {name} 的连接器", f"there is no connector {name}"),
                do=Text(f"可用的连接器: {known}", f"connectors there are: {known}"),
            )
        )
    return _load(name, place)


def connectors() -> Found:
    """Every connector, imported; their taps and writers are not, until one is asked for."""
    found: dict[str, Connector] = {}
    problems: list[Problem] = []
    for name, place in sorted(_places().items()):
        try:
            found[name] = _load(name, place)
        except ConnectorError as error:
            problems.extend(error.problems)
    return Found(found, tuple(problems))


def _places() -> dict[str, str]:
    """Name -> module. Ours win over installed ones of the same name."""
    import connectors as ours

    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    own = {
        module.name: f"{ours.__name__}.{module.name}"
        for module in pkgutil.iter_modules(ours.__path__)
        if module.ispkg and module.name not in _NOT_CONNECTORS
    }
    return installed | own


def _load(name: str, place: str) -> Connector:
    module_name, _, attribute = place.partition(":")
    try:
        made = getattr(importlib.import_module(module_name), attribute or "CONNECTOR", None)
    except Exception as error:
        raise ConnectorError(_broken(name, place, f"{type(error).__name__}: {error}")) from error
    if not isinstance(made, Connector):
        raise ConnectorError(_broken(name, place, "no CONNECTOR"))
    return made


def _broken(name: str, place: str, reason: str) -> Problem:
    return Problem(
        "connector.broken",
        Text(f"连接器 {name} 无法加载: {reason}", f"connector {name} cannot be loaded: {reason}"),
        place,
        Text("重新安装提供它的软件包, 或把它卸载", "reinstall the package that brings it, or remove it"),
    )
