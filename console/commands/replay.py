"""liuke replay: loads landing files again, without asking any system."""

from __future__ import annotations

import click

from console.session import Session, command
from mappings.problems import Text


@command(
    "replay",
    example="liuke replay\nliuke replay erp --everything",
    short_help="重新入库落地文件。 Load landing files again.",
)
@click.argument("names", nargs=-1)
@click.option(
    "--everything", is_flag=True, help="全部落地文件, 不只待处理的。 All landing files, not only those with open items."
)
def replay(session: Session, names: tuple[str, ...], everything: bool) -> None:
    """修改映射或质量规则后, 从落地文件重新入库: 默认只处理未入库的和有待处理数据的文件。不访问来源系统。

    Loads again from landing files after a map or a contract was mended: files that wait, and those with
    quarantined records. No system is asked; the same files always give the same tables.
    """
    from console.progress import working
    from console.synced import show_synced, synced_value, went_well
    from sync.run import Runner

    runner = Runner(session.hub)
    with session.stoppable(runner.stop), working(Text("重新入库中", "loading again")):
        done = runner.replay(names, everything=everything)
    session.show(synced_value(done), lambda _value: show_synced(done))
    if not went_well(done):
        click.get_current_context().exit(1)
