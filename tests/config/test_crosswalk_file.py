import pytest

from mappings.problems import LiukeError
from sync.crosswalk_file import Link, read

INSTANCES = ("erp", "shop")


def written(folder, text, encoding="utf-8"):
    (folder / "crosswalk.csv").write_bytes(text.encode(encoding))
    return folder


def problems_of(folder):
    with pytest.raises(LiukeError) as raised:
        read(folder, INSTANCES)
    return [(one.code, one.where) for one in raised.value.problems]


def test_three_columns_are_enough(tmp_path):
    written(tmp_path, "connector,sku,product_code\nerp,A-1,P1\n")
    assert read(tmp_path, INSTANCES) == [Link("erp", "A-1", "P1", "manual", None, None, None, None)]


def test_a_bundle_stands_on_several_lines_and_days_begin_in_shanghai(tmp_path):
    written(
        tmp_path,
        "connector,sku,product_code,kind,factor,share,valid_from,valid_to\n"
        "shop,B,P1,bundle,1,0.6,2026-01-01,\n"
        "shop,B,P2,bundle,2,0.4,2026/1/1,2027-01-01\n",
    )
    assert read(tmp_path, INSTANCES) == [
        Link("shop", "B", "P1", "bundle", "1", "0.6", 1_767_196_800_000_000, None),
        Link("shop", "B", "P2", "bundle", "2", "0.4", 1_767_196_800_000_000, 1_798_732_800_000_000),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_it_is_read_as_excel_saves_it(tmp_path, encoding):
    written(tmp_path, "connector,sku,product_code\r\nerp,茶-1,商品一\r\n\r\n", encoding)
    assert [(link.sku, link.product_code) for link in read(tmp_path, INSTANCES)] == [("茶-1", "商品一")]


def test_no_file_is_no_link(tmp_path):
    assert read(tmp_path, INSTANCES) == []


def test_every_wrong_line_is_told(tmp_path):
    written(
        tmp_path,
        "connector,sku,product_code,kind,factor,valid_from\n"
        "erp,A,P1,,,\n"
        "epr,A,P1,,,\n"
        "erp,,P1,,,\n"
        "erp,B,P1,exakt,,\n"
        "erp,C,P1,,x,2026-02-30\n"
        "erp,A,P1,,,\n",
    )
    assert problems_of(tmp_path) == [
        ("crosswalk.unknown-instance", "crosswalk.csv:3"),
        ("crosswalk.cell-missing", "crosswalk.csv:4"),
        ("crosswalk.kind", "crosswalk.csv:5"),
        ("crosswalk.number", "crosswalk.csv:6"),
        ("crosswalk.day", "crosswalk.csv:6"),
        ("crosswalk.twice", "crosswalk.csv:7"),
    ]


def test_a_head_that_is_not_ours_is_told_before_any_line(tmp_path):
    written(tmp_path, "connector,code,product_code\nerp,A,P1\n")
    assert problems_of(tmp_path) == [
        ("crosswalk.column-missing", "crosswalk.csv:1"),
        ("crosswalk.column-unknown", "crosswalk.csv:1"),
    ]
