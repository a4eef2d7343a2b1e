"""What people and systems write into a phone field, and what is made of it."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity.normalise import CLASSES, REASONS, normalise


def phone(text):
    value, its_class, reason, mask = normalise(pl.Series([text], dtype=pl.String), "phone").row(0)
    assert reason is None or reason in REASONS
    return value, its_class, reason, mask


@pytest.mark.parametrize(
    "text",
    [
        "13800010001",
        "+86 138 0001 0001",
        "+8613800010001",
        "8613800010001",
        "0086-138-0001-0001",
        "(+86)13800010001",
        "013800010001",
        "1795113800010001",
        "17951 138 0001 0001",
        "138-0001-0001",
        "138.0001.0001",
        "１３８０００１０００１",
        "\u202d13800010001\u202c",
        "\ufeff13800010001",
        "13800010001\t",
        "'13800010001",
        "13800010001.0",
        "电话:13800010001",
        "手机 13800010001",
        "tel:13800010001",
    ],
)
def test_every_spelling_of_a_chinese_mobile_is_the_same_number(text):
    assert phone(text) == ("+8613800010001", "usable", "", "138****0001")


@pytest.mark.parametrize(
    ("text", "value", "its_class", "reason", "mask"),
    [
        ("17012340002", "+8617012340002", "usable", "", "170****0002"),  # a reseller's number is a person's too
        ("138****0001", "138****0001", "masked", "phone.masked", "138****0001"),
        ("+86 138****0001", "138****0001", "masked", "phone.masked", "138****0001"),
        ("138xxxx0001", "138****0001", "masked", "phone.masked", "138****0001"),
        ("138＊＊＊＊0001", "138****0001", "masked", "phone.masked", "138****0001"),
        ("13*******64", "13*******64", "masked", "phone.masked-deeply", "13*******64"),
        ("18877771112-123", "+8618877771112;ext=123", "virtual", "phone.privacy-extension", "188****1112"),
        ("18877771112 转 4321", "+8618877771112;ext=4321", "virtual", "phone.privacy-extension", "188****1112"),
        ("9501312345678901", "9501312345678901", "virtual", "phone.privacy-number", "950****8901"),
        ("13800138000", "+8613800138000", "placeholder", "phone.made-up", "138****8000"),
        ("+86 138 0013 8000", "+8613800138000", "placeholder", "phone.made-up", "138****8000"),
        ("11111111111", "11111111111", "placeholder", "phone.made-up", "111****1111"),
        ("00000000000", "00000000000", "placeholder", "phone.made-up", "000****0000"),
        ("12345678901", "12345678901", "placeholder", "phone.made-up", "123****8901"),
        ("13912345678", "+8613912345678", "placeholder", "phone.made-up", "139****5678"),
        ("18888888888", "+8618888888888", "placeholder", "phone.made-up", "188****8888"),
        ("无", "无", "placeholder", "phone.word", "****"),
        ("false", "false", "placeholder", "phone.word", "f****e"),
        (
            "$uhqbqg15Dn5slYolRHAzZw==$1$",
            "$uhqbqg15Dn5slYolRHAzZw==$1$",
            "ciphertext",
            "phone.ciphertext",
            "$uhq****=$1$",
        ),
        ("~hn9eYwZ+~1~", "~hn9eYwZ+~1~", "ciphertext", "phone.ciphertext", "~hn****~1~"),
        ("##Wm9uZ2d1bw", "##Wm9uZ2d1bw", "ciphertext", "phone.ciphertext", "##W****1bw"),
        (
            "MTIzNDU2Nzg5MGFiY2RlZmdoaWo=",
            "MTIzNDU2Nzg5MGFiY2RlZmdoaWo=",
            "ciphertext",
            "phone.ciphertext",
            "MTIz****aWo=",
        ),
        ("010-62770001", "+861062770001", "shared", "phone.landline", "010****0001"),
        ("+86 10 62770001", "+861062770001", "shared", "phone.landline", "010****0001"),
        ("(0571)88880002-801", "+8657188880002;ext=801", "shared", "phone.landline-extension", "057****0002"),
        ("400-820-8820", "4008208820", "shared", "phone.hotline", "400****8820"),
        ("95588", "95588", "shared", "phone.service-number", "9****8"),
        ("62770001", "62770001", "weak", "phone.no-area-code", "62****01"),
        ("+852 9123 4567", "+85291234567", "usable", "", "+85****4567"),
        ("85291234567", "+85291234567", "usable", "", "+85****4567"),
        ("0044 7911 123456", "+447911123456", "usable", "", "+44****3456"),
        ("+44 20 7946 0018", "+442079460018", "shared", "phone.foreign-not-mobile", "+44****0018"),
        ("1.38E+10", "1.38E+10", "invalid", "phone.scientific", "1.****10"),
        ("13800010001/13900010002", "13800010001/13900010002", "invalid", "phone.several", "1380****0002"),
        ("1380001000", "1380001000", "invalid", "phone.shape", "138****1000"),
        ("张三", "张三", "invalid", "phone.shape", "****"),
        ("+999123456789", "+999123456789", "invalid", "phone.shape", "+99****6789"),
    ],
)
def test_everything_else_is_classified_with_a_reason(text, value, its_class, reason, mask):
    assert phone(text) == (value, its_class, reason, mask)


@pytest.mark.parametrize("text", [None, "", "  ", "\u200b", "\t"])
def test_a_blank_is_no_identifier(text):
    assert phone(text) == (None, None, None, None)


def test_a_column_keeps_its_order_and_its_repetitions():
    column = pl.Series(["无", "13800010001", None, "无", "138 0001 0001"])
    assert normalise(column, "phone")["value"].to_list() == ["无", "+8613800010001", None, "无", "+8613800010001"]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20), st.from_regex(r"[+0-9*() ~$-]{0,20}", fullmatch=True))))
def test_any_text_gets_a_class_and_a_reason_and_a_mask_that_hides_it(texts):
    for text, (value, its_class, reason, mask) in zip(
        texts, normalise(pl.Series(texts, dtype=pl.String), "phone").rows(), strict=True
    ):
        if value is None:
            assert (its_class, reason, mask) == (None, None, None)
            continue
        assert its_class in CLASSES
        assert (reason == "") == (its_class == "usable")
        assert reason in REASONS
        if its_class == "usable":
            assert text is not None
            assert value not in mask
            assert value[-8:] not in mask


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_a_normalised_number_stays_as_it_is(number):
    value, its_class, *_ = phone(number)
    assert phone(value)[:2] == (value, its_class)
