"""Which state the datapoints of an alarm make: a pure function of what CloudWatch has of them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from collections.abc import Sequence
from typing import Final, Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["missing", "ignore", "breaching", "notBreaching"]
"""TreatMissingData of PutMetricAlarm."""

MORE_POINTS: Final = 2
"""How many more datapoints CloudWatch reads than the alarm evaluates, as in the examples of the guide."""


def evaluate(
    points: Sequence[bool | None], *, periods: int, datapoints: int, missing: Missing, current: State
) -> State:
    """Return the state of an alarm.

    Where there are enough datapoints, the newest ones decide, whatever is missing between them. Otherwise the missing
    ones are treated as the alarm says, and as few of them as possible.

    Args:
        points: of the evaluation range, the newest last: whether it breaches; None where it is missing.
        periods: how many the alarm evaluates: EvaluationPeriods.
        datapoints: how many of them must breach: DatapointsToAlarm.
        current: the state that it has.
    """
    real = [point for point in points if point is not None]
    breaching = sum(real[-periods:])
    lacking = periods - len(real)
    if lacking <= 0 or breaching >= datapoints:
        return "ALARM" if breaching >= datapoints else "OK"
    if missing == "notBreaching":
        return "OK"
    if not real and missing == "missing":
        return "INSUFFICIENT_DATA"
    if not real:
        return "ALARM" if missing == "breaching" else current
    if not all(real):
        return "ALARM" if missing == "breaching" and breaching + lacking >= datapoints else "OK"
    if missing == "ignore":
        return current
    # All that there is breaches. It must be old enough, so that a first datapoint alone makes no alarm.
    return "ALARM" if len(points) - points.index(True) >= datapoints else "OK"
