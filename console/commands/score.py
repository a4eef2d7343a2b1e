"""liuke score: scores all customers, and publishes score definitions."""

from __future__ import annotations

from typing import Any

import click

from console.screen import problem_of, say, say_problems, say_table
from console.session import Session, command
from mappings.problems import LiukeError, Problem, Text


@command(
    "score",
    example="liuke score\nliuke score --definitions\n"
    "liuke score --review rfm@1 --by 李娜\nliuke score --publish rfm@1 --by 王磊",
    short_help="客户评分。 Score customers.",
)
@click.option(
    "--definitions", is_flag=True, help="列出评分定义及其状态。 List score definitions and how far they have come."
)
@click.option("--review", metavar="NAME", help="审阅一个定义, 需 --by。 Mark a definition as reviewed; needs --by.")
@click.option(
    "--publish", metavar="NAME", help="发布一个已审阅的定义, 需 --by。 Publish a reviewed definition; needs --by."
)
@click.option("--by", default="", help="审阅或批准的人。 Who reviews or approves.")
def score(session: Session, definitions: bool, review: str | None, publish: str | None, by: str) -> None:
    """按评分定义计算 RFM、分层、生命周期与流失, 并更新待回写的值。强规则未通过时不评分。

    Scores customers by the definitions in force and says what is to be written back. While a blocking check
    fails, nothing is scored. Scores of a draft are made to be looked at and are never written back.
    """
    from sync import definitions as steps

    hub = session.reading_hub
    if review is not None:
        steps.review(hub.store, review, by, hub.now())
    if publish is not None:
        steps.publish(hub.store, publish, by, hub.now())
    if definitions or review is not None or publish is not None:
        with hub.store.reading() as tx:
            found = [
                {
                    "name": one.name,
                    "status": one.status,
                    "reviewed_by": one.reviewed_by,
                    "published_by": one.published_by,
                }
                for one in steps.registered(tx)
            ]
        session.show(found, _show_definitions)
        return
    _score(session)


def _score(session: Session) -> None:
    from console.progress import working
    from sync.scoring import score_everybody

    with working(Text("评分中", "scoring")):
        done = score_everybody(session.hub)
    if done.scored.blocked:
        raise LiukeError(_blocked(done.scored.blocked))
    session.show(
        {
            "run_id": done.run_id,
            "customers": done.scored.customers,
            "changed": done.scored.changed,
            "removed": done.scored.removed,
            "published": sorted(done.scored.published),
            "writes": {name: {"owed": one.owed, "settled": one.settled} for name, one in done.wanted.items()},
            "problems": [problem_of(problem) for problem in done.scored.problems],
        },
        _show_scored,
    )
    say_problems(done.scored.problems)


def _show_scored(done: dict[str, Any]) -> None:
    say(
        Text(
            f"{done['customers']:,} 个客户已评分, {done['changed']:,} 项评分有变化",
            f"{done['customers']:,} customers scored, {done['changed']:,} scores changed",
        )
    )
    if not done["published"]:
        say(
            Text(
                "评分定义还是草稿: 评分可以看, 不会回写。发布: liuke score --definitions",
                "the definitions are drafts: scores can be looked at and are not written back",
            )
        )
    for name, wanted in done["writes"].items():
        say(
            Text(
                f"待回写 {wanted['owed']:,} 项; 查看: liuke writeback plan {name}",
                f"{wanted['owed']:,} values to write back",
            ),
            before=f"{name}: ",
        )


def _show_definitions(found: list[dict[str, Any]]) -> None:
    from console.words import PUBLICATION

    say_table(
        [Text("定义", "definition"), Text("状态", "status"), Text("审阅", "reviewed"), Text("发布", "published")],
        [
            [one["name"], PUBLICATION.get(one["status"], one["status"]), one["reviewed_by"], one["published_by"]]
            for one in found
        ],
    )


def _blocked(codes: tuple[str, ...]) -> Problem:
    listed = ", ".join(codes)
    return Problem(
        "score.blocked",
        Text(f"强规则未通过, 未评分, 沿用上次的评分: {listed}", f"blocking checks fail, nothing was scored: {listed}"),
        "",
        Text("先处理这些问题: liuke check", "mend them first: liuke check"),
    )
