"""Makes the demo: a made-up company in a folder of its own, through the whole flow, on the folder's own time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.sandbox import company
from connectors.sandbox.demo import project_files
from console.commands.init import start
from console.commands.report import write_page
from mappings.problems import LiukeError, Problem, Text
from state.durable import write_durably
from sync.hub import Hub

BY = "liuke demo"
"""Who approves in a demo folder; the audit shows that it was no person."""

PAGE = "reports/health.html"
FINISHED = "demo.json"

_RESUME_S = 125.0
"""An interrupted demo may hold leases for two minutes, and its clock stands still."""

Tell = Callable[[Text], None]


@dataclass(frozen=True)
class Made:
    """The finished demo; `new` is False where it was there already and nothing was changed."""

    folder: Path
    new: bool
    report: dict[str, Any]
    sample_order: str

    @property
    def page(self) -> Path:
        """The health report as a page."""
        return self.folder / PAGE


def make(folder: Path, tell: Tell, *, seed: int = company.DEFAULT_SEED) -> Made:
    """The demo in that folder, made now or found finished. One that was interrupted goes on where it stopped."""
    if (folder / FINISHED).exists():
        return _finished(folder, new=False)
    _prepare(folder, seed, tell)
    written = _written(folder)
    for batch in range(written, company.INCREMENTS + 1):
        if batch > written:
            company.write_increment(folder, batch)
        _sync(folder, batch, tell)
        if not _writes(folder):
            _score_and_write_back(folder, tell)
    _judge(folder, tell)
    return _finished(folder, new=True)


def _prepare(folder: Path, seed: int, tell: Tell) -> None:
    if company.read_clock(folder) is None:
        if folder.exists() and any(folder.iterdir()):
            raise LiukeError(_not_empty(folder))
        tell(
            Text(
                "建立一家模拟公司: ERP 与 CRM 数据库, 商城与工单导出文件",
                "making a company: ERP and CRM databases, shop and ticket files",
            )
        )
        start(folder)
        (folder / "crosswalk.csv").unlink()
        (folder / "liuke.yaml").unlink()
        for name, content in project_files().items():
            (folder / name).write_text(content, encoding="utf-8")
        company.write_initial(folder, seed)
        return
    tell(Text("演示上次没有完成, 接着做", "the demo was interrupted; going on"))
    with Hub.open(folder) as hub:
        hub.clock.sleep(_RESUME_S)


def _written(folder: Path) -> int:
    """The batch the systems stand at. It is pulled first; where it was pulled before, again, which changes nothing."""
    clock = company.read_clock(folder)
    assert clock is not None  # noqa: S101 written by _prepare
    return int(str(clock["increments"]))


def _sync(folder: Path, batch: int, tell: Tell) -> None:
    from sync.run import Runner

    with Hub.open(folder) as hub:
        done = Runner(hub).sync()
    if done.problems:
        raise LiukeError(*(Problem(p.code, Text(*p.what), p.where, Text(*p.do)) for p in done.problems))
    read = sum(one.extracted.read for one in done.connectors if one.extracted)
    bad = sum(one.loaded.quarantined for one in done.connectors)
    what = Text("首次加载", "first load") if batch == 0 else Text(f"第 {batch} 次增量", f"increment {batch}")
    tell(
        Text(
            f"{what.zh}: 读取 {read:,} 条, 待处理 {bad:,} 条",
            f"{what.en}: {read:,} records read, {bad:,} quarantined",
        )
    )


def _writes(folder: Path) -> bool:
    """Whether the first plan was approved: from then on every run writes back what it changed."""
    from state import outbox

    with Hub.open(folder) as hub, hub.store.reading() as tx:
        return outbox.any_on(tx)


def _score_and_write_back(folder: Path, tell: Tell) -> None:
    from sync import definitions
    from sync.scoring import score_everybody
    from sync.targets import targets, writing
    from sync.writeback.apply import apply
    from sync.writeback.plan import approve, plan

    with Hub.open(folder) as hub:
        score_everybody(hub)
        with hub.store.reading() as tx:
            steps = definitions.registered(tx)
        for one in steps:
            if one.status == definitions.DRAFT:
                definitions.review(hub.store, one.name, BY, hub.now())
            if one.status in {definitions.DRAFT, definitions.REVIEWED}:
                definitions.publish(hub.store, one.name, BY, hub.now())
        done = score_everybody(hub)
        if done.scored.blocked:
            listed = ", ".join(done.scored.blocked)
            tell(Text(f"强规则未通过, 未评分: {listed}", f"blocking checks fail, nothing scored: {listed}"))
            return
        tell(Text(f"评分: {done.scored.customers:,} 个客户", f"scores: {done.scored.customers:,} customers"))
        for target in targets(hub.config):
            with writing(hub, target) as writer:
                made = plan(hub.store, target, writer, hub.clock, run_id=hub.new_run_id())
                if not made.changes:
                    continue
                approve(hub.store, target, made.digest, BY, hub.now(), demo=True)
                applied = apply(
                    hub.store, target, writer, hub.clock, made.digest, owner=hub.owner, run_id=hub.new_run_id()
                )
            confirmed = applied.drained.confirmed
            tell(
                Text(
                    f"回写 {target.name}: 计划 {made.changes:,} 项, 回查确认 {confirmed:,} 项",
                    f"write-back to {target.name}: {made.changes:,} planned, {confirmed:,} read back",
                )
            )


def _judge(folder: Path, tell: Tell) -> None:
    from quality.checking import run_checks, store_results
    from quality.report import report
    from sync.expectations import expectations
    from sync.scoring import contracts_of

    with Hub.open(folder) as hub:
        expected, contracts, now = expectations(hub.config), contracts_of(hub), hub.now()
        with hub.store.transaction() as tx:  # the page and the day's results are of the same data
            results = run_checks(tx, now, contracts, expected)
            store_results(tx, results, now)
            made = report(tx, now, expected, contracts, run_id=hub.new_run_id(), results=results)
            order = tx.exec_driver_sql(
                "SELECT source_id FROM \"order\" WHERE deleted = 0 AND connector = 'erp' AND status = 'done' "
                "ORDER BY ordered_at DESC, source_id LIMIT 1"
            ).scalar()
    write_page(made, folder / PAGE)
    kept = {"report": made, "sample_order": order or ""}
    write_durably(folder / FINISHED, json.dumps(kept, ensure_ascii=False).encode())
    tell(Text("检查与报告完成", "checked and reported"))


def _finished(folder: Path, *, new: bool) -> Made:
    kept = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
    return Made(folder, new, kept["report"], kept["sample_order"])


def _not_empty(folder: Path) -> Problem:
    return Problem(
        "demo.folder-not-empty",
        Text("这个文件夹里已有别的东西, 演示不会动它", "the folder holds something else, which the demo leaves alone"),
        str(folder),
        Text("换一个文件夹: liuke demo --folder 新文件夹", "name another one: liuke demo --folder NEW"),
    )
