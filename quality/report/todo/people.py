"""What waits for people: writes that are not confirmed, conflicts, plans, definitions of scores."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mappings.problems import Text
from quality.report.phrases import listed, many, moment
from quality.report.todo import Seen, Todo, todos
from state.bulk import execute


@todos
def writes(seen: Seen) -> Iterator[Todo]:
    owed = seen.debt("writes")
    if not owed.owed:
        return
    asked = {row[0] for row in execute(seen.tx, "SELECT object FROM waiting_decision", ())}
    for one in seen.targets:
        parts = [("待发送", "waiting", one["waiting"]), ("稍后重试", "later", one["later"])]
        parts += [("结果未知", "unknown", one["unknown"]), ("被拒绝", "rejected", one["rejected"])]
        count = sum(part[2] for part in parts)
        if not count:
            continue
        title = seen.title(one["name"])
        off = not one["approved"]
        if off and one["name"] in asked:
            continue  # the question that waits says it already
        yield Todo(
            "breach" if owed.overdue else "ok_todo",
            "write.unconfirmed",
            Text(
                f"回写{title.zh}等待批准" if off else f"回写{title.zh}还没有全部确认",
                f"writing to {title.en} waits for approval" if off else f"writes to {title.en} are not all confirmed",
            ),
            Text(
                ", ".join(f"{zh} {n:,}" for zh, _, n in parts if n), ", ".join(f"{en} {n:,}" for _, en, n in parts if n)
            ),
            Text(f"{count:,} 个字段值尚未到达", f"{many(count, 'value')} not arrived yet"),
            Text("查看计划并批准", "look at the plan and approve it")
            if off
            else Text("查看未确认的原因, 再重试", "see why, then retry"),
            count,
            seen.it(one["name"]),
            owed.next_due_at,
            f"liuke writeback plan {one['name']}" if off else f"liuke writeback list {one['name']}",
        )


@todos
def decisions(seen: Seen) -> Iterator[Todo]:
    owed = seen.debt("decisions")
    if not owed.owed:
        return
    due_us = seen.expectations.thresholds.debt_due_us
    conflicts, opened_at = execute(
        seen.tx,
        "SELECT count(*), min(at) FROM (SELECT record_a, record_b, min(opened_at) AS at FROM identity_conflict "
        "GROUP BY record_a, record_b) AS pair",
        (),
    ).one()
    if conflicts:
        due = int(opened_at) + due_us
        yield Todo(
            "breach" if due < seen.now else "ok_todo",
            "identity.conflict",
            Text(f"{conflicts:,} 组身份冲突等待确认", f"{many(conflicts, 'identity conflict')} to be decided"),
            Text(
                "共用标识, 但各自的唯一标识不同 (如两个 UnionID)",
                "they share an identifier, but each has its own exclusive one (such as two UnionIDs)",
            ),
            Text(f"{conflicts:,} 组记录暂不合并", f"{many(conflicts, 'pair')} not merged"),
            Text(
                "在来源系统核对两条记录的号码, 改正错的一条",
                "compare the two records at their sources and correct the wrong one",
            ),
            int(conflicts),
            seen.owner("", "customer_record"),
            due,
        )
    waiting = execute(
        seen.tx, "SELECT kind, object, opened_at, due_at, zh, en, detail FROM waiting_decision ORDER BY due_at", ()
    ).all()
    for kind, thing, asked_at, due_at, zh, en, detail in waiting:
        numbers = json.loads(detail)
        yield Todo(
            "breach" if due_at < seen.now else "ok_todo",
            f"decision.{kind}",
            Text(zh, en),
            Text(f"{moment(asked_at)} 提出", f"asked on {moment(asked_at)}"),
            Text(f"对象: {seen.title(thing).zh}", f"about {seen.title(thing).en}"),
            Text("查看后批准或退回", "look at it, then approve or refuse"),
            int(numbers.get("changes", 1)) if isinstance(numbers, dict) else 1,
            seen.it(thing),
            int(due_at),
            f"liuke writeback plan {thing}" if kind.startswith("writeback.") else "",
        )


@todos
def definitions(seen: Seen) -> Iterator[Todo]:
    due_us = seen.expectations.thresholds.debt_due_us
    rows = execute(
        seen.tx,
        "SELECT name, version, registered_at FROM score_definition AS d WHERE status IN ('draft', 'reviewed') "
        "AND NOT EXISTS (SELECT 1 FROM score_definition AS newer WHERE newer.name = d.name "
        "AND newer.status <> 'retired' AND CAST(newer.version AS INTEGER) > CAST(d.version AS INTEGER)) "
        "ORDER BY registered_at, name",
        (),
    ).all()
    if not rows:
        return
    names, due = [f"{name}@{version}" for name, version, _ in rows], int(rows[0][2]) + due_us
    yield Todo(
        "breach" if due < seen.now else "ok_todo",
        "score.unpublished",
        Text(f"{len(names)} 个评分口径等待业务确认", f"{many(len(names), 'score definition')} to be approved"),
        Text(listed(names), listed(names)),
        Text("发布前评分只供查看, 不回写", "until then scores are shown and not written back"),
        Text("业务核对口径后审阅并发布", "have the business review and publish them"),
        len(names),
        "",
        due,
    )
