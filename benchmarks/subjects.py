"""Starts the subjects of the benchmark, each run in a process of its own, and measures them from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import connect
from typing import Any

ROOT = Path(__file__).parents[1]
LIUKE, DLT = "liuke", "dlt"
CONNECTOR = "benchshop"

_CONFIGURATION = """\
company: 示例商贸有限公司
connectors:
  shop:
"""
_SOURCES = {
    "rest": """\
    type: benchshop
    role: shop
    settings: {{url: "{address}"}}
""",
    "sql": """\
    type: sql
    role: erp
    settings:
      url: "{address}"
      streams:
        customers: {{table: customer, key: [id], modified: [modified_at]}}
        orders: {{table: sale_order, key: [id], modified: [modified_at]}}
""",
}
_ORDER = """\
version: 1
streams:
  orders:
    key: [id]
    updated_at: modified_at
    entities:
      order:
        source_id: id
        platform_no: platform_no
        status: {from: state, as: choice, choices: {已付款: paid, 已发货: shipped, 已完成: done, 已取消: cancelled}}
        source_status: state
        ordered_at: ordered_at
        goods_amount: goods_amount
        discount_amount: discount_amount
        paid_amount: paid_amount
        currency: {value: CNY}
"""
_MAPS = {
    "rest": f"""{_ORDER}\
        extra: {{from: {{remark: remark}}}}
        buyer:
          phone: buyer_phone
          shop_buyer: buyer_id
          name: buyer_name
""",
    "sql": f"""{_ORDER}\
        extra: {{from: {{remark: remark, salesman: salesman, warehouse: warehouse}}}}
        customer_source_id: customer_id
  customers:
    key: [id]
    updated_at: modified_at
    entities:
      customer_record:
        source_id: id
        name: name
        kind: {{value: person}}
        identifiers: {{phone: mobile}}
""",
}


@dataclass(frozen=True)
class Used:
    """What a run took: user and system CPU seconds, seconds, and the most memory it ever held."""

    cpu_s: float
    wall_s: float
    rss_mb: float


class Running(AbstractContextManager["Running"]):
    """A subject's process, which syncs once a call. `whole` is known when it has ended."""

    def __init__(self, command: Sequence[str]) -> None:
        self._name = " ".join(command)
        self.whole = Used(0, 0, 0)
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
        )

    def sync(self, at: str = "") -> Used:
        """One sync, as the process itself measured it; `at` is the time it shall be (ours alone)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{at}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._name} broke off")  # its own words stand above
        said: dict[str, Any] = json.loads(answer)
        if said["problems"]:
            raise SystemExit("\n".join(said["problems"]))
        return Used(said["cpu_s"], said["wall_s"], 0)

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        # wait4 and not RUSAGE_CHILDREN: the shop's server is a child as well.
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        passed = time.perf_counter() - self._started
        self.whole = Used(used.ru_utime + used.ru_stime, passed, used.ru_maxrss / 1024)


class Subject:
    """Liuke, or dlt with the interpreter of its environment, for one source in one folder."""

    def __init__(self, name: str, interpreter: Path, folder: Path, source: str, address: str) -> None:
        self.name = name
        self._interpreter, self._folder, self._source, self._address = str(interpreter), folder, source, address
        folder.mkdir()
        if name == LIUKE:
            self._make_hub()

    def start(self) -> Running:
        """A new process of it."""
        if self.name == LIUKE:
            arguments = ["-m", "benchmarks.subject_liuke", str(self._folder), str(self._extra)]
        else:
            arguments = [*_DLT_SCRIPT, str(self._folder), self._source, self._address]
        return Running([self._interpreter, *arguments])

    def count(self) -> int:
        """How many orders stand at its end."""
        if self.name == LIUKE:
            database = connect(self._folder / "liuke.db")
            (found,) = database.execute('SELECT count(*) FROM "order"').fetchone()
            database.close()
            return int(found)
        command = [self._interpreter, *_DLT_SCRIPT, str(self._folder), "count"]
        return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout)

    @property
    def _extra(self) -> Path:
        return self._folder / "installed"

    def _make_hub(self) -> None:
        """A folder with the source and its map; the connector of the shop's API as an installed one."""
        (self._folder / "mappings").mkdir()
        source = _SOURCES[self._source].format(address=self._address)
        (self._folder / "liuke.yaml").write_text(_CONFIGURATION + source, encoding="utf-8")
        (self._folder / "mappings" / "shop.yaml").write_text(_MAPS[self._source], encoding="utf-8")
        installed = self._extra / f"liuke_{CONNECTOR}-1.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: liuke-{CONNECTOR}\nVersion: 1\n")
        (installed / "entry_points.txt").write_text(f"[liuke.connectors]\n{CONNECTOR} = benchmarks.shop\n")


# -P: beside the script lie modules of ours that must not stand in for anything dlt imports.
_DLT_SCRIPT = ("-P", str(Path(__file__).with_name("subject_dlt.py")))


def environment() -> dict[str, str]:
    """The variables of every subject: nothing is reported home, compiled modules are kept."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"RUNTIME__DLTHUB_TELEMETRY": "false", "PYTHONUTF8": "1"}


def run_module(module: str, *arguments: str) -> None:
    """Runs a module of ours to its end, unmeasured; keeps this process small, whose size a child inherits."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, env=environment(), cwd=ROOT)
