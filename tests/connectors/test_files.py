import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

import connectors.files.tap as files_tap
from connectors.outcomes import Outcome
from connectors.problems import ConnectorError
from connectors.registry import connector
from tests.connectors.conftest import Pull, no_variable
from tests.connectors.test_sql_pull import DiesAfter, Killed

FILES = connector("files")
LONG_AGO = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path, clock):
    return Folder(tmp_path, clock)


class Folder:
    """A user's folder; files in it are an hour old unless said."""

    def __init__(self, path, clock):
        self.path = path
        self.clock = clock

    def write(self, name, content, *, age=LONG_AGO, encoding="utf-8"):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        self.set_age(file, age)
        return file

    def excel(self, name, *rows, merge=(), age=LONG_AGO):
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        for row in rows:
            sheet.append(row)
        for cells in merge:
            sheet.merge_cells(cells)
        book.save(self.path / name)
        self.set_age(self.path / name, age)

    def set_age(self, file, age):
        at = (self.clock.now() - age).timestamp()
        os.utime(file, (at, at))


def pull(folder, ports, state=None, sink=None, **streams):
    kept = sink or Pull()
    settings = FILES.read_settings({"streams": streams}, no_variable, folder=folder.path)
    with FILES.tap(settings, state or {}, ports, kept) as tap:
        kept.results = tap.pull()
    return kept


def rows_of(kept, stream="orders"):
    return [json.loads(record) for record in kept.records(stream)]


def rejected_of(kept):
    return [(one.code, one.raw) for page in kept.pages for one in page.rejected]


ORDERS = {"path": "orders.csv", "template": "orders"}
PLAIN = {"path": "orders.csv", "key": "id"}


# --- text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_files_are_read_in_whatever_encoding_they_were_saved(folder, ports, encoding):
    folder.write("orders.csv", "订单号,姓名,实付金额\nA1,张三,12.50\nA2,李四,\n", encoding=encoding)
    assert rows_of(pull(folder, ports, orders=ORDERS)) == [
        {"order_no": "A1", "name": "张三", "paid_amount": "12.50"},
        {"order_no": "A2", "name": "李四", "paid_amount": None},
    ]


def test_one_broken_byte_does_not_turn_a_utf8_file_into_gbk(folder, ports):
    good = "".join(f"A{n},张三\n" for n in range(50))
    folder.write("orders.csv", "订单号,姓名\n".encode() + good.encode() + b"B1,\xff\xfe\n")
    kept = pull(folder, ports, orders=ORDERS)
    assert [row["name"] for row in rows_of(kept)] == ["张三"] * 50
    assert rejected_of(kept) == [("row.not-utf8", b"order_no: B1\nname: \xff\xfe")]


@pytest.mark.parametrize(("delimiter", "setting"), [(",", "auto"), (";", "auto"), ("\t", "auto"), ("|", "|")])
def test_columns_may_be_separated_by_anything_usual(folder, ports, delimiter, setting):
    folder.write("orders.csv", f"id{delimiter}x\n1{delimiter}a\n")
    assert rows_of(pull(folder, ports, orders=PLAIN | {"delimiter": setting})) == [{"id": "1", "x": "a"}]


def test_quotes_may_hold_delimiters_and_line_ends(folder, ports):
    folder.write("orders.csv", 'id,note\r\n1,"第一行\n第二行, ""引号"""\r\n2,b\r\n')
    assert rows_of(pull(folder, ports, orders=PLAIN)) == [
        {"id": "1", "note": '第一行\n第二行, "引号"'},
        {"id": "2", "note": "b"},
    ]


def test_what_exports_put_around_ids_is_taken_off(folder, ports):
    folder.write("orders.csv", 'id,phone,x\n="1234567890123456789",\'13800138000,a\t\n')
    assert rows_of(pull(folder, ports, orders=PLAIN)) == [
        {"id": "1234567890123456789", "phone": "13800138000", "x": "a"}
    ]


def test_ids_that_excel_has_rounded_are_rejected_with_a_reason_and_real_numbers_are_not(folder, ports):
    folder.write("orders.csv", "id,factor\n1.23457E+18,1\n7,1.5E+12\n8,2.5E+03\n")
    kept = pull(folder, ports, orders=PLAIN | {"number_columns": "factor"})
    assert rejected_of(kept) == [("files.number-damaged", b"1.23457E+18,1")]
    assert [row["factor"] for row in rows_of(kept)] == ["1.5E+12", "2.5E+03"]


def test_rows_with_missing_or_surplus_cells_are_rejected_alone(folder, ports):
    folder.write("orders.csv", "id,a,b\n1,x,y\n2,x\n3,x,y,z\n4,x,y,\n")
    kept = pull(folder, ports, orders=PLAIN)
    assert [row["id"] for row in rows_of(kept)] == ["1", "4"]
    assert rejected_of(kept) == [("files.wrong-cell-count", b"2,x"), ("files.wrong-cell-count", b"3,x,y,z")]


def test_titles_above_and_sums_below_a_template_are_no_records(folder, ports):
    text = "2026年11月订单明细,,\n导出人: 王磊,,\n订单编号*,客户姓名,买家实付金额(元)\nA1,张三,5\n\n合计,,5\n"
    folder.write("orders.csv", text)
    assert rows_of(pull(folder, ports, orders=ORDERS)) == [{"order_no": "A1", "name": "张三", "paid_amount": "5"}]


def test_a_customer_called_total_is_a_record(folder, ports):
    folder.write("orders.csv", "订单号,姓名\nA1,合计\n")
    assert rows_of(pull(folder, ports, orders=ORDERS)) == [{"order_no": "A1", "name": "合计"}]


def test_headers_that_are_double_or_empty_get_names_of_their_own(folder, ports):
    folder.write("orders.csv", "id,金额,,金额\n1,2,3,4\n")
    assert rows_of(pull(folder, ports, orders=PLAIN)) == [{"id": "1", "金额": "2", "column_3": "3", "金额_2": "4"}]


def test_files_without_headers_are_named_by_the_settings(folder, ports):
    folder.write("orders.csv", " 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n")
    columns = ["id", "day", "n", "amount"]
    stream = PLAIN | {"header_row": 0, "columns": columns, "delimiter": "space"}
    assert rows_of(pull(folder, ports, orders=stream)) == [
        {"id": "00001", "day": "19970101", "n": "1", "amount": "11.77"},
        {"id": "00002", "day": "19970112", "n": "5", "amount": "77.00"},
    ]


def test_a_file_without_the_template_s_columns_says_which_are_needed(folder, ports):
    folder.write("orders.csv", "编码,金额\n1,2\n")
    folder.write("orders2.csv", "订单号\nA1\n")
    kept = pull(folder, ports, orders=ORDERS | {"path": "orders*.csv"})
    assert [row["order_no"] for row in rows_of(kept)] == ["A1"]
    (result,) = kept.results
    assert (result.outcome, result.problem.code) == (Outcome.FATAL, "files.no-headers")
    assert "订单号" in result.problem.what.zh
    assert "编码" in result.problem.what.zh


def test_rows_of_one_order_become_one_record_with_its_lines(folder, ports, monkeypatch):
    monkeypatch.setattr(files_tap, "PAGE", 2)
    folder.write(
        "rows.csv",
        "订单号,实付金额,商品编码,数量\nA1,30,S1,1\nA1,,S2,2\nA1,,S3,3\nA2,5,S1,1\n合计,35,,\n",
    )
    kept = pull(folder, ports, order_rows={"path": "rows.csv", "template": "order_rows"})
    assert rows_of(kept, "order_rows") == [
        {
            "order_no": "A1",
            "paid_amount": "30",
            "lines": [
                {"sku": "S1", "quantity": "1", "line_no": "1"},
                {"sku": "S2", "quantity": "2", "line_no": "2"},
                {"sku": "S3", "quantity": "3", "line_no": "3"},
            ],
        },
        {"order_no": "A2", "paid_amount": "5", "lines": [{"sku": "S1", "quantity": "1", "line_no": "1"}]},
    ]


# --- Excel and JSON --------------------------------------------------------------------------------------


def test_excel_gives_the_text_a_person_sees(folder, ports):
    folder.excel(
        "orders.xlsx",
        ["订单号", "手机号", "实付金额", "下单时间", "备注"],
        ["A1", 13800138000, 0.1 + 0.2, datetime(2026, 11, 21, 10), True],  # noqa: DTZ001 as Excel has it
        ["A2", "13800138001", 1999, "2026-11-21 11:00:00", None],
    )
    kept = pull(folder, ports, orders={"path": "orders.xlsx", "template": "orders"})
    assert rows_of(kept) == [
        {
            "order_no": "A1",
            "phone": "13800138000",
            "paid_amount": "0.3",
            "ordered_at": "2026-11-21 10:00:00",
            "备注": "true",
        },
        {
            "order_no": "A2",
            "phone": "13800138001",
            "paid_amount": "1999",
            "ordered_at": "2026-11-21 11:00:00",
            "备注": None,
        },
    ]


def test_excel_ids_that_have_lost_their_last_digits_are_rejected(folder, ports):
    folder.excel("orders.xlsx", ["订单号", "姓名"], [1234567890123456789, "张三"], [123456789012345, "李四"])
    kept = pull(folder, ports, orders={"path": "orders.xlsx", "template": "orders"})
    assert rows_of(kept) == [{"order_no": "123456789012345", "name": "李四"}]
    assert rejected_of(kept) == [("files.number-damaged", "1.23456789012346e+18\t张三".encode())]


def test_excel_errors_are_no_empty_cells(folder, ports):
    book = openpyxl.Workbook()
    for row in (["订单号", "姓名"], ["A1", "#N/A"], ["A2", "张三"]):
        book.worksheets[0].append(row)
    book.worksheets[0]["B2"].data_type = "e"
    book.save(folder.path / "orders.xlsx")
    folder.set_age(folder.path / "orders.xlsx", LONG_AGO)
    kept = pull(folder, ports, orders={"path": "orders.xlsx", "template": "orders"})
    assert rejected_of(kept) == [("files.cell-error", b"A1\t#N/A")]


def test_a_merged_cell_counts_for_every_row_it_covers(folder, ports):
    rows = [["订单号", "商品编码", "数量"], ["A1", "S1", 1], [None, "S2", 2], ["A2", "S1", 3]]
    folder.excel("rows.xlsx", *rows, merge=["A2:A3"])
    kept = pull(folder, ports, order_rows={"path": "rows.xlsx", "template": "order_rows"})
    assert [(row["order_no"], len(row["lines"])) for row in rows_of(kept, "order_rows")] == [("A1", 2), ("A2", 1)]


def test_without_the_excel_reader_the_stream_says_what_to_install(folder, ports, monkeypatch):
    import sys

    folder.excel("orders.xlsx", ["订单号"], ["A1"])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    (result,) = pull(folder, ports, orders={"path": "orders.xlsx", "template": "orders"}).results
    assert result.problem.code == "files.excel-not-installed"
    assert result.problem.do.zh == "pip install 'liuke[excel]'"


def test_lines_of_json_come_as_they_are_broken_ones_too(folder, ports):
    lines = [b'\xef\xbb\xbf{"id": 1, "x": 12345678901234567890}', b'{"id": 2', b"", b'{"id":3,"x":NaN}', b"\xff"]
    folder.write("orders.ndjson", b"\n".join(lines) + b"\n")
    kept = pull(folder, ports, orders={"path": "orders.ndjson", "key": "id"})
    assert kept.records("orders") == [
        b'{"id": 1, "x": 12345678901234567890}',
        b'{"id": 2',
        b'{"id":3,"x":NaN}',
        b"\xff",
    ]


def test_a_list_in_a_json_file_is_records(folder, ports):
    folder.write("orders.json", '[{"id": 1}, {"id": 2.50}]')
    kept = pull(folder, ports, orders={"path": "orders.json", "key": "id"})
    assert kept.records("orders") == [b'{"id": 1}', b'{"id": 2.50}']


# --- what is read again ----------------------------------------------------------------------------------


def test_a_file_that_did_not_change_is_not_read_again(folder, ports):
    file = folder.write("orders.csv", "id\n1\n")
    state = pull(folder, ports, orders=PLAIN).last_state
    file.chmod(0)
    again = pull(folder, ports, state, orders=PLAIN)
    assert again.results[0].outcome is Outcome.EMPTY
    assert again.records("orders") == []


def test_a_file_that_was_only_touched_gives_nothing(folder, ports):
    file = folder.write("orders.csv", "id\n1\n")
    state = pull(folder, ports, orders=PLAIN).last_state
    folder.set_age(file, timedelta(minutes=5))
    assert pull(folder, ports, state, orders=PLAIN).records("orders") == []


def test_of_a_file_that_has_grown_only_the_new_rows_are_read(folder, ports):
    folder.write("orders.csv", "id,x\n1,a\n2,b\n")
    state = pull(folder, ports, orders=PLAIN).last_state
    folder.write("orders.csv", "id,x\n1,a\n2,b\n3,c\n", age=timedelta(minutes=5))
    assert rows_of(pull(folder, ports, state, orders=PLAIN)) == [{"id": "3", "x": "c"}]


def test_a_rewritten_file_is_read_again_as_a_whole(folder, ports):
    folder.write("orders.csv", "id,x\n1,a\n2,b\n")
    state = pull(folder, ports, orders=PLAIN).last_state
    folder.write("orders.csv", "id,x\n1,changed\n2,b\n", age=timedelta(minutes=5))
    assert rows_of(pull(folder, ports, state, orders=PLAIN)) == [{"id": "1", "x": "changed"}, {"id": "2", "x": "b"}]


@pytest.mark.parametrize(
    ("name", "begin", "rest"), [("o.csv", "id,x\n1,a\n2,b", "cd\n"), ("o.ndjson", '{"id":1}\n{"id"', ":2}\n")]
)
def test_a_last_line_that_is_still_being_written_waits_for_its_end(folder, ports, name, begin, rest):
    stream = {"path": name, "key": "id"}
    folder.write(name, begin, age=timedelta(seconds=2))
    first = pull(folder, ports, orders=stream)
    assert [int(row["id"]) for row in rows_of(first)] == [1]
    folder.write(name, begin + rest, age=timedelta(seconds=1))
    second = pull(folder, ports, first.last_state, orders=stream)
    assert [int(row["id"]) for row in rows_of(second)] == [2]
    assert pull(folder, ports, second.last_state, orders=stream).records("orders") == []


def test_a_last_line_without_end_is_read_once_the_file_is_quiet(folder, ports):
    file = folder.write("orders.csv", "id,x\n1,a\n2,b", age=timedelta(seconds=2))
    state = pull(folder, ports, orders=PLAIN).last_state
    folder.clock.move(120)
    assert [row["id"] for row in rows_of(pull(folder, ports, state, orders=PLAIN))] == ["2"]
    assert file.exists()


def test_a_last_line_that_stays_cut_off_is_rejected_and_read_whole_if_the_rest_comes(folder, ports):
    folder.write("orders.csv", "id,x,y\n1,a,b\n2,c")
    first = pull(folder, ports, orders=PLAIN)
    assert rejected_of(first) == [("files.cut-off", b"2,c")]
    folder.write("orders.csv", "id,x,y\n1,a,b\n2,c,d\n", age=timedelta(minutes=5))
    assert [row["id"] for row in rows_of(pull(folder, ports, first.last_state, orders=PLAIN))] == ["2"]


def test_an_excel_file_that_is_still_being_copied_is_no_problem_yet(folder, ports):
    folder.excel("orders.xlsx", ["订单号"], ["A1"])
    whole = (folder.path / "orders.xlsx").read_bytes()
    stream = {"path": "orders.xlsx", "template": "orders"}
    folder.write("orders.xlsx", whole[: len(whole) // 2], age=timedelta(seconds=2))
    assert pull(folder, ports, orders=stream).results[0].outcome is Outcome.EMPTY
    folder.clock.move(120)
    assert pull(folder, ports, orders=stream).results[0].problem.code == "files.excel-unreadable"


@pytest.mark.parametrize("messages", range(8))
def test_killed_in_the_middle_the_next_pull_goes_on_there(folder, ports, monkeypatch, messages):
    monkeypatch.setattr(files_tap, "PAGE", 3)
    folder.write("in/a.csv", "id\n" + "".join(f"{n}\n" for n in range(10)))
    folder.write("in/b.csv", "id\n" + "".join(f"{n}\n" for n in range(10, 13)), age=timedelta(minutes=1))
    stream = {"path": "in", "key": "id"}
    first, second = DiesAfter(messages), Pull()
    try:
        pull(folder, ports, sink=first, orders=stream)
    except Killed:
        second = pull(folder, ports, first.last_state, orders=stream)
    given = [int(row["id"]) for row in rows_of(first)] + [int(row["id"]) for row in rows_of(second)]
    assert sorted(set(given)) == list(range(13))
    assert len(given) <= 13 + 3


def test_folders_and_patterns_are_read_oldest_file_first_without_what_others_left_there(folder, ports):
    folder.write("in/b.csv", "id\n1\n", age=timedelta(hours=2))
    folder.write("in/a.csv", "id\n2\n", age=timedelta(hours=1))
    for other in ("~$a.xlsx", ".hidden.csv", "c.csv.part", "readme.md"):
        folder.write(f"in/{other}", "x")
    for path in ("in", "in/*.csv", "**/*.csv"):
        kept = pull(folder, ports, orders={"path": path, "key": "id"})
        assert [row["id"] for row in rows_of(kept)] == ["1", "2"], path


def test_a_path_that_is_not_there_is_said(folder, ports):
    (result,) = pull(folder, ports, orders=PLAIN).results
    assert result.problem.code == "files.no-path"


def test_settings_are_checked_together():
    with pytest.raises(ConnectorError) as raised:
        FILES.read_settings({"streams": {"a": {"path": "x", "header_row": 0}, "b": {"path": "y"}}}, no_variable)
    assert [(one.code, one.where) for one in raised.value.problems] == [
        ("files.no-key", "settings.streams.a.key"),
        ("files.no-columns", "settings.streams.a.columns"),
        ("files.no-key", "settings.streams.b.key"),
    ]


# --- templates -------------------------------------------------------------------------------------------


def test_the_empty_files_have_the_first_header_of_every_column_and_no_header_means_two_things():
    from connectors.files.templates import TEMPLATES, normal

    shipped = {file.stem: file for file in Path(files_tap.__file__).with_name("template_files").glob("*.csv")}
    assert sorted(shipped) == sorted(TEMPLATES)
    for name, template in TEMPLATES.items():
        headers = shipped[name].read_text(encoding="utf-8-sig").strip().split(",")
        assert headers == [column.headers[0] for column in template.all_columns()]
        assert template.names_for(headers) == [column.name for column in template.all_columns()]
        meanings: dict[str, set[str]] = {}
        for column in template.all_columns():
            for header in (*column.headers, column.name):
                meanings.setdefault(normal(header), set()).add(column.name)
        assert [(header, names) for header, names in meanings.items() if len(names) > 1] == [], name


# --- history ---------------------------------------------------------------------------------------------


def test_an_import_agrees_with_its_manifest_or_says_where_it_does_not(folder, ports):
    from connectors.files.manifest import differences, imported, read_manifest

    whole = folder.write("in/a.csv", "订单号,姓名\nA1,张三\nA2,李四,x\n合计,\n")
    folder.write("in/b.csv", "订单号\nB1\n")
    folder.write("in/c.csv", "订单号\nC1")
    folder.set_age(folder.path / "in/c.csv", timedelta(seconds=1))
    from hashlib import sha256

    manifest = folder.write(
        "manifest.csv",
        f"file,rows,sha256\na.csv,2,{sha256(whole.read_bytes()).hexdigest()}\nb.csv,2,\nc.csv,1,\nd.csv,1,\n",
    )
    kept = pull(folder, ports, orders={"path": "in", "template": "orders"})
    found = imported(kept.last_state)
    assert [(one.file, one.rows, one.rejected, one.complete) for one in found] == [
        ("in/a.csv", 2, 1, True),
        ("in/b.csv", 1, 0, True),
        ("in/c.csv", 0, 0, False),
    ]
    problems = differences(read_manifest(manifest), found)
    assert [(one.where, one.code) for one in problems] == [
        ("b.csv", "files.other-count"),
        ("c.csv", "files.not-complete"),
        ("d.csv", "files.not-imported"),
    ]


def test_a_wrong_manifest_names_its_lines(folder):
    from connectors.files.manifest import read_manifest

    manifest = folder.write("manifest.csv", "file,rows,sha256\na.csv,many,\n,3,\n")
    with pytest.raises(ConnectorError) as raised:
        read_manifest(manifest)
    assert [one.where for one in raised.value.problems] == ["manifest.csv:2", "manifest.csv:3"]


def test_looking_and_reading_count_as_calls(folder, ports):
    folder.write("good.csv", "订单号,实付金额\nA1,1.00\n")
    pull(folder, ports, orders={"path": "*.csv", "template": "orders"})
    assert ports.meter.calls == [("orders.list", Outcome.OK), ("orders.read", Outcome.OK)]
    ports.meter.calls.clear()
    pull(folder, ports, orders={"path": "gone.csv", "template": "orders"})
    assert ports.meter.calls == [("orders.list", Outcome.FATAL)]
