"""Names and repairs of what keeps a record out that no contract describes: lines and cells that cannot be read.

What a contract describes is named there. A code that is in neither is shown as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.problems import Text
from quality.contract import Contracts

_SOURCE = Text("在来源系统更正后保存, 下次同步自动入库", "correct it in the source system; the next sync takes it in")
_FORMAT = Text(
    "在来源系统更正; 若整列如此, 请 IT 在字段映射中改用合适的转换",
    "correct it in the source; if the whole column is like this, have IT choose another transform in the field map",
)


@dataclass(frozen=True)
class Meaning:
    """What a code means, how it is repaired, and whether that is work for IT rather than for the data's owner."""

    title: Text
    repair: Text
    it: bool = False


_MEANINGS = {
    "line.rejected": Meaning(
        Text("无法读取的行", "a line that is no record"),
        Text("查看原始内容, 请来源系统厂商修正接口", "look at what came and have the source's interface corrected"),
        it=True,
    ),
    "row.key-missing": Meaning(Text("主键为空", "the key is empty"), _SOURCE),
    "cell.time-unreadable": Meaning(Text("时间无法识别", "unreadable time"), _FORMAT),
    "cell.day-unreadable": Meaning(Text("日期无法识别", "unreadable day"), _FORMAT),
    "cell.money-unreadable": Meaning(Text("金额无法识别", "unreadable amount"), _FORMAT),
    "cell.quantity-unreadable": Meaning(Text("数量无法识别", "unreadable quantity"), _FORMAT),
    "cell.decimal-unreadable": Meaning(Text("数值无法识别", "unreadable number"), _FORMAT),
    "cell.integer-unreadable": Meaning(Text("整数无法识别", "unreadable whole number"), _FORMAT),
    "cell.flag-unreadable": Meaning(Text("是/否无法识别", "unreadable yes/no"), _FORMAT),
    "cell.text-unreadable": Meaning(Text("文字无法识别", "unreadable text"), _FORMAT),
    "cell.choice-unknown": Meaning(
        Text("未知的取值", "unknown value"),
        Text(
            "在 mappings/ 的字段映射中为该取值补上对应, 然后重新入库",
            "say in the field map (mappings/) what the value means, then replay",
        ),
        it=True,
    ),
    "cell.id-damaged": Meaning(
        Text("编号被改成科学计数法", "an id damaged by a spreadsheet (1.23E+18)"),
        Text("重新导出, 导出前把编号列设为文本", "export again with the id column formatted as text"),
    ),
    "cell.control-character": Meaning(Text("含有控制字符", "control characters"), _SOURCE),
    "cell.part-missing": Meaning(Text("组合编号缺少一部分", "part of a composed id is missing"), _SOURCE),
    "cell.not-an-object": Meaning(
        Text("字段结构与映射不符", "the field is not an object as the map says"),
        Text("请 IT 核对字段映射与接口返回", "have IT compare the field map with what the source sends"),
        it=True,
    ),
    "cell.not-a-list": Meaning(
        Text("字段应为列表", "the field is not a list as the map says"),
        Text("请 IT 核对字段映射与接口返回", "have IT compare the field map with what the source sends"),
        it=True,
    ),
}


def meaning(code: str, contracts: Contracts, connector: str) -> Meaning:
    """What a quarantine code means to a person."""
    if code in _MEANINGS:
        return _MEANINGS[code]
    rule = contracts.rule(code, connector)
    if rule is not None:
        return Meaning(rule.title, rule.repair)
    return Meaning(Text(code, code), _SOURCE)
