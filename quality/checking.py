"""Runs every set check, completeness rule and count of quarantined rows, and keeps the day's results.

A result exists only where it can mean something: for a connector that fills the field or the entity. Nothing to
judge there is no_data, never 0 %.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as data_field
from decimal import Decimal

from sqlalchemy import Connection

from mappings import model
from mappings.problems import Text
from quality import baselines, set_checks
from quality.contract import Contracts, Dimension, Kind, Rule, Severity
from quality.expectations import Expectations
from quality.set_checks import Asked, Judged
from state.bulk import execute, execute_many, quoted
from state.days import shanghai_day

SAMPLES = 10
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Sample:
    """One thing that failed: its key, and what helps to find it (never an unmasked person)."""

    key: str
    note: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One judgement: `found` of `total` were not right. `connector` is "" for the hub as a whole."""

    code: str
    connector: str
    entity: str
    field: str
    kind: Kind
    dimension: Dimension
    severity: Severity
    title: Text
    repair: Text
    status: str
    good: int
    total: int
    target: Decimal | None
    sample: tuple[Sample, ...] = ()
    owner: str = ""
    overdue: int = 0

    @property
    def found(self) -> int:
        """How many were not right."""
        return self.total - self.good


def run_checks(tx: Connection, now: int, contracts: Contracts, expectations: Expectations) -> list[CheckResult]:
    """Judges everything that is visible now; results are in the order of the contracts."""
    asked = Asked(now, expectations)
    results: list[CheckResult] = []
    held = _held(tx, now)
    for entity in contracts.shipped:
        results += _findings(tx, asked, contracts, entity)
        results += _completeness(tx, contracts, expectations, entity)
        results += _quarantined(tx, held, contracts, expectations, entity)
    results += [_volume(volume, expectations) for volume in baselines.volumes(tx, now, expectations)]
    return results


def store_results(tx: Connection, results: Sequence[CheckResult], now: int) -> None:
    """Keeps the results as those of this Shanghai day; a later run of the day replaces them.

    Results of today that were not judged this time (a connector was taken away) are dropped.
    """
    day = shanghai_day(now)
    execute(tx, "DELETE FROM check_result WHERE day = ?", (day,))
    execute_many(
        tx,
        "INSERT INTO check_result "
        "(code, connector, entity, field, day, status, good, total, target, sample, judged_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                r.code, r.connector, r.entity, r.field, day, r.status, r.good, r.total,
                None if r.target is None else str(r.target),
                json.dumps([[s.key, s.note] for s in r.sample], ensure_ascii=False), now,
            )
            for r in sorted(results, key=lambda r: (r.code, r.connector, r.entity, r.field))
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class DayResult:
    """How a check stood on a Shanghai day."""

    day: str
    good: int
    total: int


def trends(tx: Connection, now: int, days: int = 28) -> dict[tuple[str, str, str, str], list[DayResult]]:
    """The stored results of the last days, oldest first, by (code, connector, entity, field)."""
    rows = execute(
        tx,
        "SELECT code, connector, entity, field, day, good, total FROM check_result WHERE day > ? AND day <= ? "
        "ORDER BY day",
        (shanghai_day(now - days * DAY_US), shanghai_day(now)),
    )
    found: dict[tuple[str, str, str, str], list[DayResult]] = {}
    for code, connector, entity, name, day, good, total in rows:
        found.setdefault((code, connector, entity, name), []).append(DayResult(day, good, total))
    return found


def owner_of(expectations: Expectations, contracts: Contracts, connector: str, entity: str) -> str:
    """Who repairs data of that entity: the connector's owner, else the contract's team."""
    expected = expectations.connectors.get(connector)
    if expected is not None and expected.owner:
        return expected.owner
    return contracts.of(entity, connector).team.zh


# --- findings -----------------------------------------------------------------------------------------


def _findings(tx: Connection, asked: Asked, contracts: Contracts, entity: str) -> Iterable[CheckResult]:
    for shipped in contracts.shipped[entity].rules:
        if shipped.kind is not Kind.FINDINGS:
            continue
        judged = set_checks.known()[shipped.code].ask(asked)
        if judged is None:
            continue
        counts = _counts(tx, judged)
        connectors = judged.connectors
        for connector in asked.expectations.providing(entity) if connectors is None else connectors:
            rule = contracts.of(entity, connector).rule(shipped.code) or shipped
            if rule.severity is Severity.OFF:
                continue
            total, bad = counts.get(connector, (0, 0))
            sample = _samples(tx, judged, connector) if bad and judged.listed else ()
            owner = owner_of(asked.expectations, contracts, connector, entity)
            yield _result(rule, connector, total - bad, total, sample, owner)


def _counts(tx: Connection, judged: Judged) -> dict[str, tuple[int, int]]:
    rows = execute(
        tx,
        f"SELECT connector, count(*), sum(bad) FROM ({judged.sql}) AS judged GROUP BY connector",
        judged.parameters,
    )
    return {connector: (int(total), int(bad)) for connector, total, bad in rows}


def _samples(tx: Connection, judged: Judged, connector: str) -> tuple[Sample, ...]:
    rows = execute(
        tx,
        f"SELECT key, note FROM ({judged.sql}) AS judged WHERE bad = 1 AND connector = ? ORDER BY key LIMIT {SAMPLES}",
        (*judged.parameters, connector),
    )
    return tuple(Sample(str(key), "" if note is None else str(note)) for key, note in rows)


def _result(rule: Rule, connector: str, good: int, total: int, sample: tuple[Sample, ...], owner: str) -> CheckResult:
    return CheckResult(
        rule.code, connector, rule.entity, rule.field, rule.kind, rule.dimension, rule.severity,
        rule.title, rule.repair, judge_share(good, total, rule.target, rule.severity),
        good, total, rule.target, sample, owner,
    )  # fmt: skip


def judge_share(good: int, total: int, target: Decimal, severity: Severity) -> str:
    """ok, warning (breach for a blocking rule) or no_data; what is only information never warns."""
    if total == 0:
        return "no_data"
    if good >= target * total or severity is Severity.INFORMATION:
        return "ok"
    return "breach" if severity is Severity.BLOCKING else "warning"


def _volume(volume: baselines.Volume, expectations: Expectations) -> CheckResult:
    """A stream's last whole day against its baseline: one judgement, right or not."""
    usual = volume.baseline
    sample: tuple[Sample, ...] = ()
    if volume.status == "warning" and usual is not None:
        sample = (Sample(f"{volume.stream} {volume.day}", f"{volume.count:,} / {usual.usual:,.0f}"),)
    judged = 0 if volume.status == "no_data" else 1
    expected = expectations.connectors[volume.connector]
    return CheckResult(
        "stream.volume", volume.connector, "", volume.stream, Kind.FINDINGS, Dimension.CONSISTENCY, Severity.WARNING,
        Text("记录数偏离基准线", "number of records far from usual"),
        Text("核对来源系统当天的业务量, 确认不是漏拉或重复", "see whether the source's own numbers of the day agree"),
        volume.status, judged - len(sample), judged, None, sample, expected.it_owner or expected.owner,
    )  # fmt: skip


# --- completeness -------------------------------------------------------------------------------------


def _completeness(
    tx: Connection, contracts: Contracts, expectations: Expectations, entity: str
) -> Iterable[CheckResult]:
    """Share of filled cells, one pass over the table for all its fields."""
    asked: dict[str, list[Rule]] = {
        connector: [
            rule
            for rule in contracts.of(entity, connector).of_kind(Kind.COMPLETENESS)
            if expectations.connectors[connector].provides(entity, rule.field)
        ]
        for connector in expectations.providing(entity)
    }
    fields = sorted({rule.field for rules in asked.values() for rule in rules})
    if not fields:
        return
    counts = _filled(tx, entity, fields)
    for connector, rules in asked.items():
        total, filled = counts.get(connector, (0, dict.fromkeys(fields, 0)))
        for rule in rules:
            good = filled[rule.field]
            below = total and good < rule.target * total
            sample = _unfilled(tx, entity, rule.field, connector) if below else ()
            owner = owner_of(expectations, contracts, connector, entity)
            yield _result(rule, connector, good, total, sample, owner)


def _filled(tx: Connection, entity: str, fields: Sequence[str]) -> Mapping[str, tuple[int, dict[str, int]]]:
    sums = ", ".join(f"sum(CASE WHEN {_has(entity, name)} THEN 1 ELSE 0 END)" for name in fields)
    rows = execute(
        tx,
        f"SELECT connector, count(*), {sums} FROM {quoted(entity)} AS t WHERE {_asked_rows(entity)} GROUP BY connector",
    )
    return {
        connector: (int(total), dict(zip(fields, map(int, filled), strict=True))) for connector, total, *filled in rows
    }


def _unfilled(tx: Connection, entity: str, name: str, connector: str) -> tuple[Sample, ...]:
    rows = execute(
        tx,
        f"SELECT source_id FROM {quoted(entity)} AS t WHERE {_asked_rows(entity)} AND connector = ? "
        f"AND NOT ({_has(entity, name)}) ORDER BY source_id LIMIT {SAMPLES}",
        (connector,),
    )
    return tuple(Sample(str(key)) for (key,) in rows)


def _asked_rows(entity: str) -> str:
    """Rows that should be complete: a shop that stands in an ERP's customer list has no title and no phone."""
    if entity == "customer_record":
        return "t.deleted = 0 AND coalesce(t.kind, 'person') <> 'channel'"
    return "t.deleted = 0"


def _has(entity: str, name: str) -> str:
    """SQL for "this field is filled". Of an identifier only a value that can stand for the person counts."""
    fields = {f.name: f for f in model.ENTITIES[entity].mapped()}
    if name not in fields:
        return (
            "EXISTS (SELECT 1 FROM identifier AS i WHERE i.connector = t.connector "
            f"AND i.source_id = t.source_id AND i.kind = '{name}' AND i.\"class\" IN ('usable', 'shared'))"
        )
    if fields[name].type in {model.Type.TEXT, model.Type.ID, model.Type.CHOICE}:
        return f"coalesce(t.{quoted(name)}, '') <> ''"
    return f"t.{quoted(name)} IS NOT NULL"


# --- row rules, as the quarantine shows them ----------------------------------------------------------


def _quarantined(
    tx: Connection,
    held: Mapping[tuple[str, str], _Held],
    contracts: Contracts,
    expectations: Expectations,
    entity: str,
) -> Iterable[CheckResult]:
    """Each row rule per connector: the visible rows are right, the open quarantine rows with its code are not.

    A record with two reasons counts under both. Overdue ones make a breach, others a to-do.
    """
    connectors = expectations.providing(entity)
    if not connectors:
        return
    visible = dict(
        execute(
            tx,
            f"SELECT connector, count(*) FROM {quoted(entity)} WHERE deleted = 0 GROUP BY connector",
        ).all()
    )
    for connector in connectors:
        for rule in contracts.of(entity, connector).of_kind(Kind.ROW):
            expected = expectations.connectors[connector]
            if rule.code == "row.key-missing" or not all(
                expected.provides(entity, column) for column in rule.columns if column in _mapped(entity)
            ):
                continue
            bad = held.get((connector, rule.code), _Held())
            good = int(visible.get(connector, 0))
            total = good + bad.count
            status = "no_data" if not total else "breach" if bad.overdue else "ok_todo" if bad.count else "ok"
            yield CheckResult(
                rule.code, connector, entity, rule.field, Kind.ROW, rule.dimension, rule.severity,
                rule.title, rule.repair, status, good, total, None,
                tuple(Sample(key) for key in bad.keys),
                owner_of(expectations, contracts, connector, entity), bad.overdue,
            )  # fmt: skip


def _mapped(entity: str) -> set[str]:
    return {f.name for f in model.ENTITIES[entity].mapped()}


@dataclass
class _Held:
    """Open quarantine rows of one connector with one code."""

    count: int = 0
    overdue: int = 0
    keys: list[str] = data_field(default_factory=list)


def _held(tx: Connection, now: int) -> dict[tuple[str, str], _Held]:
    found: dict[tuple[str, str], _Held] = {}
    rows = execute(
        tx,
        "SELECT connector, record_key, reasons, due_at FROM quarantine WHERE status = 'open' "
        "ORDER BY connector, record_key",
    )
    for connector, key, reasons, due_at in rows:
        for code in {reason[0] for reason in json.loads(reasons)}:
            held = found.setdefault((connector, code), _Held())
            held.count += 1
            held.overdue += due_at < now
            if len(held.keys) < SAMPLES:
                held.keys.append(key)
    return found
