"""Health reports to draw: one for each status word, and one that is as bad as reports can get.

The numbers of one report agree with each other: what is owed is found again in the sections below.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

BEIJING = timezone(timedelta(hours=8))
GENERATED = datetime(2026, 11, 21, 8, 50, tzinfo=BEIJING)

Report = dict[str, Any]


def at(days: float = 0, hours: float = 0, minutes: float = 0) -> str:
    """A time before the report was made."""
    return (GENERATED - timedelta(days=days, hours=hours, minutes=minutes)).isoformat()


def text(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def share(good: int, total: int) -> dict[str, int]:
    return {"good": good, "total": total}


def trend(seed: int, middle: float, last: float, gaps: Sequence[int] = ()) -> list[dict[str, Any]]:
    """28 days around `middle` that end at `last`; a gap is a day nobody judged."""
    chance = random.Random(seed)
    days = []
    for back in range(27, -1, -1):
        if back in gaps:
            continue
        total = 1_800 + chance.randrange(600)
        value = last if back == 0 else min(1.0, middle + chance.uniform(-0.006, 0.006))
        days.append(
            {
                "day": f"{GENERATED - timedelta(days=back):%Y-%m-%d}",
                "good": int(total * value),
                "total": total,
            }
        )
    return days


def hours(bad: dict[int, tuple[str, int, int]] | None = None, silent: int = 0) -> list[dict[str, Any]]:
    """24 hours; `bad` names hours of the list by status, late and failed; the last `silent` ones gave nothing."""
    found = []
    for place in range(24):
        start = (GENERATED - timedelta(hours=23 - place)).replace(minute=0)
        status, late, failed = (bad or {}).get(place, ("ok", 0, 0))
        records = 40 + 37 * place % 400
        if place >= 24 - silent:
            status, records, late, failed = "no_data", 0, 0, 0
        found.append({"hour": start.isoformat(), "status": status, "records": records, "late": late, "failed": failed})
    return found


def connector(name: str, kind: str, zh: str, en: str, role: str, **other: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "type": kind,
        "title": text(zh, en),
        "role": role,
        "status": "ok",
        "last_success_at": at(minutes=1),
        "latency": {"p50_s": 21, "p95_s": 40, "p99_s": 48, "max_s": 122, "share": share(128_361, 128_400)},
        "failure": {
            "attempts": share(0, 1) | {"failed": 12, "total": 4_120},
            "calls": {"failed": 0, "total": 4_108},
        },
        "hours": hours(),
        "streams": [{"name": "orders", "status": "ok", "age_s": 42, "limit_s": 300, "rows": 40_000}],
        "backfill_excluded": 0,
    }
    found["failure"]["attempts"].pop("good")
    return found | other


def failure(attempts: tuple[int, int], calls: tuple[int, int]) -> dict[str, Any]:
    return {
        "attempts": {"failed": attempts[0], "total": attempts[1]},
        "calls": {"failed": calls[0], "total": calls[1]},
    }


def latency(p50: float, p95: float, p99: float, longest: float, good: int, total: int) -> dict[str, Any]:
    return {"p50_s": p50, "p95_s": p95, "p99_s": p99, "max_s": longest, "share": share(good, total)}


def check(code: str, zh: str, en: str, dimension: str, entity: str, name: str | None, **other: Any) -> dict[str, Any]:
    return {
        "code": code,
        "title": text(zh, en),
        "dimension": dimension,
        "entity": entity,
        "connector": name,
        "field": None,
        "status": "ok",
        "blocking": False,
        "good": 40_000,
        "total": 40_000,
        "found": 0,
        "target": None,
        "trend": trend(len(code), 1.0, 1.0),
        "sample": [],
        "owner": "李娜",
    } | other


def breach() -> Report:
    """A bad morning: orders of one shop came late, SKUs without a product, titles missing, rows overdue.

    It stands in breach.json, where a trend is written as its middle and last value, and the 24 hours as the bad
    ones among them.
    """
    report: Report = json.loads(Path(__file__).with_name("breach.json").read_text(encoding="utf-8"))
    for number, one in enumerate(report["checks"]):
        one["trend"] = trend(number, **one["trend"])
    for one in report["connectors"]:
        bad = {int(place): tuple(what) for place, what in one["hours"]["bad"].items()}
        one["hours"] = hours(bad, one["hours"]["silent"])
    return report


def cell(good: int, total: int, status: str = "ok") -> dict[str, Any]:
    return {"good": good, "total": total, "status": status}


def ok_todo() -> Report:
    """A usual morning: everything inside its limits, twelve things to do, none of them overdue."""
    report = _calm(breach())
    report.update(
        status="ok_todo",
        todo=12,
        headline=text(
            "目标全部达到; 还有 12 项待办, 都在期限之内。",
            "Every objective holds; 12 open items, all inside their due date.",
        ),
        owed={"quarantine": 9, "landing": 0, "writes": 1, "streams": 0, "held_lines": 0, "decisions": 2},
        do_first=[
            {
                "status": "ok_todo",
                "title": text("9 条客户资料的手机号格式不符", "9 customers have a malformed phone"),
                "evidence": text("9 条待处理, 最早 2026-11-20 15:00", "9 rows, the oldest of 2026-11-20 15:00"),
                "impact": text("9 位客户无法按手机号合并", "9 customers cannot be merged by phone"),
                "owner": "李娜",
                "due_at": at(hours=-6),
                "kind": "owner",
                "action": text("下载待处理表, 去金蝶云星空修改", "Download the list and correct it in Kingdee"),
                "code": "phone.format",
            }
        ],
        do_next=[],
        quarantine=[report["quarantine"][0] | {"rows": 9}],
    )
    report["identity"]["conflicts"] = 2
    return report


def ok() -> Report:
    """Nothing owed, every objective holds."""
    report = _calm(breach())
    report.update(
        status="ok",
        todo=0,
        headline=text("一切正常: 没有欠账, 目标全部达到。", "All well: nothing owed, every objective holds."),
        do_first=[],
        do_next=[],
        quarantine=[],
        waived=[],
    )
    report["identity"]["conflicts"] = 0
    return report


def warning() -> Report:
    """Objectives hold, but too many attempts failed."""
    report = ok()
    report.update(
        status="warning",
        headline=text(
            "1 项预警: Udesk 昨天有 2.15% 的调用尝试失败, 重试后全部成功。",
            "1 warning: 2.15% of Udesk's attempts failed yesterday; all succeeded when retried.",
        ),
    )
    report["objectives"][2] |= {
        "status": "warning",
        "share": share(18_004, 18_400),
        "budget": {"allowed": 368, "used": 396},
    }
    report["connectors"][3]["status"] = "warning"
    return report


def _calm(report: Report) -> Report:
    """The same company on a good day."""
    report = copy.deepcopy(report)
    nothing = dict.fromkeys(report["owed"], 0)
    report |= {"owed": dict(nothing), "owed_overdue": dict(nothing)}
    for objective in report["objectives"]:
        total = objective["share"]["total"]
        objective |= {"status": "ok", "share": share(total - total // 500, total)}
        objective["budget"]["used"] = total // 500
    for one in report["connectors"]:
        one |= {
            "status": "ok",
            "hours": hours(),
            "last_success_at": at(minutes=1),
            "latency": latency(20, 41, 55, 130, 30_940, 31_000),
            "failure": failure((9, 2_000), (0, 1_991)),
        }
        one["streams"] = [stream | {"status": "ok", "age_s": 44} for stream in one["streams"]]
    for row in report["completeness"]["rows"]:
        row["cells"] = [None if one is None else cell(9_950, 10_000) for one in row["cells"]]
    for one in report["checks"]:
        one |= {
            "status": "ok",
            "good": one["total"] or 100,
            "total": one["total"] or 100,
            "found": 0,
            "sample": [],
            "trend": trend(13, 0.998, 0.999),
        }
    report["sku"] |= {
        "codes": share(4_040, 4_040),
        "lines": share(61_235, 61_235),
        "unmatched": [],
        "unmatched_total": 0,
        "amount": {"good_yuan": "18290431.70", "total_yuan": "18290431.70"},
    }
    report["writeback"]["targets"][0] |= {"waiting": 0, "rejected": 0, "unknown": 0, "later": 0, "drifted": 0}
    for row in report["matrix"]["rows"]:
        row["cells"] = {name: "—" if status == "—" else "ok" for name, status in row["cells"].items()}
    return report


def no_data() -> Report:
    """The first look at a fresh installation: nothing ever ran."""
    nothing = dict.fromkeys(breach()["owed"], 0)
    return {
        "version": 1,
        "company": "示例商贸有限公司",
        "generated_at": GENERATED.isoformat(),
        "clock": "real",
        "window": {"from": at(days=1), "to": at()},
        "run_id": None,
        "status": "no_data",
        "todo": 0,
        "headline": text("还没有运行过同步, 没有数据可以判断。", "Nothing has run yet, so there is nothing to judge."),
        "owed": nothing,
        "owed_overdue": dict(nothing),
        "waived": [],
        "do_first": [
            {
                "status": "no_data",
                "title": text("开始第一次同步", "Run the first sync"),
                "evidence": text("2 个连接器已配置, 都还没有运行", "2 connectors are set up, none has run"),
                "impact": text("报告没有内容", "The report is empty"),
                "owner": None,
                "due_at": None,
                "kind": "it",
                "action": text("运行同步", "Run the sync"),
                "command": "liuke sync",
                "code": "stream.stale",
            }
        ],
        "do_next": [],
        "objectives": [
            {
                "code": "latency.hub",
                "title": text("来源 → 客户库 300 秒内到达", "Source to hub within 300 s"),
                "target": {"op": ">=", "value": 0.99},
                "window_days": 28,
                "share": None,
                "budget": None,
                "status": "no_data",
            }
        ],
        "connectors": [
            connector(
                "erp",
                "sql",
                "金蝶云星空",
                "Kingdee",
                "erp",
                status="no_data",
                last_success_at=None,
                latency={"p50_s": None, "p95_s": None, "p99_s": None, "max_s": None, "share": None},
                failure=failure((0, 0), (0, 0)),
                hours=hours(silent=24),
                streams=[{"name": "orders", "status": "no_data", "age_s": None, "limit_s": 300, "rows": 0}],
            )
        ],
        "completeness": {"fields": [], "rows": []},
        "checks": [
            check(
                "order.paid-negative",
                "实付为负",
                "Paid is negative",
                "accuracy",
                "order",
                None,
                status="no_data",
                blocking=True,
                good=None,
                total=None,
                found=None,
                trend=[],
                owner=None,
            )
        ],
        "sku": None,
        "identity": None,
        "quarantine": [],
        "scores": None,
        "writeback": {"targets": []},
        "matrix": {"rows": []},
    }


HOSTILE = "<script>alert('留客')</script>\"><img src=x onerror=alert(1)>"


def extreme() -> Report:
    """Forty connectors, names without end, numbers of a very large company, strings that attack the page."""
    report = breach()
    long_zh = "华东大区第三事业部线上线下一体化全渠道会员运营中心杭州余杭仓配中心旗舰店" * 2
    long_en = "East-China-Third-Division-Omnichannel-Membership-Operations-Centre-" * 3
    report["company"] = f"{long_zh}有限责任公司 {HOSTILE}"
    report["clock"] = "demo"
    report["headline"] = text(f"40 项未达标: {HOSTILE} {long_zh}。", f"40 breaches: {HOSTILE} {long_en}.")
    report["owed"] = dict.fromkeys(report["owed"], 128_400_000)
    report["owed_overdue"] = dict.fromkeys(report["owed"], 99_999_999)
    report["todo"] = 770_400_000
    report["connectors"] = [
        connector(
            f"instance-{number:02}-{'x' * 40}",
            "sql",
            f"{long_zh} {number}",
            long_en,
            "other",
            status=("ok", "warning", "breach", "no_data", "ok_todo")[number % 5],
            latency=latency(86_400, 864_000, 8_640_000, 86_400_000, 1, 128_400_000_000),
            hours=hours(dict.fromkeys(range(24), ("breach", 12840000, 99999))),
        )
        for number in range(40)
    ]
    for action in (*report["do_first"], *report["do_next"]):
        action |= {"title": text(f"{HOSTILE}{long_zh}", long_en), "owner": long_zh, "due_at": at(days=400)}
        if action["kind"] == "it":
            action["command"] = f"liuke sync {'instance-' + 'x' * 120} --since 2026-11-20T13:00"
    report["completeness"]["fields"] = [
        {
            "entity": "customer_record",
            "field": f"field_{number}",
            "title": text(f"{long_zh[:12]}{number}", long_en[:30]),
            "threshold": 0.7,
        }
        for number in range(14)
    ]
    report["completeness"]["rows"] = [
        {"connector": one["name"], "cells": [cell(64, 100, "breach")] * 13 + [None]} for one in report["connectors"]
    ]
    for one in report["checks"]:
        one |= {
            "title": text(f"{one['title']['zh']}{HOSTILE}", long_en),
            "code": f"{one['code']}.{'y' * 60}",
            "good": 1,
            "total": 128_400_000_000,
            "found": 128_399_999_999,
            "owner": long_zh,
            "sample": [{"key": f"{HOSTILE}{'9' * 80}", "note": "手机 13800000001, 邮箱 li.na@example.com"}] * 5,
        }
    report["sku"]["unmatched"] = [
        {
            "connector": report["connectors"][0]["name"],
            "sku": f"KD-{'9' * 60}",
            "name": long_zh,
            "lines": 99_999_999,
            "amount_yuan": "99999999999999.9999",
        }
    ] * 20
    report["quarantine"] = [
        one
        | {
            "title": text(f"{HOSTILE}{long_zh}", long_en),
            "sample": f"{HOSTILE} 13800000001",
            "rows": 128_400_000,
            "repair": text(long_zh, long_en),
        }
        for one in report["quarantine"]
    ]
    report["waived"] = [
        {
            "debt": "quarantine",
            "key": "k" * 120,
            "by": long_zh,
            "reason": f"{HOSTILE}{long_zh}",
            "until": "2026-12-15",
        }
    ]
    report["matrix"]["rows"] = [
        {"check": one["code"], "cells": {each["name"]: "ok" for each in report["connectors"]}}
        for one in report["checks"]
    ]
    report["run_id"] = "r" * 200
    return report


SAMPLES = {
    "breach": breach,
    "warning": warning,
    "ok_todo": ok_todo,
    "ok": ok,
    "no_data": no_data,
    "extreme": extreme,
}
