"""A company's ERP in an SQLite file, and a hub that pulls from it."""

import sqlite3
from datetime import UTC, datetime

import pytest

from mappings.identity.digest import Keys
from state.bulk import execute
from sync.clock import FixedClock
from sync.hub import Hub
from sync.run import Runner

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)  # 17:00 in Shanghai

LIUKE = """
company: 示例商贸有限公司
{store}
connectors:
  erp:
    type: sql
    role: erp
    interval: 60s
    owner: 王磊
    settings:
      url: sqlite:///{erp}
      streams:
        customers: {{table: customer, key: id, modified: modified_at, overlap: 0}}
        orders: {{table: sale_order, key: id, modified: modified_at, overlap: 0}}
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
        identifiers: {phone: mobile}
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


class Company:
    """The ERP's side: rows are written as its users would."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.execute("CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT, mobile TEXT, modified_at TEXT)")
        self.db.execute("CREATE TABLE sale_order (id TEXT PRIMARY KEY, customer_id TEXT, paid TEXT, modified_at TEXT)")

    def customer(self, number, name, mobile, at):
        self._put("customer", (number, name, mobile, at))

    def order(self, number, customer, paid, at):
        self._put("sale_order", (number, customer, paid, at))

    def orders(self, rows):
        self.db.executemany("INSERT OR REPLACE INTO sale_order VALUES (?, ?, ?, ?)", rows)
        self.db.commit()

    def _put(self, table, row):
        self.db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)", row)
        self.db.commit()


class Installation:
    """The hub's side: a folder, a clock that is turned by hand, and what its tables hold."""

    def __init__(self, folder, store=""):
        self.folder = folder
        self.company = Company(folder / "erp.db")
        self.clock = FixedClock(START)
        (folder / "mappings").mkdir()
        (folder / "mappings" / "erp.yaml").write_text(MAP, encoding="utf-8")
        (folder / "liuke.yaml").write_text(
            LIUKE.format(erp=folder / "erp.db", store=f"store: {store}" if store else ""), encoding="utf-8"
        )
        (folder / "keys").mkdir()
        key = folder / "keys" / "identity.key"
        key.write_bytes(Keys(bytes(range(32))).to_bytes())
        key.chmod(0o600)

    def hub(self):
        return Hub.open(self.folder, clock=self.clock)

    def sync(self, **how):
        with self.hub() as hub:
            return Runner(hub).sync(**how)

    def ask(self, sql, *parameters):
        with self.hub() as hub, hub.store.reading() as tx:
            return [tuple(row) for row in execute(tx, sql, parameters)]

    def landing_files(self):
        return sorted(p.name for p in (self.folder / "landing").rglob("*.zst"))


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path)
