from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from platform_sdk.runtime.http.inputs import INT4_MAX, Boolean, Integer, RequestModel, Text, Timestamp


class Everything(RequestModel):
    name: Annotated[str, Text(5)] = "x"
    note: Annotated[str, Text(5, min_length=0)] | None = None
    quantity: Annotated[int, Integer(1, 100)] = 1
    price: Annotated[int, Integer()] = 1
    gift: Boolean = False
    at: Timestamp | None = None


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "toolong"},
        {"name": "a\x00b"},
        {"name": "\ud800"},
        {"name": 1},
        {"name": None},
        {"quantity": 0},
        {"quantity": 101},
        {"quantity": True},
        {"quantity": "1"},
        {"quantity": 1.5},
        {"quantity": float("nan")},
        {"quantity": float("inf")},
        {"quantity": 1e300},
        {"quantity": None},
        {"price": INT4_MAX + 1},
        {"price": 10**30},
        {"price": -1},
        {"gift": 1},
        {"gift": "true"},
        {"at": "2026-01-01T00:00:00"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "9999-12-31T23:59:59-14:00"},
        {"unknown": 1},
    ],
)
def test_bad_input_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Everything.model_validate(given)


def test_good_input_passes_unchanged() -> None:
    given = {"name": "Tée 茶", "note": "", "quantity": 100, "price": INT4_MAX, "gift": True}
    assert Everything.model_validate(given).model_dump(exclude_unset=True) == given


def test_a_number_without_a_fraction_is_an_integer() -> None:
    quantity = Everything.model_validate({"quantity": 24.0}).quantity
    assert (quantity, type(quantity)) == (24, int)


def test_timestamps_become_utc() -> None:
    at = Everything.model_validate({"at": "2026-01-01T02:00:00+02:00"}).at
    assert at == datetime(2026, 1, 1, tzinfo=UTC)
    assert at is not None
    assert at.tzinfo is UTC


def test_the_bounds_stand_in_the_json_schema() -> None:
    properties = Everything.model_json_schema()["properties"]
    assert properties["name"]["maxLength"] == 5
    assert properties["quantity"] == {
        "default": 1,
        "maximum": 100,
        "minimum": 1,
        "title": "Quantity",
        "type": "integer",
    }
