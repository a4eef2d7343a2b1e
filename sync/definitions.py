"""Takes score definitions from draft to reviewed to published, each step with a name and an audit entry.

The definition that counts is the newest published one, as it was when it was published; what stands in the
files is a draft until somebody approves it. Until the first publication scores are made from the draft, to be
looked at, and are not written back.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import msgspec
from sqlalchemy import Connection

from mappings.problems import LiukeError, Problem, Text
from mappings.scores.definitions import (
    Churn,
    Definition,
    Definitions,
    Health,
    Indicators,
    Lifecycle,
    Rfm,
    Tiers,
)
from state import audit
from state.bulk import execute
from state.store import Store

DRAFT, REVIEWED, PUBLISHED, RETIRED = "draft", "reviewed", "published", "retired"

CLASSES: dict[str, type[Definition]] = {
    "rfm": Rfm,
    "tiers": Tiers,
    "lifecycle": Lifecycle,
    "churn": Churn,
    "health": Health,
    "indicators": Indicators,
}


@dataclass(frozen=True)
class Registered:
    """One version of a definition and how far it has come; `name` as scores cite it, such as "rfm@2"."""

    name: str
    kind: str
    version: int
    status: str
    reviewed_by: str | None
    published_by: str | None
    published_at: int | None


@dataclass(frozen=True)
class InForce:
    """The definitions that scores are made from; `published` names the kinds whose version is published.

    `problems`: files that changed without a new version; what was approved goes on counting.
    """

    definitions: Definitions
    published: frozenset[str]
    problems: tuple[Problem, ...]


def in_force(tx: Connection, definitions: Definitions, now: int) -> InForce:
    """Registers what is new in the files as drafts and says which definitions count."""
    problems = [problem for one in definitions.all() if (problem := _register(tx, one, now)) is not None]
    return InForce(current(tx, definitions), published_kinds(tx), tuple(problems))


def current(tx: Connection, definitions: Definitions) -> Definitions:
    """The published definitions, and those of the files where nothing is published."""
    chosen: dict[str, Definition] = {one.kind: one for one in definitions.all()}
    published = execute(tx, "SELECT name, definition FROM score_definition WHERE status = ?", (PUBLISHED,))
    for kind, text in published:
        chosen[kind] = msgspec.json.decode(text, type=CLASSES[kind])
    return Definitions(**{field.name: chosen[field.name] for field in fields(Definitions)})  # type: ignore[arg-type]


def published_kinds(tx: Connection) -> frozenset[str]:
    """Kinds of definition that have a published version."""
    rows = execute(tx, "SELECT name FROM score_definition WHERE status = ?", (PUBLISHED,))
    return frozenset(row[0] for row in rows)


def registered(tx: Connection) -> list[Registered]:
    """Every version there has been, by kind and version."""
    rows = execute(
        tx,
        "SELECT name, version, status, reviewed_by, published_by, published_at FROM score_definition",
    ).all()
    found = [
        Registered(f"{kind}@{version}", kind, int(version), status, reviewed_by, by, at)
        for kind, version, status, reviewed_by, by, at in rows
    ]
    return sorted(found, key=lambda one: (one.kind, one.version))


def review(store: Store, name: str, by: str, now: int) -> None:
    """A person has read the draft and finds it right."""
    _step(store, name, by, now, DRAFT, REVIEWED)


def publish(store: Store, name: str, by: str, now: int) -> None:
    """A person approves: scores are made by this version from the next run on, and may be written back."""
    _step(store, name, by, now, REVIEWED, PUBLISHED)


def _register(tx: Connection, definition: Definition, now: int) -> Problem | None:
    key = (definition.kind, str(definition.version))
    row = execute(tx, "SELECT status, digest FROM score_definition WHERE name = ? AND version = ?", key).first()
    text = msgspec.json.encode(definition).decode()
    if row is None:
        execute(
            tx,
            "INSERT INTO score_definition (name, version, status, definition, digest, registered_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (*key, DRAFT, text, definition.digest, now),
        )
    elif row[1] != definition.digest and row[0] in {DRAFT, REVIEWED}:
        # What was reviewed was another text: it is a draft again.
        execute(
            tx,
            "UPDATE score_definition SET status = ?, definition = ?, digest = ?, registered_at = ?, "
            "reviewed_by = NULL, reviewed_at = NULL WHERE name = ? AND version = ?",
            (DRAFT, text, definition.digest, now, *key),
        )
    elif row[1] != definition.digest:
        return _edited(definition, row[0])
    return None


def _step(store: Store, name: str, by: str, now: int, before: str, after: str) -> None:
    if not by.strip():
        raise LiukeError(nameless("score.nameless-approval", name))
    kind, _, version = name.partition("@")
    with store.transaction() as tx:  # the step, the retirement of the older version and the audit are one act
        row = execute(tx, "SELECT status FROM score_definition WHERE name = ? AND version = ?", (kind, version)).first()
        if row is None or row[0] != before:
            raise LiukeError(_wrong_step(tx, name, row[0] if row else None, before))
        if after == PUBLISHED:
            execute(
                tx,
                "UPDATE score_definition SET status = ? WHERE name = ? AND status = ?",
                (RETIRED, kind, PUBLISHED),
            )
        execute(
            tx,
            f"UPDATE score_definition SET status = ?, {after}_by = ?, {after}_at = ? WHERE name = ? AND version = ?",
            (after, by, now, kind, version),
        )
        audit.record(tx, now, by, f"score.{after}", name)


def nameless(code: str, where: str) -> Problem:
    """An approval without a name is none."""
    return Problem(
        code,
        Text("批准需要姓名", "an approval needs a name"),
        where,
        Text("请加上 --by 姓名", "add --by NAME"),
    )


def _edited(definition: Definition, status: str) -> Problem:
    return Problem(
        "score.definition-edited",
        Text(
            f"{definition.name} 已是 {status}, 但文件内容改变了而版本号没有; 继续使用已批准的内容",
            f"{definition.name} is {status}, and its file changed without a new version; what was approved counts",
        ),
        definition.kind,
        Text("请把 version 加 1", "raise `version` by 1"),
    )


def _wrong_step(tx: Connection, name: str, status: str | None, needed: str) -> Problem:
    known = ", ".join(f"{one.name} ({one.status})" for one in registered(tx))
    if status is None:
        return Problem(
            "score.definition-unknown",
            Text(f"没有评分定义 {name}", f"there is no score definition {name}"),
            name,
            Text(f"已登记: {known}", f"registered: {known}"),
        )
    return Problem(
        "score.definition-step",
        Text(
            f"{name} 的状态是 {status}, 此步骤需要 {needed}",
            f"{name} is {status}; this step takes one that is {needed}",
        ),
        name,
        Text("顺序: draft → reviewed → published", "the order is draft, reviewed, published"),
    )
