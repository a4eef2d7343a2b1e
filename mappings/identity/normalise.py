"""Brings raw identifiers into a comparable form, with a class, a reason and a mask; whole columns at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from mappings.identity import phone
from mappings.identity.masks import mask
from mappings.problems import Text

CLASSES = ("usable", "weak", "shared", "masked", "virtual", "placeholder", "ciphertext", "invalid")
"""What an identifier is good for. Only `usable` ones join records; `masked` and `weak` ones may propose,
together with the full name; the others are kept as facts about the record and never compared."""

COLUMNS = ("value", "class", "reason", "mask")


def normalise(values: pl.Series, kind: str) -> pl.DataFrame:
    """One row per raw value: value, class, reason ("" when usable) and mask; all null for a blank.

    The value of a class other than usable is the cleaned text as far as it could be cleaned. Raises
    KeyError for a kind that model.IDENTIFIER_KINDS does not have.
    """
    normalised = _NORMALISERS[kind](values.cast(pl.String))
    return normalised.with_columns(mask=mask(kind, normalised["value"])).select(COLUMNS)


REASONS: Mapping[str, Text] = {
    "": Text("可用", "usable"),
    "phone.ciphertext": Text("店铺密文,不同店铺不可比对", "ciphertext of one shop, not comparable with another's"),
    "phone.word": Text("填写的不是号码", "a word, not a number"),
    "phone.made-up": Text("占位号码", "a made-up number"),
    "phone.masked": Text("号码已打码", "a masked number"),
    "phone.masked-deeply": Text("号码打码过多", "a number masked too far to compare"),
    "phone.scientific": Text("号码被表格软件改成科学计数法", "a spreadsheet turned the number into 1.38E+10"),
    "phone.several": Text("一格里有多个号码", "several numbers in one cell"),
    "phone.privacy-number": Text("隐私号(95013)", "a privacy number (95013)"),
    "phone.privacy-extension": Text("平台隐私号(带分机)", "a platform's privacy number with extension"),
    "phone.hotline": Text("400/800 热线", "a 400 or 800 hotline"),
    "phone.service-number": Text("服务短号", "a service number"),
    "phone.landline": Text("固定电话", "a landline"),
    "phone.landline-extension": Text("固定电话分机", "a landline with extension"),
    "phone.no-area-code": Text("缺少区号", "no area code"),
    "phone.foreign-unverified": Text("境外号码,无法核实", "a foreign number that could not be verified"),
    "phone.foreign-not-mobile": Text("境外非手机号", "a foreign number, not a mobile"),
    "phone.shape": Text("不是电话号码", "not a telephone number"),
    "email.shape": Text("不是邮箱地址", "not an e-mail address"),
    "email.masked": Text("邮箱已打码", "a masked address"),
    "email.made-up": Text("占位邮箱", "a made-up address"),
    "email.role": Text("公共邮箱(客服、销售等)", "a role address (info@, sales@)"),
    "email.relay": Text("平台转发邮箱", "a platform's relay address"),
    "id.shape": Text("编号格式不符", "not the shape of such an id"),
    "id.masked": Text("编号已打码", "a masked id"),
    "id.ciphertext": Text("店铺密文,不同店铺不可比对", "ciphertext of one shop, not comparable with another's"),
    "id.made-up": Text("占位编号", "a placeholder, not an id"),
    "id.scientific": Text("编号被表格软件改成科学计数法", "a spreadsheet turned the id into 1.23E+18"),
    "company_code.shape": Text("不是 18 位统一社会信用代码", "not an 18-character social credit code"),
    "company_code.check-digit": Text("统一社会信用代码校验位不符", "the code's check digit does not agree"),
    "company_code.old-form": Text("旧证号(工商注册号、组织机构代码)", "a registration number from before 2015"),
}
"""Every reason the normalisers give, in words for a page."""


def _normalise_email(values: pl.Series) -> pl.DataFrame:
    cleaned = values.str.normalize("NFKC").str.strip_chars(" \t\r\n'\"<>;,").str.to_lowercase()
    frame = pl.DataFrame({"value": cleaned.str.replace(r"^mailto:", "").str.replace_all(r"[\p{Cf}\p{Cc}]", "")})
    value = pl.col("value")
    return _first_of(
        frame,
        (value.is_in(phone.BLANK_WORDS), "placeholder", "id.made-up"),
        (value.str.contains(r"\*.*@|@\*"), "masked", "email.masked"),
        (~value.str.contains(EMAIL), "invalid", "email.shape"),
        (value.str.contains(MADE_UP_EMAIL), "placeholder", "email.made-up"),
        (value.str.contains(RELAY_EMAIL), "virtual", "email.relay"),
        (value.str.contains(ROLE_EMAIL), "shared", "email.role"),
    )


EMAIL = r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$"
MADE_UP_EMAIL = (
    r"@(?:example\.(?:com|org|net|cn)|test\.(?:com|cn)|a\.com|aa\.com|xxx\.com|no\.com|none\.com|.*\.(?:invalid|test|local))$"
    r"|^(?:test|none|null|no|na|noreply|no-reply|xxx|abc|123|1234|12345|123456|a|aa|aaa)@"
)
RELAY_EMAIL = r"@(?:marketplace\.amazon\.[a-z.]+|members\.ebay\.com|privaterelay\.appleid\.com)$"
ROLE_EMAIL = (
    r"^(?:info|sales?|service|services|support|contact|admin|office|hr|job|jobs|marketing|market|kefu|cs|postmaster|"
    r"webmaster|help|mail|order|orders|finance|caiwu|fapiao|invoice|shop|store)@"
)


def _normalise_id(shape: str) -> Callable[[pl.Series], pl.DataFrame]:
    """Ids that only their own system can read: kept letter by letter, judged by shape."""

    def normaliser(values: pl.Series) -> pl.DataFrame:
        cleaned = values.str.normalize("NFKC").str.replace_all(r"[\p{Cf}\p{Cc}]", "").str.strip_chars(" '\"")
        frame, value = pl.DataFrame({"value": cleaned}), pl.col("value")
        word = value.str.to_lowercase().is_in((*phone.BLANK_WORDS, *ID_WORDS))
        return _first_of(
            frame,
            (word | value.str.contains(r"^[0._-]+$"), "placeholder", "id.made-up"),
            (value.str.contains(r"^(?:\$.+\$\d*\$?|~.+~\d*~?)$"), "ciphertext", "id.ciphertext"),
            (value.str.contains(r"\*"), "masked", "id.masked"),
            (value.str.contains(phone.SCIENTIFIC), "invalid", "id.scientific"),
            (~value.str.contains(shape), "invalid", "id.shape"),
        )

    return normaliser


ID_WORDS = ("test", "测试", "散客", "临时", "游客", "匿名", "默认", "guest", "anonymous", "admin")
WECHAT_ID = r"^[A-Za-z0-9_-]{16,64}$"
"""unionid and openid: 28 characters beginning with o in every sample, 29 in WeChat's own documents; the
length is promised nowhere, so only the alphabet and a generous length are checked."""
EXTERNAL_USERID = r"^[A-Za-z0-9_-]{8,64}$"
NUMBER = r"^\S(?:.{0,62}\S)?$"
BUYER = r"^\S(?:.{0,254}\S)?$"


def _normalise_company_code(values: pl.Series) -> pl.DataFrame:
    """The unified social credit code, 18 characters with check digit (GB 32100-2015)."""
    cleaned = values.str.normalize("NFKC").str.to_uppercase().str.replace_all(r"[\s\p{Cf}\p{Cc}\-]", "")
    frame = pl.DataFrame({"value": cleaned})
    value = pl.col("value")
    shaped = frame.filter(value.str.contains(COMPANY_CODE))["value"].unique()
    wrong = [code for code in shaped.to_list() if check_character(code) != code[-1]]
    return _first_of(
        frame,
        (value.str.to_lowercase().is_in(phone.BLANK_WORDS), "placeholder", "id.made-up"),
        (value.str.contains(phone.ONE_DIGIT), "placeholder", "id.made-up"),
        (value.str.contains(r"\*"), "masked", "id.masked"),
        (value.str.contains(r"^(?:\d{13}|\d{15}|[0-9A-Z]{8}[0-9X])$"), "weak", "company_code.old-form"),
        (~value.str.contains(COMPANY_CODE), "invalid", "company_code.shape"),
        (value.is_in(wrong), "invalid", "company_code.check-digit"),
    )


_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
COMPANY_CODE = rf"^[{_CODE_CHARACTERS}]{{2}}\d{{6}}[{_CODE_CHARACTERS}]{{10}}$"


def check_character(code: str) -> str:
    """The 18th character that belongs to the first 17 of a social credit code (GB 32100-2015, 4.7)."""
    total = sum(_CODE_CHARACTERS.index(c) * weight for c, weight in zip(code[:17], _CODE_WEIGHTS, strict=True))
    return _CODE_CHARACTERS[-total % 31]


def _first_of(frame: pl.DataFrame, *rules: tuple[pl.Expr, str, str]) -> pl.DataFrame:
    """Class and reason of the first rule that applies to `value`, else usable; nulls where it is blank."""
    kind, reason = pl.lit("usable"), pl.lit("")
    for condition, its_class, its_reason in reversed(rules):
        kind = pl.when(condition).then(pl.lit(its_class)).otherwise(kind)
        reason = pl.when(condition).then(pl.lit(its_reason)).otherwise(reason)
    present = pl.col("value").str.len_chars() > 0
    return frame.select(
        value=pl.when(present).then("value"),
        **{"class": pl.when(present).then(kind)},
        reason=pl.when(present).then(reason),
    )


_NORMALISERS: dict[str, Callable[[pl.Series], pl.DataFrame]] = {
    "unionid": _normalise_id(WECHAT_ID),
    "openid": _normalise_id(WECHAT_ID),
    "external_userid": _normalise_id(EXTERNAL_USERID),
    "member_no": _normalise_id(NUMBER),
    "customer_no": _normalise_id(NUMBER),
    "company_code": _normalise_company_code,
    "phone": phone.phone,
    "email": _normalise_email,
    "shop_buyer": _normalise_id(BUYER),
}
