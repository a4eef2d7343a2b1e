"""Answers questions about one customer: who it is, what it bought, how it scores, why it is one. Persons masked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection

from connectors.redact import SECRETS
from mappings.identity.digest import Keys
from mappings.identity.explain import Explanation, explain
from mappings.identity.golden import FIELDS, Survivorship, golden
from mappings.identity.graph import Identifier
from mappings.identity.masks import mask_name
from mappings.identity.phone import phone
from mappings.model import CUSTOMER_RECORD, Type
from mappings.problems import LiukeError, Problem, Text
from quality.times import iso
from state.bulk import BYTES_AT_ONCE, execute, listed, listed_bytes
from state.identity import StoreGraph, by_number
from sync.purchases import chunks, orders_of

_PHONE = re.compile(r"^\+?[\d\s-]{7,20}$")
_RECORDS = "SELECT record_no, connector, source_id, name, kind, deleted FROM customer_record WHERE customer_id IN"


def find(tx: Connection, asked: str, keys: Callable[[], Keys]) -> list[int]:
    """Numbers of the customers meant: a customer or record number, INSTANCE/ID, a source id, or a phone.

    An old customer number leads to the customer that has its record now. LiukeError if nobody is meant.
    """
    asked = asked.strip()
    connector, slash, source_id = asked.partition("/")
    if slash:
        found = _by_source(tx, source_id, connector)
    else:
        found = _by_source(tx, asked, None)
        if not found and asked.isdecimal() and len(asked) <= 10:
            found = _customers_of(tx, "record_no = ?", int(asked))
        if not found and _PHONE.fullmatch(asked):
            found = [customer for customer, _ in by_phone(tx, asked, keys())]
    if not found:
        raise LiukeError(_nobody(asked))
    return sorted(set(found))


def by_phone(tx: Connection, asked: str, keys: Keys) -> list[tuple[int, int]]:
    """(customer_id, record_no) of every record that carries the phone. Only its keyed digest is looked for."""
    known = phone(pl.Series([asked]))
    value = known["value"][0]
    if value is None:
        return []
    digest = keys.digest("phone", "", value)
    rows = execute(
        tx,
        "SELECT r.customer_id, r.record_no FROM identifier AS i JOIN customer_record AS r USING (record_no) "
        "WHERE i.kind = 'phone' AND i.digest = ? AND r.customer_id IS NOT NULL ORDER BY r.record_no",
        (digest,),
    )
    return [(int(customer), int(record)) for customer, record in rows]


def profile(tx: Connection, customer_id: int, roles: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is known of one customer, as JSON may hold it; personal fields are masked.

    `roles` gives the role of each connector: it says whose value survives.
    """
    records = _records(tx, customer_id)
    numbers = [one["record_no"] for one in records]
    return {
        "customer_id": customer_id,
        "fields": _golden(tx, customer_id, roles),
        "records": records,
        "identifiers": _identifiers(tx, numbers),
        "purchases": _purchases(tx, customer_id),
        "scores": scores(tx, customer_id),
        "writes": _writes(tx, records),
    }


def scores(tx: Connection, customer_id: int) -> list[dict[str, Any]]:
    """The customer's scores, each with its explanation."""
    rows = execute(
        tx,
        "SELECT name, version, value, explanation, scored_at FROM score WHERE customer_id = ? ORDER BY name",
        (customer_id,),
    )
    return [
        {
            "name": name,
            "version": version,
            "value": value,
            "explanation": json.loads(explanation) if explanation else None,
            "scored_at": iso(scored_at),
        }
        for name, version, value, explanation, scored_at in rows
    ]


def explained(tx: Connection, customer_id: int) -> tuple[Explanation, dict[int, str]]:
    """Why the customer's records are one, and what each record number it speaks of stands for (INSTANCE/ID)."""
    found = explain(StoreGraph(tx), customer_id, _masks(tx))
    if found is None:
        raise LiukeError(_nobody(str(customer_id)))
    numbers = {
        *found.records,
        *(number for tie in found.ties for number in (tie.record_a, tie.record_b)),
        *(number for one in found.refused for number in (one.record_a, one.record_b, *(one.against or ()))),
    }
    select = "SELECT record_no, connector, source_id FROM customer_record WHERE record_no IN"
    return found, {number: f"{connector}/{shown_id(key)}" for number, connector, key in by_number(tx, select, numbers)}


def shown_id(source_id: str) -> str:
    """A source id as it may be shown: some systems number their customers by phone."""
    return SECRETS.clean(source_id)


def masked_name(name: str | None) -> str | None:
    """张三 -> 张*."""
    shown = pl.DataFrame({"name": [name]}, schema={"name": pl.String}).select(mask_name(pl.col("name"))).item()
    return None if shown is None else str(shown)


def _by_source(tx: Connection, source_id: str, connector: str | None) -> list[int]:
    if connector is not None:
        return _customers_of(tx, "source_id = ? AND connector = ?", source_id, connector)
    return _customers_of(tx, "source_id = ?", source_id)


def _customers_of(tx: Connection, where: str, *parameters: Any) -> list[int]:
    rows = execute(
        tx,
        f"SELECT DISTINCT customer_id FROM customer_record WHERE {where} AND customer_id IS NOT NULL",
        parameters,
    )
    return [int(row[0]) for row in rows]


def _records(tx: Connection, customer_id: int) -> list[dict[str, Any]]:
    return [
        {
            "record_no": number,
            "connector": connector,
            "source_id": shown_id(source_id),
            "name": masked_name(name),
            "kind": kind,
            "deleted": bool(deleted),
        }
        for number, connector, source_id, name, kind, deleted in sorted(by_number(tx, _RECORDS, [customer_id]))
    ]


def _golden(tx: Connection, customer_id: int, roles: Mapping[str, str]) -> dict[str, Any]:
    columns = ("customer_id", "record_no", "connector", "source_updated_at", "deleted", *FIELDS)
    rows = execute(tx, f"SELECT {', '.join(columns)} FROM customer_record WHERE customer_id = ?", (customer_id,)).all()
    whole = {Type.TIME, Type.FLAG, Type.INTEGER}
    integers = {"customer_id", "record_no", "source_updated_at", "deleted"}
    integers |= {one.name for one in CUSTOMER_RECORD.fields if one.type in whole}
    frame = pl.DataFrame(
        [tuple(row) for row in rows],
        schema={name: pl.Int64 if name in integers else pl.String for name in columns},
        orient="row",
    )
    made = golden(frame, Survivorship(roles=dict(roles)))
    values = made.profiles.row(0, named=True)
    return {
        row["field"]: {
            "value": _shown_field(row["field"], values[row["field"]]),
            "connector": row["connector"],
            "record_no": row["record_no"],
        }
        for row in made.provenance.iter_rows(named=True)
        if row["field"] != "identifier_set"
    }


def _shown_field(name: str, value: Any) -> Any:
    field = CUSTOMER_RECORD.field(name)
    if field.type is Type.TIME:
        return iso(value)
    if field.type is Type.DAY and field.personal:
        return f"{str(value)[:4]}-**-**"
    if field.personal:
        return masked_name(str(value))
    return SECRETS.clean(value) if isinstance(value, str) else value


def _identifiers(tx: Connection, numbers: list[int]) -> list[dict[str, Any]]:
    sql, parameter = listed(tx, numbers, "bigint")
    rows = execute(
        tx,
        f"SELECT kind, scope, mask, class, min(reason), count(*) FROM identifier WHERE record_no IN {sql} "
        "GROUP BY kind, scope, mask, class, digest ORDER BY kind, scope, mask",
        (parameter,),
    )
    return [
        {"kind": kind, "scope": scope, "mask": mask, "class": cls, "reason": reason or "", "records": int(count)}
        for kind, scope, mask, cls, reason, count in rows
    ]


def _purchases(tx: Connection, customer_id: int) -> dict[str, Any]:
    """Orders that count for F and M, the same as the scores count."""
    frames = [orders_of(tx, some) for some in chunks([customer_id])]
    orders = pl.concat(frames).filter(pl.col("purchase") & pl.col("at").is_not_null())
    last = orders["at"].max()
    return {
        "count": orders.height,
        "net_amount_yuan": f"{(orders['net_amount'].sum() or 0) / 10_000:.2f}",
        "last_at": iso(last if isinstance(last, int) else None),
    }


def _writes(tx: Connection, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = sorted({one["source_id"] for one in records} | {f"{one['connector']}/{one['source_id']}" for one in records})
    sql, parameter = listed(tx, ids)
    rows = execute(
        tx,
        "SELECT target, source_id, field, value, status, confirmed_at FROM outbox "
        f"WHERE source_id IN {sql} ORDER BY target, source_id, field",
        (parameter,),
    )
    return [
        {
            "target": target,
            "source_id": shown_id(source_id),
            "field": field,
            "value": value,
            "status": status,
            "confirmed_at": iso(at),
        }
        for target, source_id, field, value, status, at in rows
    ]


def _masks(tx: Connection) -> Callable[[Collection[Identifier]], Mapping[Identifier, str]]:
    def masks(identifiers: Collection[Identifier]) -> dict[Identifier, str]:
        wanted = sorted({one.digest for one in identifiers})
        found: dict[Identifier, str] = {}
        for start in range(0, len(wanted), BYTES_AT_ONCE):
            sql, parameters = listed_bytes(tx, wanted[start : start + BYTES_AT_ONCE])
            select = f"SELECT DISTINCT kind, scope, digest, mask FROM identifier WHERE digest IN {sql}"
            for kind, scope, digest, mask in execute(tx, select, parameters):
                found[Identifier(kind, scope, bytes(digest))] = mask or ""
        return found

    return masks


def _nobody(asked: str) -> Problem:
    shown = SECRETS.clean(asked)
    return Problem(
        "customer.not-found",
        Text(f"找不到客户 {shown}", f"there is no customer {shown}"),
        "",
        Text(
            "可用客户编号、实例/来源编号 (如 erp/KH001) 或手机号; 新数据请先 liuke sync",
            "give a customer number, INSTANCE/ID (such as erp/KH001) or a phone; for new data run liuke sync first",
        ),
    )
