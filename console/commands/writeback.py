"""liuke writeback: what would be written back, a person's approval of it, sending it, and what is still open."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from console.screen import problem_of, say, say_problems, say_table
from console.session import Session, group
from mappings.problems import Text

if TYPE_CHECKING:
    from sync.hub import Hub
    from sync.writeback.apply import Applied, Drained
    from sync.writeback.plan import Plan
    from sync.writeback.target import Target

writeback = group("writeback", "回写: 计划、批准、执行、待回写。 Write-back: plan, approve, apply, what is open.")

BY = click.option("--by", default="", metavar="NAME", help="谁来批准, 记入审计。 Who approves; kept in the audit.")


@writeback.add("plan", example="liuke writeback plan\nliuke writeback plan crm --json")
@click.argument("target", required=False)
def plan_(session: Session, target: str | None) -> None:
    """预演: 会改哪些字段、多少客户、需要多少次调用, 附脱敏样例。不写入任何数据。

    What would be written: fields, records, calls, a masked sample. Nothing is sent.
    """
    from sync.targets import target as chosen
    from sync.targets import writing
    from sync.writeback.plan import plan

    hub = session.reading_hub
    wanted = chosen(hub.config, target)
    with writing(hub, wanted) as writer:
        made = plan(hub.store, wanted, writer, hub.clock, run_id=hub.new_run_id())
    session.show(plan_value(made), lambda _value: show_plan(made))


@writeback.add("approve", example="liuke writeback approve 3f9a2c41d07e --by 王磊")
@click.argument("digest")
@BY
def approve_(session: Session, digest: str, by: str) -> None:
    """批准一个计划: 只允许其中的变更; 第一次批准会打开对该系统的回写。

    Allows exactly the changes of a plan; the first approval switches writing to that system on.
    """
    hub = session.reading_hub
    made = _approved(hub, _target_of(hub, digest), digest, by)
    session.show(plan_value(made), lambda _value: show_plan(made))


@writeback.add("apply", example="liuke writeback apply 3f9a2c41d07e\nliuke writeback apply 3f9a2c41d07e --by 王磊")
@click.argument("digest", required=False)
@BY
def apply_(session: Session, digest: str | None, by: str) -> None:
    """执行一个已批准的计划并回查; 加 --by 则先批准。不带计划号: 按变更保护发送其余到期的变更 (定时任务用)。

    Sends an approved plan and reads it back; with --by approves it first. Without a digest: sends what is due
    within the guards, as a scheduled run does.
    """
    from sync.targets import targets, writing
    from sync.writeback.apply import apply, drain

    hub = session.reading_hub
    if digest is None:
        done = []
        for wanted in targets(hub.config):
            with writing(hub, wanted) as writer:
                done.append(drain(hub.store, wanted, writer, hub.clock, owner=hub.owner, run_id=hub.new_run_id()))
        session.show([drained_value(one) for one in done], lambda _value: show_all_drained(done))
        _fail_on_problems(done)
        return
    wanted = _target_of(hub, digest)
    if by:
        _approved(hub, wanted, digest, by)
    with writing(hub, wanted) as writer:
        applied = apply(hub.store, wanted, writer, hub.clock, digest, owner=hub.owner, run_id=hub.new_run_id())
    session.show(applied_value(applied), lambda _value: show_applied(applied))
    _fail_on_problems([applied.drained])


@writeback.add("list", example="liuke writeback list\nliuke writeback list crm --status rejected --limit 20")
@click.argument("target", required=False)
@click.option("--status", "statuses", multiple=True, help="只列这些状态, 可多次。 Only these; may be repeated.")
@click.option("--limit", default=50, show_default=True, help="最多列出几条。 At most so many.")
def list_(session: Session, target: str | None, statuses: tuple[str, ...], limit: int) -> None:
    """列出尚未确认的回写、被拒绝的和被对方改动的。

    Lists what is not confirmed, what was rejected, and what somebody changed there.
    """
    from state import outbox
    from sync.writeback.fields import shown
    from sync.writeback.owed import listing

    hub = session.reading_hub
    name = _known_target(hub, target).name if target else ""
    with hub.store.reading() as tx:
        found = listing(
            tx,
            hub.now(),
            target=name,
            statuses=statuses or (*outbox.OWED, outbox.DRIFTED),
            limit=limit,
        )
    value = {
        "by_status": found.by_status,
        "cut": found.cut,
        "rows": [
            {
                "target": row.target,
                "source_id": row.source_id,
                "field": row.field,
                "value": row.value,
                "held": row.confirmed_value,
                "status": row.status,
                "attempts": row.attempts,
                "code": row.code,
                "plan": row.plan,
            }
            for row in found.rows
        ],
    }

    def page(_value: Any) -> None:
        say("  ".join(f"{status} {count:,}" for status, count in sorted(found.by_status.items())) or "0")
        if found.rows:
            say()
            say_table(
                ["target", Text("客户", "record"), Text("字段", "field"), Text("要写入", "wanted"),
                 Text("对方现值", "held there"), Text("状态", "status"), Text("代码", "code")],
                [
                    [row.target, row.source_id, row.field, shown(row.field, row.value),
                     shown(row.field, row.confirmed_value), row.status, row.code]
                    for row in found.rows
                ],
            )  # fmt: skip
        if found.cut:
            say(Text("还有更多, 请加大 --limit", "there are more: raise --limit"))

    session.show(value, page)


@writeback.add(
    "retry",
    example="liuke writeback retry crm --by 王磊\nliuke writeback retry crm --record C1001 --by 王磊",
)
@click.argument("target", required=False)
@click.option("--status", "statuses", multiple=True, default=["rejected"], help="重试哪些状态。 Which ones to retry.")
@click.option("--record", default="", help="只重试这个客户。 Only this record.")
@click.option("--field", default="", help="只重试这个字段。 Only this field.")
@BY
def retry_(session: Session, target: str | None, statuses: tuple[str, ...], record: str, field: str, by: str) -> None:
    """让被拒绝的回写重新排队; 批准与变更保护照常适用。

    Gives rejected values another try; approval and guards hold as for any other write.
    """
    from sync.writeback.owed import retry

    hub = session.reading_hub
    wanted = _known_target(hub, target)
    moved = retry(hub.store, wanted.name, by, hub.now(), statuses=statuses, source_id=record, field=field)
    session.show(
        {"target": wanted.name, "retried": moved},
        lambda _value: say(Text(f"{moved:,} 项重新排队", f"{moved:,} values will be tried again")),
    )


@writeback.add("stop", example="liuke writeback stop crm --by 王磊")
@click.argument("target", required=False)
@BY
def stop_(session: Session, target: str | None, by: str) -> None:
    """立即停止对该系统的回写; 批准下一个计划时恢复。

    Switches writing to a system off; the next approved plan switches it on again.
    """
    from sync.writeback.plan import stop

    hub = session.reading_hub
    wanted = _known_target(hub, target)
    stop(hub.store, wanted.name, by, hub.now())
    session.show(
        {"target": wanted.name, "on": False},
        lambda _value: say(Text(f"已停止回写 {wanted.name}", f"writing to {wanted.name} is off")),
    )


# ---- What they share ------------------------------------------------------------------------------


def _known_target(hub: Hub, name: str | None) -> Target:
    from sync.targets import target

    return target(hub.config, name)


def _target_of(hub: Hub, digest: str) -> Target:
    """The target that the plan of this digest is for."""
    from sync.writeback.plan import plan_of

    with hub.store.reading() as tx:
        name = plan_of(tx, digest).target
    return _known_target(hub, name)


def _approved(hub: Hub, wanted: Target, digest: str, by: str) -> Plan:
    from sync.writeback.plan import approve

    return approve(hub.store, wanted, digest, by, hub.now())


def _fail_on_problems(done: list[Drained]) -> None:
    problems = [problem for one in done for problem in one.problems]
    say_problems(problems)
    if problems:
        click.get_current_context().exit(1)


def plan_value(made: Plan) -> dict[str, Any]:
    """A plan as it stands in JSON."""
    return asdict(made) | {
        "fields": [asdict(one) for one in made.fields],
        "tiers": [asdict(one) for one in made.tiers],
        "sample": [asdict(one) for one in made.sample],
    }


def drained_value(one: Drained) -> dict[str, Any]:
    """What one run did to a target, as it stands in JSON."""
    held = one.held
    return asdict(one) | {
        "held": None if held is None else {"zh": held.zh, "en": held.en},
        "problems": [problem_of(problem) for problem in one.problems],
    }


def applied_value(applied: Applied) -> dict[str, Any]:
    """What came of a plan, as it stands in JSON."""
    return {
        "digest": applied.digest,
        "changes": applied.changes,
        "superseded": applied.superseded,
        "left": applied.left,
        "drained": drained_value(applied.drained),
    }


def show_plan(made: Plan) -> None:
    """A plan for people."""
    if not made.changes:
        say(Text("没有需要回写的变更", "nothing is to be written"), before=f"{made.target}: ")
        return
    say(
        Text(
            f"{made.records:,} 位客户, {made.changes:,} 项变更, 至多 {made.calls:,} 次调用, 约 {made.seconds:,} 秒",
            f"{made.records:,} records, {made.changes:,} changes, {made.calls:,} calls at most, "
            f"about {made.seconds:,} s",
        ),
        before=f"{made.target}: ",
    )
    say_table(
        [Text("字段", "field"), Text("新填", "set"), Text("修改", "changed"), Text("清空", "cleared")],
        [[one.field, one.set, one.changed, one.cleared] for one in made.fields],
    )
    if made.tiers:
        moves = ", ".join(f"{one.old or '—'} → {one.new or '—'}: {one.records:,}" for one in made.tiers)
        say(Text("分层变化", "tiers"), before=f"{moves}  ")
    for one in made.sample:
        say(f"  {one.source_id} {one.name}  {one.field}: {one.old} → {one.new}")
    if made.unread:
        say(Text("读不到对方现值, 以上按上次所知", "the target could not be read; old values are as last known"))
    if made.approved_by:
        say(Text(f"已由 {made.approved_by} 批准", f"approved by {made.approved_by}"))
        say(f"  liuke writeback apply {made.digest[:12]}")
    else:
        say(Text("批准并执行:", "approve and apply:"))
        say(f"  liuke writeback apply {made.digest[:12]} --by NAME")


def show_all_drained(done: list[Drained]) -> None:
    """What one run did to every target, for people."""
    if not done:
        say(Text("没有配置任何回写目标", "no system is configured to take values back"))
    for one in done:
        show_drained(one)


def show_drained(one: Drained) -> None:
    """What one run did to a target, for people."""
    if one.off:
        say(
            Text(
                f"回写未打开: 先批准一个计划: liuke writeback plan {one.target}",
                f"writing is off: approve a plan first: liuke writeback plan {one.target}",
            ),
            before=f"{one.target}: ",
        )
    if one.held is not None:
        say(Text(one.held.zh, one.held.en))
    say(
        Text(
            f"发送 {one.sent:,}, 回查确认 {one.confirmed:,}, 拒绝 {one.rejected:,}, 稍后 {one.later:,}, "
            f"未知 {one.unknown:,}, 被改动 {one.drifted:,}",
            f"{one.sent:,} sent, {one.confirmed:,} confirmed, {one.rejected:,} rejected, {one.later:,} later, "
            f"{one.unknown:,} unknown, {one.drifted:,} drifted",
        ),
        before=f"{one.target}: ",
    )


def show_applied(applied: Applied) -> None:
    """What came of a plan, for people."""
    show_drained(applied.drained)
    if applied.superseded:
        say(
            Text(
                f"{applied.superseded:,} 项已被更新的值取代, 未发送",
                f"{applied.superseded:,} changes were overtaken by newer values and not sent",
            )
        )
    if applied.left:
        say(
            Text(
                f"还有 {applied.left:,} 项未完成, 下次运行继续", f"{applied.left:,} are not done; the next run goes on"
            )
        )
