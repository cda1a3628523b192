"""Events of users about who may order: the newest version counts, in whatever order they arrive."""

import itertools
from uuid import UUID, uuid4

import pytest

from orders.consumers import UserDeleted, UserDisabled, UserEnabled
from orders.errors import UserDisabled as UserMayNotOrder
from orders.states import Status
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api
from tests.integration.orders.test_order_messages import reserved

Word = type[UserDisabled] | type[UserEnabled] | type[UserDeleted]


async def may_order(orders: OrdersDatabase, user_id: UUID) -> bool:
    try:
        await orders.place(user_id=user_id)
    except UserMayNotOrder:
        return False
    return True


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ({2: UserDisabled, 3: UserEnabled}, True),
        ({2: UserDisabled, 3: UserEnabled, 4: UserDisabled}, False),
        ({2: UserDisabled, 3: UserEnabled, 4: UserDisabled, 5: UserEnabled}, True),
        ({2: UserDisabled, 3: UserEnabled, 4: UserDeleted}, False),
    ],
)
async def test_the_last_word_about_a_user_counts_in_whatever_order_they_arrive(
    orders: OrdersDatabase, words: dict[int, Word], allowed: bool
) -> None:
    for sequence in itertools.permutations(words):
        user_id = uuid4()
        for version in (*sequence, sequence[0]):
            await orders.deliver(words[version](user_id=user_id), aggregate_version=version)
        assert await may_order(orders, user_id) is allowed, sequence


async def test_a_user_who_is_enabled_again_can_order_again(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    await orders.deliver(UserDisabled(user_id=customer.user_id), aggregate_version=2)
    assert (await customer.place()).status_code == 403
    await orders.deliver(UserEnabled(user_id=customer.user_id), aggregate_version=3)
    assert (await customer.place()).status_code == 202


async def test_a_disabling_that_was_overtaken_cancels_nothing(orders: OrdersDatabase) -> None:
    user_id = uuid4()
    order_id = await orders.place(user_id=user_id)
    await orders.deliver(UserEnabled(user_id=user_id), aggregate_version=3)
    await orders.deliver(UserDisabled(user_id=user_id), aggregate_version=2)
    await orders.deliver(reserved(order_id))
    assert (await orders.order(order_id)).status is Status.RESERVED


async def test_a_deleted_user_stays_deleted_whatever_follows(orders: OrdersDatabase) -> None:
    user_id = uuid4()
    await orders.deliver(UserDeleted(user_id=user_id), aggregate_version=4)
    await orders.deliver(UserEnabled(user_id=user_id), aggregate_version=9)
    assert not await may_order(orders, user_id)
