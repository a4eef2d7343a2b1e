"""liuke status: one word for everything, and what is owed."""

from __future__ import annotations

import sys
from typing import Any

from console.screen import say, say_table
from console.session import Session, command
from console.symbols import symbols_for
from console.words import debt_word, status_word
from mappings.problems import Text


@command("status", example="liuke status\nliuke status --json", short_help="现在怎么样。 How things stand.")
def status(session: Session) -> None:
    """用一个词概括全部, 并列出欠着什么。退出码总是 0; 供调度判断请用 check。

    One word for everything, and what is owed. The exit code is 0 whatever it finds; schedulers ask `liuke check`.
    """
    from quality.status import status
    from sync.expectations import expectations
    from sync.waiting import unregistered

    hub = session.reading_hub
    with hub.store.reading() as tx:
        waiting = unregistered(tx, hub.landing, hub.config.instances)
        found = status(tx, hub.now(), expectations(hub.config, maps=False), waiting)
    session.show(found, show_status)


def show_status(found: dict[str, Any]) -> None:
    """The word, then what is owed, what is overdue and what was waived."""
    symbols = symbols_for(sys.stdout)
    word = status_word(found["status"], found["todo"])
    say(word, before=f"{symbols.status(found['status'])} {found['company']}  ")
    say()
    say_table(
        ["", Text("待办", "owed"), Text("数量", "open"), Text("逾期", "overdue"), Text("豁免", "waived")],
        [
            ["", debt_word(name), count, found["owed_overdue"].get(name, 0), found["waived"].get(name, 0)]
            for name, count in found["owed"].items()
        ],
    )
    missed = [name for name, status in found["objectives"].items() if status in {"warning", "breach"}]
    checks = [*found["checks"]["breach"], *found["checks"]["warning"]]
    if missed or checks:
        say()
        for name in missed:
            say(Text("目标", "objective"), before=f"{symbols.status(found['objectives'][name])} {name}  ")
        for level in ("breach", "warning"):
            for code in found["checks"][level]:
                say(Text("检查项", "check"), before=f"{symbols.status(level)} {code}  ")
