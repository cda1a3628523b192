"""A cost estimate, as text and as JSON."""

import textwrap
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from platform_sdk.deploy.cost.comparison import AVERAGE_TASKS, Comparison
from platform_sdk.deploy.cost.lines import Estimate, Line
from platform_sdk.deploy.cost.prices import Charge, plain

NAME_WIDTH: Final = 30
WIDTH: Final = 120


def as_text(estimate: Estimate, comparison: Comparison | None = None) -> str:
    """Return an estimate as text, in US dollars a month. The lines add up to the total."""
    lines = [*_estimate_text(estimate), *(_comparison_text(comparison) if comparison else ())]
    return "\n".join(lines) + "\n"


def _estimate_text(estimate: Estimate) -> Iterator[str]:
    yield (
        f"{estimate.environment} in {estimate.region}: US dollars a month of 730 hours, "
        f"at list prices as of {estimate.compiled}"
    )
    for section in estimate.sections:
        yield ""
        yield _row(section, estimate.usd_per_month_of(section))
        for line in estimate.section(section):
            yield _row(f"  {line.name}", line.usd_per_month, f"  {line.basis}")
            if line.note is not None:
                yield f"{'':<{NAME_WIDTH + 12}}note: {line.note}"
    yield ""
    yield _row("total", estimate.usd_per_month)
    uncertain = [f"{price.name} ({price.confidence})" for price in estimate.uncertain_prices()]
    if uncertain:
        yield ""
        yield from textwrap.wrap(f"Less certain prices: {', '.join(uncertain)}.", WIDTH, break_on_hyphens=False)


def _comparison_text(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield f"Compared with the architecture's estimate for {AVERAGE_TASKS} tasks on average"
    if comparison.average_tasks != AVERAGE_TASKS:
        yield f"(this estimate assumes {plain(comparison.average_tasks)})"
    yield ""
    yield f"{'':<{NAME_WIDTH}}{'estimate':>10}{'today':>10}{'change':>10}"
    for line in comparison.compared:
        yield f"{line.section:<{NAME_WIDTH}}{line.architecture_usd:>10}{line.today_usd:>10}{line.difference_usd:>+10}"
        yield from _indented(line.reason)
    more = comparison.compared_usd - comparison.architecture_usd
    yield f"{'total':<{NAME_WIDTH}}{comparison.architecture_usd:>10}{comparison.compared_usd:>10}{more:>+10}"
    yield ""
    yield "Not included in that estimate"
    yield ""
    for gap in comparison.left_out:
        yield f"{gap.name:<{NAME_WIDTH}}{'':>10}{gap.today_usd:>10}"
        yield from _indented(gap.reason)
    yield f"{'total':<{NAME_WIDTH}}{'':>10}{comparison.left_out_usd:>10}"


def _row(name: str, usd: Decimal, basis: str = "") -> str:
    return f"{name:<{NAME_WIDTH}}{usd:>10,.2f}{basis}"


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def as_json(estimate: Estimate, comparison: Comparison | None = None) -> dict[str, object]:
    """Return an estimate as JSON. Amounts are texts, so that no reader rounds them."""
    document: dict[str, object] = {
        "environment": estimate.environment,
        "region": estimate.region,
        "prices_compiled": estimate.compiled,
        "average_tasks": str(estimate.average_tasks),
        "usd_per_month": str(estimate.usd_per_month),
        "lines": [_line_json(line) for line in estimate.lines],
    }
    if comparison is not None:
        document["comparison"] = _comparison_json(comparison)
    return document


def _line_json(line: Line) -> dict[str, object]:
    return {
        "section": line.section,
        "name": line.name,
        "service": line.service,
        "usd_per_month": str(line.usd_per_month),
        "basis": line.basis,
        "note": line.note,
        "charges": [_charge_json(charge) for charge in line.charges],
    }


def _charge_json(charge: Charge) -> dict[str, object]:
    price = charge.price
    return {
        "price": price.name,
        "quantity": str(charge.quantity),
        "billed_quantity": str(charge.billed_quantity),
        "per": price.per,
        "usd": str(price.usd),
        "usd_per_month": str(charge.usd_per_month),
        "date": price.date,
        "source": price.source,
        "confidence": price.confidence,
    }


def _comparison_json(comparison: Comparison) -> dict[str, object]:
    return {
        "average_tasks_of_architecture": AVERAGE_TASKS,
        "architecture_usd_per_month": str(comparison.architecture_usd),
        "lines": [
            {
                "section": line.section,
                "architecture_usd_per_month": str(line.architecture_usd),
                "usd_per_month": str(line.today_usd),
                "difference_usd_per_month": str(line.difference_usd),
                "reason": line.reason,
            }
            for line in comparison.compared
        ],
        "left_out": [
            {"name": gap.name, "usd_per_month": str(gap.today_usd), "reason": gap.reason} for gap in comparison.left_out
        ],
    }
