"""liuke sync: pulls what changed, loads it, links products, finds out who is who."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from console.session import Session, command
from mappings.problems import Text

if TYPE_CHECKING:
    from connectors.registry import Window


@command(
    "sync",
    example="liuke sync\nliuke sync erp shop\nliuke sync erp --backfill 2026-01-01..2026-02-01",
    short_help="同步: 拉取并入库。 Pull and load.",
)
@click.argument("names", nargs=-1)
@click.option(
    "--backfill",
    metavar="SINCE..UNTIL",
    help="补数: 重新拉取这段时间, 不计入时效目标。 Pull this part of the past again; not judged as late.",
)
@click.option(
    "--stream", "streams", multiple=True, help="只同步这个同步对象, 可多次。 Only this stream; may be repeated."
)
def sync(session: Session, names: tuple[str, ...], backfill: str | None, streams: tuple[str, ...]) -> None:
    """拉取各连接器的变更, 写入落地文件并入库, 然后更新商品对照与统一客户。

    Pulls what changed, lands and loads it, then brings product links and customers up to date. Stopping it is
    safe at any time: what has landed is kept.
    """
    from console.progress import working
    from console.synced import show_synced, synced_value, went_well
    from sync.run import Runner

    window = window_of(backfill, session.reading_hub.config.timezone) if backfill else None
    runner = Runner(session.hub)
    with session.stoppable(runner.stop), working(Text("同步中", "syncing")):
        done = runner.sync(names, streams=streams or None, window=window)
    session.show(synced_value(done), lambda _value: show_synced(done))
    if not went_well(done):
        click.get_current_context().exit(1)


def window_of(text: str, timezone: str) -> Window:
    """`2026-01-01..2026-02-01`: from the first instant on, up to but not with the second; either may be left out."""
    from connectors.registry import Window

    since, dots, until = text.partition("..")
    if not dots or not (since or until):
        raise click.BadParameter("写成 2026-01-01..2026-02-01  write it as 2026-01-01..2026-02-01")
    window = Window(_instant(since, timezone), _instant(until, timezone))
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise click.BadParameter("起始时间必须早于结束时间  the first time must be before the second")
    return window


def _instant(text: str, timezone: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"看不懂的时间 {text}  {text} is no date or time") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(timezone))
