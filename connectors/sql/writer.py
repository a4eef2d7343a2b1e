"""Writes scores and purchase facts into a staging table that the ERP or CRM reads; never into vendors' tables.

One row per customer, keyed by the customer's id in that system. One batch is one transaction: all of it is
there or none of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.bookmarks import as_time
from connectors.outcomes import Outcome
from connectors.ports import Ports
from connectors.problems import ConnectorError, Problem, Text, Unreachable
from connectors.settings import Settings
from connectors.sql.database import Database, breaks_constraint, zone_named
from connectors.writer import Change, Field, FieldType, ReadBack, Receipt, Value, Writer

__all__ = ["SqlWriter"]

FIELDS = (
    Field("score", Text("评分", "score"), FieldType.DECIMAL, decimals=2),
    Field("tier", Text("分层", "tier"), FieldType.TEXT, length=16),
    Field("last_purchase_at", Text("最近消费时间", "last purchase"), FieldType.TIME),
    Field("purchase_count", Text("消费次数", "number of purchases"), FieldType.INTEGER),
    Field("purchase_amount", Text("消费金额", "amount of purchases"), FieldType.DECIMAL, decimals=2),
)
_BY_NAME = {field.name: field for field in FIELDS}
_INSERTS: Mapping[str, Any] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
    "mysql": mysql.insert,
    "mariadb": mysql.insert,
}


class SqlWriter(Writer):
    """The staging table of one database."""

    batch_size: ClassVar[int] = 2_000

    def __init__(self, settings: Settings, ports: Ports) -> None:
        super().__init__(ports)
        write = settings["write"]
        if write is None:
            raise ConnectorError(_no_table_set(ports.connector))
        self._where = f"{ports.connector}: settings.write"
        self._columns: Mapping[str, str] = write["columns"]
        self._key: str = write["key"]
        self._updated_at: str = write["updated_at"]
        self._zone = zone_named(write["time_zone"])
        self._create: bool = write["create"]
        self._database = Database(settings, ports, writing=True)
        self._table = _table(write, self._database.dialect)
        self._ready = False

    def fields(self) -> tuple[Field, ...]:
        return tuple(_BY_NAME[name] for name in self._columns)

    def send(self, changes: Sequence[Change]) -> Iterable[Receipt]:
        """Upserts the batch in one transaction; if the database refuses a row, finds which one it was."""
        self._make_ready()
        try:
            self._upsert(changes)
        except _RowRefused as error:
            if len(changes) == 1:
                reason = Text(f"数据库拒绝了这一行: {error}", f"the database refused the row: {error}")
                return [self.rejected(changes[0], "sql.row-refused", reason)]
            middle = len(changes) // 2
            return [*self.send(changes[:middle]), *self.send(changes[middle:])]
        return [self.accepted(change) for change in changes]

    def read_back(self, source_ids: Sequence[str], fields: Sequence[str]) -> ReadBack:
        self._make_ready()
        names = [name for name in fields if name in self._columns]
        key = self._table.c[self._key]
        wanted = [self._table.c[self._columns[name]] for name in names]
        found: set[str] = set()
        values: dict[tuple[str, str], Value] = {}
        for start in range(0, len(source_ids), 500):
            statement = sa.select(key, *wanted).where(key.in_(list(source_ids[start : start + 500])))
            with self._metered("read_back"), self._database.connect(self._where, self._zone) as connection:
                rows = connection.execute(statement).all()
            for row in rows:
                source_id = str(row[0])
                found.add(source_id)
                for name, value in zip(names, row[1:], strict=True):
                    values[source_id, name] = self._read(_BY_NAME[name], value)
        return ReadBack(frozenset(found), values)

    def close(self) -> None:
        self._database.close()

    def _upsert(self, changes: Sequence[Change]) -> None:
        now = self._stored_time(self.ports.clock.now())
        with self._metered("upsert"), self._database.connect(self._where, self._zone) as connection:
            try:
                for names, rows in _by_fields(changes).items():
                    made = [self._row(source_id, cells, now) for source_id, cells in rows.items()]
                    self._write_rows(connection, names, made)
            except DBAPIError as error:
                if not breaks_constraint(error):
                    raise
                raise _RowRefused(str(error.orig).splitlines()[0]) from None
            try:
                connection.commit()
            except DBAPIError as error:
                # The connection broke while committing: nobody knows on which side of it the rows are.
                raise Unreachable(self._database.problem(error, self._where).problem, sent=True) from None

    def _row(self, source_id: str, cells: Mapping[str, Value], now: Any) -> dict[str, Any]:
        row: dict[str, Any] = {self._key: source_id, self._updated_at: now}
        for name, value in cells.items():
            row[self._columns[name]] = self._stored(_BY_NAME[name], value)
        return row

    def _write_rows(self, connection: Connection, names: Sequence[str], rows: list[dict[str, Any]]) -> None:
        """Inserts or updates rows that have the same columns, and counts what the database says it did."""
        make_insert = _INSERTS.get(self._database.dialect)
        columns = [self._columns[name] for name in names] + [self._updated_at]
        if make_insert is None:
            self._update_or_insert(connection, columns, rows)
            return
        insert = make_insert(self._table)
        if self._database.dialect in {"mysql", "mariadb"}:
            statement = insert.on_duplicate_key_update({name: insert.inserted[name] for name in columns})
        else:
            statement = insert.on_conflict_do_update(
                index_elements=[self._key], set_={name: insert.excluded[name] for name in columns}
            )
        connection.execute(statement, rows)
        self._check_count(connection, [row[self._key] for row in rows])

    def _update_or_insert(self, connection: Connection, columns: Sequence[str], rows: list[dict[str, Any]]) -> None:
        key = self._table.c[self._key]
        for row in rows:
            update = self._table.update().where(key == row[self._key]).values({name: row[name] for name in columns})
            if connection.execute(update).rowcount == 0:
                connection.execute(self._table.insert().values(row))
        self._check_count(connection, [row[self._key] for row in rows])

    def _check_count(self, connection: Connection, keys: Sequence[str]) -> None:
        """Every key must be there now. Row counts of an upsert mean something else in every database."""
        key = self._table.c[self._key]
        there = 0
        for start in range(0, len(keys), 500):
            part = list(keys[start : start + 500])
            there += connection.execute(sa.select(sa.func.count()).where(key.in_(part))).scalar_one()
        if there != len(keys):
            raise ConnectorError(_lost(self._where, len(keys), there))

    def _stored(self, field: Field, value: Value) -> Any:
        if isinstance(value, datetime):
            return self._stored_time(value)
        if isinstance(value, (Decimal, int)) and field.type is FieldType.DECIMAL:
            exact = Decimal(value).quantize(Decimal("0.01"))
            return str(exact) if self._database.dialect == "sqlite" else exact
        return value

    def _stored_time(self, at: datetime) -> Any:
        local = at.astimezone(self._zone).replace(tzinfo=None, microsecond=0)
        return local.isoformat(" ") if self._database.dialect == "sqlite" else local

    def _read(self, field: Field, value: Any) -> Value:
        if value is None:
            return None
        if field.type is FieldType.DECIMAL:
            return Decimal(str(value))
        if field.type is FieldType.INTEGER:
            return int(value)
        if field.type is FieldType.TIME:
            at = as_time(value, self._zone)
            return at.astimezone(UTC) if at is not None else str(value)
        return str(value)

    def _make_ready(self) -> None:
        """Creates the table if that is wanted, and checks that it has the columns."""
        if self._ready:
            return
        with self._database.connect(self._where) as connection:
            if self._create:
                self._table.create(connection, checkfirst=True)
                connection.commit()
        described = self._database.columns(self._table.name, self._table.schema, self._where)
        there = {column["name"] for column in described}
        missing = [column.name for column in self._table.columns if column.name not in there]
        if missing:
            raise ConnectorError(_no_columns(self._where, self._table.name, missing))
        self._ready = True

    def _metered(self, endpoint: str) -> _Metered:
        return _Metered(self.ports, endpoint)


class _RowRefused(Exception):
    """The database refused a row of the batch; nothing of the batch was kept."""


class _Metered:
    """Meters what happens inside as one attempt and one call."""

    def __init__(self, ports: Ports, endpoint: str) -> None:
        self._ports = ports
        self._endpoint = endpoint
        self._started = ports.clock.monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        outcome = Outcome.OK
        if isinstance(error, (Unreachable, SQLAlchemyError)):
            outcome = Outcome.RETRIABLE
        elif isinstance(error, _RowRefused):
            outcome = Outcome.REJECTED
        elif error is not None:
            outcome = Outcome.FATAL
        took_ms = round((self._ports.clock.monotonic() - self._started) * 1000)
        self._ports.meter.attempt(self._endpoint, outcome, took_ms)
        self._ports.meter.call(self._endpoint, outcome)


def _by_fields(changes: Sequence[Change]) -> dict[tuple[str, ...], dict[str, dict[str, Value]]]:
    """Rows that change the same fields together, each row by its source id; of two values the last counts."""
    cells: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for change in changes:
        cells[change.source_id][change.field] = change.value
    grouped: defaultdict[tuple[str, ...], dict[str, dict[str, Value]]] = defaultdict(dict)
    # Sorted, so that two writers take their row locks in the same order.
    for source_id, row in sorted(cells.items()):
        grouped[tuple(sorted(row))][source_id] = row
    return dict(grouped)


def _table(write: Mapping[str, Any], dialect: str) -> sa.Table:
    """The staging table. SQLite keeps amounts as text: its own numbers lose digits of long ones."""
    text_only = dialect == "sqlite"
    types: Mapping[FieldType, Any] = {
        FieldType.TEXT: sa.String(16),
        FieldType.INTEGER: sa.Integer(),
        FieldType.DECIMAL: sa.Text() if text_only else sa.Numeric(18, 2),
        FieldType.TIME: sa.Text() if text_only else sa.DateTime(),
    }
    return sa.Table(
        write["table"],
        sa.MetaData(),
        sa.Column(write["key"], sa.String(64), primary_key=True),
        *(sa.Column(column, types[_BY_NAME[name].type]) for name, column in write["columns"].items()),
        sa.Column(write["updated_at"], types[FieldType.TIME]),
        schema=write["schema"],
    )


def _no_table_set(where: str) -> Problem:
    return Problem(
        "sql.no-staging-table",
        Text("没有设置回写用的中间表", "no staging table is set for write-back"),
        f"{where}: settings.write",
        Text(
            "补上 write: {table: lk_customer_score, create: true}",
            "add write: {table: lk_customer_score, create: true}",
        ),
    )


def _no_columns(where: str, table: str, missing: Sequence[str]) -> Problem:
    listed = ", ".join(missing)
    return Problem(
        "sql.staging-columns",
        Text(f"中间表 {table} 缺少列: {listed}", f"the staging table {table} has no columns {listed}"),
        where,
        Text("在表中补上这些列, 或修改 write.columns", "add the columns, or change write.columns"),
    )


def _lost(where: str, sent: int, there: int) -> Problem:
    return Problem(
        "sql.rows-lost",
        Text(f"写入 {sent} 行, 表中只有 {there} 行", f"{sent} rows were written and {there} are there"),
        where,
        Text("检查中间表上的触发器和约束", "check triggers and rules on the staging table"),
    )
