"""Makes the health report's page: one HTML file that any browser, phone or printer shows without a network.

A pure function of report.json: the same report always gives the same bytes, and what the report does not say the
page does not know. The page runs no script and its policy forbids every request, so it can be mailed, filed and
opened years later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader, StrictUndefined, Undefined
from markupsafe import Markup

from console.report import charts, figures
from console.words import (
    DEBTS,
    DIMENSIONS,
    PUBLICATION,
    ROLES,
    RULES,
    STATUSES,
    debt_word,
    dimension_word,
    status_word,
)
from mappings.model import ENTITIES, IDENTIFIER_KINDS
from mappings.problems import LiukeError, Problem, Text

VERSION = 1

Report = Mapping[str, Any]

_HERE = Path(__file__).parent
_URGENCY = {"breach": 0, "warning": 1, "ok_todo": 2, "no_data": 3, "ok": 4}


def render(report: Report, *, strict: bool = False) -> str:
    """The whole page. A key that the report lacks reads as null, 无数据; with `strict` it is an error."""
    if report.get("version") != VERSION:
        raise LiukeError(_unknown_version(report.get("version")))
    page = _environment(StrictUndefined if strict else ChainableUndefined).get_template("page.html.j2")
    return page.render(
        report=report,
        **_views(report),
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    )


def _unknown_version(version: object) -> Problem:
    return Problem(
        code="report.version-unknown",
        what=Text(
            f"这份报告的版本是 {version}, 这个版本的留客只认得 {VERSION}",
            f"this report has version {version}; this Liuke reads version {VERSION}",
        ),
        where="report.json: version",
        do=Text("用生成它的留客版本打开, 或重新生成: liuke report", "open it with the Liuke that made it"),
    )


@lru_cache(maxsize=2)
def _environment(undefined: type[Undefined]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=undefined,
    )
    environment.filters.update(
        {
            "number": figures.number,
            "short_number": figures.short_number,
            "yuan": figures.yuan,
            "percent": figures.percent,
            "limit": figures.limit,
            "duration": figures.duration,
            "moment": figures.moment,
            "day": figures.day,
            "hour": figures.hour,
            "masked": figures.masked,
            "zh": zh,
            "en": en,
            "boolean": bool,
        }
    )
    environment.globals.update(
        {
            "NO_DATA": figures.NO_DATA,
            "NOT_GIVEN": figures.NOT_GIVEN,
            "STATUSES": STATUSES,
            "DEBTS": DEBTS,
            "DIMENSIONS": DIMENSIONS,
            "RULES": RULES,
            "beside": figures.beside,
            "missing": figures.is_missing,
            "has_total": figures.has_total,
            "rate": figures.rate,
            "seconds_between": figures.seconds_between,
            "status_word": status_word,
            "debt_word": debt_word,
            "dimension_word": dimension_word,
            "icon": charts.icon,
            "share_bar": charts.share_bar,
            "budget_bar": charts.budget_bar,
            "hour_strip": charts.hour_strip,
            "hour_sentence": charts.hour_sentence,
            "spark_line": charts.spark_line,
            "entity_word": _entity_word,
            "identifier_word": lambda kind: IDENTIFIER_KINDS.get(kind, kind),
            "role_word": lambda role: ROLES[role].zh if role in ROLES else role,
            "publication_word": lambda word: PUBLICATION.get(word, Text(word, word)),
            "met": _met,
            "amount_share": _amount_share,
            "change": _change,
        }
    )
    return environment


def zh(text: Mapping[str, str] | Text | str | None) -> str:
    """The Chinese of a text."""
    return _language(text, "zh")


def en(text: Mapping[str, str] | Text | str | None) -> str:
    """The English of a text; empty where it only repeats the Chinese."""
    said = _language(text, "en")
    return "" if said == _language(text, "zh") else said


def _language(text: Mapping[str, str] | Text | str | None, language: str) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, Text):
        return str(getattr(text, language))
    return "" if text is None or figures.is_missing(text) else text.get(language, "")


# ---- What the template would otherwise have to work out ------------------------------------------


def _views(report: Report) -> dict[str, Any]:
    connectors = report.get("connectors") or []
    checks = report.get("checks") or []
    return {
        "titles": {one["name"]: one.get("title") or one["name"] for one in connectors},
        "check_titles": {one["code"]: one.get("title") or one["code"] for one in checks},
        "streams": [(connector, stream) for connector in connectors for stream in connector.get("streams") or []],
        "dimensions": _by_dimension(checks),
        "hours_from": _first_hour(connectors),
        "last_day": figures.day(report.get("generated_at")),
        "matrix_columns": _columns((report.get("matrix") or {}).get("rows") or []),
        "it_commands": [one for one in report.get("quarantine") or [] if one.get("command")],
    }


def _by_dimension(checks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Checks under their dimension, the most urgent first; those that need nobody stand apart."""
    found: dict[str, list[Mapping[str, Any]]] = {dimension: [] for dimension in DIMENSIONS}
    for check in checks:
        found.setdefault(check["dimension"], []).append(check)
    groups = []
    for dimension, members in found.items():
        ordered = sorted(members, key=lambda one: _URGENCY.get(one["status"], 3))
        groups.append(
            {
                "dimension": dimension,
                "status": _most_urgent(one["status"] for one in members),
                "open": [one for one in ordered if not _is_quiet(one)],
                "quiet": [one for one in ordered if _is_quiet(one)],
            }
        )
    return groups


def _is_quiet(check: Mapping[str, Any]) -> bool:
    return check["status"] in ("ok", "no_data")


def _most_urgent(statuses: Iterable[str]) -> str:
    """The status that speaks for several: the worst; no data only where there is nothing else."""
    known = [one for one in statuses if one != "no_data"]
    return min(known, key=lambda one: _URGENCY.get(one, 3)) if known else "no_data"


def _first_hour(connectors: Sequence[Mapping[str, Any]]) -> str | None:
    return next((one["hours"][0]["hour"] for one in connectors if one.get("hours")), None)


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Connectors of the matrix, in the order of first mention."""
    return list(dict.fromkeys(name for row in rows for name in row["cells"]))


def _met(share: Mapping[str, int] | None, target: Mapping[str, Any]) -> dict[str, str]:
    """What was reached and what was asked for, said in the direction of the target.

    A target with "<=" speaks of the bad part (失败率 ≤ 2%), though the share always counts the good.
    """
    asked = figures.limit(target["value"])
    if target["op"] == "<=":
        bad = figures.rate(share["total"] - share["good"], share["total"]) if share else figures.NO_DATA
        return {"reached": bad, "asked": f"≤ {asked}"}
    return {"reached": figures.percent(share), "asked": f"≥ {asked}"}


def _amount_share(amount: Mapping[str, str] | None) -> dict[str, int] | None:
    """A share of money as a share of 1/10,000 yuan: exact integers, so that it is cut like every other share."""
    if not amount or isinstance(amount, Undefined):
        return None
    good, total = (int(Decimal(amount[key]).scaleb(4)) for key in ("good_yuan", "total_yuan"))
    return {"good": good, "total": total}


def _change(trend: Sequence[Mapping[str, Any]] | None) -> dict[str, str] | None:
    """How the newest judged day differs from the one before, in percentage points; None without two days."""
    judged = sorted((one for one in trend or [] if one.get("total")), key=lambda one: one["day"])
    if len(judged) < 2:
        return None
    before, now = judged[-2:]
    # Integers: the sign of a difference of two shares must not depend on how floats round.
    points = (now["good"] * before["total"] - before["good"] * now["total"]) * 10_000
    hundredths = abs(points) // (now["total"] * before["total"])
    if hundredths == 0:
        return None
    size = f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
    return {"way": "up" if points > 0 else "down", "size": size}


def _entity_word(entity: str | None) -> str:
    if entity is None or figures.is_missing(entity):
        return ""
    return ENTITIES[entity].zh if entity in ENTITIES else entity
