"""A store on each database, and a small company whose customers and orders a test writes as it needs them."""

import itertools

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.engine import create_engine

from state.store import Store
from tests.writeback.company import Company

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """An empty store; these tests run on both databases."""
    if request.param == "sqlite":
        opened = Store.open(f"sqlite:///{tmp_path}/liuke.db")
        yield opened
        opened.close()
        return
    url = make_url(request.getfixturevalue("postgres_url"))
    name = f"{url.database}_wb_{next(_numbers)}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    opened = Store.open(url.set(database=name))
    yield opened
    opened.close()
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}"'))
    admin.dispose()


@pytest.fixture
def company(store):
    """The customers and orders of that store."""
    return Company(store)
