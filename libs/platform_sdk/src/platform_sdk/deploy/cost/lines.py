"""The values of an estimate: lines of charges, their sum, and the difference of two estimates."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from platform_sdk.deploy.cost.prices import Charge, Price

HOURS_PER_MONTH: Final = Decimal(730)
"""A twelfth of a year, as AWS's own calculator counts."""

CENT: Final = Decimal("0.01")


def cents(usd: Decimal) -> Decimal:
    """Round US dollars to the cent."""
    return usd.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an estimate. `service` is None for what all services share; `basis` says the quantities in words."""

    section: str
    name: str
    service: str | None = None
    charges: tuple[Charge, ...]
    basis: str
    note: str | None = None
    """Which value replaces an assumption that cannot hold."""

    @property
    def usd_per_month(self) -> Decimal:
        """The sum of the charges, rounded to the cent: a reader who adds up the lines gets the total."""
        return cents(sum((charge.usd_per_month for charge in self.charges), Decimal(0)))


def line(
    section: str, name: str, basis: str, *charges: Charge, service: str | None = None, note: str | None = None
) -> Line:
    """Return a line of an estimate. `basis` says in words how its quantities were found."""
    return Line(section=section, name=name, service=service, charges=charges, basis=basis, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The cost of an environment, or of some of its services, in a month of 730 hours."""

    environment: str
    region: str
    compiled: str
    """The date of the price table."""
    average_tasks: Decimal
    """Of all its services together."""
    lines: tuple[Line, ...]

    @property
    def usd_per_month(self) -> Decimal:
        return sum((line.usd_per_month for line in self.lines), Decimal(0))

    @property
    def sections(self) -> tuple[str, ...]:
        """In the order of the lines."""
        return tuple(dict.fromkeys(line.section for line in self.lines))

    def section(self, name: str) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.section == name)

    def usd_per_month_of(self, section: str) -> Decimal:
        return sum((line.usd_per_month for line in self.section(section)), Decimal(0))

    def uncertain_prices(self) -> tuple[Price, ...]:
        """Return the prices in use whose confidence is not high, by name."""
        used = {charge.price.name: charge.price for line in self.lines for charge in line.charges if charge.quantity}
        return tuple(used[name] for name in sorted(used) if used[name].confidence != "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDifference:
    """A line that differs. `before` is None for a new line, `after` for a removed one."""

    section: str
    name: str
    before: Line | None
    after: Line | None

    @property
    def usd_per_month(self) -> Decimal:
        """The increase."""
        return _usd_of(self.after) - _usd_of(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostDifference:
    """What a change costs. `lines` has only those that differ."""

    before_usd_per_month: Decimal
    after_usd_per_month: Decimal
    lines: tuple[LineDifference, ...]

    @property
    def usd_per_month(self) -> Decimal:
        """The increase."""
        return self.after_usd_per_month - self.before_usd_per_month


def _usd_of(line: Line | None) -> Decimal:
    return Decimal(0) if line is None else line.usd_per_month


def cost_difference(before: Estimate, after: Estimate) -> CostDifference:
    """Compare amount and basis of each line: those of `after` in their order, then those only `before` has."""
    return CostDifference(
        before_usd_per_month=before.usd_per_month,
        after_usd_per_month=after.usd_per_month,
        lines=tuple(_changed_lines(before, after)),
    )


def _changed_lines(before: Estimate, after: Estimate) -> Iterator[LineDifference]:
    old = {(line.section, line.name): line for line in before.lines}
    new = {(line.section, line.name): line for line in after.lines}
    for key in dict.fromkeys((*new, *old)):
        earlier, later = old.get(key), new.get(key)
        same = earlier and later and (earlier.usd_per_month, earlier.basis) == (later.usd_per_month, later.basis)
        if not same:
            yield LineDifference(section=key[0], name=key[1], before=earlier, after=later)
