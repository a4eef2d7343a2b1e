"""Lays the user's changes over the map that ships: per stream, entity and field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mappings.documents import Document, KeyPath
from mappings.problems import Problem, Text


class Layers:
    """Maps one over the other, and where each line of the result comes from.

    Streams, entities, columns, identifiers and extra fields of a later map replace those of the same name, one
    by one; what a later map sets to null is taken out.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The maps as one."""
        merged: dict[str, Any] = {}
        for document in self.documents:
            if isinstance(document.data, dict):
                merged = _laid_over(merged, document.data, ())
        return merged

    def at(self, path: KeyPath) -> Any:
        """The value at a path, None if there is none."""
        value: Any = self.data
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def text(self, path: KeyPath) -> str:
        """A scalar as it is written; KeyError if there is none at the path."""
        for document in reversed(self.documents):
            if path in document.texts:
                return document.texts[path]
        raise KeyError(path)

    def problem(self, path: KeyPath, code: str, what: Text, do: Text) -> Problem:
        """A problem at a path, in the map that says it."""
        return self._document(path).problem(path, code, what, do)

    def _document(self, path: KeyPath) -> Document:
        while path:
            for document in reversed(self.documents):
                if path in document.lines:
                    return document
            path = path[:-1]
        return self.documents[0]


def _laid_over(below: dict[str, Any], above: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        here = (*path, name)
        if value is None and name in merged:
            del merged[name]
        elif _is_merged(here) and isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _laid_over(merged[name], value, here)
        else:
            merged[name] = value
    return merged


def _is_merged(path: KeyPath) -> bool:
    """Whether what stands at the path is laid over name by name; a column's rule is replaced whole."""
    shape = ("streams", None, "entities", None)
    if len(path) <= 4:
        return all(wanted in (None, key) for wanted, key in zip(shape, path, strict=False))
    return path[4:] in (("buyer",), ("identifiers",), ("extra",), ("extra", "from"))
