"""Folds a customer's name so that two spellings compare, and says whether it counts as a name at all."""

from __future__ import annotations

import polars as pl

HONORIFICS = ("先生", "女士", "小姐", "太太", "老师", "同学", "师傅", "经理")
"""Taken off the end of a name: 王芳女士 is 王芳, and 王先生 is only a surname."""

NOT_NAMES = (
    "匿名", "不详", "未知", "无名", "无名氏", "默认", "测试", "收货人", "收件人", "联系人", "本人", "自己",
    "先生", "女士", "小姐", "老板", "朋友", "家人", "宝宝", "妈妈", "爸爸", "老婆", "老公", "亲爱的",
    "现金客户", "零售客户", "零散客户", "门店顾客", "门店客户", "线上客户", "临时客户", "个人",
    "test", "tester", "admin", "none", "null", "unknown", "undefined", "anonymous", "customer", "guest",
    "user", "default",
)  # fmt: skip
"""What people and systems write where no name is known."""

GENERATED = (
    "微信用户", "手机用户", "新用户", "用户", "会员", "顾客", "客户", "游客", "访客", "散客", "买家", "淘宝",
    "匿名", "测试", "临时",
)  # fmt: skip
"""Beginnings of names that a system made up: 用户8812, 微信用户, 会员张."""

MASK_CHARACTERS = r"[*＊•●×?？#]"


def name_key(names: pl.Series) -> pl.Series:
    """Each name as a key beside a phone: folded, or null where it does not count as a full name.

    Counts: two or more Chinese characters (five or more with digits, as in a company's name), or four or
    more Latin letters. Does not count: a surname alone, with or without an honorific; a nickname such as
    小王; anything masked (张*); placeholders and names made by a system (微信用户, 用户8812).
    """
    folded = pl.DataFrame({"folded": names.cast(pl.String)}).select(_folded(pl.col("folded")))
    key = pl.col("folded")
    chinese = key.str.count_matches(r"\p{Han}")
    long_enough = (
        pl.when(key.str.contains(r"\p{Nd}"))
        .then(chinese >= 5)
        .otherwise((chinese >= 2) | (key.str.count_matches(r"\p{L}") >= 4))
    )
    counts = (
        long_enough
        & ~key.str.contains(MASK_CHARACTERS)
        & ~key.is_in(NOT_NAMES)
        & ~key.str.contains(f"^(?:{'|'.join(GENERATED)})")
        & ~key.str.contains(r"^[小老阿大]\p{Han}$")
    )
    return folded.select(pl.when(counts).then(key).alias("name_key")).to_series()


def _folded(name: pl.Expr) -> pl.Expr:
    """Full width to half width, lower case, without spaces, dots, brackets and honorific."""
    return (
        name.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"[\s\p{Cf}\p{Cc}·・•.,,。、()\[\]【】<>《》'’\"“”_\-]", "")
        .str.replace(f"(?:{'|'.join(HONORIFICS)})$", "")
    )
