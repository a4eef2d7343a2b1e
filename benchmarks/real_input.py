"""Feeds 69,659 real purchases through the hub and compares every count, sum and summary with the published files.

    make real-input

The data is inside the wheel of the package `lifetimes` on PyPI. It is downloaded once into build/real-input, only
its data files are taken out of it, nothing of it is installed or imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.cdnow import (
    Comparison,
    compare,
    compare_summary,
    customers_of,
    orders_of,
    read_purchases,
    read_sample,
    read_summary,
    write_database,
    write_export,
)

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "real-input"
PACKAGE = "lifetimes==0.11.3"

MASTER = "CDNOW_master.txt"
SAMPLE = "CDNOW_sample.txt"
SUMMARY = "cdnow_customers_summary.csv"
SHA256 = {
    MASTER: "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
    SAMPLE: "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
    SUMMARY: "09d92ca80daaabe8be0f997d4c539f9c9606106baa5b199081fe01cbce5fa9f6",
}

CONFIGURATION = """\
company: CDNOW
industry: retail
connectors:
  database:
    type: sql
    title: purchases in a SQL database
    role: erp
    settings:
      url: sqlite:///cdnow.db
      streams:
        customers: {table: customer, key: [customer_no], modified: [modified_at]}
        orders: {table: purchase, key: [no], modified: [modified_at]}
  export:
    type: files
    title: purchases in a CSV export
    role: shop
    settings:
      streams:
        orders: {path: "export/*.csv", template: orders}
"""
DATABASE_MAP = """\
version: 1
streams:
  customers:
    key: [customer_no]
    updated_at: modified_at
    entities:
      customer_record:
        source_id: customer_no
        identifiers: {customer_no: customer_no}
  orders:
    key: [no]
    updated_at: modified_at
    entities:
      order:
        source_id: no
        customer_source_id: customer_no
        channel: {value: web}
        status: {value: done}
        ordered_at: ordered_at
        paid_at: ordered_at
        paid_amount: dollars
        currency: {value: CNY}
        extra: {from: {pieces: pieces}}
"""
EXPORT_MAP = """\
version: 1
streams:
  orders:
    entities:
      order:
        channel: {value: web}
        buyer:
          phone: null
          shop_buyer: null
          name: member_no
"""
"""The dollars are declared as CNY: the hub keeps no other currency, and a number is a number here. A buyer's record
is named by a digest, so the customer's number is kept as the name as well."""

CONNECTORS = ("database", "export")


def main() -> int:
    """Runs everything and prints the comparison; 1 if anything disagrees."""
    files = fetch(CACHE)
    with tempfile.TemporaryDirectory(prefix="liuke-real-input-") as name:
        folder = Path(name)
        purchases = read_purchases(files / MASTER)
        prepare(folder, files)
        used = run(folder)
        comparisons = judge(folder, files)
    for one in comparisons:
        shown = (one.file, one.hub) if not isinstance(one.file, dict) else ("", "")
        print(f"{'agrees  ' if one.agrees else 'DIFFERS '} {one.what:55} {shown[0]!s:>12} {shown[1]!s:>12}")
        if not one.agrees and isinstance(one.file, dict):
            print(f"  file: {one.file}\n  hub:  {one.hub}")
    print(f"{2 * len(purchases):,} purchases through sql and files: {used:.1f} CPU seconds")
    return 0 if all(one.agrees for one in comparisons) else 1


def fetch(cache: Path) -> Path:
    """The folder with the three data files, downloaded if they are not there yet; their hashes are checked."""
    if not all((cache / name).exists() for name in SHA256):
        cache.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        with tempfile.TemporaryDirectory(dir=cache) as wheels:
            subprocess.run([*download, "--dest", wheels, PACKAGE], check=True)
            (wheel,) = Path(wheels).glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                for name in SHA256:
                    (cache / name).write_bytes(packed.read(f"lifetimes/datasets/{name}"))
    for name, expected in SHA256.items():
        if hashlib.sha256((cache / name).read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{cache / name} is not the published file: delete it and run again")
    return cache


def prepare(folder: Path, files: Path) -> None:
    """Makes a hub folder with the purchases as a database and as an export, and the field maps for them."""
    _liuke(folder, "init", "--company", "CDNOW")
    purchases = read_purchases(files / MASTER)
    (folder / "export").mkdir()
    write_database(folder / "cdnow.db", purchases)
    write_export(folder / "export" / "purchases.csv", purchases)
    (folder / "liuke.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "mappings" / "database.yaml").write_text(DATABASE_MAP, encoding="utf-8")
    (folder / "mappings" / "export.yaml").write_text(EXPORT_MAP, encoding="utf-8")


def run(folder: Path) -> float:
    """Pulls, loads and resolves everything; gives the CPU seconds of the commands."""
    before = _children_cpu()
    started = time.perf_counter()
    _liuke(folder, "sync")
    print(f"liuke sync: {time.perf_counter() - started:.1f} s")
    return _children_cpu() - before


def judge(folder: Path, files: Path) -> list[Comparison]:
    """Every comparison: nothing owed, then counts, sums and summaries of both connectors."""
    status = json.loads(_liuke(folder, "--json", "status"))
    owed = {name: count for name, count in status["owed"].items() if count}
    comparisons = [Comparison("owed (quarantine, landing files, ...)", "nothing", str(owed) if owed else "nothing")]
    purchases = read_purchases(files / MASTER)
    sample, published = read_sample(files / SAMPLE), read_summary(files / SUMMARY)
    for connector in CONNECTORS:
        orders = orders_of(folder / "liuke.db", connector)
        customers = customers_of(folder / "liuke.db", connector)
        comparisons += compare(connector, orders, customers, purchases)
        comparisons.append(compare_summary(connector, orders, sample, published))
    return comparisons


def _liuke(folder: Path, *arguments: str) -> str:
    """Runs a command of ours as a user would and gives its output; what went wrong is shown as it was said."""
    command = [sys.executable, "-m", "console.cli", "--folder", str(folder), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ))
    if done.returncode:
        raise SystemExit(f"liuke {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
