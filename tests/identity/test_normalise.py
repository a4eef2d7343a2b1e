"""E-mail addresses, WeChat ids, member numbers, buyers and company codes as they come, and names beside them."""

import polars as pl
import pytest

from mappings.identity.masks import mask_name
from mappings.identity.names import name_key
from mappings.identity.normalise import REASONS, check_character, normalise
from mappings.model import IDENTIFIER_KINDS


def one(kind, text):
    return normalise(pl.Series([text], dtype=pl.String), kind).row(0)


@pytest.mark.parametrize("kind", IDENTIFIER_KINDS)
def test_every_kind_of_the_model_can_be_normalised(kind):
    answer = normalise(pl.Series(["", None, "無效 值*", "0"], dtype=pl.String), kind)
    assert answer.columns == ["value", "class", "reason", "mask"]
    assert answer.rows()[:2] == [(None, None, None, None)] * 2
    assert set(answer["reason"].drop_nulls()) <= set(REASONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ZhangSan@QQ.com ", ("zhangsan@qq.com", "usable", "", "z***@qq.com")),
        ("<mailto:li.si@corp.cn>", ("li.si@corp.cn", "usable", "", "l***@corp.cn")),
        ("ｌｉｓｉ＠ｃｏｒｐ．ｃｎ", ("lisi@corp.cn", "usable", "", "l***@corp.cn")),
        ("service@corp.cn", ("service@corp.cn", "shared", "email.role", "s***@corp.cn")),
        ("z***@qq.com", ("z***@qq.com", "masked", "email.masked", "z***@qq.com")),
        ("test@corp.cn", ("test@corp.cn", "placeholder", "email.made-up", "t***@corp.cn")),
        ("a1@example.com", ("a1@example.com", "placeholder", "email.made-up", "a***@example.com")),
        ("x1@marketplace.amazon.co.uk", ("x1@marketplace.amazon.co.uk", "virtual", "email.relay")),
        ("张三@qq", ("张三@qq", "invalid", "email.shape")),
    ],
)
def test_email_addresses(text, expected):
    assert one("email", text)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("kind", "text", "its_class", "reason"),
    [
        ("unionid", "o6_bmasdasdsad6_2sgVt7hMZOPfL", "usable", ""),
        ("unionid", "undefined", "placeholder", "id.made-up"),
        ("unionid", "oABC", "invalid", "id.shape"),
        ("openid", "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "usable", ""),
        ("external_userid", "wmqfasd1e19278asdasAAAA", "usable", ""),
        ("member_no", "00123", "usable", ""),
        ("member_no", "1.23E+18", "invalid", "id.scientific"),
        ("member_no", "散客", "placeholder", "id.made-up"),
        ("customer_no", "CUST-000001", "usable", ""),
        ("customer_no", "0", "placeholder", "id.made-up"),
        ("shop_buyer", "AAHnQk1xABcdEFghIJ", "usable", ""),
        ("shop_buyer", "我**", "masked", "id.masked"),
        ("shop_buyer", "~YTpqd~1~", "ciphertext", "id.ciphertext"),
    ],
)
def test_ids_keep_their_letters_and_zeros(kind, text, its_class, reason):
    assert one(kind, text)[:3] == (text, its_class, reason)


@pytest.mark.parametrize(
    ("text", "value", "its_class", "reason"),
    [
        ("91350100M000100Y43", "91350100M000100Y43", "usable", ""),  # the standard's own example
        ("914403001922038216", "914403001922038216", "usable", ""),
        (" 9144 0300 1922 0382 16", "914403001922038216", "usable", ""),
        ("91350100m000100y43", "91350100M000100Y43", "usable", ""),
        ("91350100M000100Y42", "91350100M000100Y42", "invalid", "company_code.check-digit"),
        ("91350100M000100O43", "91350100M000100O43", "invalid", "company_code.shape"),  # the letter O never occurs
        ("440301103097413", "440301103097413", "weak", "company_code.old-form"),
        ("19220382-1", "192203821", "weak", "company_code.old-form"),
        ("000000000000000000", "000000000000000000", "placeholder", "id.made-up"),
    ],
)
def test_company_codes_are_checked_by_their_check_digit(text, value, its_class, reason):
    assert one("company_code", text)[:3] == (value, its_class, reason)


def test_a_single_wrong_character_of_a_company_code_is_always_found():
    code = "914403001922038216"
    for place in range(17):
        for other in "0123456789ABCDEFGHJKLMNPQRTUWXY":
            if other != code[place]:
                assert check_character(code[:place] + other + code[place + 1 :]) != code[-1]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("张三", "张三"),
        (" 张 三 ", "张三"),
        ("张三先生", "张三"),
        ("王芳女士", "王芳"),
        ("欧阳修文", "欧阳修文"),
        ("阿依古丽·买买提", "阿依古丽买买提"),
        ("Li Lei", "lilei"),
        ("ＬＩ　ＬＥＩ", "lilei"),
        ("3M中国有限公司", "3m中国有限公司"),
        ("王先生", None),
        ("李经理", None),
        ("张", None),
        ("张*", None),
        ("张**", None),
        ("小王", None),
        ("微信用户", None),
        ("用户8812", None),
        ("会员张", None),
        ("收货人", None),
        ("138李四", None),
        ("Bob", None),
        ("test", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_full_name_counts_beside_a_phone(name, key):
    assert name_key(pl.Series([name], dtype=pl.String)).to_list() == [key]


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张*"), ("欧阳修文", "欧***"), ("Li Lei", "L****"), ("张", "张*"), ("", None)]
)
def test_names_show_their_first_character(name, shown):
    assert pl.DataFrame({"name": [name]}).select(mask_name(pl.col("name"))).item() == shown
