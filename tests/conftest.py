"""What every test stands on: no network but this machine, Hypothesis profiles, a PostgreSQL to throw away."""

import ipaddress
import os
import secrets
import sys
from collections.abc import Iterator

import hypothesis
import pytest
import sqlalchemy

# ---- Only this machine ---------------------------------------------------------------------------


class NetworkBlocked(AssertionError):
    """A test tried to reach another machine."""


def _is_this_machine(host: object) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def _is_number(host: object) -> bool:
    try:
        ipaddress.ip_address(host.decode("ascii", "replace") if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return True


def _watch_network(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]  # of a unix socket a path, not a pair
        if isinstance(address, tuple) and not _is_this_machine(address[0]):
            raise NetworkBlocked(f"tests reach this machine only, not {address}")
    looks_up = event in ("socket.getaddrinfo", "socket.gethostbyname")
    if looks_up and not (_is_this_machine(args[0]) or _is_number(args[0])):
        raise NetworkBlocked(f"tests reach this machine only: they may not look up {args[0]!r}")


# For the whole run, imports and session fixtures included. What opens sockets in C (psycopg) is not seen.
sys.addaudithook(_watch_network)

# ---- How many examples ---------------------------------------------------------------------------

# No deadlines: they measure the machine, not the code. LIUKE_HYPOTHESIS=thorough for a long search.
hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("LIUKE_HYPOTHESIS", "default"))

# ---- PostgreSQL ----------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test session, dropped after it.

    LIUKE_TEST_POSTGRES names a server and a role that may create databases. Without it these tests skip and
    say so; with LIUKE_TEST_REQUIRE=postgres they fail. A server that is named but silent is always a failure.
    """
    server = os.environ.get("LIUKE_TEST_POSTGRES")
    if not server:
        reason = "no PostgreSQL: set LIUKE_TEST_POSTGRES=postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
        if "postgres" in os.environ.get("LIUKE_TEST_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    database = f"liuke_test_{secrets.token_hex(6)}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{database}"')
    url = sqlalchemy.make_url(server).set(database=database)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{database}" WITH (FORCE)')
        engine.dispose()
