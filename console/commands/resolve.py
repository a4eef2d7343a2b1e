"""liuke resolve: finds out which source records are one customer."""

from __future__ import annotations

from typing import Any

import click

from console.screen import say
from console.session import Session, command
from mappings.problems import Text


@command(
    "resolve",
    example="liuke resolve\nliuke resolve --full",
    short_help="身份归一。 Find out who is who.",
)
@click.option("--full", is_flag=True, help="全部重算; 结果与增量相同。 Everybody anew; the result is the same.")
def resolve(session: Session, full: bool) -> None:
    """按手机号、UnionID 等标识, 把各系统的客户记录归为统一客户。sync 会自动增量执行。

    Joins the customer records of all systems by phone, UnionID and other identifiers. `liuke sync` does it for
    what changed.
    """
    from sync.resolve import resolve

    hub = session.reading_hub
    done = resolve(hub.store, hub.now(), full=full)
    session.show(
        {
            "full": done.full,
            "records": done.records,
            "customers": len(done.customers),
            "conflicts": done.conflicts,
        },
        _page,
    )


def _page(done: dict[str, Any]) -> None:
    say(
        Text(
            f"查看 {done['records']:,} 条客户记录, {done['customers']:,} 个客户有变化, "
            f"{done['conflicts']:,} 处待人工确认",
            f"{done['records']:,} records looked at, {done['customers']:,} customers changed, "
            f"{done['conflicts']:,} conflicts wait for a decision",
        )
    )
