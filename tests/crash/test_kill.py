"""The process is killed at every named point and at random ones: afterwards everything is there, once.

Each test runs `liuke sync` as a process of its own on a hub with two streams of a small ERP, kills it with SIGKILL,
runs it again to the end, and compares every table that says what *is* with a hub that was never killed.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import pytest

from mappings.identity.digest import Keys
from state.seams import SEAMS

KILLED = -signal.SIGKILL
ROWS = 3_000

LIUKE = """
company: 示例商贸有限公司
connectors:
  erp:
    type: sql
    role: erp
    settings:
      url: sqlite:///{folder}/erp.db
      streams:
        customers: {{table: customer, key: id, modified: modified_at, page_size: 500}}
        orders: {{table: sale_order, key: id, modified: modified_at, page_size: 500}}
"""

MAP = """
version: 1
streams:
  customers:
    key: [id]
    updated_at: modified_at
    entities:
      customer_record:
        source_id: id
        name: name
        kind: {value: person}
        identifiers: {phone: mobile, unionid: {from: unionid, scope: wx}}
  orders:
    key: [id]
    updated_at: modified_at
    entities:
      order:
        source_id: id
        customer_source_id: customer_id
        ordered_at: modified_at
        paid_amount: paid
        goods_amount: paid
        currency: {value: CNY}
        status: {value: paid}
"""

WHAT_IS = {
    "order": "source_id, customer_source_id, paid_amount, deleted, content_hash",
    "customer_record": "source_id, name, identifier_set, deleted, content_hash",
    "identifier": "source_id, kind, scope, digest, mask, value_enc, class",
    "quarantine": "record_key, code, reasons",
    "identity_conflict": "kind, code",
}


def company(folder: Path) -> None:
    """An ERP with a bad amount, a shared phone with two unionids, and everything else as it should be."""
    db = sqlite3.connect(folder / "erp.db")
    db.execute("CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT, mobile TEXT, unionid TEXT, modified_at TEXT)")
    db.execute("CREATE TABLE sale_order (id TEXT PRIMARY KEY, customer_id TEXT, paid TEXT, modified_at TEXT)")
    at = "2026-11-20 10:00:{:02d}"
    customers = [
        (
            f"C{n:04d}",
            f"客户{n % 90}",
            f"138{n % 250:08d}",
            f"oUnion{n % 260:016d}" if n % 3 else None,
            at.format(n % 60),
        )
        for n in range(ROWS // 4)
    ]
    orders = [
        (f"O{n:05d}", f"C{n % 800:04d}", "abc" if n == 1234 else f"{n}.5", at.format(n % 60)) for n in range(ROWS)
    ]
    db.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?)", customers)
    db.executemany("INSERT INTO sale_order VALUES (?, ?, ?, ?)", orders)
    db.commit()
    db.close()


def hub_folder(folder: Path) -> Path:
    folder.mkdir()
    company(folder)
    (folder / "liuke.yaml").write_text(LIUKE.format(folder=folder), encoding="utf-8")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "erp.yaml").write_text(MAP, encoding="utf-8")
    (folder / "keys").mkdir()
    key = folder / "keys" / "identity.key"
    key.write_bytes(Keys(bytes(range(32))).to_bytes())
    key.chmod(0o600)
    return folder


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    # Compiled modules are kept for all of these processes: starting is most of their work.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(Path(gettempdir()) / f"liuke-crash-{os.getpid()}")
    return subprocess.Popen(
        [sys.executable, "-m", "console.cli", "--folder", str(folder), "sync"],
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(folder: Path, **environment: str) -> int:
    process = start(folder, **environment)
    output, _ = process.communicate(timeout=120)
    if process.returncode not in (0, KILLED):
        raise AssertionError(output.decode(errors="replace"))
    return process.returncode


def what_is(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(folder / "liuke.db")
    found = {}
    for table, columns in WHAT_IS.items():
        where = "WHERE status = 'open'" if table == "quarantine" else ""
        found[table] = sorted(db.execute(f'SELECT {columns} FROM "{table}" {where}').fetchall(), key=repr)
    # Who is together with whom, by the sources' own names: record numbers may differ.
    sets: dict[int, set[str]] = {}
    for customer, source_id in db.execute("SELECT customer_id, source_id FROM customer_record"):
        sets.setdefault(customer, set()).add(source_id)
    found["customers"] = sorted(tuple(sorted(members)) for members in sets.values())
    found["waiting"] = db.execute(
        "SELECT count(*) FROM landing_file WHERE status <> 'loaded' UNION ALL SELECT count(*) FROM resolve_queue"
    ).fetchall()
    # The ledger counts each record once, however often its file was begun.
    found["ledger"] = db.execute("SELECT hop, sum(n) FROM latency GROUP BY hop ORDER BY hop").fetchall()
    db.close()
    return found


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    folder = hub_folder(tmp_path_factory.mktemp("whole") / "hub")
    begun = time.monotonic()
    assert run(folder) == 0
    took = time.monotonic() - begun
    found = what_is(folder)
    assert len(found["order"]) == ROWS - 1
    assert len(found["quarantine"]) == 1
    assert found["identity_conflict"]
    return found, took


OF_A_SYNC = [name for name in SEAMS if name.partition(".")[0] in ("landing", "register", "load", "resolve")]


@pytest.mark.parametrize("time_passed", [1, 2])
@pytest.mark.parametrize("point", OF_A_SYNC)
def test_killed_at_a_named_point(never_killed, tmp_path, point, time_passed):
    folder = hub_folder(tmp_path / "hub")
    killed = run(folder, LIUKE_CRASH_AT=f"{point}:{time_passed}")
    assert killed == KILLED or time_passed > 1, f"{point} was never passed"
    finish(folder, never_killed[0])


@pytest.mark.parametrize("number", range(25))
def test_killed_at_a_random_moment(never_killed, tmp_path, number):
    killed_at_random(never_killed, tmp_path, number)


@pytest.mark.crash_long
@pytest.mark.parametrize("number", range(25, 200))
def test_killed_at_one_of_many_random_moments(never_killed, tmp_path, number):
    killed_at_random(never_killed, tmp_path, number)


def killed_at_random(never_killed, tmp_path, number):
    whole, took = never_killed
    folder = hub_folder(tmp_path / "hub")
    chance = random.Random(number)
    for _ in range(chance.choice([1, 1, 2])):
        process = start(folder)
        try:
            process.communicate(timeout=chance.uniform(0.2, took))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    finish(folder, whole)


def finish(folder: Path, whole: dict[str, list[tuple[object, ...]]]) -> None:
    """The next run after the lease of the killed one has run out finds and finishes everything."""
    expire_leases(folder)
    assert run(folder) == 0
    found = what_is(folder)
    for name, rows in whole.items():
        assert found[name] == rows, name


def expire_leases(folder: Path) -> None:
    """As if two minutes had passed."""
    db = sqlite3.connect(folder / "liuke.db")
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'lease'").fetchone():
        db.execute("UPDATE lease SET until = 0")
        db.commit()
    db.close()
