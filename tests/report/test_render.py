"""What the health report says, and what it can never say."""

import copy
import json
import random
import re
from html.parser import HTMLParser

import pytest

from console.report import render
from console.words import DEBTS, DIMENSIONS, STATUSES, status_word
from mappings.problems import LiukeError
from tests.report import samples
from tests.report.samples import HOSTILE, SAMPLES

REPORTS = pytest.mark.parametrize("name", SAMPLES)


class Reader(HTMLParser):
    """Collects what a person reads and what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.commands: list[str] = []
        self.cells: list[dict[str, str]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "th":
            self.cells.append({name: value or "" for name, value in attrs})
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
        if "pre" in self.open:
            self.commands.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def read(report) -> Reader:
    reader = Reader()
    reader.feed(render(report))
    reader.close()
    return reader


@REPORTS
def test_every_key_the_page_uses_is_in_the_report(name):
    render(SAMPLES[name](), strict=True)


@REPORTS
def test_elements_are_closed_in_order(name):
    assert read(SAMPLES[name]()).open == []


@REPORTS
def test_same_report_gives_same_bytes_and_stays_as_it_was(name):
    report = SAMPLES[name]()
    before = copy.deepcopy(report)
    first = render(report)
    assert render(json.loads(json.dumps(report))) == first
    assert report == before


@pytest.mark.parametrize(
    ("status", "todo", "zh", "en"),
    [
        ("ok", 0, "正常", "OK"),
        ("ok_todo", 12, "正常·待办 12", "OK, 12 to do"),
        ("warning", 3, "预警", "Warning"),
        ("breach", 2_650, "未达标", "Breach"),
        ("no_data", 0, "无数据", "No data"),
    ],
)
def test_page_opens_with_the_status_word_in_both_languages_and_its_icon(status, todo, zh, en):
    page = render(samples.ok_todo() | {"status": status, "todo": todo})
    word = page[page.index('<p class="word">') :].split("</p>")[0]
    assert f'class="icon s-{status}"' in word
    assert f"<b>{zh}</b>" in word
    assert f">{en}</span>" in word
    assert f"<title>{zh} · 示例商贸有限公司" in page


def test_status_words_and_icons_are_five_different_ones():
    page = render(samples.ok())
    legend = page[page.index('id="legend"') :]
    icons = dict(re.findall(r'<svg class="icon (s-\w+)"[^>]*>(.*?)</svg>', legend))
    assert set(icons) == {f"s-{status}" for status in STATUSES}
    assert len(set(icons.values())) == 5
    for status in STATUSES:
        assert status_word(status).zh in legend


def test_all_six_debts_are_shown_with_their_counts_and_zero_is_a_zero():
    text = read(samples.breach()).text
    for debt, shown in {
        "quarantine": "待处理数据 Quarantine 2,577 逾期 61",
        "landing": "落地文件 Landing files 0 没有欠账",
        "writes": "待回写 Writes 34 都在期限内",
        "streams": "停滞同步 Stalled 1 逾期 1",
        "held_lines": "挂起明细 Held lines 31 都在期限内",
        "decisions": "待确认 Decisions 7 都在期限内",
    }.items():
        assert debt in DEBTS
        assert shown in text


def test_waivers_are_counted_apart_beside_the_status():
    text = read(samples.breach()).text
    assert "另有 2 项豁免，单独计数" in text
    assert "赠品马克杯, 不进商品库" in text
    assert "另有" not in read(samples.ok()).text.split("先做")[0]


def test_exact_commands_stand_on_it_items_only():
    report = samples.breach()
    for one in report["do_first"]:
        one["command"] = f"liuke for-{one['kind']}"
    first = render(report).split('<ol class="first">')[1].split("</ol>")[0]
    assert first.count("liuke for-it") == 1
    assert "liuke for-owner" not in first


def test_a_due_time_says_today_tomorrow_or_how_long_it_is_over():
    text = read(samples.breach()).text
    assert "2026-11-21 18:00 (今天)" in text
    assert "2026-11-22 10:50 (明天)" in text
    assert "2026-11-18 20:50 已逾期 2 天 12 小时" in text


def test_error_budget_is_said_in_the_words_of_the_glossary():
    text = read(samples.breach()).text
    assert "允许 1,020 条, 已用 820 · 剩余 200" in text
    assert "允许 4,200 条, 已用 7,220 · 超支 3,020" in text
    assert "允许 368 次, 已用 380 · 超支 12" in text


def test_a_failure_rate_is_judged_in_the_direction_of_its_target():
    report = samples.breach()
    report["objectives"] = [
        report["objectives"][2] | {"share": {"good": 9_799, "total": 10_000}, "target": {"op": "<=", "value": 0.02}}
    ]
    assert re.search(r"2\.01% ?9,799 / 10,000 ?≤ 2%", read(report).text)


@pytest.mark.parametrize("status", STATUSES)
def test_hours_are_said_by_height_and_not_only_by_colour(status):
    report = samples.no_data()
    hour = {"hour": "2026-11-21T08:00:00+08:00", "status": status, "records": 5, "late": 0, "failed": 0}
    report["connectors"][0]["hours"] = [hour]
    heights = re.findall(rf'<rect class="s-{status}"[^>]* height="(\d+)"', render(report))
    assert [int(height) for height in heights] == [
        {"no_data": 2, "ok": 7, "ok_todo": 10, "warning": 16, "breach": 24}[status]
    ]


def test_a_day_without_data_is_a_gap_in_the_line():
    report = samples.no_data()
    days = [{"day": f"2026-11-{number:02}", "good": 90 + number % 3, "total": 100} for number in range(1, 22)]
    report["checks"][0] |= {"trend": days, "good": 90, "total": 100}
    assert render(report).count('<path class="trend"') == 1
    report["checks"][0]["trend"] = days[:9] + days[11:]
    assert render(report).count('<path class="trend"') == 2
    report["checks"][0]["trend"] = [one if one["day"] != "2026-11-10" else one | {"total": 0} for one in days]
    assert render(report).count('<path class="trend"') == 2


def test_change_is_said_with_an_arrow_and_a_word():
    report = samples.no_data()
    report["checks"][0]["trend"] = [
        {"day": "2026-11-18", "good": 980, "total": 1_000},
        {"day": "2026-11-21", "good": 969, "total": 1_000},
    ]
    assert "↓ 恶化 1.1 个百分点" in read(report).text
    report["checks"][0]["trend"][1]["good"] = 985
    assert "↑ 改善 0.5 个百分点" in read(report).text
    report["checks"][0]["trend"][1]["good"] = 980
    text = read(report).text
    assert "个百分点" not in text[: text.index("怎样读这份报告", text.index("检查项 Checks"))]


def test_what_a_source_cannot_give_is_a_dash_and_what_it_did_not_give_is_no_data():
    report = samples.breach()
    report["completeness"]["rows"] = [
        {
            "connector": "erp",
            "cells": [None, {"good": 0, "total": 0, "status": "no_data"}, {"good": 0, "total": 9, "status": "breach"}]
            + [None] * 3,
        }
    ]
    matrix = re.sub(
        r"\s+", "", re.sub("<[^>]+>", " ", render(report).split('id="completeness"')[1].split("</table>")[0])
    )
    assert matrix.endswith("—无数据未达标0%要求≥70%———")


def test_null_is_no_data_and_never_zero():
    text = read(samples.no_data()).text
    assert "来源 → 客户库 300 秒内到达" in text
    for section in ("商品匹配率", "身份归一", "评分与分层", "回写"):
        assert re.search(rf"{section} [A-Z][^·]* 无数据 ·", text), section


def test_a_report_that_lacks_sections_still_opens():
    bare = {
        "version": 1,
        "company": "示例",
        "generated_at": "2026-11-21T08:50:00+08:00",
        "status": "no_data",
        "owed": {},
    }
    text = read(bare).text
    assert text.count("无数据") > 10
    assert "没有欠账" not in text


def test_a_report_of_another_version_is_refused_with_what_to_do():
    with pytest.raises(LiukeError, match=r"report\.version-unknown") as refused:
        render(samples.ok() | {"version": 2})
    assert "liuke report" in str(refused.value)


# ---- Nothing leaks, nothing breaks out -----------------------------------------------------------


@REPORTS
def test_page_holds_no_address_and_nothing_that_acts(name):
    page = render(SAMPLES[name]())
    reader = read(SAMPLES[name]())
    assert not re.search(r"https?:|url\(|@import", page)
    assert not {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(reader.tags)
    for attribute, value in reader.attributes:
        assert not attribute.startswith("on"), attribute
        if attribute in ("href", "src", "xlink:href", "action"):
            assert value.startswith("#") or value == "data:,", value
    assert "default-src 'none'" in page


def test_hostile_text_is_shown_as_text():
    page = render(samples.extreme())
    assert HOSTILE not in page
    assert HOSTILE in read(samples.extreme()).text


def every_text(value, path=()):
    """Paths of all texts of a report that are not code words, numbers or times."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from every_text(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from every_text(one, (*path, place))
    elif isinstance(value, str):
        yield path


CODE_WORDS = {"status", "generated_at", "last_success_at", "hour", "day", "due_at", "oldest_at", "scored_at", "op"}
CODE_WORDS |= {"last_confirmed_at", "until", "from", "to", "good_yuan", "total_yuan", "amount_yuan", "kind", "clock"}


def test_no_text_of_a_report_whatever_its_place_becomes_markup():
    report = samples.breach()
    for path in list(every_text(report)):
        if path[-1] in CODE_WORDS or path[0] == "matrix":
            continue
        inner = report
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = f"{inner[path[-1]]}{HOSTILE}"
    reader = read(report)
    assert "script" not in reader.tags
    assert "img" not in reader.tags
    assert reader.text.count(HOSTILE) > 100


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("手机 13800000001", "手机 138****0001"),
        ("+86 138-0000-0001", "+86 138****0001"),
        ("li.na@example.com", "l***@example.com"),
        ("138****0001", "138****0001"),
        ("单号 1380000000112345678", "单号 1380000000112345678"),
        ("E2026111893", "E2026111893"),
    ],
)
def test_samples_are_masked_even_where_the_report_forgot(said, shown):
    report = samples.breach()
    report["quarantine"][0]["sample"] = said
    report["checks"][0]["sample"] = [{"key": said, "note": said}]
    report["sku"]["unmatched"][0]["name"] = said
    text = read(report).text
    assert text.count(shown) >= 4
    if said != shown:
        assert said not in text


@REPORTS
def test_no_whole_mobile_number_or_mail_address_is_on_the_page(name):
    text = read(SAMPLES[name]()).text
    assert not re.search(r"(?<![\d.])1[3-9]\d{9}(?!\d)", text)
    assert "@example.com" not in text.replace("l***@example.com", "")


# ---- Every number of the report is on the page ---------------------------------------------------

# Said by a picture or by a share beside them.
DRAWN = {"trend", "version", "value", "todo"}


def numbers(value, path=()):
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in DRAWN:
                yield from numbers(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from numbers(one, (*path, place))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path


def unlike_all_others(report):
    """Puts a number of its own into every place, so that finding it on the page means that place was shown."""
    chance = random.Random(20261121)
    places = {}
    for path in list(numbers(report)):
        if (
            path[-1] in ("window_days", "age_s", "limit_s")
            or path[-1].endswith("_s")
            or (path[0] == "scores" and path[-1] != "customers")
        ):
            continue
        inner = report
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = chance.randrange(100_000, 999_999)
        places[path] = f"{inner[path[-1]]:,}"
    return places


def test_every_number_of_the_report_is_on_the_page():
    report = samples.breach()
    places = unlike_all_others(report)
    page = render(report)
    missing = [path for path, shown in places.items() if shown not in page]
    assert len(places) > 700
    assert missing == []


def test_all_amounts_times_names_and_texts_are_on_the_page():
    report = samples.breach()
    text = read(report).text
    for one in report["do_first"]:
        for key in ("title", "evidence", "impact", "action"):
            assert one[key]["zh"] in text
            assert one[key]["en"] in text
        assert one["owner"] in text
    for one in report["sku"]["unmatched"]:
        assert one["sku"] in text
        assert one["name"] in text
    assert "¥38,400.00" in text
    assert "¥18,204,311.20 / ¥18,290,431.70" in text
    for one in report["quarantine"]:
        assert one["repair"]["zh"] in text
        assert one["command"] in text
    for one in report["connectors"]:
        assert one["title"]["zh"] in text
        assert one["name"] in text
    for term in DIMENSIONS.values():
        assert term.word.zh in text
        assert term.word.en in text
    for said in ("2026-11-20 08:50 至 2026-11-21 08:50", "r-20261121-0850", "report.json", "9 分 40 秒", "10 小时前"):
        assert said in text


# ---- For everybody -------------------------------------------------------------------------------


@REPORTS
def test_page_is_chinese_with_landmarks_and_named_headers(name):
    page = render(SAMPLES[name]())
    reader = read(SAMPLES[name]())
    assert page.startswith('<!doctype html>\n<html lang="zh-CN">')
    assert {"header", "main", "nav", "footer", "section"} <= set(reader.tags)
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("main") == 1
    assert all(cell.get("scope") for cell in reader.cells)
    ids = [value for attribute, value in reader.attributes if attribute == "id"]
    assert len(ids) == len(set(ids))
    labelled = [value for attribute, value in reader.attributes if attribute == "aria-labelledby"]
    assert labelled
    assert set(labelled) <= set(ids)


def test_every_picture_has_its_sentence_or_is_hidden_from_readers():
    for svg in re.findall(r"<svg[^>]*>", render(samples.breach())):
        assert 'aria-hidden="true"' in svg or re.search(r'role="img" aria-label="[^"]+"', svg)


def test_every_status_that_is_coloured_has_its_word_beside_it():
    page = render(samples.breach())
    for status in STATUSES:
        for shown in re.findall(rf'<span class="status s-{status}">.*?</span>', page):
            assert f"<b>{STATUSES[status].word.zh}" in shown
