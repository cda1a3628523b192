"""What an environment costs a month: specs, stacks, assumptions and a dated price table in, an estimate out.

    platform.toml ─▶ spec ─▶ stack ──────┐
    [stacks] ─▶ parameters of templates ─┤
    [cost] ─▶ assumptions ───────────────┼─▶ lines ─▶ estimate ─▶ report, comparison, difference
    deploy/prices/<region>.toml ─▶ prices┘

Everything is a value, and money is Decimal, in US dollars a month of 730 hours. Nothing is asked of AWS.
"""

from platform_sdk.deploy.cost.comparison import Comparison, compare
from platform_sdk.deploy.cost.estimate import NothingToEstimate, estimate, load_estimate
from platform_sdk.deploy.cost.lines import Charge, CostDifference, Estimate, Line, LineDifference, cost_difference
from platform_sdk.deploy.cost.prices import (
    Assumptions,
    InvalidPrices,
    Price,
    PriceTable,
    UnknownPrice,
    UnknownRegion,
    load_assumptions,
    load_prices,
)

__all__ = [
    "Assumptions",
    "Charge",
    "Comparison",
    "CostDifference",
    "Estimate",
    "InvalidPrices",
    "Line",
    "LineDifference",
    "NothingToEstimate",
    "Price",
    "PriceTable",
    "UnknownPrice",
    "UnknownRegion",
    "compare",
    "cost_difference",
    "estimate",
    "load_assumptions",
    "load_estimate",
    "load_prices",
]
