"""Scores customers from the orders that count, and keeps every score with its version and its reason.

Recency grows older every day and quantiles depend on everybody, so some customers alone are scored only while
day and definitions are those of the last full run; otherwise everybody is. Either way the same scores result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from sqlalchemy import Connection

from mappings.problems import Problem
from mappings.scores import score_customers
from mappings.scores.definitions import Definitions
from state.bulk import execute, execute_many
from state.days import shanghai_day
from state.seams import seam
from state.store import Store
from state.turns import take_turns
from sync import purchases
from sync.definitions import InForce, in_force
from sync.purchases import EVERYONE, Some

NAMES = ("rfm", "tier", "stage", "at_risk", "account", "churn")
"""Scores a customer can have, as the score table names them."""

_MADE = "score.made"
_DAY_US = 86_400_000_000
_SHANGHAI_US = 8 * 3_600_000_000


@dataclass(frozen=True)
class Scored:
    """What one scoring run did.

    `full` says that everybody was scored, asked for or not. `changed` counts score rows written, `removed`
    those of customers (or scores) that are no more. With `blocked` nothing was done: the scores of the last run
    stand. `problems` are definitions that changed without a new version.
    """

    customers: int = 0
    changed: int = 0
    removed: int = 0
    full: bool = False
    blocked: tuple[str, ...] = ()
    published: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


def score(
    store: Store,
    definitions: Definitions,
    now: int,
    run_id: str,
    *,
    industry: str,
    customers: Iterable[int] | None = None,
    blocked: Sequence[str] = (),
) -> Scored:
    """Scores everybody, or the customers named: ids from before and after the change, gone ones included.

    `blocked` are the codes of blocking checks that failed: wrong data makes no scores. `industry` picks the
    churn rules.
    """
    with store.transaction() as tx:
        force = in_force(tx, definitions, now)
        key = _key(force.definitions, industry, now)
        made = execute(tx, "SELECT value FROM setting WHERE name = ?", (_MADE,)).first()
        everybody = purchases.ranges(tx)
    if blocked:
        return Scored(blocked=tuple(blocked), published=force.published, problems=force.problems)
    full = customers is None or force.definitions.rfm.needs_everyone or made is None or made[0] != key
    portions: Iterable[Some]
    if force.definitions.rfm.needs_everyone:
        portions = [EVERYONE]
    elif full or customers is None:
        portions = everybody
    else:
        portions = purchases.chunks(list(customers))
    counts = [_score_some(store, some, force, industry, now, run_id) for some in portions]
    if full:
        with store.transaction() as tx:  # only now is every score of this day and these definitions
            execute(
                tx,
                "INSERT INTO setting (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (_MADE, key),
            )
    return Scored(
        customers=sum(one[0] for one in counts),
        changed=sum(one[1] for one in counts),
        removed=sum(one[2] for one in counts),
        full=full,
        published=force.published,
        problems=force.problems,
    )


def _key(definitions: Definitions, industry: str, now: int) -> str:
    digests = [one.digest for one in definitions.all()]
    return json.dumps([shanghai_day(now), industry, *digests])


def _score_some(store: Store, some: Some, force: InForce, industry: str, now: int, run_id: str) -> tuple[int, int, int]:
    # Reading and writing are one transaction: no older reading can overwrite the scores of a newer one.
    with store.transaction() as tx:
        take_turns(tx, "score")
        customers = _customers(tx, some, now)
        orders = purchases.orders_of(tx, some).filter(pl.col("purchase") & pl.col("at").is_not_null())
        scored = score_customers(
            customers,
            orders.select("customer_id", _day(pl.col("at")).alias("day"), "net_amount"),
            force.definitions,
            industry=industry,
            today=date.fromisoformat(shanghai_day(now)),
        )
        changed, removed = _write(tx, some, _rows(scored, force.definitions), now, run_id)
        seam("score.before-commit")
    return customers.height, changed, removed


def _customers(tx: Connection, some: Some, now: int) -> pl.DataFrame:
    """customer_id, registered_day, and the days of the last activity and login where any source gives them.

    Whether there is a source is asked of everybody, so that some customers alone score the same.
    """
    known = purchases.customers_of(tx, some).with_columns(_day(pl.col("registered_at")).alias("registered_day"))
    events = _last_events(tx, some, now)
    joined = known.join(events, on="customer_id", how="left")
    columns = [pl.col("customer_id"), pl.col("registered_day")]
    has_login = _any(tx, "SELECT 1 FROM interaction WHERE kind = 'login' LIMIT 1")
    has_activity = (
        has_login
        or _any(tx, "SELECT 1 FROM interaction LIMIT 1")
        or _any(tx, "SELECT 1 FROM customer_record WHERE last_active_at IS NOT NULL LIMIT 1")
    )
    if has_activity:
        columns.append(_day(pl.max_horizontal("last_active_at", "last_event_at")).alias("last_active_day"))
    if has_login:
        columns.append(_day(pl.col("last_login_at")).alias("last_login_day"))
    return joined.select(columns)


def _last_events(tx: Connection, some: Some, now: int) -> pl.DataFrame:
    where, parameters = some.sql(tx, "c.customer_id")
    return purchases.frame(
        tx,
        "SELECT c.customer_id, max(i.at), max(CASE WHEN i.kind = 'login' THEN i.at END) "
        "FROM customer_record AS c JOIN interaction AS i ON i.buyer_record_no = c.record_no "
        f"WHERE {where} AND i.deleted = 0 AND i.at <= ? GROUP BY c.customer_id",
        (*parameters, now + _DAY_US),
        {"customer_id": pl.Int64, "last_event_at": pl.Int64, "last_login_at": pl.Int64},
    )


def _any(tx: Connection, sql: str) -> bool:
    return execute(tx, sql).first() is not None


def _day(at: pl.Expr) -> pl.Expr:
    """The Shanghai day of a time in microseconds UTC."""
    return (at + _SHANGHAI_US).cast(pl.Datetime("us")).dt.date()


def _rows(scored: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    """Score rows: customer_id, name, version, value, number, explanation; without value and reason no row."""
    flag = {True: "1", False: "0"}
    nothing = pl.lit(None, dtype=pl.String)
    score_text = pl.col("score").cast(pl.String)
    tier_zh = pl.format("得分 {} → {} 级", score_text, pl.col("tier"))
    tier_en = pl.format("score {} -> tier {}", score_text, pl.col("tier"))
    forms: list[tuple[str, str, pl.Expr, pl.Expr, pl.Expr]] = [
        (
            "rfm",
            definitions.rfm.name,
            score_text,
            pl.col("score"),
            _explanation(pl.col("explanation_zh"), pl.col("explanation_en")),
        ),
        (
            "tier",
            definitions.tiers.name,
            pl.col("tier"),
            pl.lit(None),
            pl.when(pl.col("tier").is_not_null()).then(_explanation(tier_zh, tier_en)),
        ),
        (
            "stage",
            definitions.lifecycle.name,
            pl.col("stage"),
            pl.lit(None),
            _explanation(pl.col("lifecycle_zh"), pl.col("lifecycle_en")),
        ),
        (
            "at_risk",
            definitions.lifecycle.name,
            pl.col("at_risk").replace_strict(flag, return_dtype=pl.String),
            pl.lit(None),
            nothing,
        ),
        ("account", definitions.lifecycle.name, pl.col("account"), pl.lit(None), nothing),
        (
            "churn",
            definitions.churn.name,
            pl.col("churned").cast(pl.Boolean).replace_strict(flag, return_dtype=pl.String),
            pl.lit(None),
            _explanation(pl.col("churn_zh"), pl.col("churn_en")),
        ),
    ]
    parts = [
        scored.select(
            "customer_id",
            pl.lit(name).alias("name"),
            pl.lit(version).alias("version"),
            value.alias("value"),
            number.cast(pl.Int64).alias("number"),
            explanation.alias("explanation"),
        ).filter(pl.col("value").is_not_null() | pl.col("explanation").is_not_null())
        for name, version, value, number, explanation in forms
    ]
    return pl.concat(parts).sort("customer_id", "name")


def _explanation(zh: pl.Expr, en: pl.Expr) -> pl.Expr:
    """Both languages as one JSON object."""
    return pl.struct(zh.alias("zh"), en.alias("en")).struct.json_encode()


def _write(tx: Connection, some: Some, rows: pl.DataFrame, now: int, run_id: str) -> tuple[int, int]:
    """Writes what differs from the table and removes what is no more."""
    where, parameters = some.sql(tx, "customer_id")
    stored = purchases.frame(
        tx,
        f"SELECT customer_id, name, version, value, number, explanation FROM score WHERE {where}",
        parameters,
        {
            "customer_id": pl.Int64,
            "name": pl.String,
            "version": pl.String,
            "value": pl.String,
            "number": pl.Int64,
            "explanation": pl.String,
        },
    )
    key = ["customer_id", "name"]
    columns = [*key, "version", "value", "number", "explanation"]
    changed = rows.join(stored, on=columns, how="anti", nulls_equal=True).sort(key)
    gone = stored.join(rows, on=key, how="anti").filter(pl.col("name").is_in(NAMES))
    execute_many(
        tx,
        "INSERT INTO score (customer_id, name, version, value, number, explanation, run_id, scored_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (customer_id, name) DO UPDATE SET "
        "version = excluded.version, value = excluded.value, number = excluded.number, "
        "explanation = excluded.explanation, run_id = excluded.run_id, scored_at = excluded.scored_at",
        [(*row, run_id, now) for row in changed.iter_rows()],
    )
    execute_many(tx, "DELETE FROM score WHERE customer_id = ? AND name = ?", gone.select(key).sort(key).rows())
    return changed.height, gone.height
