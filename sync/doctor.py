"""Examines an installation: what would stop or harm a run, before it does.

It opens the same configuration, database and key that every command opens, so it cannot be of another opinion
than the run. Each examination gives Findings; none of them changes anything.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors import registry
from mappings.problems import NOTHING, LiukeError, Problem, Text
from sync.clock import instant
from sync.config import FILE, SECRETS_FILE, Config, load, variables
from sync.hub import KEY_FILE, Hub, clock_of
from sync.installed import name_clashes

OK = "ok"
WARNING = "warning"
ERROR = "error"

PYTHON_FROM, PYTHON_TO = (3, 11), (3, 13)
FREE_WARNING = 2 * 1024**3
FREE_ERROR = 200 * 1024**2
"""Free space under which to warn, and under which a run may fail: a file grows to 64 MB before it is sealed."""

CLOCK_SLACK_US = 5 * 60 * 1_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what is wrong with it."""

    code: str
    title: Text
    status: str = OK
    detail: Text = NOTHING
    problems: tuple[Problem, ...] = ()


def examine(folder: Path) -> list[Finding]:
    """All findings, in the order in which to mend them."""
    findings = [_python(), _names(), *_connectors()]
    config, finding = _configuration(folder)
    findings.append(finding)
    if config is None:
        return [*findings, *_permissions(folder / "keys" / KEY_FILE, folder / SECRETS_FILE)]
    try:
        hub = Hub(config, clock_of(config))
    except LiukeError as error:
        return [*findings, Finding("clock", CLOCK, ERROR, problems=error.problems)]
    with hub:
        findings += [_rules(config), _clock(hub), _disk(config), _landing(config), _key(hub)]
        findings += _permissions(folder / SECRETS_FILE)
        findings.append(_store(hub))
    findings.append(_privacy(config))
    return findings


def is_fit(findings: list[Finding]) -> bool:
    """Whether nothing was found that would stop a run."""
    return all(finding.status != ERROR for finding in findings)


# ---- The program ---------------------------------------------------------------------------------


def _python() -> Finding:
    found = sys.version_info[:2]
    shown = ".".join(map(str, sys.version_info[:3]))
    title, detail = Text("Python 版本", "Python"), Text(shown, shown)
    if PYTHON_FROM <= found <= PYTHON_TO:
        return Finding("python", title, OK, detail)
    problem = Problem(
        "install.python",
        Text(f"Python {shown} 不在支持范围 3.11 至 3.13", f"Python {shown} is not one of 3.11 to 3.13"),
        sys.executable,
        Text("换用受支持的 Python 重新安装", "install Liuke with one of these"),
    )
    return Finding("python", title, WARNING, detail, (problem,))


def _names() -> Finding:
    clashes = name_clashes()
    return Finding("names", Text("目录名无冲突", "no clash of package names"), _worst(clashes), problems=tuple(clashes))


def _connectors() -> Iterator[Finding]:
    found = registry.connectors()
    names = ", ".join(found.connectors)
    problems = tuple(Problem(p.code, Text(*p.what), p.where, Text(*p.do)) for p in found.problems)
    # One that is configured and broken is an error of the configuration; the others stop nobody.
    yield Finding("connectors", Text("连接器", "connectors"), WARNING if problems else OK, Text(names, names), problems)


# ---- What was configured -------------------------------------------------------------------------


def _configuration(folder: Path) -> tuple[Config | None, Finding]:
    title = Text(f"配置 {FILE}", f"configuration {FILE}")
    try:
        config = load(folder, variables(folder, os.environ))
        config.check_maps()
    except LiukeError as error:
        return None, Finding("configuration", title, ERROR, problems=error.problems)
    count = len(config.instances)
    if not count:
        problem = Problem(
            "config.no-connector",
            Text("还没有配置任何连接器", "no connector is configured yet"),
            str(config.file),
            Text("在 connectors 下添加; 可用的见 liuke connectors", "add one below connectors; see liuke connectors"),
        )
        return config, Finding("configuration", title, WARNING, problems=(problem,))
    names = ", ".join(config.instances)
    return config, Finding(
        "configuration", title, OK, Text(f"{count} 个连接器: {names}", f"{count} connectors: {names}")
    )


def _rules(config: Config) -> Finding:
    """Contracts and score definitions: the user's files are read as a run reads them."""
    from mappings.scores.reading import load_definitions
    from quality.contract_reading import load as load_contracts

    problems: list[Problem] = []
    for read in (
        lambda: load_contracts(config.folder / "contracts", config.instances),
        lambda: load_definitions(config.folder / "mappings" / "scores"),
    ):
        try:
            read()
        except LiukeError as error:
            problems += error.problems
    return Finding(
        "rules",
        Text("质量规则与评分定义", "contracts and score definitions"),
        _worst(problems),
        problems=tuple(problems),
    )


# ---- Where it runs -------------------------------------------------------------------------------

CLOCK = Text("时钟", "clock")


def _clock(hub: Hub) -> Finding:
    """A clock behind the newest run was turned back: later versions of a row would look older than they are."""
    now = hub.now()
    detail = Text(f"{hub.clock.now():%Y-%m-%d %H:%M:%S} UTC", "")
    newest = _newest_run(hub)
    if newest is None or newest <= now + CLOCK_SLACK_US:
        return Finding("clock", CLOCK, OK, detail)
    problem = Problem(
        "clock.turned-back",
        Text(
            f"本机时间早于最近一次同步 ({instant(newest):%Y-%m-%d %H:%M} UTC)",
            f"this machine's time is before the last run ({instant(newest):%Y-%m-%d %H:%M} UTC)",
        ),
        "",
        Text("校准时间 (NTP) 后再同步", "set the time (NTP) before the next run"),
    )
    return Finding("clock", CLOCK, ERROR, detail, (problem,))


def _newest_run(hub: Hub) -> int | None:
    store = hub.store_or_none
    if store is None:
        return None
    with store.reading() as tx:
        return tx.exec_driver_sql("SELECT max(started_at) FROM run").scalar()


def _disk(config: Config) -> Finding:
    place = _existing(config.landing)
    free = shutil.disk_usage(place).free
    title = Text("磁盘空间", "disk space")
    detail = Text(f"剩余 {_gib(free)}", f"{_gib(free)} free")
    if free >= FREE_WARNING:
        return Finding("disk", title, OK, detail)
    problem = Problem(
        "disk.low",
        Text(f"磁盘只剩 {_gib(free)}", f"only {_gib(free)} of disk are free"),
        str(place),
        Text("清理磁盘或把 landing 移到更大的盘", "free some, or move `landing` to a larger disk"),
    )
    return Finding("disk", title, ERROR if free < FREE_ERROR else WARNING, detail, (problem,))


def _landing(config: Config) -> Finding:
    title = Text("落地文件夹可写", "landing folder can be written")
    place = _existing(config.landing)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding("landing", title, OK, Text(str(config.landing), ""))
    problem = Problem(
        "landing.unwritable",
        Text("落地文件夹无法写入", "landing files cannot be written there"),
        str(place),
        Text(f"把写权限给运行留客的用户: chown 或 chmod {place}", f"give the user who runs Liuke the right: {place}"),
    )
    return Finding("landing", title, ERROR, problems=(problem,))


def _key(hub: Hub) -> Finding:
    title = Text("身份密钥", "identity key")
    try:
        key = hub.keys
    except LiukeError as error:
        return Finding("key", title, ERROR, problems=error.problems)
    return Finding("key", title, OK, Text(f"编号 {key.id}, 请纳入备份", f"number {key.id}; keep it in the backup"))


def _permissions(*files: Path) -> Iterator[Finding]:
    for file in files:
        if not file.exists():
            continue
        title = Text(f"{file.name} 仅所有者可读", f"{file.name} is for its owner only")
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            problem = Problem(
                "file.readable-by-others",
                Text(f"其他用户可以读取 {file.name}", f"other users can read {file.name}"),
                str(file),
                Text(f"收回权限: chmod 600 {file}", f"take that right away: chmod 600 {file}"),
            )
            yield Finding("permissions", title, ERROR, problems=(problem,))
        else:
            yield Finding("permissions", title)


def _store(hub: Hub) -> Finding:
    """Opens it as a run does, and takes the write lock: a database that only reads would fail in the middle."""
    title = Text("数据库可读写", "database can be read and written")
    try:
        store = hub.store
        with store.transaction() as tx:
            tx.exec_driver_sql("DELETE FROM setting WHERE name = 'doctor'")
    except LiukeError as error:
        return Finding("store", title, ERROR, problems=error.problems)
    shown = store.engine.url.render_as_string(hide_password=True)
    return Finding("store", title, OK, Text(shown, shown))


def _privacy(config: Config) -> Finding:
    """The database holds customers; SQLite makes its file with the rights that the user's umask gives."""
    title = Text("其他用户读不到客户数据", "other users cannot read customers' data")
    scheme, found, path = config.store_url.partition(":///")
    files = [Path(path)] if found and scheme.startswith("sqlite") and Path(path).exists() else []
    open_to_all = [file for file in files if _others_reach(file)]
    if not open_to_all:
        return Finding("privacy", title)
    problem = Problem(
        "store.readable-by-others",
        Text("其他用户可以读取数据库文件", "other users can read the database file"),
        str(open_to_all[0]),
        Text(f"收回权限: chmod 700 {config.folder}", f"take that right away: chmod 700 {config.folder}"),
    )
    return Finding("privacy", title, WARNING, problems=(problem,))


def _others_reach(file: Path) -> bool:
    """Whether a user with no special right can open the file: it is readable, and every folder above is open."""
    if not file.stat().st_mode & stat.S_IROTH:
        return False
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in file.resolve().parents)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists: that is where it will be made."""
    return next(one for one in (path, *path.parents) if one.exists())


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"


def _worst(problems: list[Problem]) -> str:
    return ERROR if problems else OK
