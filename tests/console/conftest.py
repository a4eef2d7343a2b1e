"""Runs `liuke` in this process, as a person would, over a small company: an ERP and a CRM in SQLite."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli import liuke


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Liuke = Callable[..., Ran]


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Liuke:
    """`run("status", "--json")` in the folder of the test."""
    monkeypatch.setenv("LIUKE_HOME", str(tmp_path))

    def run(*arguments: str) -> Ran:
        done = CliRunner().invoke(liuke, list(arguments))
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run


# ---- The company ----------------------------------------------------------------------------------

CONFIG = """\
company: 示例商贸有限公司
library: crm
demo_clock: clock.json
connectors:
  erp:
    type: sql
    role: erp
    owner: 王磊
    settings:
      url: sqlite:///erp.db
      streams:
        customers: {table: customer, key: [id], modified: [modified_at]}
        orders: {table: sale_order, key: [id], modified: [modified_at]}
        lines: {table: sale_line, key: [id], modified: [modified_at]}
  crm:
    type: sql
    role: crm
    write_back: {fields: [score, tier, purchase_count]}
    settings:
      url: sqlite:///crm.db
      streams:
        customers: {table: customer, key: [id], modified: [modified_at]}
        products: {table: product, key: [code], modified: [modified_at]}
      write: {table: lk_score, create: true}
"""

CUSTOMERS = """\
  customers:
    key: [id]
    updated_at: modified_at
    entities:
      customer_record:
        source_id: id
        name: name
        kind: {value: person}
        identifiers: {phone: mobile}
"""

ERP_MAP = f"""\
version: 1
streams:
{CUSTOMERS}  orders:
    key: [id]
    updated_at: modified_at
    entities:
      order:
        source_id: id
        customer_source_id: customer_id
        ordered_at: modified_at
        paid_at: modified_at
        paid_amount: paid
        goods_amount: paid
        currency: {{value: CNY}}
        status: {{value: paid}}
  lines:
    key: [id]
    updated_at: modified_at
    entities:
      order_line:
        source_id: id
        order_source_id: order_id
        sku: sku
        quantity: quantity
        amount: amount
"""

CRM_MAP = f"""\
version: 1
streams:
{CUSTOMERS}  products:
    key: [code]
    updated_at: modified_at
    entities:
      product: {{source_id: code, code: code, name: name}}
"""

PHONE = "13912348765"

NOW = "2026-11-21T12:00:00+08:00"
AT = "2026-11-21 11:59:30"


def tables(file, **rows):
    """Makes SQLite tables out of rows; the first row of each names the columns."""
    with closing(sqlite3.connect(file)) as database, database:
        for table, (head, *body) in rows.items():
            columns = head.split()
            database.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({columns[0]}))")
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", body)


@pytest.fixture(scope="session")
def make_company() -> Callable[..., Path]:
    """Makes a folder of two customers with one phone, three orders of which one cannot be right, and two codes of
    which one is unknown; nothing of it is pulled yet. `store` is the hub's database."""

    def make(folder: Path, store: str | None = None) -> Path:
        assert CliRunner().invoke(liuke, ["init", "--folder", str(folder)]).exit_code == 0
        config = CONFIG + (f"store: {store}\n" if store else "")
        (folder / "liuke.yaml").write_text(config, encoding="utf-8")
        (folder / "mappings" / "erp.yaml").write_text(ERP_MAP, encoding="utf-8")
        (folder / "mappings" / "crm.yaml").write_text(CRM_MAP, encoding="utf-8")
        (folder / "clock.json").write_text(json.dumps({"now": NOW}), encoding="utf-8")
        tables(
            folder / "erp.db",
            customer=["id name mobile modified_at", ("K1", "张三丰", PHONE, AT), ("K2", "李四", "13800001111", AT)],
            sale_order=[
                "id customer_id paid modified_at",
                ("S1", "K1", "3500.00", AT),
                ("S2", "K2", "12.50", AT),
                ("S3", "K1", "-1.00", AT),
            ],
            sale_line=[
                "id order_id sku quantity amount modified_at",
                ("L1", "S1", "A-1", "1", "3500.00", AT),
                ("L2", "S2", "A-9", "2", "12.50", AT),
            ],
        )
        tables(
            folder / "crm.db",
            customer=["id name mobile modified_at", ("C1", "张三丰", "139 1234 8765", AT)],
            product=["code name modified_at", ("P1", "茶", AT)],
        )
        (folder / "crosswalk.csv").write_text("connector,sku,product_code\nerp,A-1,P1\n", encoding="utf-8")
        return folder

    return make
