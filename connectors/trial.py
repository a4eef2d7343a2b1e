"""Tries a connector: logs in, reads one record of each stream, changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from connectors.ports import Page, Ports
from connectors.problems import ConnectorError
from connectors.registry import Connector, Tried
from connectors.settings import Settings

if TYPE_CHECKING:
    from singer_sdk import Stream

__all__ = ["try_streams"]


class _Dropped:
    """A sink for what nobody keeps."""

    def page(self, page: Page) -> None: ...

    def state(self, value: Mapping[str, Any]) -> None: ...


def try_streams(connector: Connector, settings: Settings, ports: Ports) -> tuple[Tried, ...]:
    """One Tried per stream. A connection that cannot be made at all is raised, not repeated per stream."""
    tap = connector.tap(settings, {}, ports, _Dropped())
    tap.trial = True
    try:
        roots = [stream for stream in tap.streams.values() if stream.parent_stream_type is None]
        return tuple(tried for stream in roots for tried in _try_stream(stream, [None]))
    finally:
        tap.close()


def _try_stream(stream: Stream, contexts: list[Any]) -> Iterator[Tried]:
    try:
        with closing(_records(stream, contexts)) as records:
            record, context = next(records, (None, None))
    except ConnectorError as error:
        yield Tried(stream.name, 0, error.problem)
        return
    yield Tried(stream.name, 0 if record is None else 1)
    for child in stream.child_streams:
        below = [] if record is None else list(stream.generate_child_contexts(record, context))
        yield from _try_stream(child, below)


def _records(stream: Stream, contexts: list[Any]) -> Generator[tuple[dict[str, Any], Any]]:
    for context in contexts:
        partitions: list[Any] = [context] if context is not None else list(stream.partitions or ())
        for one in partitions or [None]:
            for record in stream.get_records(one):
                yield record, one  # type: ignore[misc]
