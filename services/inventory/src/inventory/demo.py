"""Add a demo catalogue with stock: `python -m inventory.demo`. Existing items are left unchanged."""

import asyncio
import sys
from typing import Final, NamedTuple

from inventory import model, use_cases
from inventory.settings import InventorySettings
from inventory.use_cases import Terms
from platform_sdk.errors import ended_by_errors
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.process.settings import load_settings

CURRENCY: Final = "EUR"


class DemoItem(NamedTuple):
    """`price` in cents."""

    sku: str
    name: str
    price: int
    stock: int


CATALOGUE: Final = (
    DemoItem("ARMCHAIR-LINEN-GREY", "Armchair, grey linen", 34900, 12),
    DemoItem("BAKING-TRAY-ENAMEL", "Baking tray, enamelled steel", 1990, 80),
    DemoItem("BED-OAK-160", "Bed frame, oak, 160 x 200 cm", 59900, 8),
    DemoItem("BOOKSHELF-OAK-5", "Bookshelf, oak, five shelves", 24900, 15),
    DemoItem("BREAD-KNIFE-23", "Bread knife, 23 cm", 3490, 60),
    DemoItem("CANDLE-BEESWAX-3", "Beeswax candles, three", 1490, 200),
    DemoItem("CASSEROLE-IRON-5L", "Casserole, cast iron, 5 l", 12900, 25),
    DemoItem("CHAIR-BEECH", "Chair, beech", 8900, 64),
    DemoItem("CHAIR-BEECH-CUSHION", "Seat cushion for the beech chair", 1990, 64),
    DemoItem("CHEF-KNIFE-20", "Chef's knife, 20 cm", 5990, 45),
    DemoItem("COFFEE-GRINDER-HAND", "Coffee grinder, by hand", 4990, 30),
    DemoItem("COFFEE-POT-6", "Coffee pot for the stove, six cups", 3290, 50),
    DemoItem("CURTAIN-LINEN-250", "Curtain, linen, 250 cm", 7990, 40),
    DemoItem("CUTLERY-STEEL-24", "Cutlery, stainless steel, 24 pieces", 6990, 35),
    DemoItem("CUTTING-BOARD-WALNUT", "Cutting board, walnut", 3990, 70),
    DemoItem("DESK-ASH-140", "Desk, ash, 140 cm", 29900, 10),
    DemoItem("DOORMAT-COCONUT", "Doormat, coconut fibre", 2490, 90),
    DemoItem("DUVET-WOOL-200", "Duvet, wool, 200 x 200 cm", 13900, 22),
    DemoItem("FLOOR-LAMP-BRASS", "Floor lamp, brass", 14900, 14),
    DemoItem("FRYING-PAN-IRON-28", "Frying pan, wrought iron, 28 cm", 4490, 55),
    DemoItem("GLASS-TUMBLER-6", "Tumblers, six", 1890, 120),
    DemoItem("KETTLE-STEEL-17L", "Kettle, stainless steel, 1.7 l", 3490, 60),
    DemoItem("LADDER-STEP-3", "Step ladder, three steps", 5490, 20),
    DemoItem("MIRROR-ROUND-60", "Mirror, round, 60 cm", 7900, 18),
    DemoItem("MIXING-BOWLS-4", "Mixing bowls, four", 2990, 75),
    DemoItem("MUG-STONEWARE", "Mug, stoneware", 1290, 300),
    DemoItem("NIGHTSTAND-OAK", "Nightstand, oak", 11900, 16),
    DemoItem("PENDANT-LAMP-OPAL", "Pendant lamp, opal glass", 9900, 24),
    DemoItem("PILLOW-DOWN-50", "Pillow, down, 50 x 75 cm", 4990, 48),
    DemoItem("PLATE-STONEWARE-27", "Dinner plate, stoneware, 27 cm", 1590, 240),
    DemoItem("RUG-WOOL-200", "Rug, wool, 200 x 300 cm", 39900, 6),
    DemoItem("SAUCEPAN-STEEL-2L", "Saucepan, stainless steel, 2 l", 5490, 40),
    DemoItem("SIDEBOARD-WALNUT-160", "Sideboard, walnut, 160 cm", 64900, 5),
    DemoItem("SOFA-LINEN-3", "Sofa, linen, three seats", 129900, 4),
    DemoItem("STOOL-BEECH", "Stool, beech", 5900, 42),
    DemoItem("TABLE-OAK-180", "Dining table, oak, 180 cm", 74900, 7),
    DemoItem("TEAPOT-GLASS-1L", "Teapot, glass, 1 l", 2790, 38),
    DemoItem("TOWEL-COTTON-70", "Bath towel, cotton, 70 x 140 cm", 2290, 150),
    DemoItem("VASE-STONEWARE-30", "Vase, stoneware, 30 cm", 3990, 28),
    DemoItem("WARDROBE-PINE-2", "Wardrobe, pine, two doors", 44900, 9),
)


async def fill(uow: UnitOfWork) -> int:
    """Add missing items, with their stock in the ledger. Return how many were missing."""
    added = 0
    for item in CATALOGUE:
        created = await model.insert_item(uow, sku=item.sku, name=item.name, price=item.price, currency=CURRENCY)
        if created is None:
            continue
        await use_cases.adjust_stock(uow, Terms(), item.sku, delta=item.stock, reason="initial stock")
        added += 1
    return added


async def main() -> None:
    database = Database.from_settings(load_settings(InventorySettings))
    await database.open()
    try:
        async with database.unit_of_work() as uow:
            added = await fill(uow)
    finally:
        await database.close()
    sys.stderr.write(f"inventory: {added} demo items added, {len(CATALOGUE) - added} were there\n")


if __name__ == "__main__":
    with ended_by_errors():
        asyncio.run(main())
