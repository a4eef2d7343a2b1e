"""The register of transforms: what each is called, fills, means, takes and says when it fails."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from mappings.model import Type
from mappings.problems import Text

Options = Mapping[str, Any]
"""What a field map says beside `from` and `as`; for closed choices also `closed`, the model's values."""


class Converted(NamedTuple):
    """A column in its storage type. A cell that is not blank and became null is a failure.

    `removed` counts characters that were left out of cells which are still there.
    """

    values: pl.Series
    removed: int = 0


@dataclass(frozen=True)
class Option:
    """A key that a transform takes in a field map; `kind` is text, list or map."""

    name: str
    kind: str
    meaning: Text
    required: bool = False


@dataclass(frozen=True)
class Transform:
    """`fills`: the types of fields that it makes. `code` is the reason when a cell cannot be read.

    `explain` finds a more exact code for one failed cell.
    """

    name: str
    fills: frozenset[Type]
    code: str
    meaning: Text
    convert: Callable[[pl.Series, Options], pl.Series | Converted]
    options: tuple[Option, ...] = ()
    explain: Callable[[str], str] | None = None

    def apply(self, cells: pl.Series, options: Options) -> Converted:
        """The cells in the storage type of what is filled."""
        found = self.convert(cells, options)
        return found if isinstance(found, Converted) else Converted(found)

    def reason(self, cell: str) -> str:
        """The code for a cell that could not be read."""
        return self.explain(cell) if self.explain else self.code


_registered: dict[str, Transform] = {}


def transform(
    name: str,
    fills: Type | tuple[Type, ...],
    code: str,
    meaning: Text,
    *,
    options: tuple[Option, ...] = (),
    explain: Callable[[str], str] | None = None,
) -> Callable[[Callable[[pl.Series, Options], pl.Series | Converted]], Any]:
    """Registers a function from String cells and options to values, null where a cell cannot be read."""

    def register(
        convert: Callable[[pl.Series, Options], pl.Series | Converted],
    ) -> Callable[[pl.Series, Options], pl.Series | Converted]:
        if name in _registered:
            raise ValueError(f"two transforms are called {name}")
        kinds = frozenset({fills} if isinstance(fills, Type) else fills)
        _registered[name] = Transform(name, kinds, code, meaning, convert, options, explain)
        return convert

    return register


@cache
def registered() -> Mapping[str, Transform]:
    """Every transform by name, in the order of names."""
    package = importlib.import_module("mappings.transforms")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_registered.items()))


def find(name: str) -> Transform:
    """The transform of that name; KeyError if there is none."""
    return registered()[name]


def names() -> tuple[str, ...]:
    """The names of all transforms."""
    return tuple(registered())
