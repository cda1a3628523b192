"""Errors of orders. Each becomes a problem with its slug as type."""

from typing import Any

from orders.states import Status
from platform_sdk.runtime.http.problems import Problem, unavailable


class OrderNotFound(Problem):
    """No such order, or another customer's. Both get the same answer, so that nobody can probe for ids."""

    def __init__(self) -> None:
        super().__init__(404, "not-found", detail="there is no such order")


class UserDisabled(Problem):
    def __init__(self) -> None:
        super().__init__(403, "forbidden", detail="this account may not place orders")


class IllegalTransition(Problem):
    """The order cannot move to this status. The extension members `from` and `to` name both statuses."""

    def __init__(self, current: Status, target: Status) -> None:
        # Not keyword arguments: `from` is a keyword of Python's.
        members: dict[str, Any] = {"from": current.value, "to": target.value}
        detail = f"an order that is {current.value} cannot become {target.value}"
        super().__init__(409, "illegal-transition", detail=detail, **members)


class OtherUsersOrders(Problem):
    def __init__(self) -> None:
        super().__init__(403, "forbidden", detail="only an administrator may list the orders of another user")


def too_many_streams() -> Problem:
    return unavailable("this task serves as many live streams as it can: poll the order, or try again", 5)
