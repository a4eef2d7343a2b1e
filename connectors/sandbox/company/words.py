"""The words the demo company is made of. All names, companies and numbers are invented."""

from __future__ import annotations

from random import Random

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
    "于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷"
    "龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
GIVEN_FIRST = "子梓雨思佳欣宇浩志建国文明晓小海玉秀丽春冬学永永立俊嘉一若诗雅静婉明泽承启云安景书怀"
GIVEN_SECOND = "轩涵怡彤萱妍琪瑶倩婷颖敏洁丽娟芳霞燕玲华强军勇杰涛斌鹏辉峰磊刚毅恒远航博文韬睿哲宁安然夏秋林森阳"

PLACES = (
    ("浙江", ("杭州", "宁波", "温州", "金华", "嘉兴"), 18),
    ("江苏", ("南京", "苏州", "无锡", "常州", "南通"), 16),
    ("广东", ("广州", "深圳", "佛山", "东莞"), 14),
    ("上海", ("上海",), 11),
    ("山东", ("济南", "青岛", "烟台", "潍坊"), 8),
    ("北京", ("北京",), 7),
    ("四川", ("成都", "绵阳"), 6),
    ("湖北", ("武汉", "宜昌"), 5),
    ("河南", ("郑州", "洛阳"), 5),
    ("福建", ("福州", "厦门", "泉州"), 5),
    ("安徽", ("合肥", "芜湖"), 5),
)
INDUSTRIES = ("餐饮", "零售", "酒店", "食品加工", "企业福利", "教育", "物业")
SIZES = ("1-20 人", "21-99 人", "100-499 人", "500 人以上")
TITLES = ("采购经理", "店长", "总经理", "采购专员", "行政主管", "后厨主管", "财务经理", "老板")
SALESMEN = ("周凯", "林悦", "沈浩然", "韩雪", "罗敏")
COMPANY_FIRST = "云禾瑞丰恒悦锦泰宏嘉源盛康安合润佳福"
COMPANY_SECOND = "麓溪岚澜栖原田川野谷畔舟帆桥庭苑"
COMPANY_TRADE = {
    "餐饮": "餐饮管理有限公司",
    "零售": "便利店",
    "酒店": "酒店管理有限公司",
    "食品加工": "食品有限公司",
    "企业福利": "科技有限公司",
    "教育": "教育咨询有限公司",
    "物业": "物业服务有限公司",
}

GOODS = (
    ("茶饮", ("龙井绿茶", "茉莉花茶", "金骏眉红茶", "白桃乌龙", "桂花普洱", "菊花枸杞茶"), ("罐", "盒"), (2800, 23800)),
    ("坚果", ("每日坚果", "碧根果", "夏威夷果", "原味腰果", "奶香瓜子"), ("袋", "盒"), (1580, 12800)),
    ("粮油", ("五常大米", "压榨菜籽油", "高筋面粉", "黑芝麻酱", "东北小米"), ("袋", "桶"), (1980, 15800)),
    ("调味", ("头道酱油", "米醋", "花椒油", "火锅底料", "郫县豆瓣"), ("瓶", "袋"), (680, 4980)),
    ("零食", ("海盐饼干", "蛋黄酥", "手撕面包", "山楂条", "牛肉干"), ("袋", "盒"), (990, 8800)),
    ("家清", ("洗衣凝珠", "厨房湿巾", "抽取式面巾纸", "洗洁精", "垃圾袋"), ("箱", "提"), (1290, 9900)),
    ("咖啡", ("挂耳咖啡", "冷萃咖啡液", "意式咖啡豆", "燕麦拿铁"), ("盒", "袋"), (3900, 26800)),
    ("礼盒", ("中秋礼盒", "年货礼盒", "坚果礼盒", "茶礼盒"), ("盒",), (12800, 68800)),
)
SPECS = ("100g", "250g", "500g", "1kg", "2.5kg", "5L", "12 支", "24 袋")

TICKET_SUBJECTS = {
    "投诉": ("收到的商品破损", "少发了一件", "发货太慢", "客服回复不及时", "口味与描述不符"),
    "咨询": ("询问开票流程", "询问批发价格", "询问保质期", "询问物流进度", "询问会员积分"),
    "报修": ("保温壶漏水", "咖啡机不加热", "封口机故障"),
    "其他": ("修改收货地址", "申请发票重开", "建议增加规格"),
}
AGENTS = ("小禾", "小满", "小暑", "小寒")
RATING_WORDS = {
    1: ("一直没有解决", "态度不好"),
    2: ("等了很久", "解释不清楚"),
    3: ("一般", "还可以"),
    4: ("处理得不错", "回复挺快"),
    5: ("非常满意", "很专业，谢谢"),
}
REFUND_REASONS = ("质量问题", "拍错了", "少发漏发", "七天无理由")
CAMPAIGNS = ("广交会", "门店扫码", "官网表单", "老客户介绍")

# Network codes of the three carriers; 162, 165, 167, 170 and 171 are virtual operators and left out.
_NETWORKS = (
    *(134, 135, 136, 137, 138, 139, 147, 150, 151, 152, 157, 158, 159, 178, 182, 183, 187, 188, 198),
    *(130, 131, 132, 155, 156, 166, 175, 176, 185, 186),
    *(133, 153, 173, 177, 180, 181, 189, 199),
)


def phone_number(number: int) -> str:
    """The demo's mobile number no. `number`: valid in form, another for every number below 2,000,000.

    The four digits after the network code are 0000 to 0009, where carriers have no subscribers to speak of;
    the last four mix, so that none looks made up.
    """
    network = _NETWORKS[number % len(_NETWORKS)]
    # 7919 has no factor in common with 90,000: every number of a network is reached once.
    rest = 10_000 + number // len(_NETWORKS) * 7919 % 90_000
    return f"{network}000{rest:05d}"


def person_name(dice: Random) -> str:
    """A Chinese name of two or three characters."""
    surname = SURNAMES[min(int(dice.expovariate(1 / 14)), len(SURNAMES) - 1)]
    given = dice.choice(GIVEN_SECOND)
    return surname + (dice.choice(GIVEN_FIRST) + given if dice.random() < 0.82 else given)


def company_name(dice: Random, city: str, industry: str) -> str:
    """A company or shop name of that city and trade."""
    word = dice.choice(COMPANY_FIRST) + dice.choice(COMPANY_SECOND)
    return f"{city}{word}{COMPANY_TRADE[industry]}"


def place(dice: Random) -> tuple[str, str]:
    """Province and city, as often as the company sells there."""
    province, cities, _ = dice.choices(PLACES, _PLACE_WEIGHTS)[0]
    return province, dice.choice(cities)


_PLACE_WEIGHTS = [weight for _, _, weight in PLACES]


def ean13(number: int) -> str:
    """A barcode with a right check digit, in the range 20 that shops keep for themselves."""
    digits = f"20{number:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
