import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
company: 示例
connectors:
  erp:
    type: sql
    settings:
      url: sqlite:///erp.db
      streams: {orders: {table: sale_order, key: [id], modified: [modified_at], page_size: 100}}
"""
MAP = "version: 1\nstreams: {orders: {key: [id], updated_at: modified_at, entities: {order: {source_id: id}}}}\n"

SLOWLY = """
import sys, time
from sync import extract
land = extract._LandingSink.page
def slowly(self, page):
    land(self, page)
    print("page", flush=True)
    time.sleep(0.2)
extract._LandingSink.page = slowly
from console.cli import main
sys.argv = ["liuke", "sync", "--json"]
main()
"""


@pytest.fixture(name="folder")
def _folder(tmp_path, run):
    assert run("init").code == 0
    (tmp_path / "liuke.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mappings" / "erp.yaml").write_text(MAP, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "erp.db")) as erp, erp:
        erp.execute("CREATE TABLE sale_order (id INTEGER PRIMARY KEY, modified_at TEXT)")
        times = [(n, f"2026-01-01 {n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}") for n in range(1, 5001)]
        erp.executemany("INSERT INTO sale_order VALUES (?, ?)", times)
    return tmp_path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_sync_that_is_stopped_keeps_what_landed_and_the_next_one_brings_the_rest(folder, run, number, code):
    environment = os.environ | {"LIUKE_HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOWLY)], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline() == b"page\n"
    process.send_signal(number)
    assert process.wait(60) == code
    process.stdout.close()

    sealed = sorted(folder.glob("landing/erp/orders/*/*.ndjson.zst"))
    assert sealed
    assert not list(folder.glob("landing/erp/orders/*/*.open"))
    with closing(sqlite3.connect(folder / "liuke.db")) as hub:
        (landed,) = hub.execute("SELECT sum(lines) FROM landing_file").fetchone()
        assert hub.execute("SELECT outcome FROM run").fetchall() == [("cancelled",)]
    assert 0 < landed < 5000

    assert run("sync").code == 0
    with closing(sqlite3.connect(folder / "liuke.db")) as hub:
        assert hub.execute('SELECT count(*) FROM "order"').fetchone() == (5000,)
        assert hub.execute("SELECT sum(lines) FROM landing_file").fetchone()[0] >= 5000
