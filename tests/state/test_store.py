"""The database: transactions, refusals that say what to do, an audit that cannot be changed."""

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from state import migrations, schema
from state.bulk import execute, execute_many, listed
from state.store import Store, StoreUnavailable


def test_a_transaction_stands_or_falls_as_a_whole(store):
    def half_done():
        with store.transaction() as tx:
            execute(tx, "INSERT INTO setting (name, value) VALUES (?, ?)", ("a", "1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    with store.reading() as tx:
        assert execute(tx, "SELECT count(*) FROM setting").scalar_one() == 0


def test_the_audit_is_append_only(store):
    with store.transaction() as tx:
        execute(tx, "INSERT INTO audit (at, actor, act, object, detail) VALUES (1, 'a', 'b', 'c', 'd')")
    for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="append-only"), store.transaction() as tx:
            execute(tx, sql)


def test_listed_values_may_be_many_and_of_any_text(store):
    names = ["it's", "百分 100%", "a,b", '"q"', *(f"n{i}" for i in range(5000))]
    with store.transaction() as tx:
        execute_many(tx, "INSERT INTO setting (name, value) VALUES (?, '')", [(n,) for n in names])
        sql, parameter = listed(tx, [*names[:3], "no"])
        assert execute(tx, f"SELECT count(*) FROM setting WHERE name IN {sql}", (parameter,)).scalar_one() == 3
        sql, parameter = listed(tx, names)
        assert execute(tx, f"SELECT count(*) FROM setting WHERE name IN {sql}", (parameter,)).scalar_one() == 5004


def test_the_migrations_make_the_same_tables_as_the_schema(tmp_path):
    made = Store.open(f"sqlite:///{tmp_path}/made.db")
    engine = Store.open(f"sqlite:///{tmp_path}/other.db").engine
    with engine.begin() as tx:
        schema.metadata.drop_all(tx)
        execute(tx, "DELETE FROM alembic_version")
        migrations.upgrade(tx)

    def columns(engine):
        looked = inspect(engine)
        return {t: [(c["name"], str(c["type"])) for c in looked.get_columns(t)] for t in looked.get_table_names()}

    assert columns(made.engine) == columns(engine)


def test_a_locked_database_says_so_and_what_to_do(tmp_path):
    url = f"sqlite:///{tmp_path}/liuke.db"
    holder, waiter = Store.open(url), Store.open(url, busy_timeout_s=0.05)
    with (
        holder.transaction(),
        pytest.raises(StoreUnavailable, match=r"(?s)store\.locked.*落地文件"),
        waiter.transaction(),
    ):
        pass


def test_a_disk_that_fills_up_in_the_middle_of_many_rows_says_so(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path}/liuke.db")
    rows = [(f"n{i}", "x" * 1000) for i in range(2000)]

    def fill():
        with store.transaction() as tx:
            (pages,) = execute(tx, "PRAGMA page_count").one()
            execute(tx, f"PRAGMA max_page_count = {pages + 100}")
            execute_many(tx, "INSERT INTO setting (name, value) VALUES (?, ?)", rows)

    with pytest.raises(StoreUnavailable, match=r"store\.disk-full"):
        fill()
    with store.reading() as tx:
        assert execute(tx, "SELECT count(*) FROM setting WHERE name LIKE 'n%'").scalar_one() == 0
    store.close()


def test_a_reader_sees_one_state_while_a_writer_writes(tmp_path):
    url = f"sqlite:///{tmp_path}/liuke.db"
    writer, reader = Store.open(url), Store.open(url)
    with reader.reading() as view:
        before = execute(view, "SELECT count(*) FROM setting").scalar_one()
        with writer.transaction() as tx:
            execute(tx, "INSERT INTO setting (name, value) VALUES ('a', '1')")
        assert execute(view, "SELECT count(*) FROM setting").scalar_one() == before == 0


def test_a_server_that_does_not_answer_says_so_without_its_password():
    with pytest.raises(StoreUnavailable) as refused:
        Store.open("postgresql+psycopg://liuke:geheim@127.0.0.1:9/liuke")
    assert "store.unavailable" in str(refused.value)
    assert "geheim" not in str(refused.value)
