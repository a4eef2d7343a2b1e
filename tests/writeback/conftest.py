"""A store on each database, and a small company whose customers and orders a test writes as it needs them."""

import shutil

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.engine import create_engine

from state import schema
from state.store import Store
from tests.writeback.company import Company


@pytest.fixture(scope="session")
def postgres_store(postgres_url):
    """One database for all tests of this folder: making one takes longer than a test."""
    url = make_url(postgres_url)
    name = f"{url.database}_wb"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    opened = Store.open(url.set(database=name))
    yield opened
    opened.close()
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}"'))
    admin.dispose()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory):
    """The file of an empty database, to be copied."""
    file = tmp_path_factory.mktemp("empty") / "liuke.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """An empty store; these tests run on both databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "liuke.db")
        opened = Store.open(f"sqlite:///{tmp_path}/liuke.db")
        yield opened
        opened.close()
        return
    yield emptied(request.getfixturevalue("postgres_store"))


def emptied(store):
    """That store without a row."""
    with store.transaction() as tx:
        tables = ", ".join(f'"{table.name}"' for table in schema.metadata.sorted_tables)
        tx.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")
    return store


@pytest.fixture
def company(store):
    """The customers and orders of that store."""
    return Company(store)
