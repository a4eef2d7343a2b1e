"""Measures how many orders a CPU second go through, Liuke beside dlt.

    make bench-sync                               300,000 orders, one million in the last case; dlt beside us
    python -m benchmarks.sync --rows 2000 --large 2000 --without-dlt

Results go to benchmarks/results/sync.json; docs/performance.md says what is measured and what was found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import requests

from benchmarks.orders import customers_of
from benchmarks.subjects import DLT, LIUKE, ROOT, Subject, Used, environment, run_module
from sync.clock import SystemClock

RESULTS = Path(__file__).with_name("results") / "sync.json"
DLT_HOME = ROOT / "build" / "bench-dlt"
DLT_PACKAGES = ("dlt[duckdb,sql-database,parquet]==1.31.0", "duckdb==2.0.0", "pyarrow==26.0.1", "numpy==2.4.6")

WARM = 500
"""Changed orders that one sync of a long-running process finds."""

SHARE_CHANGED = 10
"""One order in ten has changed in the large case."""


Change = Callable[[int, datetime, int], None]
"""Changes so many orders of the source at a time, for the n-th time."""


@dataclass(frozen=True)
class Result:
    """One line of the results; `rows` are the records that one sync read or looked at."""

    case: str
    subject: str
    rows: int
    cpu_s: float
    wall_s: float
    rss_mb: float


@dataclass(frozen=True)
class Plan:
    """What to run: orders of the ordinary and of the large case, how often, and the interpreters."""

    rows: int
    large: int
    repeat: int
    rounds: int
    interpreters: dict[str, Path]
    folder: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every case, prints the table and writes the results."""
    options = _options(arguments)
    interpreters = {LIUKE: Path(sys.executable)}
    if not options.without_dlt:
        dlt = dlt_interpreter()
        if dlt is not None:
            interpreters[DLT] = dlt
    with tempfile.TemporaryDirectory(prefix="liuke-bench-", dir=options.folder) as folder:
        plan = Plan(options.rows, options.large, options.repeat, options.rounds, interpreters, Path(folder))
        results = [one for case in options.case or CASES for one in CASES[case](plan)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n", encoding="utf-8")
    print(table(results))
    if DLT not in interpreters:
        print("dlt was not measured: Liuke's figures stand alone.")
    return 0


# --- cases --------------------------------------------------------------------------------------------------


def rest(plan: Plan) -> Iterator[Result]:
    """A shop's API: first load, again without a change, 500 changed orders in a warm process."""
    now = SystemClock().now()
    with shop(plan.rows, now - timedelta(hours=2)) as address:

        def change(count: int, at: datetime, round_no: int) -> None:
            when = at.isoformat().replace("+", "%2B")
            requests.post(f"{address}/change?count={count}&at={when}&round={round_no}", timeout=600).raise_for_status()

        for name in plan.interpreters:
            yield from _first_and_again(plan, "rest", name, address)
        for name in plan.interpreters:
            yield from _warm(plan, "rest", name, address, change)


def sql(plan: Plan) -> Iterator[Result]:
    """The same of an ERP's tables in SQLite."""
    now = SystemClock().now()
    file = plan.folder / "erp.db"
    run_module("benchmarks.orders", "make", str(file), str(plan.rows), (now - timedelta(hours=2)).isoformat())

    def change(count: int, at: datetime, round_no: int) -> None:
        run_module("benchmarks.orders", "change", str(file), *map(str, (count, plan.rows, at.isoformat(), round_no)))

    for name in plan.interpreters:
        yield from _first_and_again(plan, "sql", name, f"sqlite:///{file}")
    for name in plan.interpreters:
        yield from _warm(plan, "sql", name, f"sqlite:///{file}", change)


def large(plan: Plan) -> Iterator[Result]:
    """A large table: first load, then one order in ten has changed."""
    now = SystemClock().now()
    file = plan.folder / "large.db"
    run_module("benchmarks.orders", "make", str(file), str(plan.large), (now - timedelta(hours=2)).isoformat())
    count = plan.large // SHARE_CHANGED
    subjects = {
        name: Subject(name, interpreter, plan.folder / f"large-{name}", "sql", f"sqlite:///{file}")
        for name, interpreter in plan.interpreters.items()
    }
    for name, subject in subjects.items():
        yield _result("sql-large", name, _records("sql", plan.large), _once(subject))
        _expect(subject, plan.large)
    run_module("benchmarks.orders", "change", str(file), *map(str, (count, plan.large, now.isoformat(), 1)))
    for name, subject in subjects.items():
        yield _result("sql-large-changed", name, count, _once(subject))
        _expect(subject, plan.large)
        shutil.rmtree(plan.folder / f"large-{name}")


CASES: dict[str, Callable[[Plan], Iterator[Result]]] = {"rest": rest, "sql": sql, "large": large}
"""Every source, in the order in which they are measured."""


def _first_and_again(plan: Plan, source: str, name: str, address: str) -> Iterator[Result]:
    first: list[Used] = []
    again: list[Used] = []
    for number in range(plan.repeat):
        folder = plan.folder / f"{source}-{name}-{number}"
        subject = Subject(name, plan.interpreters[name], folder, source, address)
        first.append(_once(subject))
        again.append(_once(subject))
        _expect(subject, plan.rows)
        shutil.rmtree(folder)
    yield _result(source, name, _records(source, plan.rows), _least(first))
    yield _result(f"{source}-unchanged", name, _records(source, plan.rows), _least(again))


def _warm(plan: Plan, source: str, name: str, address: str, change: Change) -> Iterator[Result]:
    """The least of the later rounds; a minute passes between two of them, as between two polls."""
    # Each subject an hour after the one before, whose changes are behind it then.
    start = SystemClock().now() + timedelta(hours=list(plan.interpreters).index(name))
    folder = plan.folder / f"{source}-{name}-warm"
    subject = Subject(name, plan.interpreters[name], folder, source, address)
    used: list[Used] = []
    with subject.start() as running:
        running.sync(start.isoformat())
        for number in range(1, plan.rounds + 1):
            now = start + timedelta(minutes=number)
            change(min(WARM, plan.rows), now, number)
            used.append(running.sync(now.isoformat()))
    _expect(subject, plan.rows)
    shutil.rmtree(folder)
    found = _least(used[plan.rounds // 2 :])
    yield _result(f"{source}-warm", name, min(WARM, plan.rows), Used(found.cpu_s, found.wall_s, running.whole.rss_mb))


def _once(subject: Subject) -> Used:
    """A process that starts, syncs once and ends: all of it counts."""
    with subject.start() as running:
        running.sync()
    return running.whole


def _least(used: Sequence[Used]) -> Used:
    """The repetition that was disturbed least; the memory is the most of all."""
    best = min(used, key=lambda one: one.cpu_s)
    return Used(best.cpu_s, best.wall_s, max(one.rss_mb for one in used))


def _records(source: str, orders: int) -> int:
    """Records that a first load reads: an ERP has a table of customers as well."""
    return orders + (customers_of(orders) if source == "sql" else 0)


def _expect(subject: Subject, rows: int) -> None:
    """Nobody is fast by leaving something out."""
    found = subject.count()
    assert found == rows, f"{subject.name} has {found} orders of {rows}"


def _result(case: str, subject: str, rows: int, used: Used) -> Result:
    made = Result(case, subject, rows, round(used.cpu_s, 3), round(used.wall_s, 2), round(used.rss_mb))
    print(f"{case} {subject}: {made.cpu_s} CPU seconds", file=sys.stderr, flush=True)
    return made


# --- what is needed for it ----------------------------------------------------------------------------------


@contextmanager
def shop(rows: int, end: datetime) -> Iterator[str]:
    """The address of a shop's API with that many orders, served by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.shop_server", str(rows), end.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def dlt_interpreter() -> Path | None:
    """The Python of dlt's own environment, made at the first use; None, and said so, where it cannot be had."""
    interpreter = DLT_HOME / "bin" / "python"
    wanted = "\n".join(DLT_PACKAGES)
    built = DLT_HOME / "built-with"
    if not built.exists() or built.read_text() != wanted:
        print("Building an environment for dlt, once.", file=sys.stderr, flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(DLT_HOME)], check=True)
            subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *DLT_PACKAGES], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"dlt cannot be installed: {error}", file=sys.stderr, flush=True)
            return None
        built.write_text(wanted)
    return interpreter


def table(results: Sequence[Result]) -> str:
    """The results for people: orders a CPU second, and how many times dlt's that is."""
    by_dlt = {one.case: one for one in results if one.subject == DLT}
    lines = [
        f"{'case':18} {'subject':8} {'rows':>9} {'cpu s':>8} {'wall s':>8} {'MB':>6} {'rows/cpu s':>11} {'x dlt':>6}"
    ]
    for one in results:
        other = by_dlt.get(one.case)
        ratio = f"{other.cpu_s / one.cpu_s:.1f}" if other and one.subject != DLT else ""
        lines.append(
            f"{one.case:18} {one.subject:8} {one.rows:9,} {one.cpu_s:8.2f} {one.wall_s:8.2f} {one.rss_mb:6.0f} "
            f"{one.rows / one.cpu_s:11,.0f} {ratio:>6}"
        )
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=300_000, help="orders of the ordinary cases")
    parser.add_argument("--large", type=int, default=1_000_000, help="orders of the large case")
    parser.add_argument("--repeat", type=int, default=3, help="how often; the least CPU time counts")
    parser.add_argument("--rounds", type=int, default=12, help="syncs of the warm process; the later half counts")
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="only this one (several: repeat it)")
    parser.add_argument("--without-dlt", action="store_true", help="our side alone")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder without it")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
