"""Map each message that inventory consumes to its use case.

The worker claims a message's id in the same transaction as the use case. That covers redeliveries; the use cases
themselves handle an event that arrives twice, late or out of order.
"""

from collections.abc import Mapping

from inventory import use_cases
from inventory.events import OrderCancelled, OrderExpired, OrderPlaced, OrderRefunded, OrderReserved
from inventory.use_cases import Terms
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.inbox import Handler
from platform_sdk.runtime.messaging.messages import Event, Message


def handlers(terms: Terms) -> Mapping[type[Event], Handler]:
    """Return the handler of each type of message."""

    async def on_placed(uow: UnitOfWork, event: OrderPlaced, _: Message) -> None:
        await use_cases.reserve_for_order(uow, terms, event)

    async def on_reserved(uow: UnitOfWork, event: OrderReserved, _: Message) -> None:
        await use_cases.commit_for_order(uow, terms, event.order_id)

    async def on_cancelled(uow: UnitOfWork, event: OrderCancelled, _: Message) -> None:
        await use_cases.give_back_for_order(uow, terms, event.order_id, reason="cancelled")

    async def on_expired(uow: UnitOfWork, event: OrderExpired, _: Message) -> None:
        await use_cases.give_back_for_order(uow, terms, event.order_id, reason="expired")

    async def on_refunded(uow: UnitOfWork, event: OrderRefunded, _: Message) -> None:
        await use_cases.give_back_for_order(uow, terms, event.order_id, reason="refunded")

    return {
        OrderPlaced: on_placed,
        OrderReserved: on_reserved,
        OrderCancelled: on_cancelled,
        OrderExpired: on_expired,
        OrderRefunded: on_refunded,
    }


HANDLERS: Mapping[type[Event], Handler] = handlers(Terms())
"""The same on default terms: what this service consumes, for tests and contracts."""
