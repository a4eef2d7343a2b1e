"""The demo company's goods: the product library of the CRM, the codes of ERP and shop, and the links between."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from connectors.sandbox.company.books import Books
from connectors.sandbox.company.calendar import OPENING_DAY, at, text
from connectors.sandbox.company.shelves import CRM_PRODUCTS, ERP_MATERIALS
from connectors.sandbox.company.words import GOODS, SPECS, ean13

PRODUCTS = 300
DISABLED = 12
"""ERP materials that are no longer sold."""
IN_SHOP = 150
"""Products with a shop code of their own."""
CASES = 20
"""Shop codes that sell a case of twelve."""
BUNDLES = 12
"""Shop codes that sell two products together."""
UNMATCHED = 37
"""ERP and shop codes that nobody has linked to the library."""


@dataclass(frozen=True)
class Good:
    """One code that ERP or shop sells by, and what it stands for. Price in fen."""

    connector: str
    sku: str
    name: str
    spec: str
    price: int
    products: tuple[tuple[str, str], ...]
    """(library code, share of the money): one, or two for a bundle."""
    kind: str
    factor: str = "1"
    enabled: bool = True


@dataclass(frozen=True)
class Goods:
    """All codes, those on sale by system, and those without a link (as "connector:sku")."""

    codes: tuple[Good, ...]
    unmatched: frozenset[tuple[str, str]]

    def on_sale(self, connector: str) -> list[Good]:
        return [good for good in self.codes if good.connector == connector and good.enabled]

    def is_matched(self, connector: str, sku: str) -> bool:
        return (connector, sku) not in self.unmatched


def make_goods(books: Books, dice: Random, unmatched: int) -> Goods:
    """Fills the library and the ERP's materials, and leaves `unmatched` codes without a link."""
    library = _library(books, dice)
    codes = [*_materials(books, library, dice), *_shop_codes(library, dice)]
    sold = [good for good in codes if good.enabled and good.kind == "exact"]
    missing = dice.sample(sold, unmatched)
    return Goods(tuple(codes), frozenset((good.connector, good.sku) for good in missing))


def crosswalk(goods: Goods) -> list[tuple[str, ...]]:
    """The rows of crosswalk.csv, header first."""
    rows: list[tuple[str, ...]] = [
        ("connector", "sku", "product_code", "kind", "factor", "share", "valid_from", "valid_to")
    ]
    for good in goods.codes:
        if goods.is_matched(good.connector, good.sku):
            rows += [
                (good.connector, good.sku, code, good.kind, good.factor, share, OPENING_DAY.isoformat(), "")
                for code, share in good.products
            ]
    return rows


@dataclass(frozen=True)
class _Product:
    code: str
    name: str
    spec: str
    unit: str
    barcode: str
    category: str
    price: int


def _library(books: Books, dice: Random) -> list[_Product]:
    products: list[_Product] = []
    seen: set[tuple[str, str]] = set()
    while len(products) < PRODUCTS:
        category, names, units, (low, high) = dice.choice(GOODS)
        name, spec = dice.choice(names), dice.choice(SPECS)
        if (name, spec) in seen:
            name = f"{name} {dice.choice('甲乙丙丁戊己庚辛')}级"
        if (name, spec) in seen:
            continue
        seen.add((name, spec))
        number = len(products) + 1
        price = round(low * (high / low) ** dice.random() / 10) * 10
        products.append(_Product(f"P{number:04d}", name, spec, dice.choice(units), ean13(number), category, price))
    for number, product in enumerate(products, 1):
        books.enter(
            CRM_PRODUCTS,
            {
                "id": number,
                "code": product.code,
                "name": product.name,
                "spec": product.spec,
                "unit": product.unit,
                "barcode": product.barcode,
                "category": product.category,
                "enabled": 1,
                "list_price": yuan(product.price),
                "modified_at": text(at(OPENING_DAY, 8 * 3600 + number)),
            },
        )
    return products


def _materials(books: Books, library: list[_Product], dice: Random) -> list[Good]:
    """One ERP material a product; the last ones are disabled."""
    goods = []
    for number, product in enumerate(library, 1):
        enabled = number <= PRODUCTS - DISABLED
        sku = f"{10 + number % 8:02d}.{number % 30 + 1:02d}.{number:05d}"
        cost = f"{product.price * dice.uniform(0.62, 0.78) / 100:.6f}"
        books.enter(
            ERP_MATERIALS,
            {
                "material_no": sku,
                "name": f"{product.name} {product.spec}",
                "spec": product.spec,
                "unit": product.unit,
                "barcode": product.barcode if dice.random() < 0.8 else None,
                "category": product.category,
                "enabled": "是" if enabled else "否",
                "list_price": cost,
                "created_at": text(at(OPENING_DAY, 8 * 3600)),
                "modified_at": text(at(OPENING_DAY, 9 * 3600 + number)),
            },
        )
        wholesale = max(round(product.price * 0.7), 100)
        goods.append(
            Good("erp", sku, product.name, product.spec, wholesale, ((product.code, "1"),), "exact", "1", enabled)
        )
    return goods


def _shop_codes(library: list[_Product], dice: Random) -> list[Good]:
    sold = dice.sample(library[: PRODUCTS - DISABLED], IN_SHOP)
    goods = [
        Good("shop", f"SP{product.code[1:]}-{index % 7}", product.name, product.spec, product.price,
             ((product.code, "1"),), "exact")
        for index, product in enumerate(sold)
    ]  # fmt: skip
    goods += [
        Good("shop", f"SP{product.code[1:]}-BOX12", f"{product.name} 整箱", f"{product.spec}*12",
             product.price * 11, ((product.code, "1"),), "unit", "12")
        for product in sold[:CASES]
    ]  # fmt: skip
    for number in range(BUNDLES):
        first, second = dice.sample(sold, 2)
        share = round(100 * first.price / (first.price + second.price))
        goods.append(
            Good("shop", f"TZ{number + 1:03d}", f"{first.name}+{second.name}", "组合装",
                 round((first.price + second.price) * 0.9),
                 ((first.code, f"0.{share:02d}"), (second.code, f"0.{100 - share:02d}")), "bundle")
        )  # fmt: skip
    return goods


def yuan(fen: int) -> str:
    """Fen as a decimal text: 12850 is "128.50"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
