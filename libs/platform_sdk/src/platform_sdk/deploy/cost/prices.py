"""deploy/prices/<region>.toml: what AWS asks for a unit of each thing, with the date and the source of every price."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.toml_document import Document, Form, Table, read_document
from platform_sdk.errors import PlatformError

PRICES: Final = Path("deploy/prices")

NAME: Final = Form(re.compile(r"[a-z][a-z0-9_]*"), "lower-case letters, digits and underscores")
AMOUNT: Final = Form(re.compile(r"\d{1,9}(\.\d{1,9})?"), 'a decimal number in quotes, such as "0.04048"')
DATE: Final = Form(re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"), 'a date such as "2026-11-22", or its first part')
CONFIDENCES: Final = ("high", "medium", "low")


class UnknownRegion(PlatformError):
    """No price table in deploy/prices has the region."""


class UnknownPrice(PlatformError):
    """The region's price table does not have what is needed."""


class InvalidPrices(InvalidConfiguration):
    """A price table that cannot be used; `errors` holds every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one unit `per`, beyond `free` units that an account has free every month.

    `date` is that of the source, `confidence` how far it can be trusted: high, medium or low.
    """

    name: str
    usd: Decimal
    per: str
    free: Decimal
    date: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    region: str
    compiled: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        """Raises UnknownPrice."""
        if name not in self.prices:
            raise UnknownPrice(
                f"there is no price `{name}` for {self.region}",
                because=f"{PRICES}/{self.region}.toml does not have it",
                hint=f"add the table [prices.{name}], with the date and the source of the price",
            )
        return self.prices[name]


def load_prices(root: Path, region: str) -> PriceTable:
    """Reads deploy/prices/<region>.toml below the repository's root.

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
    return read_prices(read_document(root / PRICES / f"{region}.toml", f"{PRICES}/{region}.toml"), region)


def read_prices(document: Document, region: str) -> PriceTable:
    """As `load_prices`, from a document."""
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
    """Written as text, because TOML's numbers are binary and money is not."""
    text = table.text(key, AMOUNT)
    return Decimal(text) if table.are_sound(key) and AMOUNT.fits(text) else Decimal(0)
