import base64
import contextlib
import json
import sqlite3
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors.sql.tap as sql_tap
from connectors.bookmarks import BEIJING
from connectors.outcomes import Outcome
from connectors.ports_memory import FakeClock, KeptPages, memory_ports
from connectors.problems import ConnectorError
from connectors.registry import Window, connector
from connectors.sql.database import Database
from connectors.sql.tap import SqlStream
from tests.connectors.conftest import NOON, Pull, no_variable

SQL = connector("sql")


def read_settings(url, **streams):
    return SQL.read_settings({"url": url} | ({"streams": streams} if streams else {}), no_variable)


def pull(settings, state, ports, *, sink=None, window=None):
    """One pull; gives what was kept."""
    kept = sink or Pull()
    with SQL.tap(settings, state, ports, kept, window=window) as tap:
        kept.results = tap.pull()
    return kept


def rows_of(kept, stream="orders"):
    return [json.loads(record) for record in kept.records(stream)]


def ids(kept, stream="orders"):
    return [row["id"] for row in rows_of(kept, stream)]


ORDERS = "CREATE TABLE orders (id INTEGER PRIMARY KEY, state VARCHAR(20), modified_at {type})"
TIME = {"sqlite": "DATETIME", "postgresql": "TIMESTAMP", "mysql": "DATETIME(6)", "mariadb": "DATETIME(6)"}


def make_orders(server, *rows):
    server.run(ORDERS.format(type=TIME[server.dialect]))
    add_orders(server, *rows)


def add_orders(server, *rows):
    server.run(*(f"INSERT INTO orders VALUES ({id}, '{state}', '{at}')" for id, state, at in rows))


ORDER_STREAM = {"table": "orders", "key": "id", "modified": "modified_at"}


def test_rows_come_with_every_value_exact_and_times_with_their_offset(server, ports):
    binary = {"postgresql": "BYTEA", "sqlite": "BLOB"}.get(server.dialect, "VARBINARY(10)")
    literal = {"postgresql": r"'\x00ff'"}.get(server.dialect, "x'00ff'")
    kind = TIME[server.dialect]
    server.run(
        f"CREATE TABLE orders (id BIGINT PRIMARY KEY, amount NUMERIC(20,10), note VARCHAR(50), bin {binary}, "
        f"day DATE, modified_at {kind}, empty INTEGER)",
        f"INSERT INTO orders VALUES (1234567890123456789, {'0' if server.dialect == 'sqlite' else '0.0000000000'}, "
        f"'张三 \"x\"', {literal}, '2026-02-28', '2026-11-21 10:00:00.123456', NULL)",
    )
    kept = pull(read_settings(server.url, orders=ORDER_STREAM), {}, ports)
    time = "2026-11-21 10:00:00.123456" if server.dialect == "sqlite" else "2026-11-21T10:00:00.123456+08:00"
    assert rows_of(kept) == [
        {
            "id": 1234567890123456789,
            "amount": 0 if server.dialect == "sqlite" else "0.0000000000",
            "note": '张三 "x"',
            "bin": base64.b64encode(b"\x00\xff").decode(),
            "day": "2026-02-28",
            "modified_at": time,
            "empty": None,
        }
    ]
    assert kept.last_state["bookmarks"]["orders"]["replication_key_value"] == "2026-11-21T02:00:00.123456Z"


def test_rows_of_one_moment_are_all_pulled_however_the_pages_are_cut(server, ports):
    make_orders(server, *((n, "paid", "2026-11-21 10:00:00") for n in range(1, 8)))
    for page_size in (1, 2, 3, 7, 8):
        stream = ORDER_STREAM | {"page_size": page_size}
        assert ids(pull(read_settings(server.url, orders=stream), {}, ports)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_quiet_table_gives_nothing_however_often_it_is_asked(server, ports):
    make_orders(server, (1, "paid", "2026-11-21 10:00:00"), (2, "paid", "2026-11-21 10:00:00"))
    settings = read_settings(server.url, orders=ORDER_STREAM)
    state = pull(settings, {}, ports).last_state
    for _ in range(3):
        again = pull(settings, state, ports)
        assert ids(again) == []
        assert again.results[0].outcome is Outcome.EMPTY
        state = again.last_state or state


def test_a_row_committed_late_with_an_older_time_is_found(server, ports, clock):
    now = database_now(server, ports)
    at = [(now - timedelta(seconds=s)).strftime("%Y-%m-%d %H:%M:%S") for s in (60, 30)]
    make_orders(server, (2, "paid", at[1]))
    settings = read_settings(server.url, orders=ORDER_STREAM)
    first = pull(settings, {}, ports)
    add_orders(server, (1, "late", at[0]))
    second = pull(settings, first.last_state, ports)
    assert (ids(first), ids(second)) == ([2], [1])
    assert ids(pull(settings, second.last_state, ports)) == []


def test_of_rows_still_in_the_overlap_only_the_changed_one_comes_again(server, ports):
    now = database_now(server, ports)
    at = (now - timedelta(seconds=30)).strftime("%Y-%m-%d %H:%M:%S")
    make_orders(server, (1, "paid", at), (2, "paid", at), (3, "paid", at))
    settings = read_settings(server.url, orders=ORDER_STREAM)
    state = pull(settings, {}, ports).last_state
    server.run("UPDATE orders SET state = 'shipped' WHERE id = 2")
    assert [(row["id"], row["state"]) for row in rows_of(pull(settings, state, ports))] == [(2, "shipped")]


def database_now(server, ports):
    """The server's own time, in Beijing; SQLite has none and follows the injected clock."""
    with contextlib.closing(Database(read_settings(server.url), ports, writing=True)) as database:
        return database.now().astimezone(BEIJING)


def test_a_row_that_was_never_modified_is_pulled_and_pulled_again_when_it_changes(server, ports):
    server.run(
        ORDERS.format(type=TIME[server.dialect]),
        "INSERT INTO orders VALUES (1, 'new', NULL)",
        "INSERT INTO orders VALUES (2, 'paid', '2026-11-21 10:00:00')",
    )
    settings = read_settings(server.url, orders=ORDER_STREAM)
    first = pull(settings, {}, ports)
    assert sorted(ids(first)) == [1, 2]
    assert ids(pull(settings, first.last_state, ports)) == []
    server.run("UPDATE orders SET state = 'changed' WHERE id = 1")
    assert ids(pull(settings, first.last_state, ports)) == [1]


def test_of_several_modified_columns_the_first_that_is_not_null_counts(server, ports):
    kind = TIME[server.dialect]
    server.run(
        f"CREATE TABLE orders (id INTEGER PRIMARY KEY, written {kind}, created {kind} NOT NULL)",
        "INSERT INTO orders VALUES (1, NULL, '2026-11-21 10:00:00'), (2, '2026-11-21 09:00:00', '2026-11-20 10:00:00')",
    )
    stream = ORDER_STREAM | {"modified": ["written", "created"]}
    kept = pull(read_settings(server.url, orders=stream), {}, ports)
    assert ids(kept) == [2, 1]
    assert kept.last_state["bookmarks"]["orders"]["replication_key_value"] == "2026-11-21T02:00:00.000000Z"


def test_a_table_without_modified_column_gives_only_the_chunk_that_changed(server, ports, monkeypatch):
    monkeypatch.setattr(sql_tap, "CHUNK", 10)
    server.run("CREATE TABLE stock (id INTEGER PRIMARY KEY, quantity INTEGER)")
    server.run(*(f"INSERT INTO stock VALUES ({n}, 5)" for n in range(100)))
    settings = read_settings(server.url, stock={"table": "stock", "key": "id"})
    first = pull(settings, {}, ports)
    assert ids(first, "stock") == list(range(100))
    assert ids(pull(settings, first.last_state, ports), "stock") == []
    server.run("UPDATE stock SET quantity = 6 WHERE id = 45", "INSERT INTO stock VALUES (100, 1)")
    second = pull(settings, first.last_state, ports)
    given = ids(second, "stock")
    assert {45, 100} <= set(given)
    assert len(given) <= 40
    assert ids(pull(settings, second.last_state, ports), "stock") == []


def test_a_key_that_names_several_rows_loses_none_of_them(server, ports):
    server.run(
        f"CREATE TABLE order_line (order_id INTEGER, sku VARCHAR(9), modified_at {TIME[server.dialect]})",
        *(f"INSERT INTO order_line VALUES (7, 'S{n}', '2026-11-21 10:00:00')" for n in range(5)),
    )
    for page_size in (2, 3, 4, 5):
        stream = {"table": "order_line", "key": "order_id", "modified": "modified_at", "page_size": page_size}
        kept = pull(read_settings(server.url, orders=stream), {}, ports)
        assert sorted({row["sku"] for row in rows_of(kept)}) == ["S0", "S1", "S2", "S3", "S4"]


def test_rows_that_are_the_same_in_every_column_do_not_hold_up_the_others(server, ports):
    server.run(
        f"CREATE TABLE order_line (order_id INTEGER, modified_at {TIME[server.dialect]})",
        *(["INSERT INTO order_line VALUES (7, '2026-11-21 10:00:00')"] * 9),
        "INSERT INTO order_line VALUES (8, '2026-11-21 10:00:01')",
    )
    stream = {"table": "order_line", "key": "order_id", "modified": "modified_at", "page_size": 2}
    kept = pull(read_settings(server.url, orders=stream), {}, ports)
    assert {row["order_id"] for row in rows_of(kept)} == {7, 8}


def test_rows_without_a_key_are_given_for_somebody_to_see_and_then_no_more(server, ports):
    server.run(
        f"CREATE TABLE orders (id INTEGER, modified_at {TIME[server.dialect]})",
        *(["INSERT INTO orders VALUES (NULL, '2026-11-21 10:00:00')"] * 3),
        *(f"INSERT INTO orders VALUES ({n}, '2026-11-21 10:00:00')" for n in range(5)),
    )
    settings = read_settings(server.url, orders=ORDER_STREAM | {"page_size": 2})
    first = pull(settings, {}, ports)
    assert sorted(ids(first), key=str) == [0, 1, 2, 3, 4, None, None, None]
    assert ids(pull(settings, first.last_state, ports)) == []


@pytest.mark.parametrize("modified", [{"modified": "modified_at"}, {}])
def test_a_row_that_is_rejected_is_not_rejected_again_at_every_pull(sqlite, ports, modified):
    sqlite.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, modified_at DATETIME)",
        "INSERT INTO orders VALUES (1, 'a', '2026-11-21 10:00:00')",
        "INSERT INTO orders VALUES (2, CAST(x'c4e3bac3' AS TEXT), '2026-11-21 12:00:00')",
    )
    settings = read_settings(sqlite.url, orders={"table": "orders", "key": "id"} | modified)
    first = pull(settings, {}, ports)
    assert (first.results[0].records, first.results[0].rejected) == (1, 1)
    again = pull(settings, first.last_state, ports)
    assert again.results[0].outcome is Outcome.EMPTY


def test_a_query_may_join_and_hold_colons(server, ports):
    make_orders(server, (1, "a:b", "2026-11-21 10:00:00"))
    query = (
        "SELECT o.id, o.modified_at, ':x' AS colon, CAST(o.state AS CHAR(3)) AS s FROM orders o WHERE state = 'a:b';"
    )
    stream = {"query": query, "key": "id", "modified": "modified_at"}
    (row,) = rows_of(pull(read_settings(server.url, orders=stream), {}, ports))
    assert (row["colon"], row["s"]) == (":x", "a:b")


def test_a_window_gives_its_own_part_of_the_past(server, ports):
    make_orders(server, *((n, "paid", f"2026-11-{n:02d} 00:00:00") for n in range(1, 10)))
    window = Window(NOON.replace(day=3) - timedelta(hours=12), NOON.replace(day=5) - timedelta(hours=12))
    kept = pull(read_settings(server.url, orders=ORDER_STREAM), {}, ports, window=window)
    assert ids(kept) == [3, 4]


def test_text_keys_are_read_in_the_order_of_the_database_not_of_python(server, ports):
    server.run(f"CREATE TABLE orders (id VARCHAR(9) PRIMARY KEY, modified_at {TIME[server.dialect]})")
    keys = ["10", "9", "a", "B", "c", "é", "中", "Z9"]
    server.run(*(f"INSERT INTO orders VALUES ('{key}', '2026-11-21 10:00:00')" for key in keys))
    kept = pull(read_settings(server.url, orders=ORDER_STREAM | {"page_size": 2}), {}, ports)
    assert sorted(ids(kept)) == sorted(keys)


def test_the_keys_of_all_rows_can_be_listed(server, ports):
    make_orders(server, (1, "a", "2026-11-21 10:00:00"), (2, "b", "2026-11-21 10:00:00"))
    with SQL.tap(read_settings(server.url, orders=ORDER_STREAM), {}, ports, KeptPages()) as tap:
        assert sorted(key for chunk in cast("SqlStream", tap.streams["orders"]).all_keys() for key in chunk) == [
            (1,),
            (2,),
        ]


@pytest.mark.parametrize(
    ("kind", "values", "bookmark"),
    [
        ("unix_s", [1763690400, 1763690401], "2025-11-21T02:00:01.000000Z"),
        ("unix_ms", [1763690400000, 1763690400500], "2025-11-21T02:00:00.500000Z"),
        ("sequence", [7, 8], 8),
    ],
)
def test_modified_may_be_a_number(server, ports, kind, values, bookmark):
    server.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, modified_at BIGINT)")
    server.run(*(f"INSERT INTO orders VALUES ({n}, {value})" for n, value in enumerate(values)))
    settings = read_settings(server.url, orders=ORDER_STREAM | {"modified_as": kind})
    kept = pull(settings, {}, ports)
    assert kept.last_state["bookmarks"]["orders"]["replication_key_value"] == bookmark
    assert ids(pull(settings, kept.last_state, ports)) == []
    server.run(f"INSERT INTO orders VALUES (2, {values[1]})")
    assert ids(pull(settings, kept.last_state, ports)) == [2]


def test_times_of_another_zone_are_read_in_it(server, ports):
    make_orders(server, (1, "paid", "2026-11-21 02:00:00"))
    kept = pull(read_settings(server.url, orders=ORDER_STREAM | {"time_zone": "UTC"}), {}, ports)
    assert kept.last_state["bookmarks"]["orders"]["replication_key_value"] == "2026-11-21T02:00:00.000000Z"
    assert rows_of(kept)[0]["modified_at"] in {"2026-11-21T02:00:00Z", "2026-11-21T02:00:00.000000Z"}


def test_mysql_timestamps_mean_the_same_whatever_the_server_s_zone(mysql, ports):
    mysql.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, modified_at TIMESTAMP(6))",
        "INSERT INTO orders VALUES (1, FROM_UNIXTIME(1763690400))",
    )
    kept = pull(read_settings(mysql.url, orders=ORDER_STREAM), {}, ports)
    assert kept.last_state["bookmarks"]["orders"]["replication_key_value"] == "2025-11-21T02:00:00.000000Z"


def test_what_json_cannot_say_becomes_text_and_what_is_no_text_is_rejected_with_its_bytes(sqlite, ports):
    sqlite.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, score REAL, name TEXT)",
        "INSERT INTO orders VALUES (1, 9e999, 'a'), (2, -9e999, 'b'), (3, 1.5, CAST(x'c4e3bac3' AS TEXT))",
    )
    kept = pull(read_settings(sqlite.url, orders={"table": "orders", "key": "id"}), {}, ports)
    assert [row["score"] for row in rows_of(kept)] == ["Infinity", "-Infinity"]
    (rejected,) = [one for page in kept.pages for one in page.rejected]
    assert rejected.code == "row.not-utf8"
    assert rejected.raw == b"id: 3\nscore: 1.5\nname: \xc4\xe3\xba\xc3"


def test_postgres_gives_nan_and_arrays_without_losing_them(postgres, ports):
    postgres.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, score FLOAT8, many FLOAT8[], exact NUMERIC, doc JSONB)",
        """INSERT INTO orders VALUES (1, 'NaN', '{1.5,NaN}', 'NaN', '{"k": [1, 2.50]}')""",
    )
    (row,) = rows_of(pull(read_settings(postgres.url, orders={"table": "orders", "key": "id"}), {}, ports))
    assert row == {"id": 1, "score": "NaN", "many": [1.5, "NaN"], "exact": "NaN", "doc": {"k": [1, 2.5]}}


class Killed(BaseException):
    """The process dies."""


class DiesAfter(Pull):
    """A sink under which the process is killed at its n-th message."""

    def __init__(self, messages):
        super().__init__()
        self.left = messages

    def page(self, page):
        self._count()
        super().page(page)

    def state(self, value):
        self._count()
        super().state(value)

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise Killed


@given(
    story=st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 12), st.integers(0, 40)),
            st.tuples(st.just("pull"), st.integers(0, 8), st.just(0)),
            st.tuples(st.just("wait"), st.integers(1, 200), st.just(0)),
        ),
        max_size=25,
    ),
    page_size=st.integers(1, 4),
    chunk=st.integers(1, 3),
)
def test_whatever_is_written_when_and_wherever_the_process_dies_the_last_version_of_every_row_is_given(
    story, page_size, chunk, tmp_path_factory
):
    """Writes become visible up to 39 s after their modified time, some have none; the overlap is 60 s."""
    file = tmp_path_factory.mktemp("erp") / "erp.db"
    source = sqlite3.connect(file)
    source.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT, modified_at DATETIME)")
    clock = FakeClock(NOON)
    ports = memory_ports(clock, "erp")
    stream = ORDER_STREAM | {"page_size": page_size, "overlap": 60, "time_zone": "UTC"}
    checked = read_settings(f"sqlite:///{file}", orders=stream)
    given_rows: dict[int, str] = {}
    state: dict = {}
    original, sql_tap.CHUNK = sql_tap.CHUNK, chunk
    try:
        for version, (what, one, two) in enumerate([*story, ("pull", 10_000, 0)]):
            if what == "wait":
                clock.move(one)
            elif what == "write":
                at = (clock.now() - timedelta(seconds=two)).strftime("%Y-%m-%d %H:%M:%S") if two < 40 else None
                source.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (one, f"v{version}", at))
                source.commit()
            else:
                sink = DiesAfter(one)
                with contextlib.suppress(Killed):
                    pull(checked, state, ports, sink=sink)
                # What came before the last STATE is safe; what came after it is not, and is given again.
                state = sink.last_state or state
                given_rows |= {row["id"]: row["state"] for row in rows_of(sink)}
    finally:
        sql_tap.CHUNK = original
    assert given_rows == dict(source.execute("SELECT id, state FROM orders").fetchall())
    source.close()


def test_a_lost_connection_is_mended_and_metered(sqlite, ports, monkeypatch):
    make_orders(sqlite, *((n, "paid", "2026-11-21 10:00:00") for n in range(5)))
    real, broken = Database.chunks, [2]

    def chunks(self, connection, statement, rows):
        if broken[0] and "ORDER BY" in str(statement):
            broken[0] -= 1
            raise sqlite3.OperationalError("disk I/O error")
        yield from real(self, connection, statement, rows)

    monkeypatch.setattr(Database, "chunks", chunks)
    assert ids(pull(read_settings(sqlite.url, orders=ORDER_STREAM), {}, ports)) == [0, 1, 2, 3, 4]
    outcomes = [outcome for _, outcome, _ in ports.meter.attempts]
    assert outcomes == [Outcome.RETRIABLE, Outcome.RETRIABLE, Outcome.EMPTY, Outcome.OK]
    assert ports.meter.calls == [("orders", Outcome.EMPTY), ("orders", Outcome.OK)]


def test_a_failing_stream_stops_no_other_and_says_what_to_do(sqlite, ports):
    make_orders(sqlite, (1, "paid", "2026-11-21 10:00:00"))
    kept = pull(
        read_settings(
            sqlite.url,
            missing={"table": "order", "key": "id"},
            orders=ORDER_STREAM,
            wrong={"table": "orders", "key": "no", "modified": "changed"},
        ),
        {},
        ports,
    )
    outcomes = {result.stream: (result.outcome, result.problem) for result in kept.results}
    assert outcomes["orders"][0] is Outcome.OK
    assert outcomes["missing"][1].code == "sql.no-table"
    assert "orders" in outcomes["missing"][1].do.zh
    assert outcomes["wrong"][1].code == "sql.no-column"
    assert "modified_at" in outcomes["wrong"][1].do.zh


def test_pulling_makes_no_database_where_there_is_none(tmp_path, ports):
    settings = read_settings(f"sqlite:///{tmp_path}/none.db", orders=ORDER_STREAM)
    with pytest.raises(ConnectorError, match=r"sql\.no-file"):
        pull(settings, {}, ports)
    assert list(tmp_path.iterdir()) == []


def test_pulling_cannot_write(server, ports):
    make_orders(server, (1, "paid", "2026-11-21 10:00:00"))
    with (
        contextlib.closing(Database(read_settings(server.url), ports)) as database,
        pytest.raises(ConnectorError, match=r"(?i)read.?only"),
        database.connect("erp") as connection,
    ):
        connection.exec_driver_sql("DELETE FROM orders")


def test_a_wrong_password_is_said_without_the_password(postgres, ports, caplog):
    import sqlalchemy as sa

    url = sa.make_url(postgres.url).set(port=1, password="hunter2-secret").render_as_string(hide_password=False)
    settings = SQL.read_settings({"url": "${ERP_URL}", "streams": {"orders": ORDER_STREAM}}, {"ERP_URL": url}.get)
    kept = pull(settings, {}, ports)
    assert kept.results[0].outcome is Outcome.RETRIABLE
    assert "hunter2" not in str(kept.results[0].problem) + caplog.text


def test_trying_reads_one_row_of_each_stream_and_changes_nothing(server, ports):
    make_orders(server, *((n, "paid", "2026-11-21 10:00:00") for n in range(5)))
    tried = SQL.test(read_settings(server.url, orders=ORDER_STREAM, none={"table": "no", "key": "id"}), ports)
    assert [(one.stream, one.records, one.problem and one.problem.code) for one in tried] == [
        ("none", 0, "sql.no-table"),
        ("orders", 1, None),
    ]
