"""Brings phone numbers into one form and says which of them can stand for a person.

A Chinese mobile becomes +8613800010001 and is usable. Everything else people and systems put into a phone
field gets the class that says why it is no key: masked, virtual (a privacy number, which changes with every
order), placeholder, per-shop ciphertext, shared (landline, hotline), weak (no area code) or invalid.
"""

from __future__ import annotations

import phonenumbers
import polars as pl
from phonenumbers import PhoneNumberType

PLAIN_MOBILE = r"^\s*(?:\+?86[\s-]?)?(1[3-9]\d{9})\s*$"
"""What nearly every cell holds; it alone is matched against every row, the rest against distinct values."""

_COUNTRY = r"(?:(?:\+|00)?86)?"
# IP-telephony prefixes that old address books keep in front of a number.
_DIAL_PREFIX = r"(?:17951|17950|12593|17911|17910|17901|17909|10193|10131)?"
MOBILE = rf"^{_COUNTRY}{_DIAL_PREFIX}0?(1[3-9]\d{{9}})$"

_EXTENSION = r"\s*(?:[-,;#_转xX]|分机|[eE][xX][tT]\.?|\s)+\s*(\d{1,6})$"
PRIVACY_EXTENSION = rf"^(?:\+?86[\s-]?)?(1\d{{10}}){_EXTENSION}"
"""18877771111-123: what Taobao's, JD's and Douyin's decryption hands out instead of the buyer's number."""

PRIVACY_NUMBER = r"^95013\d{6,}$"

_AREA = r"(?:10|2\d|[3-9]\d{2})"
LANDLINE = rf"^(?:(?:\+|00)?860?|0)({_AREA}[2-9]\d{{6,7}})$"
LANDLINE_EXTENSION = rf"^(?:(?:\+|00)?86[\s-]?)?\(?0({_AREA})\)?[\s-]?([2-9]\d{{6,7}}){_EXTENSION}"
HOTLINE = r"^(?:\+?86)?([48]00\d{7})(?:\D+\d{1,6})?$"
SERVICE_NUMBER = r"^(1[012]\d{1,3}|9[56]\d{3,6})$"
LOCAL = r"^[2-9]\d{6,7}$"
FOREIGN = r"^(?:\+|00)([1-9]\d{5,16})$|^((?:852|853|886)\d{8,9})$"

CIPHERTEXT = r"^(?:\$.+\$\d*\$?|~.+~\d*~?|##.+|#.+#.*#)$"
"""Youzan $...$1$, Taobao and Pinduoduo ~...~, Douyin ##... and #...#: another text in every shop."""
LONG_BASE64 = r"^[A-Za-z0-9+/_-]{24,}={0,2}$"

MASKED = r"^(?:\+?86)?(\d{0,7}[*xX•●]+\d{0,6})$"
MASKED_3_4 = r"^(1[3-9]\d)\*+(\d{4})$"
SCIENTIFIC = r"^\d(?:\.\d+)?[eE]\+?\d+$"
SEVERAL = r"1[3-9]\d{9}\D+(?:\+?86)?1[3-9]\d{9}"

ONE_DIGIT = r"^(?:0+|1{3,}|2{3,}|3{3,}|4{3,}|5{3,}|6{3,}|7{3,}|8{3,}|9{3,})$"
MADE_UP = (
    r"^(?:13800138000|1[3-9]\d(?:12345678|87654321)|12345678\d{0,4}|0?123456789\d{0,2}|"
    r"1[3-9]\d(?:0{8}|1{8}|2{8}|3{8}|4{8}|5{8}|6{8}|7{8}|8{8}|9{8}))$"
)
"""Numbers typed to get past a form. A few of 1xx + eight equal digits are real and dear; they only lose
their automatic merge."""

BLANK_WORDS = (
    *("无", "没有", "未知", "不详", "暂无", "空", "-"),
    *("none", "null", "n/a", "na", "nan", "false", "undefined"),
)

OUTPUT = {"value": pl.String, "class": pl.String, "reason": pl.String}


def phone(values: pl.Series) -> pl.DataFrame:
    """One row per value: the comparable form, the class, the reason ("" for usable); nulls for a blank."""
    raw = pl.col("raw")
    frame = pl.DataFrame({"raw": values.cast(pl.String)}).with_columns(mobile=raw.str.extract(PLAIN_MOBILE))
    unusual = frame.filter(pl.col("mobile").is_null() & raw.is_not_null()).select(raw.unique())
    made_up = pl.col("mobile").str.contains(MADE_UP)
    plain = pl.col("mobile").is_not_null()
    return frame.join(_unusual(unusual), on="raw", how="left", maintain_order="left").select(
        value=pl.when(plain).then("+86" + pl.col("mobile")).otherwise("value"),
        **{"class": pl.when(made_up).then(pl.lit("placeholder")).when(plain).then(pl.lit("usable")).otherwise("class")},
        reason=pl.when(made_up).then(pl.lit("phone.made-up")).when(plain).then(pl.lit("")).otherwise("reason"),
    )


def _unusual(raws: pl.DataFrame) -> pl.DataFrame:
    """The classification of distinct values that are no plain mobile number. The order of the branches
    matters: what looks like a shorter form must come after what contains it."""
    if raws.is_empty():
        return pl.DataFrame(schema={"raw": pl.String, **OUTPUT})
    # NFKC turns full-width digits, plus and stars into ASCII. Address books copy invisible direction marks.
    text = (
        pl.col("raw")
        .str.normalize("NFKC")
        .str.replace_all(r"[\p{Cf}\p{Cc}]", "")
        .str.replace_all(r"[–—−]", "-")
        .str.replace(r"(?i)^(?:tel|phone|mobile|电话|手机号?|联系电话)[:\s]*", "")
        .str.strip_chars(" '\"`")
        .str.replace(r"^(\d{7,13})\.0+$", "${1}")  # a number that went through a spreadsheet as a float
    )
    compact = pl.col("text").str.replace_all(r"[\s\-()./·]", "")
    frame = raws.with_columns(text=text).with_columns(compact=compact)
    text, compact = pl.col("text"), pl.col("compact")

    mobile = compact.str.extract(MOBILE)
    masked = compact.str.extract(MASKED).str.replace_all(r"[xX•●]", "*")
    landline = text.str.extract_groups(LANDLINE_EXTENSION)
    extension = text.str.extract_groups(PRIVACY_EXTENSION)
    cipher = text.str.contains(CIPHERTEXT) | (text.str.contains(LONG_BASE64) & text.str.contains(r"[A-Za-z]"))
    branches: list[tuple[pl.Expr, pl.Expr, str, str]] = [
        (cipher, text, "ciphertext", "phone.ciphertext"),
        (text.str.to_lowercase().is_in(BLANK_WORDS), text, "placeholder", "phone.word"),
        (compact.str.contains(ONE_DIGIT), compact, "placeholder", "phone.made-up"),
        (mobile.str.contains(MADE_UP), "+86" + mobile, "placeholder", "phone.made-up"),
        (mobile.is_not_null(), "+86" + mobile, "usable", ""),
        (compact.str.contains(MADE_UP), compact, "placeholder", "phone.made-up"),
        (masked.str.contains(MASKED_3_4), masked.str.replace(MASKED_3_4, "${1}****${2}"), "masked", "phone.masked"),
        (masked.is_not_null(), masked, "masked", "phone.masked-deeply"),
        (text.str.contains(SCIENTIFIC), text, "invalid", "phone.scientific"),
        (text.str.contains(SEVERAL), text, "invalid", "phone.several"),
        (compact.str.contains(PRIVACY_NUMBER), compact, "virtual", "phone.privacy-number"),
        (
            extension.struct.field("1").is_not_null(),
            "+86" + extension.struct.field("1") + ";ext=" + extension.struct.field("2"),
            "virtual",
            "phone.privacy-extension",
        ),
        (compact.str.contains(HOTLINE), compact.str.extract(HOTLINE), "shared", "phone.hotline"),
        (
            landline.struct.field("1").is_not_null(),
            "+86" + landline.struct.field("1") + landline.struct.field("2") + ";ext=" + landline.struct.field("3"),
            "shared",
            "phone.landline-extension",
        ),
        (compact.str.contains(LANDLINE), "+86" + compact.str.extract(LANDLINE), "shared", "phone.landline"),
        (compact.str.contains(SERVICE_NUMBER), compact, "shared", "phone.service-number"),
        (compact.str.contains(LOCAL), compact, "weak", "phone.no-area-code"),
        (compact.str.contains(FOREIGN), compact, "foreign", ""),
    ]
    value, kind, reason = text, pl.lit("invalid"), pl.lit("phone.shape")
    for condition, then, its_class, its_reason in reversed(branches):
        value = pl.when(condition).then(then).otherwise(value)
        kind = pl.when(condition).then(pl.lit(its_class)).otherwise(kind)
        reason = pl.when(condition).then(pl.lit(its_reason)).otherwise(reason)
    blank = text.str.len_chars() == 0
    classified = frame.select(
        "raw",
        value=pl.when(~blank).then(value),
        **{"class": pl.when(~blank).then(kind)},
        reason=pl.when(~blank).then(reason),
    )
    return _with_foreign(classified)


def _with_foreign(classified: pl.DataFrame) -> pl.DataFrame:
    """Asks the phonenumbers library about the distinct numbers that carry another country's code."""
    foreign = classified.filter(pl.col("class") == "foreign")
    if foreign.is_empty():
        return classified
    asked = pl.DataFrame(
        [_foreign(number) for number in foreign["value"].to_list()], schema=OUTPUT, orient="row"
    ).with_columns(foreign["raw"])
    rest = classified.filter((pl.col("class") != "foreign") | pl.col("class").is_null())
    return pl.concat([rest, asked.select(rest.columns)])


def _foreign(number: str) -> tuple[str, str, str]:
    """Value, class and reason of a number outside mainland China, given as digits with +, 00 or 852..."""
    international = "+" + number.removeprefix("+").removeprefix("00")
    try:
        parsed = phonenumbers.parse(international, None)
    except phonenumbers.NumberParseException:
        return number, "invalid", "phone.shape"
    value = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(parsed):
        if parsed.country_code != 86 and phonenumbers.is_possible_number(parsed):
            return value, "weak", "phone.foreign-unverified"
        return number, "invalid", "phone.shape"
    kind = phonenumbers.number_type(parsed)
    if kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
        return value, "usable", ""
    return value, "shared", "phone.foreign-not-mobile"
