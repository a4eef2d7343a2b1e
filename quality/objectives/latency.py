"""Judges whether 99 % of changed records arrive within 300 s, over 28 days, in the hub and in the targets.

Three things count against it. Records that took longer, from the merged histograms of the ledger. Records that
were pulled and are still not visible after 300 s. And time in which nobody looked: the minutes in which a stream
had gone without a successful poll for longer than it may, because a dead connector has no late records. Records
and minutes each have their error budget of 1 %: of the records there were, and of the 28 days (so that a hub that
is an hour old may miss a minute). Backfills, declared as such before they ran, are counted apart. A record that
arrived and was refused is a quarantine debt, judged there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from sqlalchemy import Connection

from quality.expectations import ConnectorExpectation, Expectations
from quality.objectives import Share
from state import outbox
from state.bulk import execute
from state.days import shanghai_day

LATE_S = 300
"""The ledger counts this edge exactly (state/ledger.py)."""

SECOND_US = 1_000_000
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Latency:
    """How one connector stands; `share` counts records, `watched` minutes."""

    connector: str
    status: str
    share: Share
    watched: Share
    allowed: int
    """Error budget: how many records may be late."""
    dark_allowed: int = 0
    """Error budget: how many minutes may go by unwatched."""
    waiting: int = 0
    """Late ones among them that are still not here."""
    backfill_excluded: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    """The histogram of what arrived: upper edge of each bucket in seconds, and how many."""
    slowest_s: int | None = None

    @property
    def used(self) -> int:
        """How much of the error budget is gone."""
        return self.share.bad

    def within(self, share: float) -> int | None:
        """Seconds within which that share of what arrived had arrived; None: nothing arrived, or it took days."""
        return quantile(self.counts, share, self.slowest_s)


def to_hub(tx: Connection, now: int, expectations: Expectations) -> list[Latency]:
    """Source to hub, for every connector that pulls or has pulled."""
    histograms = _histograms(tx, now, expectations, "source_to_hub")
    waiting, slowest = _waiting_files(tx, now), _slowest(tx, now, expectations)
    return [
        _judge(
            connector.name,
            histograms.get(connector.name, _Histogram({}, 0)),
            waiting.get(connector.name, 0),
            watched_minutes(tx, now, connector, expectations.thresholds.latency_days),
            slowest.get(connector.name),
            expectations,
        )
        for connector in expectations.connectors.values()
        if connector.pulls or connector.name in histograms
    ]


def to_targets(tx: Connection, now: int, expectations: Expectations) -> list[Latency]:
    """Source to target, confirmed by read-back, for every connector that is written to."""
    histograms = _histograms(tx, now, expectations, "source_to_target")
    waiting = _waiting_writes(tx, now)
    return [
        _judge(
            connector.name,
            histograms.get(connector.name, _Histogram({}, 0)),
            waiting.get(connector.name, 0),
            (Share(0, 0), 0),
            None,
            expectations,
        )
        for connector in expectations.connectors.values()
        if connector.writes
    ]


def merged(parts: list[Latency], expectations: Expectations) -> Share:
    """All connectors together."""
    total = Share(0, 0)
    for part in parts:
        total = total.plus(part.share)
    return total


def allowed(total: int, target: Decimal) -> int:
    """How many of so many may miss the target."""
    return int((total * (1 - target)).to_integral_value(rounding=ROUND_FLOOR))


@dataclass(frozen=True)
class _Histogram:
    counts: Mapping[int, int]
    backfill: int


def _judge(
    name: str,
    histogram: _Histogram,
    waiting: int,
    looked: tuple[Share, int],
    slowest_s: int | None,
    expectations: Expectations,
) -> Latency:
    target = expectations.thresholds.latency_target
    watched, streams = looked
    dark_allowed = allowed(streams * expectations.thresholds.latency_days * DAY_US // MINUTE_US, target)
    arrived = sum(histogram.counts.values())
    good = sum(n for edge, n in histogram.counts.items() if edge <= LATE_S)
    share = Share(good, arrived + waiting)
    if not share.total and not watched.total:
        status = "no_data"
    else:
        status = "ok" if share.at_least(target) and watched.bad <= dark_allowed else "breach"
    return Latency(
        name,
        status,
        share,
        watched,
        allowed(share.total, target),
        dark_allowed,
        waiting,
        histogram.backfill,
        histogram.counts,
        slowest_s,
    )


def quantile(counts: Mapping[int, int], share: float, slowest_s: int | None = None) -> int | None:
    """Seconds within which that share of a histogram's records arrived, straight lines inside the buckets.

    `slowest_s` ends the last, open bucket. None where there is no record, or no end to the open bucket.
    """
    from state.ledger import EDGES  # brings Polars along, which `liuke status` does without

    total = sum(counts.values())
    if not total:
        return None
    if share >= 1 and slowest_s is not None:
        return slowest_s
    wanted, below, lower = share * total, 0, 0
    for edge in (*EDGES, slowest_s):
        inside = counts.get(edge, 0) if edge in EDGES else total - below
        if inside and below + inside >= wanted:
            return None if edge is None else round(lower + (edge - lower) * (wanted - below) / inside)
        below, lower = below + inside, edge or lower
    return None


def _histograms(tx: Connection, now: int, expectations: Expectations, hop: str) -> dict[str, _Histogram]:
    first_day = shanghai_day(now - (expectations.thresholds.latency_days - 1) * DAY_US)
    rows = execute(
        tx,
        "SELECT connector, backfill, bucket, sum(n) FROM latency WHERE hop = ? AND day >= ? AND day <= ? "
        "GROUP BY connector, backfill, bucket",
        (hop, first_day, shanghai_day(now)),
    )
    counts: dict[str, dict[int, int]] = {}
    excluded: dict[str, int] = {}
    for connector, backfill, edge, n in rows:
        histogram = counts.setdefault(connector, {})
        if backfill:
            excluded[connector] = excluded.get(connector, 0) + int(n)
        else:
            histogram[int(edge)] = int(n)
    return {name: _Histogram(histogram, excluded.get(name, 0)) for name, histogram in counts.items()}


def _waiting_files(tx: Connection, now: int) -> dict[str, int]:
    """Records that lie in landing files for longer than 300 s."""
    rows = execute(
        tx,
        "SELECT connector, sum(lines) FROM landing_file "
        "WHERE status IN ('sealed', 'frozen') AND backfill = 0 AND coalesce(first_extracted_at, sealed_at) < ? "
        "GROUP BY connector",
        (now - LATE_S * SECOND_US,),
    )
    return {connector: int(lines) for connector, lines in rows}


def _waiting_writes(tx: Connection, now: int) -> dict[str, int]:
    """Records whose newest order happened more than 300 s ago and is not confirmed by a target we may write to."""
    words = ", ".join(f"'{status}'" for status in outbox.OWED)
    rows = execute(
        tx,
        f"SELECT target, count(DISTINCT source_id) FROM outbox WHERE status IN ({words}) "
        "AND cause_at < ? AND coalesce(cause_backfill, 0) = 0 GROUP BY target",
        (now - LATE_S * SECOND_US,),
    ).all()
    return {target: int(records) for target, records in rows if outbox.is_on(tx, target)}


def _slowest(tx: Connection, now: int, expectations: Expectations) -> dict[str, int]:
    rows = execute(
        tx,
        "SELECT connector, max(committed_at - source_updated_at) FROM late_record WHERE committed_at > ? "
        "GROUP BY connector",
        (now - expectations.thresholds.latency_days * DAY_US,),
    )
    return {connector: int(duration) // SECOND_US for connector, duration in rows}


def watched_minutes(tx: Connection, now: int, connector: ConnectorExpectation, days: int) -> tuple[Share, int]:
    """Minutes of all its streams in which the last successful poll was not older than the stream's limit.

    The second number says how many streams were counted.

    Counted from each stream's first successful poll, at most that many days back. A stream that never had one
    is not counted here: it is stale (freshness).
    """
    good = total = streams = 0
    for stream in connector.streams:
        limit = stream.limit_s * SECOND_US
        row = execute(
            tx,
            """
            WITH poll AS (
                SELECT finished_at AS at, lag(finished_at) OVER (ORDER BY finished_at) AS before
                FROM stream_run
                WHERE connector = ? AND stream = ? AND outcome = 'ok' AND finished_at > ? AND finished_at <= ?
            )
            SELECT min(at), max(at), coalesce(sum(CASE WHEN at - before > ? THEN at - before - ? END), 0)
            FROM poll
            """,
            (connector.name, stream.name, now - days * DAY_US, now, limit, limit),
        ).one()
        if row[0] is None:
            continue
        # Dark since the last poll, until now.
        dark = int(row[2]) + max(now - int(row[1]) - limit, 0)
        minutes = (now - int(row[0])) // MINUTE_US
        streams += 1
        total += minutes
        good += minutes - min(-(-dark // MINUTE_US), minutes)
    return Share(good, total), streams
