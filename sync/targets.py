"""The systems of an installation that take values back, as liuke.yaml names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from connectors.writer import Writer
from mappings.documents import near
from mappings.problems import LiukeError, Problem, Text
from sync.config import Config, Instance
from sync.hub import Hub
from sync.writeback.fields import FIELDS
from sync.writeback.target import THEIRS, Guard, Target


def targets(config: Config) -> list[Target]:
    """Every instance with `write_back`, by name. In a demo folder all of them are simulated systems."""
    return [
        made
        for instance in config.instances.values()
        if (made := _target(instance, sandbox=config.demo_clock is not None)) is not None
    ]


def target(config: Config, name: str | None) -> Target:
    """The target of that name, or the only one there is; LiukeError otherwise."""
    known = {one.name: one for one in targets(config)}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None or name not in known:
        raise LiukeError(_no_target(config, name, list(known)))
    return known[name]


@contextmanager
def writing(hub: Hub, wanted: Target) -> Iterator[Writer]:
    """The writer of that target, closed at the end."""
    instance = hub.instance(wanted.name)
    writer = instance.connector.writer(instance.settings, hub.ports(wanted.name))
    try:
        yield writer
    finally:
        writer.close()


def _target(instance: Instance, *, sandbox: bool) -> Target | None:
    wanted = instance.write_back
    if wanted is None:
        return None
    return Target(
        name=instance.name,
        fields=tuple(wanted["fields"] or FIELDS),
        records=tuple(wanted["records"] or ()),
        owners=dict.fromkeys(wanted["theirs"] or (), THEIRS),
        # str first: 0.05 is what was written, not the binary number next to it.
        guard=Guard(Fraction(str(wanted["customers_per_day"])), Fraction(str(wanted["tier_per_day"]))),
        sandbox=sandbox,
        daily_calls=wanted["daily_calls"],
    )


def _no_target(config: Config, name: str | None, known: list[str]) -> Problem:
    if not known:
        return Problem(
            "writeback.no-target",
            Text("没有配置任何回写目标", "no system is configured to take values back"),
            str(config.file),
            Text("在实例下加上 write_back: {}", "add `write_back: {}` to an instance"),
        )
    if name is None:
        listed = ", ".join(known)
        return Problem(
            "writeback.which-target",
            Text("有多个回写目标, 请指定一个", "there are several targets; name one"),
            "",
            Text(f"可用: {listed}", f"there are: {listed}"),
        )
    return Problem(
        "writeback.unknown-target",
        Text(f"没有名为 {name} 的回写目标", f"there is no target {name}"),
        str(config.file),
        near(name, known),
    )
