"""A store on each database, rows put into it in one line each, and a small company to judge."""

import pytest
from sqlalchemy import make_url

from mappings.problems import Text
from quality import contract_reading
from quality.expectations import ConnectorExpectation, Expectations, StreamExpectation
from state import schema
from state.store import Store

NOW = 1_795_233_600_000_000
"""2026-11-21 12:00 in Shanghai, a Saturday."""

FILLED = {
    "extracted_at": NOW, "committed_at": NOW, "landing_no": 1, "line_no": 1, "content_hash": b"0" * 16, "run_id": "r",
    "deleted": 0, "digest": b"d" * 16, "kind": "", "scope": "", "class": "usable", "record_no": 0,
    "first_seen_at": NOW, "last_seen_at": NOW, "path": "p", "bytes": 1, "checksum": "c", "sealed_at": NOW,
    "status": "open", "lines": 1, "rejected": 0, "stream": "orders", "code": "order.paid-negative",
    "reasons": '[["order.paid-negative", "order.paid_amount", "-1.00"]]', "opened_at": NOW, "due_at": NOW + 1,
    "order_source_id": "O", "product_code": "P", "evidence": "{}", "component_id": 1, "command": "sync",
    "started_at": NOW, "outcome": "ok", "desired_at": NOW, "name": "", "version": "1", "definition": "{}",
    "registered_at": NOW, "object": "x", "zh": "请批准", "en": "approve", "detail": "{}", "scored_at": NOW,
}  # fmt: skip
"""What a column that may not be empty holds where a test says nothing."""


@pytest.fixture
def now():
    return NOW


@pytest.fixture(scope="session")
def postgres_store(postgres_url):
    opened = Store.open(make_url(postgres_url))
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """An empty store; every judgement made in SQL is tested on both databases."""
    if request.param == "sqlite":
        opened = Store.open(f"sqlite:///{tmp_path}/liuke.db")
        yield opened
        opened.close()
        return
    opened = request.getfixturevalue("postgres_store")
    filled = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT 1 FROM \"{n}\")" for n in schema.metadata.tables)
    with opened.transaction() as tx:
        names = [row[0] for row in tx.exec_driver_sql(filled)]  # truncating every table costs a second
        if names:
            tx.exec_driver_sql("TRUNCATE " + ", ".join(f'"{name}"' for name in names) + " RESTART IDENTITY")
    yield opened


@pytest.fixture
def put(store):
    """put("order", {...}, {...}, connector="erp"): inserts rows, filling in what the table insists on."""

    def insert(table, *rows, **same):
        target = schema.metadata.tables[table]
        with store.transaction() as tx:
            for row in rows or ({},):
                wanted = {**same, **row}
                missing = {
                    column.name: FILLED[column.name]
                    for column in target.columns
                    if (not column.nullable or column.name == "committed_at")
                    and column.name not in wanted
                    and column.server_default is None
                    and not (column.primary_key and column.autoincrement is True)
                }
                tx.execute(target.insert().values(**missing, **wanted))

    return insert


@pytest.fixture(scope="session")
def contracts():
    return contract_reading.load()


def fields(**entities):
    return {entity: frozenset(names.split()) for entity, names in entities.items()}


@pytest.fixture
def company():
    """An ERP that sells, a shop that sells, tickets, and a CRM that is the library and is written to."""
    orders = "source_id customer_source_id channel status ordered_at paid_amount goods_amount currency"
    lines = "source_id order_source_id sku quantity amount"
    named = [
        ConnectorExpectation(
            "erp", "sql", Text("金蝶云星空", "Kingdee"), "erp", "王磊",
            streams=(StreamExpectation("orders", 60, ("order", "order_line")), StreamExpectation("products", 600)),
            provided=fields(
                order=orders, order_line=lines, product="code name barcode enabled",
                refund="source_id order_source_id amount", customer_record="name title phone",
            ),
        ),
        ConnectorExpectation(
            "shop", "files", Text("有赞商城", "Youzan"), "shop", "李娜",
            streams=(StreamExpectation("orders", 60, ("order",)),),
            provided=fields(order=orders, order_line=lines, customer_record="name phone", lead="source_id name"),
        ),
        ConnectorExpectation(
            "tickets", "files", Text("工单", "Tickets"), "tickets",
            streams=(StreamExpectation("tickets", 60, ("ticket",)),),
            provided=fields(ticket="source_id customer_source_id type rating received_at solved_at"),
        ),
        ConnectorExpectation(
            "crm", "sql", Text("纷享销客", "Fxiaoke"), "crm", "赵敏",
            streams=(StreamExpectation("products", 60, ("product",)),),
            provided=fields(product="code name barcode", customer_record="name title phone"), writes=True,
        ),
    ]  # fmt: skip
    return Expectations("示例商贸有限公司", {one.name: one for one in named}, library="crm")
