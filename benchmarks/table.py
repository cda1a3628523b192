"""Print one row per figure: median, spread over the rounds, and ratio to its comparison."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured figure.

    Args:
        figure: what was measured.
        unit: of the samples.
        samples: one per round, in order.
        compared_with: the row that the ratio is against; its samples are of the same rounds.
        aim: what we want, in words.
        left_out: why there are no samples.
    """

    figure: str
    unit: str
    samples: Sequence[float]
    compared_with: "Row | None" = None
    aim: str = ""
    left_out: str = ""

    def ratio(self) -> str:
        """Return the median of the ratios of all rounds."""
        if self.compared_with is None:
            return ""
        pairs = zip(self.samples, self.compared_with.samples, strict=True)
        return f"{statistics.median(own / other for own, other in pairs):.2f} x {self.compared_with.figure}"

    def cells(self) -> tuple[str, ...]:
        if self.left_out:
            return (self.figure, "left out", self.left_out, "", self.aim)
        low, high = min(self.samples), max(self.samples)
        return (
            self.figure,
            f"{statistics.median(self.samples):,.1f} {self.unit}",
            f"{low:,.1f} to {high:,.1f}, {len(self.samples)} rounds",
            self.ratio(),
            self.aim,
        )


def render(rows: Iterable[Row]) -> str:
    """Return the rows as a table for people."""
    table = [("figure", "median", "spread", "ratio", "aim"), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
