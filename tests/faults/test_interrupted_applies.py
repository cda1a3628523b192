"""Applying a service's stack, killed between any two calls or with any call failing for a moment: it converges.

The change is one of the rules that a release has changed, too, so two updates are sent, under the release lock.
"""

from dataclasses import replace
from typing import Any

import pytest

from platform_sdk.deploy.apply import Applied, LockOptions, apply_service
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.plan.stack import live_of
from platform_sdk.deploy.render.service_stack import Live
from tests.support.applying import Applying, Killed, account_with_service, copy_of, everything

PRODUCTION, SPECS = everything("production")
ORDERS = SPECS["orders"]
MOVED = replace(ORDERS, path="/purchases")
NAME = "platform-production-orders"
LOCK = ("platform-production-locks", "release/orders")


def released_account() -> Applying:
    return copy_of(account_with_service("production", "orders"))


def run(account: Applying, **tools: Any) -> Applied:
    return apply_service(MOVED, PRODUCTION, account.context(**tools), LockOptions(owner="me", wait_minutes=10))


def live(account: Applying) -> Live:
    return live_of(observe_service(ORDERS, PRODUCTION, account.aws()))


def is_free(account: Applying) -> bool:
    """The lock, three minutes later: who was killed as the last thing leaves it to end by itself."""
    account.simulator.clock.sleep(180)
    item = account.aws().locks.read(*LOCK)
    return item is None or item.expires_at <= account.simulator.now()


def number_of_calls() -> int:
    account = released_account()
    account.simulator.calls.clear()
    run(account)
    return len(account.simulator.calls)


@pytest.mark.parametrize("call", range(1, number_of_calls() + 1))
def test_after_a_kill_between_two_calls_the_same_command_finishes(call: int) -> None:
    account = released_account()
    before = live(account)
    with account.dying_before(call) as client_of, pytest.raises(Killed):
        run(account, client_of=client_of)

    run(account)

    assert live(account) == before
    assert account.status(NAME) in ("UPDATE_COMPLETE", "CREATE_COMPLETE")
    assert not run(account).changed
    assert is_free(account)


@pytest.mark.parametrize("how", ["throttled", "server_error", "answer_lost"])
@pytest.mark.parametrize("call", range(0, number_of_calls(), 3))
def test_any_call_may_fail_for_a_moment(call: int, how: Any) -> None:
    account = released_account()
    before = live(account)
    account.simulator.fail("*", "*", how=how, times=2, after=call)

    run(account)

    assert live(account) == before
    assert account.status(NAME) == "UPDATE_COMPLETE"
    assert is_free(account)
