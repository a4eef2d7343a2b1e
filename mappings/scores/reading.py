"""Reads score definitions from YAML files and says every mistake with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from mappings.documents import Document, load, parse
from mappings.problems import LiukeError, Problem, Text
from mappings.scores.definitions import (
    SIGNALS,
    Churn,
    ChurnRule,
    Definition,
    Definitions,
    Grade,
    Health,
    Indicator,
    Indicators,
    Lifecycle,
    Measure,
    Part,
    Rfm,
    Signal,
    Stage,
    Tier,
    Tiers,
)
from mappings.scores.page import Place

Head = dict[str, Any]
"""What every definition has: kind, version, title, digest."""

SHIPPED = Path(__file__).parent / "definitions"
"""The definitions that come with Liuke; a file of the same kind in the user's folder replaces one."""


def load_definitions(folder: Path | None = None) -> Definitions:
    """The shipped definitions, each replaced by the file of the same kind in `folder` if there is one.

    Collects the mistakes of all files before it raises one LiukeError.
    """
    found: dict[str, Definition] = {}
    problems: list[Problem] = []
    for source in (SHIPPED, folder):
        read: dict[str, str] = {}
        for path in sorted(source.glob("*.yaml")) if source is not None and source.is_dir() else ():
            try:
                definition = _definition(load(path))
            except LiukeError as error:
                problems += error.problems
                continue
            if definition.kind in read:
                problems.append(_twice(definition.kind, read[definition.kind], path.name))
            read[definition.kind] = path.name
            found[definition.kind] = definition
    if problems:
        raise LiukeError(*problems)
    return Definitions(**found)  # type: ignore[arg-type]  # every kind ships, and READERS fixes its class


def read_definition(text: str, where: str) -> Definition:
    """The definition that one YAML text holds; `where` names the file in messages."""
    return _definition(parse(text, where))


def _definition(document: Document) -> Definition:
    top = Place(document, [], (), document.data)
    kind = top.choice("kind", tuple(READERS))
    if kind not in READERS:
        raise LiukeError(*top.problems)
    meaning = json.dumps(document.data, ensure_ascii=False, sort_keys=True)
    head = {
        "kind": kind,
        "version": top.whole("version", 1),
        "title": top.text_pair("title"),
        "digest": hashlib.sha256(meaning.encode()).hexdigest(),
    }
    definition = READERS[kind](top, head)
    top.no_other_keys()
    if top.problems:
        raise LiukeError(*top.problems)
    return definition


def _rfm(top: Place, head: Head) -> Rfm:
    quantiles = top.choice("method", ("thresholds", "quantiles")) == "quantiles"
    points = top.whole("points", 2, 100)
    steps = None if quantiles else points - 1
    recency = _signal(top.map("recency"), "at_most", steps)
    frequency = _signal(top.map("frequency"), "at_least", steps)
    monetary = _signal(top.map("monetary"), "at_least", steps, money=True)
    if recency.weight + frequency.weight + monetary.weight == 0:
        top.problem(
            "score.weights-zero",
            Text("R、F、M 的权重都是 0", "the weights of R, F and M are all 0"),
            Text("至少一个权重大于 0", "make one weight greater than 0"),
        )
    return Rfm(
        **head,
        window_days=top.whole("window_days", 1),
        least_net_amount=top.money("least_net_amount"),
        quantiles=quantiles,
        points=points,
        recency=recency,
        frequency=frequency,
        monetary=monetary,
    )


def _signal(place: Place, key: str, steps: int | None, *, money: bool = False) -> Signal:
    """One signal; `steps` is how many it needs, None if quantiles make them superfluous."""
    weight = place.whole("weight", 0)
    values: tuple[int, ...] = ()
    if steps is not None:
        values = place.ascending(key, steps, money=money)
    elif place.has(key):
        place.problem(
            "score.steps-superfluous",
            Text(f"method 为 quantiles 时不能写 {key}", f"{key} has no meaning with method: quantiles"),
            Text(f"删除 {key}，或把 method 改为 thresholds", f"remove {key}, or set method: thresholds"),
            key,
        )
    place.no_other_keys(key)
    return Signal(weight, values)


def _tiers(top: Place, head: Head) -> Tiers:
    tiers = tuple(
        Tier(
            place.word("tier"),
            place.text_pair("label"),
            at_least=place.number("at_least", required=False),
            above=place.number("above", required=False),
        )
        for place in top.each("tiers")
    )
    borders = [tier.at_least if tier.at_least is not None else tier.above for tier in tiers]
    _check_ladder(top, "tiers", borders)
    _check_unlike(top, "tiers", [tier.tier for tier in tiers])
    return Tiers(**head, tiers=tiers)


def _lifecycle(top: Place, head: Head) -> Lifecycle:
    stages = tuple(
        Stage(place.word("stage"), place.text_pair("label"), place.whole_or_none("up_to_days", 0))
        for place in top.each("stages")
    )
    ends = [stage.up_to_days for stage in stages]
    _check_ladder(top, "stages", [None if end is None else -end for end in ends])
    _check_unlike(top, "stages", [stage.stage for stage in stages])
    return Lifecycle(
        **head,
        stages=stages,
        risk_days=top.whole("risk_days", 1),
        silent_days=top.whole("silent_days", 1),
        zombie_days=top.whole("zombie_days", 1),
    )


def _churn(top: Place, head: Head) -> Churn:
    rules = tuple(
        ChurnRule(
            id=place.word("id"),
            industry=place.word("industry"),
            signal=place.choice("signal", SIGNALS),
            days=place.whole("days", 1),
            title=place.text_pair("title"),
            source=place.word("source", required=False),
            tiers=place.words("tiers"),
            annual_amount_above=place.money_or_none("annual_amount_above"),
        )
        for place in top.each("rules")
    )
    _check_unlike(top, "rules", [rule.id for rule in rules])
    return Churn(**head, rules=rules)


def _health(top: Place, head: Head) -> Health:
    parts = tuple(
        Part(
            place.word("id"),
            place.whole("weight", 1),
            place.text_pair("label"),
            tuple(
                Measure(inner.word("id"), inner.above_zero("target"), inner.text_pair("label"))
                for inner in place.each("measures")
            ),
        )
        for place in top.each("parts")
    )
    grades = tuple(
        Grade(place.word("grade"), place.text_pair("label"), place.number("at_least", required=False))
        for place in top.each("grades")
    )
    if sum(part.weight for part in parts) != 100 and parts:
        top.problem(
            "score.weights-not-100",
            Text(
                f"各部分权重之和为 {sum(part.weight for part in parts)}，应为 100",
                f"the weights of the parts add up to {sum(part.weight for part in parts)}, not 100",
            ),
            Text("调整 weight", "change the weights"),
            "parts",
        )
    _check_ladder(top, "grades", [grade.at_least for grade in grades])
    _check_unlike(top, "parts", [part.id for part in parts])
    return Health(**head, parts=parts, grades=grades)


def _indicators(top: Place, head: Head) -> Indicators:
    indicators = []
    for place in top.each("indicators"):
        indicator = Indicator(
            place.word("id"),
            place.text_pair("label"),
            place.word("owner", required=False),
            *(place.number(key, required=False) for key in ("at_most", "at_least", "red_above", "red_below")),
        )
        if (indicator.at_most is None) == (indicator.at_least is None):
            place.problem(
                "score.one-target",
                Text("指标需要 at_most 和 at_least 中的一个", "an indicator needs one of at_most and at_least"),
                Text("写其中一个", "write one of them"),
            )
        indicators.append(indicator)
    _check_unlike(top, "indicators", [indicator.id for indicator in indicators])
    return Indicators(**head, indicators=tuple(indicators))


READERS: dict[str, Callable[[Place, Head], Definition]] = {
    "rfm": _rfm,
    "tiers": _tiers,
    "lifecycle": _lifecycle,
    "churn": _churn,
    "health": _health,
    "indicators": _indicators,
}


def _check_ladder(top: Place, key: str, borders: Iterable[Any]) -> None:
    """Borders fall from the first to the last but one; the last has none and takes the rest."""
    *steps, last = list(borders) or [None]
    falling = all(step is not None for step in steps) and all(a > b for a, b in pairwise(steps))
    if last is not None or not falling:
        top.problem(
            "score.borders",
            Text(
                f"{key} 的界限要依次收紧，只有最后一档没有界限",
                f"the borders of {key} must follow in order, and only the last has none",
            ),
            Text("按顺序写各档，最后一档不写界限", "write them in order, the last without a border"),
            key,
        )


def _check_unlike(top: Place, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            top.problem(
                "score.name-twice",
                Text(f"{key} 里 {name} 出现两次", f"{name} stands twice in {key}"),
                Text("改名或删除一处", "rename or remove one"),
                key,
            )
        seen.add(name)


def _twice(kind: str, first: str, second: str) -> Problem:
    return Problem(
        "score.definition-twice",
        Text(
            f"{first} 和 {second} 都定义了 {kind}",
            f"both {first} and {second} define {kind}",
        ),
        second,
        Text("保留一个文件", "keep one of the files"),
    )
