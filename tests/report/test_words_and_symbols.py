"""The words and symbols that the page and the command line share."""

import io
from types import SimpleNamespace

import pytest

from console.symbols import CHOICES, printable, symbols_for
from console.words import DEBTS, DIMENSIONS, STATUSES, debt_word, dimension_word, status_word


def test_status_words_are_those_of_the_glossary():
    assert [status_word(status).zh for status in ("ok", "ok_todo", "warning", "breach", "no_data")] == [
        "正常",
        "正常·待办",
        "预警",
        "未达标",
        "无数据",
    ]
    assert status_word("ok_todo", 1_204).zh == "正常·待办 1,204"
    assert status_word("ok", 0).zh == "正常"


def test_debts_stand_in_the_order_of_the_report_with_a_meaning_each():
    assert [term.word.zh for term in DEBTS.values()] == [
        "待处理数据",
        "落地文件",
        "待回写",
        "停滞同步",
        "挂起明细",
        "待确认",
    ]
    assert all(term.meaning.zh and term.meaning.en for term in (*DEBTS.values(), *STATUSES.values()))


def test_seven_dimensions_have_their_words():
    words = ["完整性", "准确性", "一致性", "时效性", "规范性", "唯一性", "关联性"]
    assert [dimension_word(dimension).zh for dimension in DIMENSIONS] == words


def test_a_word_nobody_knows_is_shown_as_it_is():
    assert status_word("frozen") == ("frozen", "frozen")
    assert debt_word("parcels") == ("parcels", "parcels")
    assert dimension_word("beauty") == ("beauty", "beauty")


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def test_a_utf8_console_gets_the_pretty_symbols():
    found = symbols_for(stream("utf-8"))
    assert (found.ok, found.breach, found.yuan, found.dash) == ("✓", "✗", "¥", "—")


def test_a_gbk_console_gets_what_gbk_has():
    found = symbols_for(stream("gbk"))
    assert (found.ok, found.breach, found.dot, found.yuan, found.dash) == ("√", "×", "●", "元", "—")


def test_an_ascii_console_gets_words_in_ascii():
    found = symbols_for(stream("ascii"))
    assert (found.ok, found.warning, found.breach, found.no_data) == ("[OK]", "[!]", "[X]", "[-]")
    assert found.yuan == "CNY "


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb2312", "big5", "cp936", "cp1252", "ascii"])
def test_every_symbol_can_be_printed_and_statuses_stay_different(encoding):
    found = symbols_for(stream(encoding))
    for name in CHOICES:
        getattr(found, name).encode(encoding)
    signs = [found.status(status) for status in STATUSES]
    assert len(set(signs)) == 5


def test_a_stream_without_encoding_is_text_and_takes_everything():
    assert symbols_for(SimpleNamespace(encoding=None)).ok == "✓"
    assert printable("✓ ¥", SimpleNamespace(encoding=None)) == "✓ ¥"


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("✓ 正常 ¥12,840 · 27 → 0", "utf-8", "✓ 正常 ¥12,840 · 27 → 0"),
        ("✓ 正常 ¥12,840 · 27 → 0", "gbk", "√ 正常 元12,840 · 27 → 0"),
        ("✗ breach ≥ 99 %…", "ascii", "[X] breach >= 99 %..."),
        ("李娜 ok", "ascii", "?? ok"),
        ("emoji \N{PARTY POPPER}", "gbk", "emoji ?"),
        ("lone \ud800", "utf-8", "lone ?"),
    ],
)
def test_text_is_printable_on_any_console_and_symbols_keep_their_meaning(text, encoding, shown):
    assert printable(text, stream(encoding)) == shown
    printable(text, stream(encoding)).encode(encoding)
