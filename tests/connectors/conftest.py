"""Databases to pull from and write to: SQLite always, PostgreSQL and MariaDB where they are named."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ports import Ports
from connectors.ports_memory import FakeClock, KeptPages, memory_ports
from connectors.tap import Pulled

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
"""12:00 in Beijing."""


def no_variable(_name: str) -> str | None:
    """An environment in which nothing is set."""
    return None


class Pull(KeptPages):
    """What one pull gave: pages and states, and the tap's own words about it."""

    results: tuple[Pulled, ...] = ()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def ports(clock: FakeClock) -> Ports:
    return memory_ports(clock, "erp")


@dataclass(frozen=True)
class Server:
    """One database: its URL for settings, and an engine for the test to write with."""

    url: str
    engine: sa.Engine

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def run(self, *statements: str) -> None:
        """Runs statements in one transaction of their own."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    """An empty MySQL or MariaDB database; LIUKE_TEST_MYSQL names a server whose user may create databases."""
    server = os.environ.get("LIUKE_TEST_MYSQL")
    if not server:
        reason = "no MySQL: set LIUKE_TEST_MYSQL=mysql+pymysql://root@127.0.0.1:3306/"
        if "mysql" in os.environ.get("LIUKE_TEST_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"liuke_test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        engine.dispose()


def _emptied(url: str) -> Iterator[Server]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield Server(url, engine)
    everything = sa.MetaData()
    everything.reflect(engine)
    everything.drop_all(engine)
    engine.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Server]:
    yield from _emptied(f"sqlite:///{tmp_path}/erp.db")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Server]:
    yield from _emptied(postgres_url)


@pytest.fixture
def mysql(mysql_server: str) -> Iterator[Server]:
    yield from _emptied(mysql_server)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres), "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each database in turn."""
    made: Server = request.getfixturevalue(request.param)
    return made
