"""One stack, while calls to AWS fail for a moment, are denied, or the process is killed between two of them."""

from typing import Any

import pytest

from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.aws import AccessDenied, AwsUnavailable
from tests.support.applying import Killed, empty_account
from tests.unit.deploy_apply.test_apply_stack import FIRST, NAME, SECOND, resources


def calls_of(desired: DesiredStack) -> list[tuple[str, int]]:
    """Each call of an update, with how many calls of its kind came before it."""
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.simulator.calls.clear()
    apply_stack(desired, account.context())
    operations = [call.operation for call in account.simulator.calls]
    return [(operation, operations[:index].count(operation)) for index, operation in enumerate(operations)]


CALLS = calls_of(SECOND)


@pytest.mark.parametrize("how", ["throttled", "server_error", "timeout", "answer_lost"])
@pytest.mark.parametrize(("operation", "before"), CALLS)
def test_each_call_may_fail_for_a_moment(operation: str, before: int, how: Any) -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.simulator.fail("cloudformation", operation, how=how, times=2, after=before)

    assert apply_stack(SECOND, account.context()).action == "updated"

    assert resources(account) == {"Queue", "Topic", "Logs"}


@pytest.mark.parametrize(("operation", "before"), CALLS)
def test_a_call_that_is_denied_ends_it_and_says_what_is_missing(operation: str, before: int) -> None:
    account = empty_account()
    apply_stack(FIRST, account.context())
    account.simulator.fail("cloudformation", operation, how="denied", after=before)

    with pytest.raises(AccessDenied) as raised:
        apply_stack(SECOND, account.context())

    assert raised.value.action == f"cloudformation:{operation}"
    account.simulator.clock.sleep(60)
    assert apply_stack(SECOND, account.context()).action in ("updated", "unchanged")
    assert resources(account) == {"Queue", "Topic", "Logs"}


def test_an_unavailable_aws_is_an_error() -> None:
    account = empty_account()
    account.simulator.fail("cloudformation", "*", how="server_error", times=1000)

    with pytest.raises(AwsUnavailable):
        apply_stack(FIRST, account.context())


def number_of_calls() -> int:
    account = empty_account()
    apply_stack(FIRST, account.context())
    return len(account.simulator.calls)


@pytest.mark.parametrize("call", range(1, number_of_calls() + 1))
def test_after_a_kill_at_any_call_the_same_command_finishes(call: int) -> None:
    account = empty_account()
    with account.dying_before(call) as client_of, pytest.raises(Killed):
        apply_stack(FIRST, account.context(client_of=client_of))

    apply_stack(FIRST, account.context())

    stack = account.aws().stacks.stack(NAME)
    assert stack is not None
    assert (stack.status, stack.is_protected) == ("CREATE_COMPLETE", True)
    assert resources(account) == {"Queue", "Topic"}
