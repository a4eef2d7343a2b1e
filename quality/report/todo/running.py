"""What is to be done about running: streams, latency, failing calls, landing files; all of it for IT."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.problems import Text
from quality.objectives import worst
from quality.report.phrases import duration, in_hours, limit, listed, many, moment, percent
from quality.report.todo import Seen, Todo, todos
from state.bulk import execute


@todos
def stale(seen: Seen) -> Iterator[Todo]:
    due_us = seen.expectations.thresholds.debt_due_us
    for name in seen.expectations.connectors:
        late = [one for one in seen.objectives.streams if one.connector == name and one.stale]
        if not late:
            continue
        oldest = min(late, key=lambda one: one.stale_at)
        title, due = seen.title(name), oldest.stale_at + due_us
        never = oldest.last_success_at is None
        since = "从未成功同步" if never else f"已 {duration(oldest.age_s)}未成功同步"
        yield Todo(
            "breach" if due < seen.now else "warning",
            "stream.stale",
            Text(f"{title.zh}没有按时同步", f"{title.en} is not being pulled"),
            Text(
                f"{listed([one.name for one in late])} {since}, 上限 {duration(oldest.limit_s)}",
                f"{listed([one.name for one in late])}: {in_hours(oldest.age_s)} without success, "
                f"limit {in_hours(oldest.limit_s)}",
            ),
            Text(
                f"{len(late)} 个同步对象没有新数据" if never else f"{len(late)} 个同步对象停在 {moment(oldest.since)}",
                f"{many(len(late), 'stream')} without newer data",
            ),
            Text("手动同步一次看报错; 修好后会自动补上", "run it once and read the error; it catches up by itself"),
            len(late),
            seen.it(name),
            due,
            f"liuke sync {name}",
            stops=True,
        )


@todos
def latency(seen: Seen) -> Iterator[Todo]:
    limits = seen.expectations.thresholds
    parts = [("latency.hub", one) for one in seen.objectives.hub]
    parts += [("latency.crm", one) for one in seen.objectives.targets]
    for code, one in parts:
        if one.status != "breach":
            continue
        title = seen.title(one.connector)
        where = Text("进入客户库", "reach the hub") if code == "latency.hub" else Text("得到回写确认", "are confirmed")
        dark = one.watched.bad
        unwatched = Text("", "")
        if dark > one.dark_allowed:
            unwatched = Text(f"; 其中 {dark:,} 分钟没有成功同步", f"; {dark:,} minutes without a successful pull")
        yield Todo(
            "breach",
            code,
            Text(f"{title.zh}的数据来晚了", f"{title.en}'s data is late"),
            Text(
                f"近 {limits.latency_days} 天 {percent(one.share)} 在 5 分钟内{where.zh} "
                f"(要求 {limit(limits.latency_target)}){unwatched.zh}",
                f"{percent(one.share)} {where.en} within 300 s over {limits.latency_days} days "
                f"({limit(limits.latency_target)} asked){unwatched.en}",
            ),
            Text(
                f"{one.share.bad:,} 条晚到, 允许 {one.allowed:,} 条",
                f"{many(one.share.bad, 'record')} late, {one.allowed:,} allowed",
            ),
            Text(
                "先查原因: 同步周期太长、限流, 还是来源停机; 周期在 liuke.yaml 的 interval 调整",
                "see whether the interval, a rate limit or an outage is the cause, then set interval in liuke.yaml",
            ),
            one.share.bad + dark,
            seen.it(one.connector),
            None,
            f"liuke test {one.connector}",
        )


@todos
def failures(seen: Seen) -> Iterator[Todo]:
    highest = seen.expectations.thresholds.failure_limit
    for one in seen.objectives.failures:
        status = worst((one.attempts_status, one.calls_status))
        if status not in {"warning", "breach"}:
            continue
        title = seen.title(one.connector)
        final = one.calls_status in {"warning", "breach"}
        worse = one.calls if final else one.attempts
        yield Todo(
            status,
            "failure.final" if final else "failure.attempts",
            Text(f"{title.zh}的接口调用失败偏多", f"calls to {title.en} fail too often"),
            Text(
                f"今日 {worse.total:,} 次{'调用' if final else '尝试'}失败 {worse.bad:,} 次, 上限 {limit(highest)}",
                f"{worse.bad:,} of {worse.total:,} {'calls' if final else 'attempts'} failed today, "
                f"limit {limit(highest)}",
            ),
            Text(
                f"{one.calls.bad:,} 次重试后仍失败" if one.calls.bad else "重试后都成功, 数据没有缺失",
                f"{one.calls.bad:,} failed for good" if one.calls.bad else "all went through after retries",
            ),
            one.hint,
            worse.bad,
            seen.it(one.connector),
            None,
            f"liuke test {one.connector}",
        )


@todos
def landing(seen: Seen) -> Iterator[Todo]:
    owed = seen.debt("landing")
    if not owed.owed:
        return
    frozen, lines = execute(
        seen.tx,
        "SELECT coalesce(sum(CASE WHEN status = 'frozen' THEN 1 ELSE 0 END), 0), coalesce(sum(lines), 0) "
        "FROM landing_file WHERE status IN ('sealed', 'frozen')",
        (),
    ).one()
    yield Todo(
        "breach" if owed.overdue else "ok_todo",
        "landing.waiting",
        Text(f"{owed.owed:,} 个落地文件还没有入库", f"{many(owed.owed, 'landing file')} not loaded"),
        Text(
            f"最早的封存于 {moment(owed.oldest_at)}" + (f", {int(frozen):,} 个因规则出错而冻结" if frozen else ""),
            f"the oldest was sealed on {moment(owed.oldest_at)}" + (f", {int(frozen):,} frozen" if frozen else ""),
        ),
        Text(f"{int(lines):,} 条记录暂不可见, 不会丢失", f"{many(int(lines), 'record')} not visible yet, none lost"),
        Text("重新入库; 冻结的文件先按提示修正规则", "load them; for frozen files mend the rule that is named"),
        max(int(lines), owed.owed),
        "",
        owed.next_due_at,
        "liuke replay",
        stops=bool(frozen),
    )
