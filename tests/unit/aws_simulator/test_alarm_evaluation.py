"""The state that datapoints make, by the tables of CloudWatch's guide.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import pytest

from aws_simulator.cloudwatch import Missing, State, evaluate

TREATMENTS: tuple[Missing, ...] = ("missing", "ignore", "breaching", "notBreaching")
POINTS = {"0": False, "X": True, "-": None}

TABLE = [
    # datapoints to alarm, points, states by treatment: missing, ignore, breaching, notBreaching
    (3, "0 - X - X", "OK OK OK OK"),
    (3, "0 - - - -", "OK OK OK OK"),
    (3, "- - - - -", "INSUFFICIENT_DATA keep ALARM OK"),
    (3, "0 X X - X", "ALARM ALARM ALARM ALARM"),
    (3, "- - X - -", "ALARM keep ALARM OK"),
    (2, "0 - X - X", "ALARM ALARM ALARM ALARM"),
    (2, "0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
    (2, "0 - X - -", "OK OK ALARM OK"),
    (2, "- - - - 0", "OK OK ALARM OK"),
    (2, "- - - X -", "ALARM keep ALARM OK"),
]


@pytest.mark.parametrize("current", ["OK", "ALARM", "INSUFFICIENT_DATA"])
@pytest.mark.parametrize(("datapoints", "points", "states"), TABLE)
def test_the_state_of_an_alarm_over_three_periods(datapoints: int, points: str, states: str, current: State) -> None:
    found = [
        evaluate(
            [POINTS[point] for point in points.split()],
            periods=3,
            datapoints=datapoints,
            missing=missing,
            current=current,
        )
        for missing in TREATMENTS
    ]
    assert found == [current if state == "keep" else state for state in states.split()]


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
@pytest.mark.parametrize("missing", ["missing", "breaching"])
def test_a_first_datapoint_makes_no_alarm_before_it_is_as_old_as_the_alarm_needs(points: str, missing: Missing) -> None:
    read = [POINTS[point] for point in points.split()]
    assert evaluate(read, periods=3, datapoints=3, missing=missing, current="OK") != "ALARM"
