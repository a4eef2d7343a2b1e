"""Describes liuke.yaml in code: every setting of the hub itself, what it means and what it may be.

The check, the JSON Schema, the docs page and the file that `liuke init` writes are all made from this. The
settings of a connector are described beside the connector.
"""

from __future__ import annotations

from connectors.problems import Text
from connectors.settings import Kind, Setting

ROLES = ("erp", "shop", "tickets", "crm", "wechat", "other")

DEFAULT_INTERVAL = "60s"

WRITABLE = ("score", "tier", "last_purchase_at", "purchase_count", "purchase_amount")
"""Fields of the hub that can be written back."""

WRITE_BACK = (
    Setting(
        "fields",
        Kind.LIST,
        Text("回写哪些字段; 不填则全部", "which fields; all of them if left out"),
        choices=WRITABLE,
        example=["score", "tier"],
    ),
    Setting(
        "records",
        Kind.LIST,
        Text(
            "以哪些连接器的客户编号为键; 不填则用该系统自己的客户",
            "connectors whose customer ids are the keys there; the system's own customers if left out",
        ),
        example=["erp"],
    ),
    Setting(
        "theirs",
        Kind.LIST,
        Text(
            "归对方维护的字段: 被改动后不再改回",
            "fields that belong to them: a value somebody changed there is left alone",
        ),
        choices=WRITABLE,
    ),
    Setting(
        "customers_per_day",
        Kind.NUMBER,
        Text(
            "变更保护: 定时任务一天最多改动的客户比例; 已批准的计划不受限",
            "change guard: share of customers that scheduled runs may change in a day; approved plans are exempt",
        ),
        default=0.05,
        at_least=0,
    ),
    Setting(
        "tier_per_day",
        Kind.NUMBER,
        Text(
            "变更保护: 一天最多离开某一分层的客户比例",
            "change guard: share of the customers of one tier that may leave it in a day",
        ),
        default=0.2,
        at_least=0,
    ),
    Setting(
        "daily_calls",
        Kind.INTEGER,
        Text("该系统每天允许的调用次数, 用于计划", "calls a day that the system allows, for the plan"),
        at_least=1,
    ),
)

INSTANCE = (
    Setting(
        "type",
        Kind.TEXT,
        Text("连接器类型, 见 liuke connectors", "which connector; see liuke connectors"),
        required=True,
        example="sql",
    ),
    Setting("title", Kind.TEXT, Text("页面上显示的名称", "its name on pages"), example="金蝶云星空"),
    Setting(
        "role",
        Kind.TEXT,
        Text("该系统的角色", "what the system is to the company"),
        default="other",
        choices=ROLES,
    ),
    Setting(
        "interval",
        Kind.TEXT,
        Text(
            "同步周期; 超过 3 个周期 (至少 300 秒) 没有成功即为停滞",
            "how often it is pulled; past three of these (at least 300 s) without success it counts as stalled",
        ),
        default=DEFAULT_INTERVAL,
        example="5m",
    ),
    Setting("owner", Kind.TEXT, Text("数据责任人", "who answers for its data"), example="王磊"),
    Setting(
        "streams",
        Kind.LIST,
        Text("只同步这些同步对象; 不填则全部", "pull only these streams; all of them if left out"),
        example=["orders", "customers"],
    ),
    Setting(
        "write_back",
        Kind.GROUP,
        Text(
            "回写到该系统; 批准第一个计划之前不会写入: liuke writeback plan",
            "write back to this system; nothing is written before a plan was approved: liuke writeback plan",
        ),
        settings=WRITE_BACK,
    ),
)
"""What stands below each name in `connectors`, beside `settings`, which the connector named in `type` reads."""

HUB = (
    Setting("company", Kind.TEXT, Text("公司名称", "name of the company"), required=True, example="示例商贸有限公司"),
    Setting(
        "industry",
        Kind.TEXT,
        Text(
            "行业, 决定用哪套流失定义: saas, ecommerce, retail, fmcg, b2b 或自定义",
            "the industry, which picks the churn rules: saas, ecommerce, retail, fmcg, b2b or one of your own",
        ),
        default="retail",
        example="ecommerce",
    ),
    Setting(
        "timezone",
        Kind.TIME_ZONE,
        Text("报告里的一天属于哪个时区", "time zone of the days in reports"),
        default="Asia/Shanghai",
        choices=("Asia/Shanghai",),
    ),
    Setting(
        "store",
        Kind.URL,
        Text(
            "数据库地址 (SQLAlchemy); 默认用本文件夹里的 SQLite, 生产环境建议 PostgreSQL",
            "address of the database (SQLAlchemy); SQLite in this folder by default, PostgreSQL in production",
        ),
        default="sqlite:///liuke.db",
        secret=True,
        example="${LIUKE_STORE}",
    ),
    Setting("landing", Kind.PATH, Text("落地文件所在文件夹", "folder of the landing files"), default="landing"),
    Setting("keys", Kind.PATH, Text("身份密钥所在文件夹", "folder of the identity key"), default="keys"),
    Setting(
        "library",
        Kind.TEXT,
        Text(
            "哪个连接器的商品清单是商品库; 不能由 ERP 编码反推",
            "the connector whose product list is the product library; never made from ERP codes",
        ),
        example="crm",
    ),
    Setting(
        "demo_clock",
        Kind.PATH,
        Text("只用于演示: 保存演示时间的文件", "demo only: the file that keeps the demo's time"),
        example="demo-clock.json",
    ),
)
"""Every key of liuke.yaml but `connectors`."""

CONNECTORS = Text(
    "连接器实例, 以自取的名称为键; 同一厂商的两家店铺就是两个名称",
    "connector instances by names of your own; two shops of one vendor are two names",
)
