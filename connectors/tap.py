"""Pulls streams of one connector instance: Singer taps that run inside our process and lose nothing.

A connector subclasses HubTap and, for its streams, BulkStream (pages of raw records: fast) or RecordStream
(records one by one: for streams with children or partitions). Everything pulled goes to a Sink.

What the SDK (0.54.9) would do by itself, and what stands here instead:

    installs signal handlers that exit 0            none; the program decides
    hands out its live state dictionary             the Sink gets a copy
    stops all streams at the first that fails       `pull` says for each stream what happened
    writes "now" as signpost and compares it as text   no signpost; UTC bookmarks compared as times
    drops fields the schema does not name           TYPE_CONFORMANCE_LEVEL NONE
    never advances the bookmark on the batch path   `advance`, once per page, in one place
    leaves the newest bookmark only if sorted       `advance` keeps the latest, sorted or not
"""

from __future__ import annotations

import copy
import logging
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import msgspec
from singer_sdk import Stream, Tap
from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig, StorageTarget
from singer_sdk.helpers.conform import TypeConformanceLevel

from connectors.bookmarks import Bookmark, as_time, bookmark, later_of
from connectors.outcomes import Outcome
from connectors.ports import Page, Ports, Sink
from connectors.problems import ConnectorError, Later, Problem, Refused, Text, Unreachable
from connectors.redact import quiet_sdk
from connectors.registry import Window
from connectors.settings import Settings
from connectors.sink_writer import SinkWriter

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

__all__ = ["BulkStream", "HubStream", "HubTap", "Pulled", "RecordStream", "Step"]

PAGE_FORMAT = BaseBatchFileEncoding(format="page")
"""Says that the manifest of a BATCH message holds Pages, not names of files."""

_IN_PROCESS = BatchConfig(encoding=PAGE_FORMAT, storage=StorageTarget(root="memory://"))


@dataclass(frozen=True)
class Pulled:
    """What happened to one stream in one pull. `until` is set for LATER: when to come back."""

    stream: str
    records: int
    rejected: int
    outcome: Outcome
    problem: Problem | None = None
    until: datetime | None = None


class HubTap(Tap):
    """One pull of one connector instance. Subclasses name it and list its streams.

    `trial` asks streams to read as little as they can: somebody only wants to see whether they work.
    """

    name = "liuke-tap"
    config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {}}
    capabilities: ClassVar[list[Any]] = []

    def __init__(
        self,
        settings: Settings,
        state: Mapping[str, Any],
        ports: Ports,
        sink: Sink,
        window: Window | None = None,
    ) -> None:
        self.settings = settings
        self.ports = ports
        self.window = window or Window()
        self.trial = False
        self._sink_writer = SinkWriter(sink, ports.clock)
        # Settings stay ours: the SDK puts its configuration into URLs and log lines.
        logging.getLogger(self.name).setLevel(logging.CRITICAL)
        super().__init__(
            config={},
            state=copy.deepcopy(dict(state)),
            validate_config=False,
            message_writer=self._sink_writer,
        )
        quiet_sdk()

    @abstractmethod
    def discover_streams(self) -> list[Stream]:
        """The streams of this instance, in no particular order."""

    def pull(self, streams: Collection[str] | None = None) -> tuple[Pulled, ...]:
        """Pulls the named streams (all, if not named), each as far as it goes; a failing one stops no other.

        Errors of the outside system come back in Pulled. Errors of the Sink and mistakes in code are raised.
        """
        self._refuse_unknown(streams)
        self._reset_state_progress_markers()
        self._set_compatible_replication_methods()
        results: list[Pulled] = []
        for stream in self.streams.values():
            if stream.parent_stream_type is None and (streams is None or stream.name in streams):
                results.extend(self._pull_one(stream))
        return tuple(results)

    def close(self) -> None:
        """Gives back connections; safe to call twice. `with` does it by itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _pull_one(self, stream: Stream) -> Iterator[Pulled]:
        outcome, problem, until = Outcome.OK, None, None
        try:
            stream.sync()
            stream.finalize_state_progress_markers()
        except Later as error:
            outcome, problem, until = Outcome.LATER, error.problem, error.until
        except Unreachable as error:
            outcome, problem = Outcome.RETRIABLE, error.problem
        except Refused as error:
            outcome, problem = Outcome.REJECTED, error.problem
        except ConnectorError as error:
            outcome, problem = Outcome.FATAL, error.problem
        self._sink_writer.flush()
        for one in (stream, *stream.descendent_streams):
            records, rejected = self._sink_writer.counts(one.name)
            if outcome is Outcome.OK and not records + rejected:
                yield Pulled(one.name, 0, 0, Outcome.EMPTY)
            else:
                yield Pulled(one.name, records, rejected, outcome, problem, until)

    def _refuse_unknown(self, streams: Collection[str] | None) -> None:
        unknown = ", ".join(sorted(set(streams or ()) - set(self.streams)))
        if unknown:
            known = ", ".join(self.streams)
            raise ConnectorError(
                Problem(
                    "connector.unknown-stream",
                    Text(f"没有名为 {unknown} 的同步对象", f"there is no stream {unknown}"),
                    self.ports.connector,
                    Text(f"可用的同步对象: {known}", f"streams there are: {known}"),
                )
            )

    def _setup_signal_handlers(self) -> None:
        """None: a tap is a guest here, and SIGTERM must seal the landing files and exit 143, not 0."""

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """None of the SDK's own settings exist here."""


class HubStream(Stream):
    """What BulkStream and RecordStream share: bookmarks, windows, and the SDK's traps closed.

    `overlap` is re-read before the bookmark at every pull, for records that become visible late.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    overlap: timedelta = timedelta(0)

    def __init__(
        self,
        tap: HubTap,
        name: str | None = None,
        *,
        key: Iterable[str] | None = None,
        updated_at: str | None = None,
    ) -> None:
        self.hub_tap = tap
        self._since: dict[tuple[tuple[str, Any], ...], datetime | None] = {}
        if key is not None:
            self.primary_keys = list(key)
        if updated_at is not None:
            self.replication_key = updated_at
        named = [*self.primary_keys, *([self.replication_key] if self.replication_key else [])]
        schema = {"type": "object", "additionalProperties": True, "properties": {one: {} for one in named}}
        keys, replication_key = self.primary_keys, self.replication_key
        super().__init__(tap, schema=schema, name=name)
        self.primary_keys, self.replication_key = keys, replication_key

    # The base class's constructor resets both; before it has run they live on the class or here.
    _primary_keys: Any = None
    _replication_key: str | None = None

    @property
    def check_sorted(self) -> bool:
        """False: with an overlap the first records of a pull are older than the bookmark."""
        return False

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: the SDK's signpost is our clock, compared as text with the vendor's."""

    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        return None

    def bookmarked(self, context: Context | None = None) -> Bookmark | None:
        """The bookmark the pull starts after; None at the first pull."""
        return cast("Bookmark | None", self.get_context_state(context).get("replication_key_value"))

    def since(self, context: Context | None = None) -> datetime | None:
        """From when to ask the source: bookmark less overlap, but not before the window. Aware UTC.

        The same for all pages of a pull: a filter that moved with the bookmark would shift the pages.
        """
        key = tuple(sorted((context or {}).items()))
        if key not in self._since:
            self._since[key] = self._since_now(context)
        return self._since[key]

    def _since_now(self, context: Context | None) -> datetime | None:
        start = as_time(self.bookmarked(context))
        start = start - self.overlap if start is not None else None
        floor = self.hub_tap.window.since
        if start is None or floor is None:
            return start or floor
        return max(start, floor)

    def all_keys(self) -> Iterator[list[tuple[Any, ...]]] | None:
        """The keys of all records there are now, for finding deleted ones; None where the source cannot tell."""
        return None

    def bookmark_of(self, record: Mapping[str, Any]) -> Bookmark | None:
        """How far a record brings the stream: its replication key as a bookmark; None if it holds none."""
        value = record.get(self.replication_key or "")
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        at = as_time(value)
        return bookmark(at) if at is not None else None

    def advance(
        self,
        value: Bookmark | None,
        *,
        context: Context | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Moves the bookmark on, never back; `extra` is kept beside it. The one place that touches state.

        A sorted stream resumes from here after a crash. An unsorted one keeps `value` as progress, which the
        SDK promotes when the stream has come to its end, and may have no `extra` before that.
        """
        state = self.get_context_state(context)
        if value is not None and self.replication_key:
            holder = state if self.is_sorted else state.get("progress_markers", {})
            newest = later_of(holder.get("replication_key_value"), value)
            self.state_manager.increment_state(
                {self.replication_key: newest}, context=context, replication_key=self.replication_key
            )
        if extra:
            state.update(copy.deepcopy(dict(extra)))
        self.state_manager.is_flushed = False

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        # The SDK would keep the last record's value, not the latest: wrong wherever order is not certain.
        self.advance(self.bookmark_of(latest_record), context=context)


@dataclass(frozen=True)
class Step:
    """One page, and how far the stream is once it has landed. A page of None only moves the state."""

    page: Page | None
    bookmark: Bookmark | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class BulkStream(HubStream):
    """A stream that gives whole pages of raw records: BATCH messages that never leave the process."""

    @abstractmethod
    def steps(self, context: Context | None) -> Iterator[Step]:
        """Every page after the bookmark, in the source's order."""

    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig:
        return _IN_PROCESS

    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterator[tuple[BaseBatchFileEncoding, list[str]]]:
        """Pages as manifests. The SDK writes the state after the page, so it is moved before."""
        partitions: list[Any] = [context] if context is not None else list(self.partitions or ())
        for one in partitions or [None]:
            for step in self.steps(one):
                if step.bookmark is not None or step.extra:
                    self.advance(step.bookmark, context=one, extra=step.extra)
                manifest = [step.page] if step.page is not None and len(step.page) else []
                yield batch_config.encoding, cast("list[str]", manifest)

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """The same records one by one, for whoever drives this stream as an ordinary Singer tap."""
        for step in self.steps(context):
            for record in step.page.records if step.page is not None else ():
                yield msgspec.json.decode(record)


class RecordStream(HubStream):
    """A stream of single records: for parents, children and partitions."""
