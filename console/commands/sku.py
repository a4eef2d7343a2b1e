"""liuke sku: which product codes are linked to the product library, and which are not."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.screen import say, say_table
from console.session import Session, group
from mappings.model import MONEY_SCALE
from mappings.problems import LiukeError, Problem, Text

if TYPE_CHECKING:
    from quality.expectations import Expectations

sku = group("sku", "商品对照: 匹配率与未匹配编码。 Product codes: coverage and what is not linked.")


@sku.add("coverage", example="liuke sku coverage")
def coverage_(session: Session) -> None:
    """各系统商品编码与商品库的匹配率: 按编码数、明细行和金额。

    How many codes of each system are linked to the product library: by codes, order lines and money.
    """
    from sync.codes import coverage

    hub = session.reading_hub
    expected = _expected(session)
    with hub.store.reading() as tx:
        found = coverage(tx, hub.now(), expected)
    value = {
        "library": expected.library,
        "connectors": [
            {
                "connector": one.connector,
                "codes": {"good": one.codes_linked, "total": one.codes},
                "lines": {"good": one.lines_linked, "total": one.lines},
                "amount": {"good_yuan": _yuan(one.amount_linked), "total_yuan": _yuan(one.amount)},
            }
            for one in found
        ],
    }

    def page(_value: Any) -> None:
        say(Text(f"商品库: {expected.library}", f"product library: {expected.library}"))
        say_table(
            [Text("连接器", "connector"), Text("编码", "codes"), "", Text("明细行", "lines"), "",
             Text("金额", "amount"), ""],
            [
                [
                    one.connector,
                    f"{one.codes_linked:,} / {one.codes:,}", _percent(one.codes_linked, one.codes),
                    f"{one.lines_linked:,} / {one.lines:,}", _percent(one.lines_linked, one.lines),
                    f"{_yuan(one.amount_linked)} / {_yuan(one.amount)}", _percent(one.amount_linked, one.amount),
                ]
                for one in found
            ],
        )  # fmt: skip
        say()
        say(Text("未匹配的编码", "codes that are not linked"), before="liuke sku unmatched  ")

    session.show(value, page)


@sku.add("unmatched", example="liuke sku unmatched\nliuke sku unmatched --connector erp --csv unmatched.csv")
@click.option("--connector", default="", help="只看这个连接器。 Only this connector.")
@click.option("--limit", default=50, show_default=True, help="最多列出几个。 At most so many.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="写成 crosswalk.csv 的格式, 填好商品库编码后合并进去。 Write them as rows for crosswalk.csv.",
)
def unmatched_(session: Session, connector: str, limit: int, csv_file: Path | None) -> None:
    """未匹配的商品编码, 挂起金额最大的在前; 在 crosswalk.csv 中补上对应后, 下次同步自动放行。

    Codes without a link to the library, those that hold up most money first. Put the link into crosswalk.csv;
    the next sync releases their lines.
    """
    from sync.codes import unmatched

    hub = session.reading_hub
    expected = _expected(session)
    with hub.store.reading() as tx:
        found = unmatched(tx, hub.now(), expected, connector=connector, limit=limit)
    if csv_file is not None:
        with csv_file.open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["connector", "sku", "product_code", "kind", "factor", "share", "valid_from", "valid_to"])
            rows.writerows([one.connector, one.sku, "", "manual", "", "", "", ""] for one in found)
    value = [
        {
            "connector": one.connector,
            "sku": one.sku,
            "name": one.name,
            "lines": one.lines,
            "amount_yuan": _yuan(one.amount),
        }
        for one in found
    ]

    def page(_value: Any) -> None:
        if not found:
            say(Text("全部匹配", "every code is linked"))
            return
        say_table(
            [Text("连接器", "connector"), Text("编码", "code"), Text("名称", "name"), Text("挂起明细", "lines"),
             Text("金额(元)", "yuan")],
            [[one.connector, one.sku, one.name, one.lines, _yuan(one.amount)] for one in found],
        )  # fmt: skip

    session.show(value, page)


def _expected(session: Session) -> Expectations:
    from sync.expectations import expectations

    expected = expectations(session.reading_hub.config, maps=False)
    if not expected.library:
        raise LiukeError(
            Problem(
                "sku.no-library",
                Text("没有指定商品库, 无从匹配", "no product library is named, so nothing can be matched"),
                f"{session.reading_hub.config.file}: library",
                Text("在 liuke.yaml 里写上 library: 实例名", "write `library: INSTANCE` into liuke.yaml"),
            )
        )
    return expected


def _yuan(stored: int) -> str:
    return f"{Decimal(stored) / MONEY_SCALE:.2f}"


def _percent(good: int, total: int) -> str:
    return "—" if not total else f"{Decimal(good) * 100 / total:.1f}%"
