"""What POST /orders accepts, and what it refuses before any work is done."""

from typing import Any

import pytest
from pydantic import ValidationError

from orders.model import Item
from orders.schemas import PlaceOrderRequest

ONE = {"sku": "TEA-1", "quantity": 1}


def test_the_smallest_order() -> None:
    request = PlaceOrderRequest.model_validate({"items": [ONE]})
    assert request.lines() == (Item(sku="TEA-1", quantity=1),)
    assert (request.currency, request.address_id, request.note) == (None, None, None)


def test_lines_with_the_same_sku_become_one() -> None:
    items = [{"sku": "B", "quantity": 2}, {"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1000}]
    assert PlaceOrderRequest.model_validate({"items": items}).lines() == (
        Item(sku="B", quantity=1002),
        Item(sku="A", quantity=1),
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [ONE] * 101},
        {"items": [{"sku": "TEA-1", "quantity": 0}]},
        {"items": [{"sku": "TEA-1", "quantity": 1001}]},
        {"items": [{"sku": "TEA-1", "quantity": "1"}]},
        {"items": [{"sku": "TEA-1", "quantity": 1.5}]},
        {"items": [{"sku": "TEA-1", "quantity": True}]},
        {"items": [{"sku": "", "quantity": 1}]},
        {"items": [{"sku": "TEA\x00", "quantity": 1}]},
        {"items": [{"sku": "T" * 65, "quantity": 1}]},
        {"items": [{**ONE, "unit_price": 1}]},
        {"items": [ONE], "user_id": "0191e1a0-0000-7000-8000-000000000000"},
        {"items": [ONE], "status": "paid"},
        {"items": [ONE], "total": 0},
        {"items": [ONE], "currency": "euro"},
        {"items": [ONE], "currency": "EUR\n"},
        {"items": [ONE], "address_id": "home"},
        {"items": [ONE], "note": "a\x00b"},
        {"items": [ONE], "note": "\ud800"},
        {"items": [ONE], "note": "n" * 501},
    ],
)
def test_anything_else_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlaceOrderRequest.model_validate(body)
