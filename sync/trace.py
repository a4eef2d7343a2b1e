"""Follows one order, or one phone number, through the hub: landing file and line, run, hops, row, customer, writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from connectors.redact import SECRETS
from mappings.identity.digest import Keys
from mappings.model import MONEY_SCALE, QUANTITY_SCALE
from mappings.problems import LiukeError, Problem, Text
from quality.times import iso
from state.bulk import execute
from sync.customers import by_phone, masked_name, scores, shown_id

_SECOND = 1_000_000


def trace(tx: Connection, asked: str, keys: Callable[[], Keys]) -> dict[str, Any]:
    """Every order of that id (or platform number; INSTANCE/ID for one system), or what carries that phone.

    {"asked", "orders": [...], "quarantined": [...], "phone": {...} or None}; LiukeError if there is nothing.
    """
    asked = asked.strip()
    orders = [_order(tx, connector, source_id) for connector, source_id in _orders(tx, asked)]
    quarantined = _quarantined(tx, asked)
    phone = None
    if not orders and not quarantined and _looks_like_phone(asked):
        phone = _phone(tx, asked, keys())
    if not orders and not quarantined and phone is None:
        raise LiukeError(_nothing(tx, asked))
    return {"asked": SECRETS.clean(asked), "orders": orders, "quarantined": quarantined, "phone": phone}


def _looks_like_phone(asked: str) -> bool:
    return 7 <= sum(sign.isdigit() for sign in asked) <= 15 and all(sign in "0123456789+- ()" for sign in asked)


def _orders(tx: Connection, asked: str) -> list[tuple[str, str]]:
    connector, slash, source_id = asked.partition("/")
    if slash:
        sql = 'SELECT connector, source_id FROM "order" WHERE connector = ? AND source_id = ?'
        rows = execute(tx, sql, (connector, source_id))
    else:
        # Two queries, so that each takes its index.
        rows = execute(
            tx,
            'SELECT connector, source_id FROM "order" WHERE source_id = ? '
            'UNION SELECT connector, source_id FROM "order" WHERE platform_no = ? ORDER BY 1, 2',
            (asked, asked),
        )
    return [(row[0], row[1]) for row in rows]


# ---- One order ------------------------------------------------------------------------------------


def _order(tx: Connection, connector: str, source_id: str) -> dict[str, Any]:
    row = (
        execute(
            tx,
            """
        SELECT o.*, f.path, f.sealed_at, f.loaded_at, f.backfill, f.run_id AS pulled_by,
               r.command, r.started_at, r.outcome
        FROM "order" AS o
        LEFT JOIN landing_file AS f ON f.connector = o.connector AND f.landing_no = o.landing_no
        LEFT JOIN run AS r ON r.run_id = f.run_id
        WHERE o.connector = ? AND o.source_id = ?
        """,
            (connector, source_id),
        )
        .mappings()
        .first()
    )
    assert row is not None  # noqa: S101 found a moment ago in the same view of the database
    customer_id, record = _buyer(tx, row["buyer_record_no"])
    writes = _writes(tx, connector, source_id)
    return {
        "connector": connector,
        "source_id": shown_id(source_id),
        "platform_no": row["platform_no"],
        "status": row["status"],
        "deleted": bool(row["deleted"]),
        "of_record": row["of_record"] != 0,
        "paid_yuan": _money(row["paid_amount"]),
        "refunded_yuan": _money(row["refunded_amount"]),
        "landing": {"path": row["path"], "line": row["line_no"], "number": row["landing_no"]},
        "run": {
            "run_id": row["pulled_by"] or row["run_id"],
            "command": row["command"],
            "outcome": row["outcome"],
            "started_at": iso(row["started_at"]),
            "backfill": bool(row["backfill"]),
        },
        "hops": _hops(row, writes),
        "lines": _lines(tx, connector, source_id),
        "customer": None
        if record is None
        else {"customer_id": customer_id, "record": record["record"], "name": record["name"]},
        "scores": scores(tx, customer_id) if customer_id is not None else [],
        "writes": [{name: one[name] for name in one if name != "times"} for one in writes],
    }


def _hops(row: Any, writes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instants of the order's newest version in their order, and the seconds from each to the next."""
    confirmed = [one["times"][1] for one in writes if one["times"][1] is not None]
    sent = [one["times"][0] for one in writes if one["times"][0] is not None]
    instants = [
        ("ordered", row["ordered_at"]),
        ("paid", row["paid_at"]),
        ("changed_in_source", row["source_updated_at"]),
        ("pulled", row["extracted_at"]),
        ("sealed", row["sealed_at"]),
        ("visible", row["committed_at"]),
        ("sent", max(sent, default=None)),
        ("confirmed", max(confirmed, default=None)),
    ]
    known = [(name, int(at)) for name, at in instants if at is not None]
    previous = [None, *(at for _, at in known)]
    return [
        {"hop": name, "at": iso(at), "seconds": None if before is None else (at - before) / _SECOND}
        for (name, at), before in zip(known, previous, strict=False)
    ]


def _lines(tx: Connection, connector: str, source_id: str) -> list[dict[str, Any]]:
    rows = execute(
        tx,
        "SELECT source_id, sku, sku_name, product_code, status, quantity, amount FROM order_line "
        "WHERE connector = ? AND order_source_id = ? AND deleted = 0 ORDER BY source_id",
        (connector, source_id),
    )
    return [
        {
            "source_id": line_id,
            "sku": sku,
            "name": name,
            "product_code": product_code,
            "status": status,
            "quantity": None if quantity is None else f"{Decimal(quantity) / QUANTITY_SCALE:f}",
            "amount_yuan": _money(amount),
        }
        for line_id, sku, name, product_code, status, quantity, amount in rows
    ]


def _buyer(tx: Connection, record_no: int | None) -> tuple[int | None, dict[str, str | None] | None]:
    if record_no is None:
        return None, None
    row = execute(
        tx, "SELECT customer_id, connector, source_id, name FROM customer_record WHERE record_no = ?", (record_no,)
    ).first()
    if row is None:
        return None, None  # the order names a customer that has not come yet
    return row[0], {"record": f"{row[1]}/{shown_id(row[2])}", "name": masked_name(row[3])}


def _writes(tx: Connection, connector: str, source_id: str) -> list[dict[str, Any]]:
    """Values that wait or were written because of this order; `times`: sent and confirmed, microseconds UTC."""
    rows = execute(
        tx,
        "SELECT target, source_id, field, value, status, sent_at, confirmed_at FROM outbox "
        "WHERE cause_connector = ? AND cause_id = ? ORDER BY target, source_id, field",
        (connector, source_id),
    )
    return [
        {
            "target": target,
            "source_id": shown_id(key),
            "field": field,
            "value": value,
            "status": status,
            "confirmed_at": iso(confirmed_at),
            "times": (sent_at, confirmed_at),
        }
        for target, key, field, value, status, sent_at, confirmed_at in rows
    ]


def _quarantined(tx: Connection, asked: str) -> list[dict[str, Any]]:
    """Versions of the order that could not become visible: its newest one may be among them."""
    connector, slash, key = asked.rpartition("/")
    rows = execute(
        tx,
        "SELECT q.id, q.connector, q.stream, q.code, q.reasons, q.line_no, q.extracted_at, f.path "
        "FROM quarantine AS q LEFT JOIN landing_file AS f "
        "ON f.connector = q.connector AND f.stream = q.stream AND f.landing_no = q.landing_no "
        "WHERE q.status = 'open' AND q.record_key = ? AND (? = '' OR q.connector = ?) ORDER BY q.id",
        (key, connector if slash else "", connector),
    )
    return [
        {
            "id": number,
            "connector": name,
            "stream": stream,
            "code": code,
            "reasons": [{"code": reason[0], "field": reason[1], "sample": reason[2]} for reason in json.loads(reasons)],
            "landing": {"path": path, "line": line_no},
            "pulled_at": iso(extracted_at),
        }
        for number, name, stream, code, reasons, line_no, extracted_at, path in rows
    ]


# ---- One phone ------------------------------------------------------------------------------------


def _phone(tx: Connection, asked: str, keys: Keys) -> dict[str, Any] | None:
    """Records that carry the phone, where each of them landed, and their customers' newest orders."""
    found = by_phone(tx, asked, keys)
    if not found:
        return None
    records, mask = [], ""
    for _customer_id, record_no in found:
        row = execute(
            tx,
            """
            SELECT r.connector, r.source_id, r.name, r.customer_id, r.extracted_at, r.committed_at, r.line_no, f.path,
                   (SELECT max(i.mask) FROM identifier AS i WHERE i.record_no = r.record_no AND i.kind = 'phone')
            FROM customer_record AS r
            LEFT JOIN landing_file AS f ON f.connector = r.connector AND f.landing_no = r.landing_no
            WHERE r.record_no = ?
            """,
            (record_no,),
        ).one()
        mask = row[8] or mask
        records.append(
            {
                "record": f"{row[0]}/{shown_id(row[1])}",
                "record_no": record_no,
                "customer_id": row[3],
                "name": masked_name(row[2]),
                "landing": {"path": row[7], "line": row[6]},
                "pulled_at": iso(row[4]),
                "visible_at": iso(row[5]),
            }
        )
    customers = sorted({customer for customer, _ in found})
    return {
        "mask": mask,
        "records": records,
        "customers": [{"customer_id": one, "orders": _newest_orders(tx, one)} for one in customers],
    }


def _newest_orders(tx: Connection, customer_id: int, limit: int = 5) -> list[dict[str, Any]]:
    rows = execute(
        tx,
        """
        SELECT o.connector, o.source_id, o.status, o.ordered_at, o.paid_amount
        FROM customer_record AS r JOIN "order" AS o ON o.buyer_record_no = r.record_no
        WHERE r.customer_id = ? AND o.deleted = 0
        ORDER BY coalesce(o.ordered_at, 0) DESC, o.connector, o.source_id LIMIT ?
        """,
        (customer_id, limit),
    )
    return [
        {
            "order": f"{connector}/{shown_id(source_id)}",
            "status": status,
            "ordered_at": iso(ordered_at),
            "paid_yuan": _money(paid),
        }
        for connector, source_id, status, ordered_at, paid in rows
    ]


def _money(stored: int | None) -> str | None:
    return None if stored is None else f"{Decimal(stored) / MONEY_SCALE:.2f}"


def _nothing(tx: Connection, asked: str) -> Problem:
    waiting = execute(tx, "SELECT count(*) FROM landing_file WHERE status <> 'loaded'").scalar_one()
    shown = SECRETS.clean(asked)
    return Problem(
        "trace.not-found",
        Text(
            f"找不到订单或手机号 {shown}; 还有 {waiting:,} 个落地文件未入库",
            f"there is no order or phone {shown}; {waiting:,} landing files are not loaded yet",
        ),
        "",
        Text(
            "先入库: liuke sync; 若来源系统确有此单, 对那几天补数: liuke sync 实例 --backfill 起..止",
            "load first: liuke sync; if the source has it, backfill those days: liuke sync NAME --backfill FROM..TO",
        ),
    )
