"""Opens the one database, SQLite (embedded, the default) or PostgreSQL, and draws its transactions.

`store.reading()` never writes; `store.transaction()` holds the write lock from its first moment. There is no
upgrade from one to the other: on SQLite that fails at once with "database is locked", whatever the timeout.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from mappings.problems import LiukeError, Problem, Text
from state import migrations, schema

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another process's write lock (SQLite)."""

WRITE = "liuke_write"


class StoreUnavailable(LiukeError):
    """The database cannot be used now: gone, locked past the timeout, read-only or full. Try again later."""


class Store:
    """One open database; safe to use from several threads of one process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writing = threading.RLock()

    @classmethod
    def open(cls, url: str | URL, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Store:
        """Opens the database at that SQLAlchemy URL, making or upgrading its tables first."""
        url = make_url(url)
        engine = _sqlite_engine(url, busy_timeout_s) if url.get_backend_name() == "sqlite" else _server_engine(url)
        store = cls(engine)
        with _explained(store):
            migrations.prepare(engine)
        return store

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the database, for reading only."""
        with _explained(self), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of its writes stand or fall together. Writers of this process take turns."""
        # SQLite has one writer; waiting here keeps threads of this process off each other's busy time-out.
        with (
            self._writing if self.is_sqlite else nullcontext(),
            _explained(self),
            self.engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def is_empty(self, connection: Connection, table: str) -> bool:
        """Whether the table has no row at all."""
        return connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1').first() is None

    def close(self) -> None:
        """Closes all connections; on SQLite the last one folds the write-ahead log into the file."""
        self.engine.dispose()


def _sqlite_engine(url: URL, busy_timeout_s: float) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s})

    @event.listens_for(engine, "connect")
    def configure(dbapi_connection: Any, _record: Any) -> None:
        # The driver opens no transaction of its own: BEGIN comes from `begin` below.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", "cache_size=-32768"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _server_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True)


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """Turns the driver's "cannot work now" errors into one that says what to do; others pass unchanged."""
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(_unavailable(store.engine.url, str(error.orig))) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(_unavailable(store.engine.url, str(error.orig))) from error
        raise


def _unavailable(url: URL, reason: str) -> Problem:
    where = url.render_as_string(hide_password=True)
    if "locked" in reason:
        return Problem(
            "store.locked",
            Text("数据库被其他程序占用", f"the database is locked by another program: {reason}"),
            where,
            Text(
                "请关闭占用数据库的程序后重试; 已拉取的数据保存在落地文件中",
                "close the program that holds it and run again; what was pulled is kept in landing files",
            ),
        )
    if "readonly" in reason or "read-only" in reason:
        return Problem(
            "store.read-only",
            Text("数据库只读, 无法写入", f"the database cannot be written: {reason}"),
            where,
            Text(
                "请检查文件与文件夹的写权限: liuke doctor",
                "check the permissions of file and folder: liuke doctor",
            ),
        )
    if "full" in reason:
        return Problem(
            "store.disk-full",
            Text("磁盘空间不足, 数据库无法写入", f"the disk is full: {reason}"),
            where,
            Text("请清理磁盘后重试", "free disk space and run again"),
        )
    return Problem(
        "store.unavailable",
        Text("数据库无法使用", f"the database cannot be used: {reason}"),
        where,
        Text(
            "请检查数据库是否启动、地址与权限: liuke doctor",
            "check that it runs, its address and rights: liuke doctor",
        ),
    )


def tables_of(engine: Engine) -> set[str]:
    """Names of the tables that exist, for doctor and tests."""
    return set(inspect(engine).get_table_names())


__all__ = ["BUSY_TIMEOUT_S", "Store", "StoreUnavailable", "schema", "tables_of"]
