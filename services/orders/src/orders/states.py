"""The state machine of an order: which status may follow which.

use_cases and model use it; it knows no database, clock or message.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The status of an order. The values are part of the HTTP interface and of the table's check constraint."""

    PENDING = "pending"
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.RESERVED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED}),
    Status.RESERVED: frozenset({Status.CONFIRMED, Status.CANCELLED, Status.EXPIRED}),
    Status.CONFIRMED: frozenset({Status.PAID, Status.CANCELLED}),
    Status.PAID: frozenset({Status.SHIPPED, Status.REFUNDED}),
    Status.SHIPPED: frozenset({Status.DELIVERED}),
    Status.DELIVERED: frozenset(),
    Status.REFUNDED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
}

UNDECIDED: Final = frozenset({Status.PENDING, Status.RESERVED})
"""Statuses without a decision: the saga with inventory is still running."""

FINAL: Final = frozenset(status for status, targets in TRANSITIONS.items() if not targets)
"""Nothing follows."""


def can_move(current: Status, target: Status) -> bool:
    return target in TRANSITIONS[current]


def sources_of(target: Status) -> tuple[Status, ...]:
    """Return every status that `target` may follow. The UPDATE that moves an order checks it."""
    return tuple(status for status in Status if can_move(status, target))
