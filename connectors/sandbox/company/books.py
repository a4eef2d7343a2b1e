"""The demo company's books: what each system holds, batch by batch, before it is written anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

Row = dict[str, object]
"""One record by column name: text, whole numbers or None, as its system stores it."""


@dataclass(frozen=True)
class Shelf:
    """One stream of one system: its columns in order, and those that name a record."""

    connector: str
    stream: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """One thing the hub must find: by its code, where it is, and the record it is about.

    `entity` and `key` name the record (a composite key joined with "-"; none for a line without a readable
    key); `field` is the unified column, of a rejected line the reason. `stream` is where it came from. `also`
    names the other records that belong to the finding; `because` is the order whose quarantine it follows
    from, and `mended_in` the increment that ends it.
    """

    code: str
    connector: str
    stream: str
    entity: str
    key: str
    field: str = ""
    also: tuple[str, ...] = ()
    because: str = ""
    mended_in: int | None = None

    def plain(self) -> dict[str, object]:
        """As the manifest lists it; empty members are left out."""
        members = {
            "code": self.code,
            "connector": self.connector,
            "stream": self.stream,
            "entity": self.entity,
            "key": self.key,
            "field": self.field,
            "also": list(self.also),
            "because": self.because,
        }
        return {name: value for name, value in members.items() if value or name in ("entity", "key")}


@dataclass
class Books:
    """Rows by (connector, stream): for each, (batch, row) in the order of entry."""

    rows: dict[tuple[str, str], list[tuple[int, Row]]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken_lines: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    """(batch, connector, stream, bytes): lines that are no record, for streams kept in text files."""
    crosswalk: list[tuple[str, ...]] = field(default_factory=list)
    """The rows of crosswalk.csv, header first."""

    def enter(self, shelf: Shelf, row: Row, batch: int = 0) -> Row:
        """Adds a row and gives it back."""
        self.rows.setdefault((shelf.connector, shelf.stream), []).append((batch, row))
        return row

    def of(self, shelf: Shelf, batch: int | None = None) -> Iterator[Row]:
        """The rows of a stream, of one batch or of all."""
        for number, row in self.rows.get((shelf.connector, shelf.stream), ()):
            if batch is None or number == batch:
                yield row
