"""The pure parts of inventory: why an order is rejected, when stock counts as low, what a request may say."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from inventory import demo, errors
from inventory.events import OrderPlaced, Shortage
from inventory.model import MAX_AVAILABLE, MAX_PRICE, StockLevel
from inventory.reservations import COMMIT, RELEASE, RETURN, Line, Offer, Reservation, Status
from inventory.schemas import (
    MAX_LINES,
    SKU_PATTERN,
    Adjustment,
    ItemChange,
    NewItem,
    NewReservation,
    reservation_out,
)
from inventory.settings import InventorySettings
from inventory.use_cases import Terms, merge_quantities, rejection
from platform_sdk.runtime.http.inputs import INT8_MAX

ORDER = UUID(int=7)


def offer(sku: str, requested: int, available: int, currency: str | None = "EUR") -> Offer:
    return Offer(sku=sku, requested=requested, available=available, currency=currency)


def test_quantities_of_one_sku_add_up() -> None:
    assert merge_quantities([("A", 1), ("B", 2), ("A", 3)]) == {"A": 4, "B": 2}


@pytest.mark.parametrize(
    ("offers", "currency", "reason", "short"),
    [
        ([offer("A", 2, 1), offer("B", 1, 1)], None, "out_of_stock", ["A"]),
        ([offer("A", 2, 1), offer("B", 1, 0, None)], None, "unknown_sku", ["B"]),
        ([offer("A", 1, 9), offer("B", 1, 9, "JPY")], None, "currency_mismatch", []),
        ([offer("A", 1, 9)], "USD", "currency_mismatch", []),
        ([offer("A", 2, 1)], "EUR", "out_of_stock", ["A"]),
        ([offer("A", 2, 5)], "EUR", "out_of_stock", []),
    ],
    ids=["short", "unknown before short", "two currencies", "other currency", "wanted currency", "stock came back"],
)
def test_rejection_names_the_reason_that_waiting_cannot_fix_first(
    offers: list[Offer], currency: str | None, reason: str, short: list[str]
) -> None:
    rejected = rejection(ORDER, offers, currency)

    assert (rejected.order_id, rejected.reason) == (ORDER, reason)
    assert [shortage.sku for shortage in rejected.shortages] == short


@pytest.mark.parametrize(
    ("available", "delta", "is_low"),
    [(5, -1, True), (0, -9, True), (4, -1, False), (6, -1, False), (5, 5, False), (3, 1, False)],
)
def test_stock_is_low_when_a_change_brings_it_down_to_the_threshold(available: int, delta: int, is_low: bool) -> None:
    level = StockLevel(sku="A", available=available, delta=delta, version=1)
    assert level.fell_to(5) is is_low


@pytest.mark.parametrize("transition", [COMMIT, RELEASE, RETURN])
def test_transitions_neither_make_nor_lose_units(transition: Any) -> None:
    assert transition.available + transition.reserved + transition.sold == 0


def test_largest_total_fits_into_the_database() -> None:
    assert MAX_LINES * MAX_AVAILABLE * MAX_PRICE <= INT8_MAX


def test_terms_come_from_the_settings() -> None:
    settings = InventorySettings(
        service_name="inventory",
        service_path="/inventory",
        environment="test",
        aws_region="us-east-1",
        token_issuer="https://users.test",
        token_audience="platform",
        jwks_url="http://127.0.0.1:9/jwks.json",
        inventory_hold_seconds=60,
        inventory_low_stock_threshold=3,
    )

    terms = Terms.of(settings)

    assert (terms.hold.total_seconds(), terms.low_stock_threshold) == (60, 3)


@pytest.mark.parametrize(
    "data", [{"items": []}, {"items": [{"sku": "A", "quantity": 0}]}, {"items": [{"sku": "A\x00"}]}]
)
def test_order_that_makes_no_sense_is_not_accepted_from_a_queue(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderPlaced.model_validate({"order_id": uuid4()} | data)


@pytest.mark.parametrize("delta", [0, MAX_AVAILABLE + 1, -MAX_AVAILABLE - 1, 1.5, True, "1"])
def test_adjustment_takes_whole_units_within_bounds_but_not_none(delta: object) -> None:
    with pytest.raises(ValidationError):
        Adjustment.model_validate({"delta": delta, "reason": "count"})


def test_request_may_not_set_what_it_is_not_offered() -> None:
    with pytest.raises(ValidationError):
        NewItem.model_validate({"sku": "A", "name": "A", "price": 1, "currency": "EUR", "available": 9})
    with pytest.raises(ValidationError):
        ItemChange.model_validate({"currency": "USD"})


def test_new_reservation_adds_up_lines_of_one_sku() -> None:
    line = {"sku": "A", "quantity": 2}
    body = NewReservation.model_validate({"order_id": str(ORDER), "items": [line, line]})
    assert body.quantities() == {"A": 4}


def test_reservation_body_has_lines_and_total() -> None:
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    reservation = Reservation(
        reservation_id=UUID(int=1),
        order_id=ORDER,
        status=Status.HELD,
        reason=None,
        version=1,
        expires_at=now,
        created_at=now,
        updated_at=now,
        lines=(Line(sku="A", quantity=2, unit_price=30), Line(sku="B", quantity=1, unit_price=5)),
        currency="EUR",
    )

    body = reservation_out(reservation).model_dump(mode="json")

    assert (body["status"], body["total"], body["currency"]) == ("held", 65, "EUR")
    assert body["items"] == [
        {"sku": "A", "quantity": 2, "unit_price": 30},
        {"sku": "B", "quantity": 1, "unit_price": 5},
    ]


def test_shortage_problem_lists_what_is_missing() -> None:
    body = errors.InsufficientStock([Shortage(sku="A", requested=3, available=1)]).body()
    assert body["shortages"] == [{"sku": "A", "requested": 3, "available": 1}]
    assert body["detail"] == "A: 3 requested, 1 available"


def test_demo_catalogue_has_distinct_readable_skus_in_stock() -> None:
    skus = [item.sku for item in demo.CATALOGUE]
    assert len(set(skus)) == len(skus) >= 36
    assert all(re.match(SKU_PATTERN, sku) and len(sku) <= 64 for sku in skus)
    assert all(item.stock > 0 and 0 < item.price <= MAX_PRICE for item in demo.CATALOGUE)
