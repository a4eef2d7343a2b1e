"""Connects to any SQL database, politely: read only, short transactions, no waiting for ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, CursorResult, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.bookmarks import BEIJING, as_time
from connectors.ports import Ports
from connectors.problems import ConnectorError, Problem, Text, Unreachable
from connectors.redact import SECRETS
from connectors.settings import Settings

__all__ = ["BrokenText", "Database", "breaks_constraint", "zone_named"]

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_CONNECT_ARGS: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": 10},
    "mysql": {"connect_timeout": 10, "read_timeout": 300, "write_timeout": 60},
    "mariadb": {"connect_timeout": 10, "read_timeout": 300, "write_timeout": 60},
    "sqlite": {"timeout": 30},
}
_CLOCKS = {
    "postgresql": "SELECT now()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
    "mssql": "SELECT SYSUTCDATETIME()",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM dual",
}
"""How each database tells its own time, in UTC. SQLite has no clock of its own: it is on our machine."""


def zone_named(name: str) -> Any:
    """The time zone; Shanghai as a fixed +08:00, which it has been since 1991 and which is much faster."""
    return BEIJING if name == "Asia/Shanghai" else ZoneInfo(name)


class BrokenText(Exception):
    """A text that is not UTF-8 stands in a SQLite file: read again, its bytes kept."""


class Database:
    """One database. `writing` opens it for the staging table; otherwise it is opened read only."""

    def __init__(self, settings: Settings, ports: Ports, *, writing: bool = False) -> None:
        self._ports = ports
        self._broken_text = False
        self._engine = _engine(settings, writing, ports.connector)
        self.dialect = self._engine.dialect.name

    @contextmanager
    def connect(self, where: str, zone: Any = BEIJING) -> Iterator[Connection]:
        """A connection for one short transaction; its errors come out as ConnectorError.

        MySQL gives TIMESTAMP columns in the session's zone: it is set to the zone their times are read in.
        """
        try:
            with self._engine.connect() as connection:
                if self.dialect in {"mysql", "mariadb"}:
                    connection.exec_driver_sql(f"SET time_zone = '{_offset(zone, self._ports)}'")
                yield connection
        except SQLAlchemyError as error:
            raise self.problem(error, where) from None
        except sqlite3.Error as error:
            raise self.problem(DBAPIError.instance("", None, error, sqlite3.Error), where) from None

    def now(self) -> datetime:
        """The database's own time, aware UTC: modified columns follow its clock, not ours."""
        statement = _CLOCKS.get(self.dialect)
        if statement is None:
            return self._ports.clock.now()
        with self.connect(self._ports.connector) as connection:
            return as_time(connection.exec_driver_sql(statement).scalar_one(), UTC) or self._ports.clock.now()

    def columns(self, table: str, schema: str | None, where: str) -> list[dict[str, Any]]:
        """Columns of a table or view as the database describes them; a Problem if there is no such table."""
        with self.connect(where) as connection:
            inspector = sa.inspect(connection)
            names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}
            if table not in names:
                raise ConnectorError(_no_table(table, sorted(names), where))
            return [dict(column) for column in inspector.get_columns(table, schema)]

    def names_of(self, query: str, where: str) -> list[str]:
        """Names of the columns a query gives."""
        with self.connect(where) as connection:
            statement = sa.text(f"SELECT * FROM ({query}) lk_query WHERE 1 = 0")
            return list(connection.execute(statement).keys())

    def chunks(self, connection: Connection, statement: sa.Executable, rows: int) -> Iterator[Sequence[Any]]:
        """The statement's rows in chunks, streamed from the server, without SQLAlchemy's type conversions."""
        if self.dialect == "sqlite":
            yield from self._sqlite_chunks(connection, statement, rows)
            return
        result: CursorResult[Any] = connection.execution_options(stream_results=True, yield_per=rows).execute(statement)
        yield from result.partitions(rows)

    def close(self) -> None:
        self._engine.dispose()

    def _sqlite_chunks(self, connection: Connection, statement: sa.Executable, rows: int) -> Iterator[Sequence[Any]]:
        """The driver streams by itself; past SQLAlchemy's Row objects a row costs a quarter less."""
        driver: Any = connection.connection.driver_connection
        if self._broken_text:
            driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        cursor: Any = connection.execute(statement).cursor
        while True:
            try:
                chunk = cursor.fetchmany(rows)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error) or self._broken_text:
                    raise
                # One such row would end the whole statement. The careful decoder costs 0.5 us a text.
                self._broken_text = True
                raise BrokenText from None
            if not chunk:
                return
            yield chunk

    def problem(self, error: SQLAlchemyError, where: str) -> ConnectorError:
        """What a database error means for a person and for what happens next."""
        original = getattr(error, "orig", None)
        said = SECRETS.clean(str(original or error).strip().splitlines()[0] if str(original or error).strip() else "")
        if isinstance(error, DBAPIError) and (error.connection_invalidated or _is_passing(error)):
            return Unreachable(
                Problem(
                    "sql.unreachable",
                    Text(f"数据库暂时无法访问: {said}", f"the database cannot be reached: {said}"),
                    where,
                    Text(
                        "检查数据库与网络; 下次同步会自动重试", "check database and network; the next run tries again"
                    ),
                ),
            )
        return ConnectorError(
            Problem(
                "sql.refused",
                Text(f"数据库拒绝了语句: {said}", f"the database refused the statement: {said}"),
                where,
                Text("检查表名、列名与账号权限: liuke test", "check table, columns and rights: liuke test"),
            )
        )


def _engine(settings: Settings, writing: bool, where: str) -> Engine:
    url = _url(settings, writing, where)
    dialect = url.get_backend_name()
    # One connection for all statements of a pull: logging in costs more than most of them.
    pool: dict[str, Any] = {"poolclass": NullPool} if dialect == "sqlite" else {"pool_size": 1, "pool_pre_ping": True}
    try:
        engine = sa.create_engine(url, connect_args=_CONNECT_ARGS.get(dialect, {}), **pool)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConnectorError(_no_driver(url, error, where)) from None
    if not writing:
        _make_read_only(engine, dialect)
    return engine


def _url(settings: Settings, writing: bool, where: str) -> URL:
    try:
        url = make_url(settings["url"])
    except (ArgumentError, ValueError):
        raise ConnectorError(_bad_url(where)) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = settings.folder / url.database
        if not writing:
            # Otherwise a wrong path would quietly make an empty database.
            if not file.is_file():
                raise ConnectorError(_no_file(file, where))
            return url.set(database=f"file:{file}", query={**url.query, "mode": "ro", "uri": "true"})
        return url.set(database=str(file))
    return url


def _make_read_only(engine: Engine, dialect: str) -> None:
    """A pull that writes is a mistake of ours: the database shall refuse it. SQLite: mode=ro in the URL."""
    statements = {
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "mysql": "SET SESSION TRANSACTION READ ONLY",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }
    if dialect not in statements:
        return

    def begin(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statements[dialect])
        connection.commit()

    event.listen(engine, "connect", begin)


def _offset(zone: Any, ports: Ports) -> str:
    offset = ports.clock.now().astimezone(zone).strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


def _is_passing(error: DBAPIError) -> bool:
    """True for what a later try may mend: lost connections, locks, deadlocks, too many connections."""
    if isinstance(error, sa.exc.InterfaceError):
        return True
    if not isinstance(error, sa.exc.OperationalError):
        return False
    said = str(error.orig).lower()
    permanent = (
        "no such",
        "unknown column",
        "unknown table",
        "access denied",
        "authentication failed",
        "does not exist",
    )
    return not any(word in said for word in permanent)


def breaks_constraint(error: DBAPIError) -> bool:
    """True if the database refuses the values of a row; MariaDB calls a failed CHECK an operational error."""
    if isinstance(error, (sa.exc.IntegrityError, sa.exc.DataError)):
        return True
    return isinstance(error, sa.exc.OperationalError) and "constraint" in str(error.orig).lower()


def _bad_url(where: str) -> Problem:
    return Problem(
        "sql.bad-url",
        Text("数据库地址无法识别", "the database address cannot be read"),
        f"{where}: settings.url",
        Text(
            "例: mysql+pymysql://用户:${密码变量}@主机:3306/库名",
            "as in mysql+pymysql://user:${VARIABLE}@host:3306/name",
        ),
    )


def _no_driver(url: URL, error: Exception, where: str) -> Problem:
    extra = {"postgresql": "pip install 'liuke[postgres]'", "mysql": "pip install pymysql"}
    command = extra.get(url.get_backend_name(), f"pip install {getattr(error, 'name', None) or url.drivername}")
    return Problem(
        "sql.no-driver",
        Text(f"缺少数据库驱动 {url.drivername}", f"the database driver {url.drivername} is not installed"),
        where,
        Text(command, command),
    )


def _no_file(file: Path, where: str) -> Problem:
    return Problem(
        "sql.no-file",
        Text(f"找不到数据库文件 {file.name}", f"there is no database file {file.name}"),
        f"{where}: {file}",
        Text("检查 settings.url 中的路径", "check the path in settings.url"),
    )


def _no_table(table: str, names: list[str], where: str) -> Problem:
    close = [name for name in names if table.lower() in name.lower() or name.lower() in table.lower()]
    listed = ", ".join((close or names)[:10])
    return Problem(
        "sql.no-table",
        Text(f"数据库里没有表 {table}", f"there is no table {table}"),
        where,
        Text(f"相近的表: {listed}", f"tables there are: {listed}"),
    )
