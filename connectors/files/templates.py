"""The templates of files that people fill or export: which columns there are, and how headers may be written.

The empty files stand in `template_files/`, one per template, with the first Chinese header of each column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.problems import Text

__all__ = ["TEMPLATES", "Column", "Template", "normal"]


@dataclass(frozen=True)
class Column:
    """One column: its field name, and the headers it is known by, first the one in the empty file."""

    name: str
    headers: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True)
class Template:
    """One kind of file. Of a `grouped` template consecutive rows with one key make one record with `lines`."""

    name: str
    title: Text
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[Column, ...] = ()

    @property
    def grouped(self) -> bool:
        return bool(self.lines)

    def all_columns(self) -> tuple[Column, ...]:
        return (*self.columns, *self.lines)

    def names_for(self, headers: Sequence[str]) -> list[str]:
        """Field names for a file's headers; a header the template does not know keeps its own name."""
        known = {
            normal(header): column.name for column in self.all_columns() for header in (*column.headers, column.name)
        }
        return [known.get(normal(header), header) for header in headers]

    def missing(self, names: Sequence[str]) -> list[Column]:
        """Required columns that are not among the names."""
        return [column for column in self.all_columns() if column.required and column.name not in names]


def normal(header: str) -> str:
    """A header without what people vary: spaces, case, brackets with a unit, stars and full-width forms."""
    text = re.sub(r"[（(\[【].*?[)）\]】]", "", header)
    return re.sub(r"[\s_\-*＊:：/]", "", text).lower()


def _column(name: str, *headers: str, required: bool = False) -> Column:
    return Column(name, headers, required)


_PHONE = _column("phone", "手机号", "手机", "联系电话", "电话", "买家手机", "mobile", "phone number")
_MEMBER = _column("member_no", "会员号", "会员编号", "会员卡号", "member id")
_CUSTOMER = _column("customer_no", "客户编号", "客户编码", "客户号", "客户ID", "customer id")
_NAME = _column("name", "姓名", "客户名称", "客户姓名", "联系人", "买家姓名", "customer name")
_UPDATED = _column("updated_at", "修改时间", "更新时间", "最后修改时间", "modified at", "last updated")
_ORDER_NO = _column(
    "order_no", "订单号", "订单编号", "主订单编号", "单据编号", "order id", "order number", required=True
)
_OPTIONAL_ORDER = _column("order_no", "订单号", "订单编号", "关联订单", "order id")

_ORDER = (
    _ORDER_NO,
    _column("channel", "销售渠道", "渠道", "店铺", "店铺名称", "shop", "store"),
    _column("status", "订单状态", "状态", "state"),
    _CUSTOMER,
    _MEMBER,
    _column("buyer_id", "买家账号", "买家会员名", "买家ID", "买家昵称", "buyer"),
    _NAME,
    _PHONE,
    _column("ordered_at", "下单时间", "创建时间", "订单创建时间", "下单日期", "order date", "created at"),
    _column("paid_at", "付款时间", "支付时间", "订单付款时间", "paid date", "payment time"),
    _column("goods_amount", "商品金额", "商品总额", "订单金额", "goods total"),
    _column("discount_amount", "优惠金额", "折扣金额", "discount"),
    _column("freight_amount", "运费", "邮费", "freight", "shipping"),
    _column("paid_amount", "实付金额", "买家实付金额", "实收金额", "付款金额", "amount", "total", "paid"),
    _column("refunded_amount", "退款金额", "已退金额", "refunded"),
    _UPDATED,
)
_LINE = (
    _column("line_no", "行号", "子订单编号", "明细编号", "line"),
    _column("sku", "商品编码", "商家编码", "货号", "SKU编码", "SKU", "物料编码", required=True),
    _column("sku_name", "商品名称", "标题", "宝贝标题", "品名", "product name", "title"),
    _column("quantity", "数量", "购买数量", "qty"),
    _column("unit_price", "单价", "商品单价", "price"),
    _column("line_amount", "行金额", "明细金额", "商品小计", "line total"),
    _column("is_gift", "赠品", "是否赠品", "gift"),
)

TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        Template(
            "products",
            Text("商品", "products"),
            ("sku",),
            (
                _column("sku", "商品编码", "货号", "SKU", "SKU编码", "物料编码", "code", required=True),
                _column("name", "商品名称", "品名", "物料名称", "product name"),
                _column("spec", "规格", "规格型号", "specification"),
                _column("unit", "单位", "计量单位"),
                _column("barcode", "条码", "条形码", "69码", "ean"),
                _column("category", "类目", "分类", "商品分类"),
                _column("enabled", "启用", "是否启用", "状态", "active"),
                _column("list_price", "标价", "零售价", "吊牌价", "price"),
                _UPDATED,
            ),
        ),
        Template(
            "customers",
            Text("客户", "customers"),
            ("customer_no",),
            (
                _column(
                    "customer_no", "客户编号", "客户编码", "客户号", "会员编号", "客户ID", "customer id", required=True
                ),
                _column("kind", "客户类型", "类型", "type"),
                _NAME,
                _PHONE,
                _column("email", "邮箱", "电子邮箱", "e-mail"),
                _column("unionid", "UnionID", "微信UnionID"),
                _column("member_no", "会员号", "会员卡号", "member id"),
                _column("title", "职务", "职位", "job title"),
                _column("company_name", "公司名称", "单位名称", "公司", "company"),
                _column("company_code", "统一社会信用代码", "税号", "tax id"),
                _column("province", "省", "省份"),
                _column("city", "市", "城市"),
                _column("industry", "行业", "所属行业"),
                _column("size", "规模", "企业规模", "人数规模"),
                _column("level", "会员等级", "等级", "客户等级"),
                _column("owner_name", "客户经理", "负责人", "业务员", "owner"),
                _column("registered_at", "注册时间", "注册日期", "创建时间", "created at"),
                _column("birthday", "生日", "出生日期"),
                _column("consent_marketing", "营销授权", "同意营销", "marketing consent"),
                _column("opted_out_at", "退订时间", "opt-out time"),
                _UPDATED,
            ),
        ),
        Template("orders", Text("订单", "orders"), ("order_no",), _ORDER),
        Template(
            "order_lines",
            Text("订单明细", "order lines"),
            ("order_no", "line_no"),
            (_ORDER_NO, *(Column(c.name, c.headers, c.name in {"line_no", "sku"}) for c in _LINE), _UPDATED),
        ),
        Template(
            "order_rows",
            Text("订单 (每行一件商品)", "orders, one row per item"),
            ("order_no",),
            _ORDER,
            _LINE,
        ),
        Template(
            "refunds",
            Text("退款", "refunds"),
            ("refund_no",),
            (
                _column("refund_no", "退款编号", "退款单号", "售后单号", "refund id", required=True),
                _ORDER_NO,
                _column("line_no", "行号", "子订单编号"),
                _column("amount", "退款金额", "金额", "refund amount"),
                _column("quantity", "退款数量", "数量"),
                _column("status", "退款状态", "状态"),
                _column("reason", "退款原因", "原因"),
                _column("requested_at", "申请时间", "退款申请时间"),
                _column("done_at", "完成时间", "退款完成时间", "退款时间"),
                _UPDATED,
            ),
        ),
        Template(
            "tickets",
            Text("工单", "tickets"),
            ("ticket_no",),
            (
                _column("ticket_no", "工单编号", "工单号", "编号", "ticket id", required=True),
                _column("type", "工单类型", "类型", "问题类型"),
                _column("subject", "主题", "标题", "问题描述"),
                _column("priority", "优先级", "紧急程度"),
                _column("status", "工单状态", "状态"),
                _column("channel", "渠道", "来源渠道"),
                _column("agent", "客服", "受理客服", "处理人", "assignee"),
                _CUSTOMER,
                _NAME,
                _PHONE,
                _column("email", "邮箱", "e-mail"),
                _OPTIONAL_ORDER,
                _column("received_at", "接收时间", "创建时间", "反馈时间", "created at"),
                _column("first_response_at", "首次响应时间", "首次回复时间"),
                _column("due_at", "预计解决时间", "截止时间", "due"),
                _column("solved_at", "实际解决时间", "解决时间", "solved at"),
                _column("closed_at", "关闭时间", "关单时间", "closed at"),
                _column("reopened", "重开次数", "重复申报次数"),
                _column("rating", "满意度", "满意度评分", "评分"),
                _UPDATED,
            ),
        ),
        Template(
            "stock",
            Text("库存", "stock"),
            ("sku", "warehouse"),
            (
                _column("sku", "商品编码", "货号", "SKU", "物料编码", required=True),
                _column("warehouse", "仓库", "仓库名称", "仓库编码", required=True),
                _column("quantity", "库存数量", "现存量", "库存", "数量"),
                _column("available_quantity", "可用数量", "可用库存", "可销售库存"),
                _column("counted_at", "盘点时间", "库存日期", "更新时间"),
            ),
        ),
        Template(
            "leads",
            Text("线索", "leads"),
            ("lead_no",),
            (
                _column("lead_no", "线索编号", "线索ID", "编号", "lead id", required=True),
                _NAME,
                _PHONE,
                _column("email", "邮箱", "e-mail"),
                _column("company_name", "公司名称", "单位名称", "company"),
                _column("title", "职务", "职位"),
                _column("lead_source", "线索来源", "来源"),
                _column("status", "线索状态", "状态"),
                _column("owner_name", "负责人", "跟进人", "owner"),
                _column("entered_at", "录入时间", "创建时间", "created at"),
                _UPDATED,
            ),
        ),
        Template(
            "ratings",
            Text("评价", "ratings"),
            ("rating_no",),
            (
                _column("rating_no", "评价编号", "评价ID", "编号", required=True),
                _CUSTOMER,
                _PHONE,
                _OPTIONAL_ORDER,
                _column("ticket_no", "工单编号", "工单号"),
                _column("score", "评分", "满意度", "星级", "分数"),
                _column("comment", "评价内容", "内容", "评语"),
                _column("rated_at", "评价时间", "提交时间"),
            ),
        ),
        Template(
            "campaign_responses",
            Text("活动响应", "campaign responses"),
            ("response_no",),
            (
                _column("response_no", "响应编号", "记录编号", "编号", required=True),
                _CUSTOMER,
                _PHONE,
                _column("campaign", "活动", "活动名称", "campaign name", required=True),
                _column("channel", "渠道", "触达渠道"),
                _column("response", "响应", "响应结果", "反馈"),
                _column("responded_at", "响应时间", "反馈时间"),
                _column("value", "数值", "金额"),
            ),
        ),
    )
}
