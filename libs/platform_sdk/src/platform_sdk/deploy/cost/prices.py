"""Read deploy/prices/<region>.toml: what AWS charges per unit, with the date and the source of every price."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.toml_document import Form, Table, read_document
from platform_sdk.errors import PlatformError

PRICES: Final = Path("deploy/prices")

NAME: Final = Form(re.compile(r"[a-z][a-z0-9_]*"), "lower-case letters, digits and underscores")
AMOUNT: Final = Form(re.compile(r"\d{1,9}(\.\d{1,9})?"), 'a decimal number in quotes, such as "0.04048"')
DATE: Final = Form(re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"), 'a date such as "2026-11-22", or its first part')
CONFIDENCES: Final = ("high", "medium", "low")


class UnknownRegion(PlatformError):
    """deploy/prices has no table for the region."""


class UnknownPrice(PlatformError):
    """The price table of the region lacks a price."""


class InvalidPrices(InvalidConfiguration):
    """A price table is invalid; `errors` holds every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one unit `per`. The first `free` units of a month cost nothing.

    `date` is that of the source. `confidence` is high, medium or low.
    """

    name: str
    usd: Decimal
    per: str
    free: Decimal
    date: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """`quantity` units of the price in a month."""

    price: Price
    quantity: Decimal

    @property
    def billed_quantity(self) -> Decimal:
        """The units beyond the free ones."""
        return max(Decimal(0), self.quantity - self.price.free)

    @property
    def usd_per_month(self) -> Decimal:
        """Not rounded."""
        return self.billed_quantity * self.price.usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    region: str
    compiled: str
    prices: Mapping[str, Price]

    def charge(self, name: str, quantity: Decimal) -> Charge:
        """Return the charge for that many units of a price.

        Raises:
            UnknownPrice: the table lacks the price.
        """
        if name not in self.prices:
            raise UnknownPrice(
                f"there is no price `{name}` for {self.region}",
                because=f"{PRICES}/{self.region}.toml does not have it",
                hint=f"add the table [prices.{name}], with the date and the source of the price",
            )
        return Charge(price=self.prices[name], quantity=quantity)


def load_prices(root: Path, region: str) -> PriceTable:
    """Read deploy/prices/<region>.toml below the repository's root.

    Raises:
        UnknownRegion: there is no such file.
        InvalidPrices: with every error of the file.
    """
    known = sorted(path.stem for path in root.glob(f"{PRICES}/*.toml"))
    if region not in known:
        raise UnknownRegion(
            f"there are no prices for the region `{region}`",
            because=f"{PRICES} holds {listed(known)}",
            hint=did_you_mean(region, known) or f"copy one of them to {PRICES}/{region}.toml and look up every price",
        )
    document = read_document(root / PRICES / f"{region}.toml", f"{PRICES}/{region}.toml")
    outermost = document.root()
    if outermost.text("region") != region and outermost.are_sound("region"):
        outermost.error("region", f"is not the name of its file, which is {region}.toml")
    compiled = outermost.text("compiled", DATE)
    tables = outermost.table("prices")
    prices = {name: read_price(name, tables.table(name)) for name in tables.names(NAME)}
    document.reject_unknown_keys()
    document.raise_errors(InvalidPrices)
    return PriceTable(region=region, compiled=compiled, prices=prices)


def read_price(name: str, table: Table) -> Price:
    return Price(
        name=name,
        usd=amount(table, "usd"),
        per=table.text("per"),
        free=amount(table, "free") if table.knows("free") else Decimal(0),
        date=table.text("date", DATE),
        source=table.text("source"),
        confidence=table.choice("confidence", CONFIDENCES),
    )


def amount(table: Table, key: str) -> Decimal:
    """Read a number that is written as text: the floats of TOML are binary, and money is decimal."""
    text = table.text(key, AMOUNT)
    return Decimal(text) if table.are_sound(key) and AMOUNT.fits(text) else Decimal(0)
