"""Business errors of inventory, as clients receive them. Consumers never raise them.

Problem (platform_sdk.runtime.http.problems)
├── 404  UnknownItem · UnknownReservation · UnknownSkus
└── 409  SkuExists · HasActiveHolds · InsufficientStock · TooMuchStock · CurrencyMismatch ·
         ReservationExists · IllegalState · HoldExpired
"""

from collections.abc import Sequence
from uuid import UUID

from inventory.events import Shortage
from platform_sdk.runtime.http.problems import Problem


class UnknownItem(Problem):
    def __init__(self, sku: str) -> None:
        super().__init__(404, "not-found", detail=f"the catalogue has no item {sku}")


class UnknownReservation(Problem):
    def __init__(self, reservation_id: UUID) -> None:
        super().__init__(404, "not-found", detail=f"there is no reservation {reservation_id}")


class UnknownSkus(Problem):
    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(404, "unknown-sku", detail=f"the catalogue has no item {', '.join(skus)}", skus=list(skus))


class SkuExists(Problem):
    """Archived items keep their SKU, because ledger and reservations refer to it."""

    def __init__(self, sku: str) -> None:
        super().__init__(409, "sku-exists", detail=f"the SKU {sku} is taken; choose another, or PATCH the item")


class HasActiveHolds(Problem):
    def __init__(self, sku: str, reserved: int) -> None:
        detail = f"{reserved} units of {sku} are held for orders; archive it once they are committed or released"
        super().__init__(409, "has-active-holds", detail=detail, reserved=reserved)


class InsufficientStock(Problem):
    def __init__(self, shortages: Sequence[Shortage]) -> None:
        detail = "; ".join(f"{it.sku}: {it.requested} requested, {it.available} available" for it in shortages)
        super().__init__(
            409, "insufficient-stock", detail=detail, shortages=[shortage.model_dump() for shortage in shortages]
        )


class TooMuchStock(Problem):
    def __init__(self, sku: str, limit: int) -> None:
        super().__init__(409, "too-much-stock", detail=f"at most {limit} units of {sku} can be available", limit=limit)


class CurrencyMismatch(Problem):
    def __init__(self) -> None:
        super().__init__(409, "currency-mismatch", detail="the items of a reservation must have one currency")


class ReservationExists(Problem):
    """An order has at most one reservation."""

    def __init__(self, order_id: UUID, reservation_id: UUID) -> None:
        detail = f"order {order_id} has a reservation of other items"
        super().__init__(409, "reservation-exists", detail=detail, reservation_id=str(reservation_id))


class IllegalState(Problem):
    def __init__(self, status: str, wanted: str) -> None:
        detail = f"a {status} reservation cannot become {wanted}"
        super().__init__(409, "illegal-state", detail=detail, current=status, wanted=wanted)


class HoldExpired(Problem):
    def __init__(self, reservation_id: UUID) -> None:
        super().__init__(409, "expired", detail=f"the hold of reservation {reservation_id} has expired; reserve again")
