"""How a run of the flow is told: by `liuke sync` and `liuke replay`, to people and to programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.commands.writeback import drained_value, show_drained
from console.screen import problem_of, say, say_problems, say_table
from console.symbols import symbols_for
from mappings.model import ENTITIES
from mappings.problems import Text

if TYPE_CHECKING:
    from sync.run import ConnectorSynced, Synced

_OUTCOMES = {
    "ok": Text("完成", "done"),
    "partly": Text("部分完成", "partly done"),
    "failed": Text("失败", "failed"),
    "later": Text("稍后再试", "try again later"),
    "cancelled": Text("已中断", "stopped"),
}


def synced_value(done: Synced) -> dict[str, Any]:
    """What one run did, as it stands in JSON."""
    resolved = done.resolved
    return {
        "connectors": [_connector(one) for one in done.connectors],
        "linked": done.linked,
        "resolved": None
        if resolved is None
        else {
            "full": resolved.full,
            "records": resolved.records,
            "customers": len(resolved.customers),
            "conflicts": resolved.conflicts,
        },
        "written": [drained_value(one) for one in done.written],
        "problems": [problem_of(problem) for problem in done.after],
        "waiting": done.waiting,
    }


def went_well(done: Synced) -> bool:
    """Whether the run did its work; another process working on a connector is no failure."""
    return (
        not done.waiting
        and not done.after
        and all(not one.problems or one.outcome == "later" for one in done.connectors)
    )


def show_synced(done: Synced) -> None:
    """What one run did, for people; problems go to stderr."""
    symbols = symbols_for(sys.stdout)
    say_table(
        [
            "",
            Text("连接器", "connector"),
            Text("结果", "result"),
            Text("读取", "read"),
            Text("新增", "new"),
            Text("更新", "changed"),
            Text("未变", "unchanged"),
            Text("待处理", "quarantined"),
        ],
        [
            [
                symbols.ok if not one.problems else symbols.breach,
                one.name,
                _OUTCOMES.get(one.outcome, Text(one.outcome, one.outcome)),
                one.extracted.read if one.extracted else None,
                sum(one.loaded.new.values()),
                sum(one.loaded.changed.values()),
                sum(one.loaded.seen.values()),
                one.loaded.quarantined,
            ]
            for one in done.connectors
        ],
    )
    for one in done.connectors:
        _show_details(one)
        say_problems(one.problems)
    if done.resolved is not None and done.resolved.records:
        count, conflicts = len(done.resolved.customers), done.resolved.conflicts
        say(
            Text(
                f"身份归一: {count:,} 个客户有变化, {conflicts:,} 处待人工确认",
                f"identity: {count:,} customers changed, {conflicts:,} conflicts wait for a decision",
            )
        )
    for written in done.written:
        show_drained(written)
    say_problems(done.after)
    if done.waiting:
        say(
            Text(
                "数据库暂不可用: 已拉取的数据保存在落地文件中, 下次运行自动入库, 不会丢失或重复",
                "the database is away: what was pulled lies in landing files and is loaded by the next run",
            ),
            error=True,
        )


def _show_details(one: ConnectorSynced) -> None:
    """Which entities changed, and fields that came without a place in the map."""
    counts = {
        entity: one.loaded.new.get(entity, 0) + one.loaded.changed.get(entity, 0)
        for entity in {**one.loaded.new, **one.loaded.changed}
    }
    told = [(ENTITIES[entity].zh, entity, count) for entity, count in sorted(counts.items()) if count]
    if told:
        zh = ", ".join(f"{name} {count:,}" for name, _, count in told)
        en = ", ".join(f"{entity} {count:,}" for _, entity, count in told)
        say(Text(zh, en), before=f"   {one.name}: ")
    for stream, fields in sorted(one.loaded.drift.items()):
        listed = ", ".join(fields)
        say(
            Text(
                f"字段变更: 映射中的字段在来源里没有出现 {listed}",
                f"schema drift: mapped fields that no record has: {listed}",
            ),
            before=f"   {one.name}.{stream}: ",
        )


def _connector(one: ConnectorSynced) -> dict[str, Any]:
    extracted, loaded = one.extracted, one.loaded
    return {
        "name": one.name,
        "run_id": one.run_id,
        "outcome": one.outcome,
        "backfill": one.backfill,
        "recovered": one.recovered,
        "read": extracted.read if extracted else 0,
        "streams": [
            {"name": stream.stream, "outcome": stream.outcome, "read": stream.read, "rejected": stream.rejected}
            for stream in (extracted.streams if extracted else ())
        ],
        "files": loaded.files,
        "lines": loaded.lines,
        "new": _counted(loaded.new),
        "changed": _counted(loaded.changed),
        "unchanged": _counted(loaded.seen),
        "quarantined": loaded.quarantined,
        "late": loaded.late,
        "drift": {stream: list(fields) for stream, fields in sorted(loaded.drift.items())},
        "problems": [problem_of(problem) for problem in one.problems],
    }


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """Entities that have any, by name."""
    return {entity: count for entity, count in sorted(counts.items()) if count}
