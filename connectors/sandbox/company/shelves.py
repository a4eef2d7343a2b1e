"""What the demo company's systems look like from outside: their tables, their files, their columns."""

from __future__ import annotations

from connectors.sandbox.company.books import Shelf

ERP_CUSTOMERS = Shelf(
    "erp",
    "customers",
    (
        *("cust_no", "name", "title", "company_name", "mobile", "mobile2", "email", "industry", "size"),
        *("province", "city", "birthday", "salesman", "status", "created_at", "modified_at"),
    ),
    ("cust_no",),
)
ERP_MATERIALS = Shelf(
    "erp",
    "materials",
    (
        *("material_no", "name", "spec", "unit", "barcode", "category"),
        *("enabled", "list_price", "created_at", "modified_at"),
    ),
    ("material_no",),
)
ERP_ORDERS = Shelf(
    "erp",
    "orders",
    (
        *("bill_no", "cust_no", "sales_type", "status", "order_date", "pay_date", "goods_amount"),
        *("discount_amount", "freight_amount", "paid_amount", "refunded_amount", "currency"),
        *("is_gift", "is_internal", "salesman", "created_at", "modified_at"),
    ),
    ("bill_no",),
)
ERP_LINES = Shelf(
    "erp",
    "order_lines",
    (
        *("bill_no", "line_no", "material_no", "material_name", "qty", "price", "amount"),
        *("is_gift", "modified_at"),
    ),
    ("bill_no", "line_no"),
)
ERP_REFUNDS = Shelf(
    "erp",
    "refunds",
    ("refund_no", "bill_no", "line_no", "amount", "qty", "status", "reason", "requested_at", "done_at", "modified_at"),
    ("refund_no",),
)

CRM_PRODUCTS = Shelf(
    "crm",
    "products",
    ("id", "code", "name", "spec", "unit", "barcode", "category", "enabled", "list_price", "modified_at"),
    ("id",),
)
CRM_CUSTOMERS = Shelf(
    "crm",
    "customers",
    (
        *("id", "member_no", "name", "mobile", "province", "city", "level", "consent", "opted_out_at"),
        *("owner", "registered_at", "last_active_at", "modified_at"),
    ),
    ("id",),
)
CRM_LEADS = Shelf(
    "crm",
    "leads",
    ("lead_no", "name", "mobile", "company_name", "title", "source", "status", "owner", "entered_at", "modified_at"),
    ("lead_no",),
)

SHOP_ORDERS = Shelf(
    "shop",
    "orders",
    (
        *("订单编号", "订单状态", "店铺名称", "下单时间", "付款时间", "更新时间", "商品总额", "优惠金额", "运费"),
        *("实付金额", "退款金额", "买家ID", "买家姓名", "买家手机", "UnionID", "OpenID", "省份", "城市", "备注"),
    ),
    ("订单编号",),
)
SHOP_LINES = Shelf(
    "shop",
    "order_lines",
    ("订单编号", "行号", "商品编码", "商品名称", "规格", "数量", "单价", "商品小计", "更新时间"),
    ("订单编号", "行号"),
)
SHOP_REFUNDS = Shelf(
    "shop",
    "refunds",
    ("退款编号", "订单编号", "退款金额", "退款状态", "退款原因", "申请时间", "完成时间", "更新时间"),
    ("退款编号",),
)

TICKETS = Shelf(
    "tickets",
    "tickets",
    (
        *("ticket_no", "type", "subject", "priority", "status", "channel", "agent", "received_at"),
        *("first_response_at", "due_at", "solved_at", "closed_at", "reopened", "rating", "order_no"),
        *("customer", "updated_at"),
    ),
    ("ticket_no",),
)
RATINGS = Shelf(
    "tickets",
    "ratings",
    ("评价编号", "工单编号", "评分", "评价内容", "评价时间"),
    ("评价编号",),
)

SHELVES = (
    *(ERP_CUSTOMERS, ERP_MATERIALS, ERP_ORDERS, ERP_LINES, ERP_REFUNDS),
    *(CRM_PRODUCTS, CRM_CUSTOMERS, CRM_LEADS),
    *(SHOP_ORDERS, SHOP_LINES, SHOP_REFUNDS),
    *(TICKETS, RATINGS),
)
