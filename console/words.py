"""The words of the glossary that pages, the command line and Excel share: Chinese first, English beside it.

Every table is keyed by the code word that stands in report.json and in `--json` output, in the order in which
people read it. A code word that is not in its table is shown as it is: a newer report stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mappings.problems import Text


@dataclass(frozen=True)
class Term:
    """A word, and the sentence that explains it to somebody who meets it for the first time."""

    word: Text
    meaning: Text = field(default=Text("", ""))


STATUSES: Final = MappingProxyType(
    {
        "breach": Term(
            Text("未达标", "Breach"),
            Text(
                "有目标没有达到，或者有欠账已经逾期，请先处理。",
                "An objective is missed or something is overdue.",
            ),
        ),
        "warning": Term(
            Text("预警", "Warning"),
            Text(
                "目标仍然守住，但有指标越过了提醒线。",
                "Objectives hold, but a figure has crossed its warning line.",
            ),
        ),
        "ok_todo": Term(
            Text("正常·待办", "OK, to do"),
            Text(
                "目标全部达到，还有待办，且都在期限之内；数字是待办总数。",
                "Every objective holds; open items are all inside their due date. The number counts them.",
            ),
        ),
        "ok": Term(
            Text("正常", "OK"),
            Text(
                "没有任何欠账，目标全部达到。只要还欠一条，就不会显示“正常”。",
                "Nothing is owed and every objective holds.",
            ),
        ),
        "no_data": Term(
            Text("无数据", "No data"),
            Text(
                "没有运行过，或来源没有数据，无法判断；不会当作 0，也不会当作正常。",
                "Nothing ran, or there is nothing to judge; never shown as 0 and never as OK.",
            ),
        ),
    }
)
"""The five status words, most urgent first except `no_data`, which says nothing about urgency and stands last."""

DEBTS: Final = MappingProxyType(
    {
        "quarantine": Term(
            Text("待处理数据", "Quarantine"),
            Text(
                "没有通过质量规则、还没有进入客户库的记录，修正后自动重新入库。",
                "Records that failed a rule and are not visible yet; repaired ones come in by themselves.",
            ),
        ),
        "landing": Term(
            Text("落地文件", "Landing files"),
            Text(
                "已经从来源取到、还没有写入数据库的文件，数据不会丢。",
                "Files already fetched from a source and not loaded yet; nothing in them is lost.",
            ),
        ),
        "writes": Term(
            Text("待回写", "Writes"),
            Text(
                "要写回业务系统、还没有回查确认的改动。",
                "Changes for other systems not yet confirmed by reading them back.",
            ),
        ),
        "streams": Term(
            Text("停滞同步", "Stalled"),
            Text(
                "超过 3 个同步周期 (至少 300 秒) 没有成功同步的同步对象。",
                "Streams past three of their intervals, at least 300 s, without success.",
            ),
        ),
        "held_lines": Term(
            Text("挂起明细", "Held lines"),
            Text(
                "商品编码在商品库中找不到的订单明细；订单金额照常计入，商品分析暂不计入。",
                "Order lines whose SKU is not in the library: the order counts, product analysis waits.",
            ),
        ),
        "decisions": Term(
            Text("待确认", "Decisions"),
            Text(
                "等人决定的合并冲突和审批。",
                "Identity conflicts and approvals that wait for a person.",
            ),
        ),
    }
)
"""The six debts of `owed`, in the order in which data passes through the hub."""

DIMENSIONS: Final = MappingProxyType(
    {
        "completeness": Term(Text("完整性", "Completeness"), Text("该填的都填了吗", "Is it filled in")),
        "accuracy": Term(Text("准确性", "Accuracy"), Text("和事实一致吗", "Is it true")),
        "consistency": Term(Text("一致性", "Consistency"), Text("各处说法互相矛盾吗", "Do the sources agree")),
        "timeliness": Term(Text("时效性", "Timeliness"), Text("按时到了吗", "Is it on time")),
        "validity": Term(Text("规范性", "Validity"), Text("格式和取值合规吗", "Is it well formed")),
        "uniqueness": Term(Text("唯一性", "Uniqueness"), Text("有没有重复", "Is it there only once")),
        "linkage": Term(Text("关联性", "Linkage"), Text("找得到它所属的客户、订单、商品吗", "Is it linked")),
    }
)

ROLES: Final = MappingProxyType(
    {
        "erp": Text("ERP", "ERP"),
        "shop": Text("店铺", "Shop"),
        "tickets": Text("工单", "Tickets"),
        "crm": Text("CRM", "CRM"),
        "wechat": Text("微信", "WeChat"),
        "other": Text("其他", "Other"),
    }
)

PUBLICATION: Final = MappingProxyType(
    {
        "published": Text("已发布", "Published"),
        "reviewed": Text("已审阅，待发布", "Reviewed, not published"),
        "draft": Text("草稿，待业务确认", "Draft, waiting for approval"),
    }
)
"""How far a definition of scores has come."""

RULES: Final = MappingProxyType(
    {
        True: Term(
            Text("强规则", "Blocking"),
            Text("没通过的记录进入待处理数据，修好才入库。", "A row that fails goes to quarantine."),
        ),
        False: Term(
            Text("弱规则", "Non-blocking"),
            Text("没通过的记录照常入库，只统计和提醒。", "A row that fails comes in and is counted."),
        ),
    }
)
"""What a failed check does to the row, by `blocking`."""


def status_word(status: str, todo: int | None = None) -> Text:
    """The word for a status; `todo` is the N of 正常·待办 N and is left out where it is not known."""
    term = STATUSES.get(status)
    if term is None:
        return Text(status, status)
    if status == "ok_todo" and todo is not None:
        return Text(f"{term.word.zh} {todo:,}", f"OK, {todo:,} to do")
    return term.word


def debt_word(debt: str) -> Text:
    """The word for one of the six debts."""
    return DEBTS[debt].word if debt in DEBTS else Text(debt, debt)


def dimension_word(dimension: str) -> Text:
    """The word for a dimension of quality."""
    return DIMENSIONS[dimension].word if dimension in DIMENSIONS else Text(dimension, dimension)
