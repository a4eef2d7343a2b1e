"""The unified customer model: which entities there are, and what each of their columns means.

Storage (DESIGN 3): ids, text and JSON are TEXT; money is BIGINT in 1/10,000 yuan; quantity is BIGINT in
1/10,000; times are BIGINT microseconds UTC; flags are INTEGER 0 or 1; unit prices are exact decimal TEXT.
The database tables, the field maps, the contracts and docs/model.md are all made from what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MONEY_SCALE = 10_000
"""Stored units of one yuan."""

QUANTITY_SCALE = 10_000
"""Stored units of one piece."""


class Type(StrEnum):
    """How a column is stored and read; the value is the word used in docs and maps."""

    ID = "id"
    TEXT = "text"
    CHOICE = "choice"
    MONEY = "money"
    QUANTITY = "quantity"
    DECIMAL = "decimal"
    TIME = "time"
    DAY = "day"
    FLAG = "flag"
    INTEGER = "integer"
    DIGEST = "digest"
    JSON = "json"


@dataclass(frozen=True)
class Field:
    """One column: its name in code, its name on pages, its type.

    `choices` closes the set of values of a CHOICE. `personal` marks what must be masked wherever it is
    shown. `hub` columns are filled by the hub itself and cannot be mapped from a source; `derived` ones
    neither, but they are made from what the source sent and so are part of the content. `required` columns
    may never be empty: a row without one goes to quarantine.
    """

    name: str
    zh: str
    type: Type = Type.TEXT
    choices: tuple[str, ...] = ()
    personal: bool = False
    hub: bool = False
    derived: bool = False
    required: bool = False
    references: str | None = None
    """Entity whose source_id this column holds, in the same connector."""


@dataclass(frozen=True)
class Entity:
    """One unified table, keyed by (connector, source_id)."""

    name: str
    zh: str
    fields: tuple[Field, ...]
    meaning: str = ""

    def field(self, name: str) -> Field:
        """The column of that name; KeyError if the entity has none."""
        return self._by_name()[name]

    def mapped(self) -> tuple[Field, ...]:
        """The columns a field map can fill: source_id, the source's two times, and the entity's own."""
        return tuple(f for f in (*KEY_FIELDS, *self.fields) if not (f.hub or f.derived))

    def content(self) -> tuple[Field, ...]:
        """The columns whose values make the content hash, in table order."""
        return (*KEY_FIELDS[1:2], *(f for f in self.fields if not f.hub), EXTRA, DELETED)

    def _by_name(self) -> dict[str, Field]:
        return {f.name: f for f in (*KEY_FIELDS, *self.fields, EXTRA, DELETED)}


KEY_FIELDS = (
    Field("source_id", "来源编号", Type.ID, required=True),
    Field("source_created_at", "来源创建时间", Type.TIME),
    Field("source_updated_at", "来源更新时间", Type.TIME),
)
"""On every row, from the source. source_updated_at stays NULL where the source has none."""

DELETED = Field("deleted", "已删除", Type.FLAG)
EXTRA = Field("extra", "其他字段", Type.JSON)

HUB_FIELDS = (
    Field("extracted_at", "拉取时间", Type.TIME, hub=True),
    Field("committed_at", "入库时间", Type.TIME, hub=True),
    Field("landing_no", "落地文件号", Type.INTEGER, hub=True),
    Field("line_no", "行号", Type.INTEGER, hub=True),
    Field("content_hash", "内容摘要", Type.DIGEST, hub=True),
    Field("run_id", "同步任务", Type.ID, hub=True),
)
"""On every row, from the hub: the version (with source_updated_at), the hash, and who wrote it."""


def _buyer() -> tuple[Field, Field]:
    """The source record an order or event belongs to: its id there, and its permanent number here."""
    return (
        Field("customer_source_id", "客户来源编号", Type.ID, references="customer_record"),
        Field("buyer_record_no", "买家记录号", Type.INTEGER, hub=True),
    )


CUSTOMER_RECORD = Entity(
    "customer_record",
    "客户来源记录",
    (
        Field("record_no", "记录号", Type.INTEGER, hub=True),
        Field("component_id", "关联组号", Type.INTEGER, hub=True),
        Field("customer_id", "客户编号", Type.INTEGER, hub=True),
        Field("kind", "客户类型", Type.CHOICE, choices=("person", "company", "channel")),
        Field("name", "姓名", personal=True),
        Field("title", "职务"),
        Field("company_name", "公司名称"),
        Field("company_code", "统一社会信用代码"),
        Field("province", "省"),
        Field("city", "市"),
        Field("industry", "行业"),
        Field("size", "规模"),
        Field("registered_at", "注册时间", Type.TIME),
        Field("birthday", "生日", Type.DAY, personal=True),
        Field("member_no", "会员号"),
        Field("level", "会员等级"),
        Field("owner_name", "客户经理"),
        Field("status", "状态"),
        Field("last_active_at", "最近活跃时间", Type.TIME),
        Field("consent_marketing", "营销授权", Type.FLAG),
        Field("opted_out_at", "退订时间", Type.TIME),
        # A digest over the record's identifiers, so that a new phone number is a new content.
        Field("identifier_set", "标识摘要", derived=True),
    ),
    "A customer as one system knows them. Records never merge; a customer is a set of records.",
)

PRODUCT = Entity(
    "product",
    "商品",
    (
        Field("code", "商品编码", Type.ID, required=True),
        Field("name", "商品名称"),
        Field("spec", "规格"),
        Field("unit", "单位"),
        Field("barcode", "条码", Type.ID),
        Field("category", "类目"),
        Field("enabled", "启用", Type.FLAG),
        Field("list_price", "标价", Type.DECIMAL),
    ),
    "A product or material code as one system lists it; the library is the list of one named connector.",
)

ORDER_STATUS = ("created", "paid", "shipped", "done", "cancelled", "closed")

ORDER = Entity(
    "order",
    "订单",
    (
        Field("channel", "销售渠道"),
        Field("platform_no", "平台订单号", Type.ID),
        Field("of_record", "计入统计", Type.FLAG),
        *_buyer(),
        Field("status", "状态", Type.CHOICE, choices=ORDER_STATUS),
        Field("ordered_at", "下单时间", Type.TIME),
        Field("paid_at", "付款时间", Type.TIME),
        Field("goods_amount", "商品金额", Type.MONEY),
        Field("discount_amount", "优惠金额", Type.MONEY),
        Field("freight_amount", "运费", Type.MONEY),
        Field("paid_amount", "实付金额", Type.MONEY),
        Field("refunded_amount", "退款金额", Type.MONEY),
        Field("currency", "币种"),
        Field("is_gift", "赠品单", Type.FLAG),
        Field("is_internal", "内购单", Type.FLAG),
        Field("source_status", "来源状态"),
    ),
    "One order in one system. of_record says whether it counts for F and M (empty counts).",
)

ORDER_LINE = Entity(
    "order_line",
    "订单明细",
    (
        Field("order_source_id", "订单来源编号", Type.ID, required=True, references="order"),
        Field("line_key", "行标识", Type.ID),
        Field("sku", "商品编码(来源)", Type.ID),
        Field("sku_name", "商品名称"),
        Field("product_code", "商品库编码", Type.ID, hub=True),
        Field("status", "状态", Type.CHOICE, choices=("linked", "held", "gift", "service"), hub=True),
        Field("is_gift", "赠品", Type.FLAG),
        Field("is_service", "服务项", Type.FLAG),
        Field("quantity", "数量", Type.QUANTITY),
        Field("unit_price", "单价", Type.DECIMAL),
        Field("amount", "金额", Type.MONEY),
        Field("refunded_amount", "退款金额", Type.MONEY),
        Field("bundle_key", "组合装标识", Type.ID),
    ),
    "One line of one order; held while its SKU has no link to the product library.",
)

REFUND = Entity(
    "refund",
    "退款",
    (
        Field("order_source_id", "订单来源编号", Type.ID, references="order"),
        Field("line_key", "行标识", Type.ID),
        Field("amount", "退款金额", Type.MONEY),
        Field("quantity", "退款数量", Type.QUANTITY),
        Field("status", "状态", Type.CHOICE, choices=("requested", "done", "rejected", "cancelled")),
        Field("reason", "原因"),
        Field("requested_at", "申请时间", Type.TIME),
        Field("done_at", "完成时间", Type.TIME),
    ),
)

TICKET = Entity(
    "ticket",
    "工单",
    (
        *_buyer(),
        Field("type", "类型", Type.CHOICE, choices=("complaint", "question", "repair", "other")),
        Field("subject", "主题", personal=True),
        Field("priority", "优先级"),
        Field("status", "状态"),
        Field("channel", "渠道"),
        Field("agent", "客服"),
        Field("received_at", "接收时间", Type.TIME),
        Field("first_response_at", "首次响应时间", Type.TIME),
        Field("due_at", "预计解决时间", Type.TIME),
        Field("solved_at", "实际解决时间", Type.TIME),
        Field("closed_at", "关闭时间", Type.TIME),
        Field("reopened", "重开次数", Type.INTEGER),
        Field("rating", "满意度", Type.INTEGER),
        Field("order_source_id", "订单来源编号", Type.ID),
    ),
)

INTERACTION = Entity(
    "interaction",
    "互动",
    (
        Field("kind", "类型"),
        Field("at", "发生时间", Type.TIME),
        Field("received_at", "接收时间", Type.TIME),
        *_buyer(),
        Field("target", "对象"),
        Field("duration_s", "时长(秒)", Type.INTEGER),
        Field("value", "数值", Type.DECIMAL),
    ),
    "One event: follow, menu click, scan, page view, stay, cart, login. Never an update of the customer.",
)

LEAD = Entity(
    "lead",
    "线索",
    (
        *_buyer(),
        Field("name", "姓名", personal=True),
        Field("company_name", "公司名称"),
        Field("title", "职务"),
        Field("lead_source", "线索来源"),
        Field("status", "状态"),
        Field("owner_name", "负责人"),
        Field("entered_at", "录入时间", Type.TIME),
    ),
)

RATING = Entity(
    "rating",
    "评价",
    (
        *_buyer(),
        Field("order_source_id", "订单来源编号", Type.ID),
        Field("ticket_source_id", "工单来源编号", Type.ID),
        Field("score", "评分", Type.INTEGER),
        Field("comment", "内容", personal=True),
        Field("rated_at", "评价时间", Type.TIME),
    ),
)

STOCK = Entity(
    "stock",
    "库存",
    (
        Field("sku", "商品编码(来源)", Type.ID),
        Field("warehouse", "仓库"),
        Field("quantity", "库存数量", Type.QUANTITY),
        Field("available_quantity", "可用数量", Type.QUANTITY),
        Field("counted_at", "盘点时间", Type.TIME),
    ),
)

CAMPAIGN_RESPONSE = Entity(
    "campaign_response",
    "活动响应",
    (
        *_buyer(),
        Field("campaign", "活动"),
        Field("channel", "渠道"),
        Field("response", "响应"),
        Field("responded_at", "响应时间", Type.TIME),
        Field("value", "数值", Type.DECIMAL),
    ),
)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        CUSTOMER_RECORD,
        PRODUCT,
        ORDER,
        ORDER_LINE,
        REFUND,
        TICKET,
        INTERACTION,
        LEAD,
        RATING,
        STOCK,
        CAMPAIGN_RESPONSE,
    )
}
"""Every entity of the model by name."""

IDENTIFIER_KINDS = {
    "unionid": "UnionID",
    "openid": "OpenID",
    "external_userid": "企业微信外部联系人",
    "member_no": "会员号",
    "customer_no": "客户编号",
    "company_code": "统一社会信用代码",
    "phone": "手机号",
    "email": "邮箱",
    "shop_buyer": "店铺买家标识",
}
"""Kinds of identifier a field map can name, with their names on pages."""
