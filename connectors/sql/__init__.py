"""Any SQL database as source, and a staging table in it as target: ERP, shop, ticket and CRM databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.ports import Ports, Sink
from connectors.problems import Problem, Text
from connectors.registry import Connector, Stream, Window
from connectors.settings import Kind, Setting, Settings

if TYPE_CHECKING:
    from connectors.sql.tap import SqlTap
    from connectors.sql.writer import SqlWriter

WRITABLE = ("score", "tier", "last_purchase_at", "purchase_count", "purchase_amount")
"""Fields of the hub that the staging table can take."""

_STREAM = (
    Setting("table", Kind.TEXT, Text("表或视图的名称", "name of the table or view"), example="sale_order"),
    Setting(
        "query",
        Kind.TEXT,
        Text("代替 table 的 SELECT 语句", "a SELECT statement, instead of table"),
        example="SELECT o.*, c.mobile FROM sale_order o JOIN customer c ON c.id = o.customer_id",
    ),
    Setting("schema", Kind.TEXT, Text("表所在的 schema", "schema that holds the table")),
    Setting(
        "key",
        Kind.LIST,
        Text("唯一确定一行的列", "columns that together name one row"),
        required=True,
        example=["id"],
    ),
    Setting(
        "modified",
        Kind.LIST,
        Text(
            "修改时间列; 多列时取第一个非空的; 不填则每次全量读取",
            "column of the last change; of several the first that is not null; without it everything is read each time",
        ),
        example=["updated_at", "created_at"],
    ),
    Setting(
        "modified_as",
        Kind.TEXT,
        Text(
            "修改列的含义: 时间, Unix 秒, Unix 毫秒, SQL Server rowversion, 或只增不减的序号",
            "what the modified column holds: a time, Unix seconds or milliseconds, a rowversion, a growing number",
        ),
        default="time",
        choices=("time", "unix_s", "unix_ms", "rowversion", "sequence"),
    ),
    Setting(
        "overlap",
        Kind.INTEGER,
        Text(
            "每次向前重读的秒数(序号则为个数), 不小于源库最长事务, 以防晚提交的数据被漏掉",
            "seconds (or numbers of a sequence) read again each time; at least the longest transaction there, "
            "so that rows committed late are not missed",
        ),
        default=300,
        at_least=0,
    ),
    Setting(
        "time_zone",
        Kind.TIME_ZONE,
        Text("不带时区的时间属于哪个时区", "what a time without an offset means"),
        default="Asia/Shanghai",
    ),
    Setting("columns", Kind.LIST, Text("只读取这些列", "read only these columns")),
    Setting(
        "page_size",
        Kind.INTEGER,
        Text("一条语句最多读取的行数", "rows that one statement reads at most"),
        default=50_000,
        at_least=1,
    ),
)

_WRITE = (
    Setting("table", Kind.TEXT, Text("中间表名称", "name of the staging table"), default="lk_customer_score"),
    Setting("schema", Kind.TEXT, Text("中间表所在的 schema", "schema that holds the staging table")),
    Setting(
        "key",
        Kind.TEXT,
        Text("存放客户来源编号的列", "column that holds the customer's source id"),
        default="customer_id",
    ),
    Setting(
        "columns",
        Kind.MAP,
        Text("字段写入哪一列", "which column takes which field"),
        default={name: name for name in WRITABLE},
        choices=WRITABLE,
    ),
    Setting(
        "updated_at",
        Kind.TEXT,
        Text("存放写入时间的列", "column that takes the time of writing"),
        default="updated_at",
    ),
    Setting(
        "create",
        Kind.FLAG,
        Text("表不存在时自动创建", "create the table where there is none"),
        default=False,
    ),
    Setting(
        "time_zone",
        Kind.TIME_ZONE,
        Text("写入的时间属于哪个时区", "time zone of the times written"),
        default="Asia/Shanghai",
    ),
)

SETTINGS = (
    Setting(
        "url",
        Kind.URL,
        Text("SQLAlchemy 数据库地址", "SQLAlchemy address of the database"),
        required=True,
        secret=True,
        example="mysql+pymysql://reader:${ERP_PASSWORD}@10.0.0.8:3306/erp",
    ),
    Setting(
        "streams",
        Kind.NAMED,
        Text("要拉取的同步对象, 以名称为键", "what to pull, by name"),
        settings=_STREAM,
    ),
    Setting("write", Kind.GROUP, Text("回写用的中间表", "the staging table for write-back"), settings=_WRITE),
)


def _streams(settings: Settings | None) -> Sequence[Stream]:
    if settings is None:
        return ()
    return [
        Stream(
            name,
            Text(name, name),
            tuple(stream["key"]),
            modified_since=bool(stream["modified"]),
            updated_at=tuple(stream["modified"] or ()),
        )
        for name, stream in (settings["streams"] or {}).items()
    ]


def _more_checks(settings: Settings, path: str) -> Sequence[Problem]:
    problems = []
    for name, stream in (settings["streams"] or {}).items():
        if bool(stream["table"]) == bool(stream["query"]):
            problems.append(
                Problem(
                    "sql.table-or-query",
                    Text("table 和 query 必须且只能填一个", "exactly one of table and query is needed"),
                    f"{path}.streams.{name}",
                    Text("只保留其中一个", "keep one of them"),
                )
            )
    return problems


def _tap(settings: Settings, state: Mapping[str, Any], ports: Ports, sink: Sink, window: Window | None) -> SqlTap:
    from connectors.sql.tap import SqlTap

    return SqlTap(settings, state, ports, sink, window)


def _writer(settings: Settings, ports: Ports) -> SqlWriter:
    from connectors.sql.writer import SqlWriter

    return SqlWriter(settings, ports)


CONNECTOR = Connector(
    name="sql",
    title=Text("SQL 数据库", "SQL database"),
    package=__name__,
    settings=SETTINGS,
    list_streams=_streams,
    more_checks=_more_checks,
    make_tap=_tap,
    make_writer=_writer,
)
