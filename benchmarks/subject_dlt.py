"""dlt's side of the benchmark, run by the interpreter of its own environment: imports nothing of ours.

    python subject_dlt.py FOLDER rest|sql ADDRESS | python subject_dlt.py FOLDER count

Syncs once for every line it is sent, and answers each with one line of JSON, as benchmarks/subject_liuke.py does.
Both pipelines merge into DuckDB through Parquet files and ask for changed orders only.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import dlt  # type: ignore[import-not-found]  # only in its own environment


def pipeline(folder: str) -> Any:
    """The one pipeline of a folder; its working files lie there too."""
    return dlt.pipeline(
        "orders",
        pipelines_dir=f"{folder}/pipelines",
        destination=dlt.destinations.duckdb(f"{folder}/orders.duckdb"),
        dataset_name="shop",
        progress=None,
    )


def rest(address: str) -> Any:
    """The shop's API through rest_api."""
    from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]

    pages = {"type": "page_number", "base_page": 1, "page_param": "page", "has_more_path": "data.more"}
    endpoint = {
        "path": "orders",
        "data_selector": "data.list",
        "params": {"since": "{incremental.start_value}"},
        "incremental": {"cursor_path": "modified_at", "initial_value": "2000-01-01 00:00:00"},
        "paginator": pages | {"total_path": None},
    }
    orders = {"name": "orders", "primary_key": "id", "write_disposition": "merge", "endpoint": endpoint}
    return rest_api_source({"client": {"base_url": address}, "resources": [orders]})


def sql(address: str) -> Any:
    """The ERP's tables through sql_database and Arrow tables."""
    from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found]

    return [
        sql_table(
            credentials=address,
            table=table,
            backend="pyarrow",
            incremental=dlt.sources.incremental("modified_at"),
            primary_key="id",
            write_disposition="merge",
        ).with_name(name)
        for table, name in (("customer", "customers"), ("sale_order", "orders"))
    ]


def main(arguments: list[str]) -> None:
    """Answers line by line until the input ends."""
    folder, kind, *address = arguments
    working = pipeline(folder)
    if kind == "count":
        with working.sql_client() as client:
            print(client.execute_sql("SELECT count(*) FROM orders")[0][0])
        return
    source = rest if kind == "rest" else sql
    for _line in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        working.run(source(address[0]), loader_file_format="parquet").raise_on_failed_jobs()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(json.dumps({"cpu_s": cpu, "wall_s": wall, "problems": []}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
