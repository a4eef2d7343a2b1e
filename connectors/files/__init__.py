"""CSV, Excel and NDJSON files as source: exports of shops and ticket systems, and imports of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.files.templates import TEMPLATES
from connectors.ports import Ports, Sink
from connectors.problems import Problem, Text
from connectors.registry import Connector, Stream, Window
from connectors.settings import Kind, Setting, Settings

if TYPE_CHECKING:
    from connectors.files.tap import FilesTap

_STREAM = (
    Setting(
        "path",
        Kind.PATH,
        Text("文件、文件夹, 或带 * 的路径", "a file, a folder, or a path with *"),
        required=True,
        example="import/orders/*.csv",
    ),
    Setting(
        "template",
        Kind.TEXT,
        Text("按哪个模板识别表头", "the template by which headers are recognised"),
        choices=tuple(TEMPLATES),
    ),
    Setting(
        "key",
        Kind.LIST,
        Text("唯一确定一行的列; 用模板时不必填", "columns that name one row; a template knows them"),
        example=["订单号"],
    ),
    Setting(
        "encoding",
        Kind.TEXT,
        Text("文字编码; auto 自动识别", "text encoding; auto finds it"),
        default="auto",
        choices=("auto", "utf-8", "gb18030", "utf-16"),
    ),
    Setting(
        "delimiter",
        Kind.TEXT,
        Text("列分隔符; auto 自动识别", "what separates columns; auto finds it"),
        default="auto",
        choices=("auto", ",", ";", "|", "tab", "space"),
    ),
    Setting("sheet", Kind.TEXT, Text("Excel 工作表名; 不填取第一张", "name of the Excel sheet; the first if not set")),
    Setting(
        "header_row",
        Kind.INTEGER,
        Text("表头在第几行; 0 表示没有表头 (须填 columns)", "line of the headers; 0: none (columns names them)"),
        default=1,
        at_least=0,
    ),
    Setting("columns", Kind.LIST, Text("没有表头时各列的名称", "names of the columns where there are no headers")),
    Setting(
        "number_columns",
        Kind.LIST,
        Text(
            "允许写成 1.5E+12 的数字列; 其他列出现这种写法说明编号已被 Excel 损坏",
            "columns in which 1.5E+12 is a number; elsewhere it means that Excel has damaged an id",
        ),
    ),
    Setting(
        "quiet_seconds",
        Kind.INTEGER,
        Text(
            "文件多少秒没有变化才算写完; 之前不读取末尾没有换行的一行",
            "seconds without a change after which a file counts as complete; before, a last line without end waits",
        ),
        default=60,
        at_least=0,
    ),
)

SETTINGS = (
    Setting(
        "streams",
        Kind.NAMED,
        Text("要读取的同步对象, 以名称为键", "what to read, by name"),
        required=True,
        settings=_STREAM,
    ),
)


def _streams(settings: Settings | None) -> Sequence[Stream]:
    if settings is None:
        return [
            Stream(template.name, template.title, template.key, modified_since=True) for template in TEMPLATES.values()
        ]
    return [
        Stream(
            name,
            TEMPLATES[stream["template"]].title if stream["template"] else Text(name, name),
            TEMPLATES[stream["template"]].key if stream["template"] else tuple(stream["key"] or ()),
        )
        for name, stream in settings["streams"].items()
    ]


def _more_checks(settings: Settings, path: str) -> Sequence[Problem]:
    problems = []
    for name, stream in settings["streams"].items():
        if not stream["template"] and not stream["key"]:
            problems.append(
                Problem(
                    "files.no-key",
                    Text("没有用模板时必须填 key", "without a template a key is needed"),
                    f"{path}.streams.{name}.key",
                    Text("例: key: [订单号], 或 template: orders", "as in key: [order_no], or template: orders"),
                )
            )
        if stream["header_row"] == 0 and not stream["columns"]:
            problems.append(
                Problem(
                    "files.no-columns",
                    Text("没有表头时必须用 columns 写明列名", "without headers, columns must name them"),
                    f"{path}.streams.{name}.columns",
                    Text(
                        "例: columns: [客户号, 日期, 数量, 金额]", "as in columns: [customer, date, quantity, amount]"
                    ),
                )
            )
    return problems


def _tap(settings: Settings, state: Mapping[str, Any], ports: Ports, sink: Sink, window: Window | None) -> FilesTap:
    from connectors.files.tap import FilesTap

    return FilesTap(settings, state, ports, sink, window)


CONNECTOR = Connector(
    name="files",
    title=Text("文件 (CSV, Excel, NDJSON)", "files (CSV, Excel, NDJSON)"),
    package=__name__,
    settings=SETTINGS,
    list_streams=_streams,
    more_checks=_more_checks,
    make_tap=_tap,
)
