"""Judges mapped rows one by one against their contract, before they become visible.

The contract is compiled to a pandera schema (Polars, eager, without coercion); what fails is named by our own
code. A failure that belongs to no row means that the check itself could not judge: then no row of the file may
pass, and the file is frozen with a ToolError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from mappings import model
from mappings.identity.masks import mask, mask_name
from mappings.problems import LiukeError, Problem, Text
from quality.contract import Contract, Kind, Rule
from quality.row_checks import CHECKS

if TYPE_CHECKING:
    from pandera.errors import SchemaErrors
    from pandera.polars import DataFrameSchema

FAILURES = {"row": pl.UInt32, "code": pl.String, "field": pl.String, "sample": pl.String}
"""Columns of what `check` returns; `field` is written entity.column."""

SAMPLE_LENGTH = 60
STORED: dict[model.Type, Any] = {
    model.Type.MONEY: pl.Int64,
    model.Type.QUANTITY: pl.Int64,
    model.Type.TIME: pl.Int64,
    model.Type.INTEGER: pl.Int64,
    model.Type.FLAG: pl.Int64,
    model.Type.DIGEST: pl.Binary,
}


class ToolError(LiukeError):
    """A check could not judge the rows: the whole file stays owed until the contract or the tool is mended."""


def check(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """What is wrong with rows of one entity: row number in the frame, code, field and masked sample, each.

    Judges the blocking rules whose fields the frame has (a field no map fills cannot be wrong). The frame holds
    storage types (mappings/model.py) and extracted_at. Rows that are not named are right.
    """
    given = {*frame.columns, "extracted_at"}
    rules = [r for r in contract.of_kind(Kind.ROW) if r.blocking and set(r.columns) <= given]
    if not rules or frame.is_empty():
        return pl.DataFrame(schema=FAILURES)
    wrong = _judge(frame, contract.entity, rules)
    parts = [_failures(frame, contract, rule, rows) for rule, rows in wrong]
    return pl.concat(parts).sort("row", "code", "field") if parts else pl.DataFrame(schema=FAILURES)


def _judge(frame: pl.DataFrame, entity: str, rules: list[Rule]) -> list[tuple[Rule, pl.Series]]:
    """The rules that some rows fail, with those rows."""
    import pandera.errors  # takes 0.3 s to import: only what loads rows pays for it

    columns = sorted({column for rule in rules for column in rule.columns})
    try:
        judged = frame.select(columns)
        compiled(entity, rules).validate(judged.with_columns(_typed(entity, judged)), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return _rows_by_rule(errors, rules)
    except (pandera.errors.SchemaDefinitionError, pl.exceptions.PolarsError) as error:
        raise ToolError(_unjudged(entity, type(error).__name__)) from error
    return []


def _typed(entity: str, frame: pl.DataFrame) -> list[pl.Expr]:
    """Columns of nothing but nulls have no type of their own; pandera wants the one they would have."""
    types = {f.name: STORED.get(f.type, pl.String) for f in (*model.ENTITIES[entity].mapped(), *model.HUB_FIELDS)}
    return [pl.col(name).cast(types[name]) for name, kind in frame.schema.items() if kind == pl.Null]


def compiled(entity: str, rules: list[Rule]) -> DataFrameSchema:
    """The rules as a pandera schema: one column check a rule, its code as the error."""
    import pandera.polars as pa

    fields = {f.name: f for f in (*model.ENTITIES[entity].mapped(), *model.HUB_FIELDS)}
    checks: dict[str, list[pa.Check]] = {column: [] for rule in rules for column in rule.columns}
    for rule in rules:
        right = CHECKS[rule.check].build(fields[rule.field], **rule.arguments)
        checks[rule.field].append(pa.Check(_Right(right, rule.check == "filled"), name=rule.code, error=rule.code))
    return pa.DataFrameSchema(
        {
            column: pa.Column(STORED.get(fields[column].type, pl.String), nullable=True, checks=made)
            for column, made in checks.items()
        }
    )


class _Right:
    """Answers pandera with one true or false a row; an unknown answer is no failure, but for `filled`."""

    def __init__(self, right: pl.Expr, known_only: bool) -> None:
        # An answer of one value for the whole frame would be taken for the answer of its first row alone:
        # with_columns makes it as long as the frame.
        self._right = right.fill_null(not known_only).alias("right")

    def __call__(self, data: Any) -> pl.LazyFrame:
        frame: pl.LazyFrame = data.lazyframe
        return frame.with_columns(self._right).select("right")


def _rows_by_rule(errors: SchemaErrors, rules: list[Rule]) -> list[tuple[Rule, pl.Series]]:
    failures: pl.DataFrame = errors.failure_cases
    by_name = {(rule.code, rule.field): rule for rule in rules}
    without_row = failures.filter(pl.col("index").is_null())
    named = failures.select("check", "column").unique().rows()
    if not without_row.is_empty() or any(name not in by_name for name in named):
        raise ToolError(_unjudged(rules[0].entity, ", ".join(sorted({str(name[0]) for name in named}))))
    return [
        (by_name[code, column], part["index"].cast(pl.UInt32))
        for (code, column), part in failures.group_by("check", "column")
    ]


def _failures(frame: pl.DataFrame, contract: Contract, rule: Rule, rows: pl.Series) -> pl.DataFrame:
    field = model.ENTITIES[rule.entity].field(rule.field)
    values = frame[rule.field].gather(rows)
    return pl.DataFrame(
        {
            "row": rows,
            "code": pl.repeat(rule.code, len(rows), eager=True),
            "field": pl.repeat(f"{rule.entity}.{rule.field}", len(rows), eager=True),
            "sample": _samples(values, field, field.name in contract.personal).fill_null(""),
        },
        schema=FAILURES,
    )


def _samples(values: pl.Series, field: model.Field, personal: bool) -> pl.Series:
    """The values as a person may see them: masked if they are about a person, else in yuan and Beijing time."""
    value = pl.col(values.name)
    match field.type:
        case model.Type.MONEY | model.Type.QUANTITY:
            shown = _decimal_text(value)
        case model.Type.TIME:
            shown = (value + 8 * 3_600_000_000).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")
        case model.Type.DAY if personal:
            shown = value.str.slice(0, 4) + "-**-**"  # the year is what is wrong, and it is nobody's name
        case _ if personal and field.name == "name":
            shown = mask_name(value.cast(pl.String))
        case _ if personal:
            return mask("", values)
        case _:
            shown = value.cast(pl.String).str.slice(0, SAMPLE_LENGTH)
    return values.to_frame().select(shown.alias("sample")).to_series()


def _decimal_text(value: pl.Expr) -> pl.Expr:
    """12.5 for 125000: exact, without trailing zeros beyond two."""
    sign = pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    whole, rest = value.abs() // 10_000, (value.abs() % 10_000).cast(pl.String).str.zfill(4)
    return sign + whole.cast(pl.String) + "." + rest.str.replace("(..)0{1,2}$", "${1}")


def _unjudged(entity: str, what: str) -> Problem:
    return Problem(
        "check.failed",
        Text(
            f"质量规则无法执行, 整个文件暂不入库: {what}",
            f"a rule could not judge the rows, so none of the file's rows may pass: {what}",
        ),
        entity,
        Text(
            "检查 contracts/ 中该实体的规则后运行 liuke replay; 数据保留在落地文件中",
            "mend the rules of this entity in contracts/ and run liuke replay; the data is kept in its landing file",
        ),
    )
