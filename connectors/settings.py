"""Describes a connector's settings in code, and reads a user's settings against that description.

One description serves the check, the published JSON Schema, `liuke connectors NAME` and the docs. All that is
wrong is said at once, each with its key path. Secrets stand in a file only as ${NAME}: a literal in a secret
setting is a problem, because files are shared and versioned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.problems import ConnectorError, Problem, Text
from connectors.redact import SECRETS, Secrets

__all__ = ["Kind", "Setting", "Settings", "json_schema", "read_settings"]

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD_IN_URL = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")


class Kind(StrEnum):
    """What a setting's value is; the value is the word used in docs."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    URL = "url"
    """An address. In a secret one only the password is secret: `sqlite:///erp.db` may stand as it is."""
    PATH = "path"
    TIME_ZONE = "time zone"
    LIST = "list"
    """A list of texts; one text alone is a list of one."""
    GROUP = "group"
    """Settings below a fixed key."""
    NAMED = "named groups"
    """Groups below keys the user chooses, such as one per stream."""
    MAP = "map"
    """Texts below keys the user chooses, such as field -> column."""


@dataclass(frozen=True)
class Setting:
    """One setting: name, kind, both descriptions, and what it may be.

    `default` is used where the setting is left out; it is never a secret. `at_least` bounds a number.
    """

    name: str
    kind: Kind
    meaning: Text
    required: bool = False
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    settings: tuple[Setting, ...] = ()
    example: Any = None


class Settings(Mapping[str, Any]):
    """Checked values, references resolved, defaults filled in. Shows the names of its values only."""

    def __init__(self, checked: Mapping[str, Any], folder: Path = Path()) -> None:
        self._checked = checked
        self.folder = folder
        """The folder of the user's file: relative paths in it start here."""

    def __getitem__(self, key: str) -> Any:
        return self._checked[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._checked)

    def __len__(self) -> int:
        return len(self._checked)

    def __repr__(self) -> str:
        return f"Settings({', '.join(self._checked)})"


Lookup = Callable[[str], str | None]
"""Gives the value of a variable, or None where it is not set."""


def read_settings(
    settings: Sequence[Setting],
    raw: Mapping[str, Any] | None,
    lookup: Lookup,
    *,
    path: str = "settings",
    folder: Path = Path(),
    secrets: Secrets = SECRETS,
) -> Settings:
    """The user's settings, checked; raises one ConnectorError with every Problem.

    Secrets are remembered for redaction as they are resolved, before anything can show them.
    """
    reader = _Reader(lookup, secrets)
    values = reader.group(settings, raw if raw is not None else {}, path)
    if reader.problems:
        raise ConnectorError(*reader.problems)
    return Settings(values, folder)


def json_schema(settings: Sequence[Setting]) -> dict[str, Any]:
    """JSON Schema of the settings as they stand in a file: references count as text."""
    return _group_schema(settings)


class _Reader:
    """One reading: collects problems instead of stopping at the first."""

    def __init__(self, lookup: Lookup, secrets: Secrets) -> None:
        self._lookup = lookup
        self._secrets = secrets
        self.problems: list[Problem] = []

    def group(self, settings: Sequence[Setting], raw: object, path: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            self._wrong(path, "需要一组“键: 值”", "needs a group of key: value", _shown(raw))
            return {}
        known = {setting.name: setting for setting in settings}
        for key in raw:
            if key not in known:
                self._unknown(f"{path}.{key}", str(key), known)
        values: dict[str, Any] = {}
        for setting in settings:
            value = raw.get(setting.name)
            if value is not None:
                values[setting.name] = self._value(setting, value, f"{path}.{setting.name}")
            elif setting.required:
                self._missing(setting, f"{path}.{setting.name}")
            elif setting.kind is Kind.GROUP:
                values[setting.name] = (
                    None
                    if setting.default is None
                    else self.group(setting.settings, setting.default, f"{path}.{setting.name}")
                )
            else:
                values[setting.name] = setting.default
        return values

    def _value(self, setting: Setting, raw: object, path: str) -> Any:
        if setting.kind is Kind.GROUP:
            return self.group(setting.settings, raw, path)
        if setting.kind is Kind.NAMED:
            if not isinstance(raw, Mapping) or not raw:
                self._wrong(path, "需要至少一组以名称为键的设置", "needs at least one named group", _shown(raw))
                return {}
            return {str(name): self.group(setting.settings, group, f"{path}.{name}") for name, group in raw.items()}
        if setting.kind is Kind.MAP:
            return self._map(setting, raw, path)
        if setting.kind is Kind.LIST:
            items = raw if isinstance(raw, list) else [raw]
            return tuple(self._scalar(setting, item, f"{path}[{n}]") for n, item in enumerate(items))
        return self._scalar(setting, raw, path)

    def _map(self, setting: Setting, raw: object, path: str) -> dict[str, str]:
        if not isinstance(raw, Mapping):
            self._wrong(path, "需要一组“键: 值”", "needs a group of key: value", _shown(raw))
            return {}
        result: dict[str, str] = {}
        for key, value in raw.items():
            if setting.choices and key not in setting.choices:
                self._not_a_choice(f"{path}.{key}", str(key), setting.choices)
                continue
            result[str(key)] = self._scalar(setting, value, f"{path}.{key}", choices=False)
        return result

    def _scalar(self, setting: Setting, raw: object, path: str, *, choices: bool = True) -> Any:
        if isinstance(raw, (Mapping, list)):
            self._wrong(path, "需要单个值", "needs a single value", _shown(raw))
            return None
        if isinstance(raw, str):
            if setting.secret and _has_literal_secret(setting, raw):
                self._literal_secret(setting, path)
                return None
            resolved = self._resolve(setting, raw, path)
            if resolved is None:
                return None
            raw = resolved
        elif setting.secret:
            self._literal_secret(setting, path)
            return None
        value = _CONVERT.get(setting.kind, _text)(raw)
        if value is None:
            zh, en = _EXPECTED.get(setting.kind, ("需要文字", "needs text"))
            self._wrong(path, zh, en, _shown(None if setting.secret else raw))
            return None
        if choices and setting.choices and value not in setting.choices:
            self._not_a_choice(path, str(value), setting.choices)
        if setting.at_least is not None and value < setting.at_least:
            at_least = f"{setting.at_least:g}"
            self._wrong(path, f"不能小于 {at_least}", f"must be at least {at_least}", _shown(raw))
        return value

    def _resolve(self, setting: Setting, raw: str, path: str) -> str | None:
        missing = [name for name in _REFERENCE.findall(raw) if self._lookup(name) is None]
        for name in missing:
            self.problems.append(
                Problem(
                    "settings.variable-not-set",
                    Text(f"环境变量 {name} 没有设置", f"variable {name} is not set"),
                    path,
                    Text(f"设置后重试: export {name}=...", f"set it and try again: export {name}=..."),
                )
            )
        if missing:
            return None
        if setting.secret:
            for name in _REFERENCE.findall(raw):
                self._secrets.remember(self._lookup(name) or "", f"${{{name}}}")
        value = _REFERENCE.sub(lambda found: self._lookup(found[1]) or "", raw)
        if setting.secret and setting.kind is Kind.URL:
            self._secrets.remember(value)
        return value

    def _missing(self, setting: Setting, path: str) -> None:
        self.problems.append(
            Problem(
                "settings.missing",
                Text(
                    f"缺少设置 {setting.name}: {setting.meaning.zh}",
                    f"{setting.name} is missing: {setting.meaning.en}",
                ),
                path,
                Text(f"补上 {setting.name}", f"add {setting.name}"),
            )
        )

    def _unknown(self, path: str, key: str, known: Mapping[str, Setting]) -> None:
        names = ", ".join(known)
        near = get_close_matches(key.lower(), known, n=1)
        self.problems.append(
            Problem(
                "settings.unknown",
                Text(f"没有名为 {key} 的设置", f"there is no setting {key}"),
                path,
                Text(f"是不是 {near[0]}?", f"did you mean {near[0]}?")
                if near
                else Text(f"可用的设置: {names}", f"settings there are: {names}"),
            )
        )

    def _not_a_choice(self, path: str, value: str, choices: Sequence[str]) -> None:
        listed = ", ".join(choices)
        self._wrong(path, f"只能是: {listed}", f"must be one of: {listed}", value)

    def _literal_secret(self, setting: Setting, path: str) -> None:
        name = setting.name.upper()
        self.problems.append(
            Problem(
                "settings.literal-secret",
                Text(
                    f"{setting.name} 是机密, 不能明文写在文件里",
                    f"{setting.name} is a secret and must not stand in a file",
                ),
                path,
                Text(f"改写为 ${{{name}}}, 并设置同名环境变量", f"write ${{{name}}} and set that variable"),
            )
        )

    def _wrong(self, path: str, zh: str, en: str, found: str) -> None:
        self.problems.append(
            Problem(
                "settings.wrong",
                Text(f"{zh}, 实际是 {found}", f"{en}, found {found}"),
                path,
                Text("改正后重试: liuke doctor", "put it right and try again: liuke doctor"),
            )
        )


def _has_literal_secret(setting: Setting, raw: str) -> bool:
    if setting.kind is Kind.URL:
        found = _PASSWORD_IN_URL.search(raw)
        return found is not None and not _REFERENCE.fullmatch(found[1])
    return not _REFERENCE.fullmatch(raw)


def _text(raw: object) -> str | None:
    # YAML reads `table: 123` as a number and `code: yes` as a flag: a flag is no text, a number may be.
    if isinstance(raw, bool):
        return None
    return str(raw) if isinstance(raw, (str, int, float)) else None


def _integer(raw: object) -> int | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    return int(raw) if isinstance(raw, str) and re.fullmatch(r"-?\d+", raw) else None


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        return None
    try:
        return float(raw)
    except ValueError:
        return None


def _flag(raw: object) -> bool | None:
    if isinstance(raw, bool):
        return raw
    return {"true": True, "false": False}.get(raw.lower()) if isinstance(raw, str) else None


def _url(raw: object) -> str | None:
    if not isinstance(raw, str):
        return None
    try:
        return raw if urlsplit(raw).scheme else None
    except ValueError:
        return None


def _path(raw: object) -> str | None:
    return raw if isinstance(raw, str) and raw else None


def _time_zone(raw: object) -> str | None:
    try:
        return ZoneInfo(raw).key if isinstance(raw, str) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_CONVERT: Mapping[Kind, Callable[[object], Any]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.URL: _url,
    Kind.PATH: _path,
    Kind.TIME_ZONE: _time_zone,
}
_EXPECTED: Mapping[Kind, tuple[str, str]] = {
    Kind.INTEGER: ("需要整数", "needs a whole number"),
    Kind.NUMBER: ("需要数字", "needs a number"),
    Kind.FLAG: ("需要 true 或 false", "needs true or false"),
    Kind.URL: ("需要带协议的地址", "needs an address with its scheme"),
    Kind.PATH: ("需要路径", "needs a path"),
    Kind.TIME_ZONE: ("需要时区名, 如 Asia/Shanghai", "needs a time zone such as Asia/Shanghai"),
}
_SCHEMA_TYPE: Mapping[Kind, str] = {
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.FLAG: "boolean",
}


def _shown(raw: object) -> str:
    """A wrong value as it may be shown: short, and never a whole structure."""
    if raw is None:
        return "空 (nothing)"
    if isinstance(raw, Mapping):
        return f"{{{', '.join(str(key) for key in raw)}}}"
    if isinstance(raw, list):
        return f"[{len(raw)}]"
    return SECRETS.clean(str(raw))[:80]


def _group_schema(settings: Sequence[Setting]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {setting.name: _schema(setting) for setting in settings},
    }
    required = [setting.name for setting in settings if setting.required]
    return schema | ({"required": required} if required else {})


def _schema(setting: Setting) -> dict[str, Any]:
    about: dict[str, Any] = {"description": f"{setting.meaning.zh}\n{setting.meaning.en}"}
    if setting.default is not None and not setting.settings:
        about["default"] = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    if setting.example is not None:
        about["examples"] = [setting.example]
    return about | _shape(setting)


def _shape(setting: Setting) -> dict[str, Any]:
    if setting.kind is Kind.GROUP:
        return _group_schema(setting.settings)
    if setting.kind is Kind.NAMED:
        return {"type": "object", "minProperties": 1, "additionalProperties": _group_schema(setting.settings)}
    if setting.kind is Kind.MAP:
        names = {"propertyNames": {"enum": list(setting.choices)}} if setting.choices else {}
        return {"type": "object", "additionalProperties": {"type": "string"}} | names
    item: dict[str, Any] = {"type": _SCHEMA_TYPE.get(setting.kind, "string")}
    if setting.choices:
        item["enum"] = list(setting.choices)
    if setting.at_least is not None:
        item["minimum"] = setting.at_least
    if setting.secret and setting.kind is not Kind.URL:
        item["pattern"] = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"
    elif item["type"] != "string":
        item = {"anyOf": [item, {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}]}
    if setting.kind is Kind.LIST:
        return {"anyOf": [item, {"type": "array", "items": item}]}
    return item
