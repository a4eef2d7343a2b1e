"""Everything one installation needs, opened once: configuration, clock, database, landing files, keys, ports."""

from __future__ import annotations

import json
import os
import secrets
import socket
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mappings.documents import near
from mappings.problems import LiukeError, Problem, Text
from sync.clock import Clock, FixedClock, SystemClock, microseconds
from sync.config import Config, Instance, Lookup, load, variables
from sync.installed import name_clashes

if TYPE_CHECKING:
    # Loaded when first used: `liuke init` needs no database and `liuke status` no cryptography.
    from connectors.ports import Ports
    from connectors.ports_memory import MemoryQuota, MemoryTokens
    from mappings.identity.digest import Keys
    from state.meters import CallMeter
    from state.store import Store

KEY_FILE = "identity.key"


class Hub:
    """One open installation. Use it as a context, or close it: counted calls are written down then."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        """Names this process where it holds a lease."""
        self._store: Store | None = None
        self._meters: dict[str, CallMeter] = {}
        self._runs = 0

    @classmethod
    def open(cls, folder: Path, *, clock: Clock | None = None, lookup: Lookup | None = None, maps: bool = True) -> Hub:
        """The installation in that folder; LiukeError with everything that is wrong with its configuration.

        Commands that translate nothing pass `maps=False`: reading field maps loads Polars. The database is not
        touched yet: pulling goes on without it.
        """
        clashes = name_clashes()
        if clashes:
            raise LiukeError(*clashes)
        config = load(folder, lookup or variables(folder, os.environ))
        if maps:
            config.check_maps()
        return cls(config, clock or clock_of(config))

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # ---- What is there ---------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The user's folder."""
        return self.config.folder

    @property
    def landing(self) -> Path:
        """The root of the landing files."""
        return self.config.landing

    @property
    def store(self) -> Store:
        """The database, opened at the first use; StoreUnavailable where it cannot be, and again at each try."""
        if self._store is None:
            from state.store import Store

            self._store = Store.open(self.config.store_url)
        return self._store

    @property
    def store_or_none(self) -> Store | None:
        """The database, or None while it cannot be used: then what is pulled waits in landing files."""
        from state.store import StoreUnavailable

        try:
            return self.store
        except StoreUnavailable:
            return None

    @cached_property
    def keys(self) -> Keys:
        """The key behind all identifier digests."""
        from mappings.identity.digest import Keys

        file = self.config.keys / KEY_FILE
        if not file.exists():
            raise LiukeError(_no_key(file))
        if file.stat().st_mode & 0o077:
            raise LiukeError(_key_readable(file))
        return Keys.from_bytes(file.read_bytes())

    def instance(self, name: str) -> Instance:
        """The configured connector of that name; LiukeError with the near miss if there is none."""
        if name not in self.config.instances:
            raise LiukeError(_no_instance(self.config, name))
        return self.config.instances[name]

    # ---- Time and names --------------------------------------------------------------------------

    def now(self) -> int:
        """The present instant in microseconds UTC."""
        return microseconds(self.clock.now())

    def new_run_id(self) -> str:
        """A name for a run: runs of one installation sort by it as they began."""
        self._runs += 1
        at = self.clock.now()
        return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}-{self._runs:04d}{secrets.token_hex(2)}"

    # ---- What connectors are given ---------------------------------------------------------------

    def ports(self, name: str) -> Ports:
        """What the connector of that instance is given to work with; its calls are counted until flushed."""
        from connectors.ports import Ports

        return Ports(name, self.clock, self._tokens, self._quota, self.meter(name))

    def meter(self, name: str) -> CallMeter:
        """The counter of that instance's calls."""
        from state.meters import CallMeter

        return self._meters.setdefault(name, CallMeter(name, self.now))

    def flush_meters(self) -> None:
        """Writes down the calls counted so far; they stay counted while the database is away."""
        from state.store import StoreUnavailable

        store = self.store_or_none
        if store is None:
            return
        for meter in self._meters.values():
            try:
                meter.flush(store)
            except StoreUnavailable:
                return

    def close(self) -> None:
        """Writes down counted calls and closes the database. Safe to call twice."""
        if self._meters:
            self.flush_meters()
        if self._store is not None:
            self._store.close()
            self._store = None

    @cached_property
    def _tokens(self) -> MemoryTokens:
        from connectors.ports_memory import MemoryTokens

        return MemoryTokens()

    @cached_property
    def _quota(self) -> MemoryQuota:
        from connectors.ports_memory import MemoryQuota

        return MemoryQuota(self.clock)


class FolderClock(FixedClock):
    """The demo's time: it stands still, is kept in a JSON file ("now"), and moves only when somebody turns it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._kept = json.loads(file.read_text(encoding="utf-8"))
            super().__init__(datetime.fromisoformat(self._kept["now"]))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise LiukeError(_no_time(file)) from error

    def turn(self, seconds: float) -> None:
        """Moves on, for this process and for every later one."""
        from state.durable import write_durably

        super().turn(seconds)
        write_durably(self._file, json.dumps(self._kept | {"now": self.now().isoformat()}).encode())


def clock_of(config: Config) -> Clock:
    """The machine's clock, or the one that a demo folder keeps."""
    return FolderClock(config.demo_clock) if config.demo_clock else SystemClock()


def _no_time(file: Path) -> Problem:
    return Problem(
        "demo.clock",
        Text("演示时间文件缺失或看不懂", "the file of the demo's time is missing or cannot be read"),
        str(file),
        Text("重新生成演示: liuke demo", "make the demo again: liuke demo"),
    )


def _no_key(file: Path) -> Problem:
    return Problem(
        "identity.key-missing",
        Text("身份密钥文件不存在", "the identity key is not there"),
        str(file),
        Text(
            "新安装请运行 liuke init; 已有数据的请从备份恢复, 不要新建",
            "for a new installation run liuke init; where there is data already, restore it from the backup",
        ),
    )


def _key_readable(file: Path) -> Problem:
    return Problem(
        "identity.key-readable",
        Text("其他用户可以读取身份密钥", "other users can read the identity key"),
        str(file),
        Text(f"收回权限: chmod 600 {file}", f"take that right away: chmod 600 {file}"),
    )


def _no_instance(config: Config, name: str) -> Problem:
    return Problem(
        "config.unknown-instance",
        Text(f"没有名为 {name} 的连接器实例", f"there is no connector instance {name}"),
        f"{config.file}: connectors",
        near(name, config.instances) if config.instances else Text("先配置一个连接器", "configure a connector first"),
    )


__all__ = ["KEY_FILE", "FolderClock", "Hub", "clock_of"]
