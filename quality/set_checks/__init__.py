"""Questions over all unified rows at once: what refers to nothing, contradicts itself or stands twice.

A check is a function that returns SQL for SQLite and PostgreSQL alike; it registers itself by decorator, and its
title, target and severity stand in the contract of its entity. Modules of this package are found, not listed.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quality.expectations import Expectations

HUB = ""
"""Stands for the connector in findings about the hub as a whole."""


@dataclass(frozen=True)
class Asked:
    """What a question may depend on: the time (microseconds UTC) and what is expected of the connectors."""

    now: int
    expectations: Expectations


@dataclass(frozen=True)
class Judged:
    """SQL whose rows are the things judged: connector, key, bad (0 or 1), note (may be NULL; never a person).

    `connectors`: for which of them the question makes sense; None: for those that fill the contract's entity,
    (HUB,): for the hub as a whole. Those without any row are no_data. `listed`: whether keys say anything.
    """

    sql: str
    parameters: tuple[Any, ...] = ()
    connectors: tuple[str, ...] | None = None
    listed: bool = True


@dataclass(frozen=True)
class SetCheck:
    """One registered question, asked under the code of its rule in a contract."""

    code: str
    ask: Callable[[Asked], Judged | None]


_checks: dict[str, SetCheck] = {}


def set_check(code: str) -> Callable[[Callable[[Asked], Judged | None]], Callable[[Asked], Judged | None]]:
    """Registers the question under its code; it may return None where it does not apply at all."""

    def register(ask: Callable[[Asked], Judged | None]) -> Callable[[Asked], Judged | None]:
        _checks[code] = SetCheck(code, ask)
        return ask

    return register


def known() -> Mapping[str, SetCheck]:
    """Every set check by code."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _checks
