"""A store on each database the product supports."""

import itertools

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.engine import create_engine

from state.store import Store

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """An empty store; every test of the store runs on both databases."""
    if request.param == "sqlite":
        opened = Store.open(f"sqlite:///{tmp_path}/liuke.db")
        yield opened
        opened.close()
        return
    url = make_url(request.getfixturevalue("postgres_url"))
    name = f"store_{next(_numbers)}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{url.database}_{name}"'))
    opened = Store.open(url.set(database=f"{url.database}_{name}"))
    yield opened
    opened.close()
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{url.database}_{name}"'))
    admin.dispose()
