"""The stack of a service, changed beside releases: what they have made of the service stays as it is."""

from dataclasses import replace
from typing import Any

import pytest

from aws_simulator import Behaviour
from aws_simulator.account_setup import register
from aws_simulator.ecr import Ecr
from platform_sdk.deploy.apply import Applied, LockOptions, apply_service, current_plan
from platform_sdk.deploy.apply.events import ApplyEvent, ReleaseUnderWay, ResourceMoved, StackFailed
from platform_sdk.deploy.aws.dynamodb_locks import NoLockTable
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.plan.stack import live_of
from platform_sdk.deploy.release.lock import Locked, LockLost, ReleaseLock, break_lock
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, load_appspec_template, render_appspec
from platform_sdk.deploy.render.service_stack import Live
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.deploy.state import ServiceState
from tests.support.applying import (
    Applying,
    account_with_service,
    account_with_shared_stacks,
    copy_of,
    empty_account,
    everything,
)
from tests.support.repository import FIXTURES

PRODUCTION, SPECS = everything("production")
ORDERS = SPECS["orders"]
NAME = "platform-production-orders"
TURN = LockOptions(owner="me", wait_minutes=1)
RULES = {"ProductionRule", "TestRule"}


def scaled(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, scaling=replace(spec.scaling, min_tasks=3, max_tasks=30))


def with_another_path(spec: ServiceSpec) -> ServiceSpec:
    """A change of the rules, which a release has changed, too."""
    return replace(spec, path="/purchases")


def with_longer_logs(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, log_retention_days=90)


def released_account() -> Applying:
    return copy_of(account_with_service("production", "orders"))


def run(account: Applying, spec: ServiceSpec = ORDERS, turn: LockOptions = TURN, **tools: Any) -> Applied:
    return apply_service(spec, PRODUCTION, account.context(**tools), turn)


def state(account: Applying, spec: ServiceSpec = ORDERS) -> ServiceState:
    return observe_service(spec, PRODUCTION, account.aws())


def live(account: Applying) -> Live:
    return live_of(state(account))


def moved(account: Applying) -> set[str]:
    return {name for name, _ in account.moved()} - {NAME}


def test_a_service_is_created_in_one_run() -> None:
    account = copy_of(account_with_shared_stacks("production", "orders"))

    applied = run(account)

    assert [outcome.action for outcome in applied.stacks] == ["created"]
    found = state(account)
    assert found.api is not None
    assert found.api.task_definition.endswith("production-orders-placeholder:1")
    assert found.stack is not None
    assert found.stack.tags == {"platform:environment": "production", "platform:service": "orders"}


def test_an_up_to_date_service_needs_no_change_set_and_no_lock() -> None:
    account = released_account()
    account.simulator.calls.clear()

    applied = run(account)

    assert [outcome.action for outcome in applied.stacks] == ["unchanged"]
    assert not applied.changed
    assert account.written() == []


def test_another_number_of_tasks_changes_nothing_but_that() -> None:
    account = released_account()
    before = live(account)
    account.simulator.calls.clear()

    assert run(account, scaled(ORDERS)).changed

    assert moved(account) == {"ScalableTarget", "FewTasksAlarm"}, "the alarm rings below the smallest number"
    assert live(account) == before
    assert (found := state(account).scaling) is not None
    assert (found.min_tasks, found.max_tasks) == (3, 30)
    assert {call.service for call in account.simulator.calls if call.writes} == {"cloudformation"}


def test_scaling_may_be_changed_while_a_release_holds_the_lock() -> None:
    account = released_account()
    with ReleaseLock(
        account.aws().locks, account.simulator.clock, PRODUCTION, "orders", owner="ci", purpose="release of v2"
    ):
        assert run(account, scaled(ORDERS)).changed


def test_a_change_beside_the_rules_leaves_them_alone() -> None:
    account = released_account()
    before = live(account)
    assert before.target_group == "green"

    run(account, with_longer_logs(ORDERS))

    assert not moved(account) & (RULES | {"Service", "WorkerService"})
    assert live(account) == before


def test_a_change_of_the_rules_keeps_users_where_they_are() -> None:
    account = released_account()
    before = live(account)

    applied = run(account, with_another_path(ORDERS))

    assert [outcome.action for outcome in applied.stacks] == ["updated", "updated"]
    assert live(account) == before
    rule = state(account, with_another_path(ORDERS)).production_rule
    assert rule is not None
    assert rule.paths == ("/purchases", "/purchases/*", "/orders", "/orders/*"), "the running version serves /orders"
    assert len(account.questions) == 1, "the update that changes nothing is not asked about"


def test_a_change_of_the_rules_that_fails_keeps_users_where_they_are() -> None:
    account = released_account()
    before = live(account)

    def fail_the_second(event: ApplyEvent) -> None:
        match event:
            case ResourceMoved(event=moved) if (moved.logical_id, moved.status) == (NAME, "UPDATE_COMPLETE"):
                account.cloudformation.fail_resource(NAME, "TestRule", "Access denied")

    with pytest.raises(StackFailed, match="TestRule"):
        run(account, with_another_path(ORDERS), on_event=fail_the_second)

    assert live(account) == before
    assert run(account, with_another_path(ORDERS)).changed
    assert live(account) == before


def test_an_update_that_only_synchronises_is_not_rolled_back_when_it_fails() -> None:
    """The rollback would write what was given before the releases, and send users to the empty target group."""
    account = released_account()
    before = live(account)
    account.cloudformation.fail_resource(NAME, "TestRule", "Access denied")

    with pytest.raises(StackFailed, match="TestRule") as raised:
        run(account, with_another_path(ORDERS))

    assert (raised.value.status, account.status(NAME)) == ("UPDATE_FAILED", "UPDATE_FAILED")
    assert live(account) == before
    assert current_plan(ORDERS, PRODUCTION, account.context()).exit_code == 2, "whatever the template asks for"
    account.cloudformation.fail_resource(NAME, "TestRule", "Access denied")
    with pytest.raises(StackFailed, match="UPDATE_FAILED"):
        run(account, with_longer_logs(ORDERS))
    assert live(account) == before
    assert [outcome.action for outcome in run(account, with_another_path(ORDERS)).stacks] == ["updated", "updated"]
    assert live(account) == before
    assert not run(account, with_another_path(ORDERS)).changed


def test_undoing_a_failed_change_leaves_a_stack_to_repair() -> None:
    account = released_account()
    before = live(account)
    account.cloudformation.fail_resource(NAME, "TestRule", "Access denied")
    with pytest.raises(StackFailed):
        run(account, with_another_path(ORDERS))

    plan = current_plan(ORDERS, PRODUCTION, account.context())
    assert (plan.stack.action, plan.needs_apply, plan.is_scaling_alone) == ("repair", True, False)
    assert not current_plan(scaled(ORDERS), PRODUCTION, account.context()).is_scaling_alone, "it needs the lock"
    account.questions.clear()
    assert [outcome.action for outcome in run(account).stacks] == ["updated"]

    assert len(account.questions) == 1
    assert live(account) == before
    assert account.status(NAME) == "UPDATE_COMPLETE"
    assert current_plan(ORDERS, PRODUCTION, account.context()).exit_code == 0


def stuck_in_rollback(account: Applying) -> None:
    """An update whose rollback failed as well."""

    def fail_the_way_back(event: ApplyEvent) -> None:
        match event:
            case ResourceMoved(event=moved) if (moved.logical_id, moved.status) == (NAME, "UPDATE_COMPLETE"):
                account.cloudformation.fail_resource(NAME, "TestRule", "Access denied", times=2)

    with pytest.raises(StackFailed):
        run(account, with_another_path(ORDERS), on_event=fail_the_way_back)
    assert account.status(NAME) == "UPDATE_ROLLBACK_FAILED"


def test_a_rollback_that_stopped_halfway_is_something_to_do_and_apply_ends_it() -> None:
    account = released_account()
    before = live(account)
    stuck_in_rollback(account)

    plan = current_plan(ORDERS, PRODUCTION, account.context())
    assert (plan.stack.action, plan.exit_code, plan.stack.updates) == ("repair", 2, ())
    assert [outcome.action for outcome in run(account).stacks] == ["repaired"]

    assert account.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"
    assert live(account) == before
    assert current_plan(ORDERS, PRODUCTION, account.context()).exit_code == 0


def test_another_grace_period_is_given_to_the_running_service() -> None:
    account = released_account()
    longer = replace(ORDERS, health_check=replace(ORDERS.health_check, grace_period_seconds=200))

    applied = run(account, longer)

    assert applied.grace_period_seconds == 200
    assert (api := state(account).api) is not None
    assert api.grace_period_seconds == 200
    assert not run(account, longer).changed


def test_a_release_that_holds_the_lock_is_waited_for_and_then_named() -> None:
    account = released_account()
    holder = ReleaseLock(
        account.aws().locks, account.simulator.clock, PRODUCTION, "orders", owner="ci", purpose="release of v2"
    )
    with holder:
        with pytest.raises(Locked, match="is locked by ci"):
            run(account, with_longer_logs(ORDERS))
        account.simulator.clock.after(30, lambda: holder.__exit__(None, None, None))
        assert run(account, with_longer_logs(ORDERS)).changed


def test_a_long_update_renews_the_lock_and_gives_it_back() -> None:
    account = copy_of(account_with_shared_stacks("production", "orders"))

    run(account)

    assert sum(call.operation == "UpdateItem" for call in account.simulator.calls) >= 2, "it takes over a minute"
    assert account.aws().locks.read("platform-production-locks", "release/orders") is None


def test_after_the_lock_is_lost_nothing_is_changed() -> None:
    account = copy_of(account_with_shared_stacks("production", "orders"))

    def unlock(event: ApplyEvent) -> None:
        if isinstance(event, ResourceMoved) and event.event.status == "CREATE_IN_PROGRESS":
            locks = account.aws().locks
            holder = locks.read("platform-production-locks", "release/orders")
            if holder is not None and holder.owner == "me":
                break_lock(locks, PRODUCTION, holder, owner="you", now=account.simulator.now())

    with pytest.raises(LockLost):
        run(account, on_event=unlock)


def test_a_deployment_that_nobody_follows_is_not_disturbed() -> None:
    account = released_account()
    image = account.simulator.service(Ecr).push("orders", "v2", Behaviour(), architecture=ORDERS.task.architecture)
    revision = register(account.simulator, render_task_definition(ORDERS, PRODUCTION, image=image), {})
    appspec = render_appspec(load_appspec_template(FIXTURES), appspec_of(ORDERS, PRODUCTION), revision)
    id = account.aws().codedeploy.create(dict(deployment_request(appspec, ORDERS, PRODUCTION, "v2")))

    with pytest.raises(ReleaseUnderWay, match=id) as raised:
        run(account, with_another_path(ORDERS))

    assert f"`platform wait {id} --env production`" in (raised.value.hint or "")
    assert raised.value.exit_code == 16
    assert run(account, scaled(ORDERS)).changed


def test_without_the_shared_stacks_it_says_how_to_make_them() -> None:
    account = empty_account(PRODUCTION.account_id)

    with pytest.raises(NoLockTable, match="production has no table of locks yet") as raised:
        run(account)

    assert raised.value.hint is not None
    assert "`platform apply --shared --env production`" in raised.value.hint


def test_a_first_creation_that_failed_is_cleared_up_and_made_anew() -> None:
    account = copy_of(account_with_shared_stacks("production", "orders"))
    account.cloudformation.fail_resource(NAME, "Service", "The target group does not have an associated load balancer")
    with pytest.raises(StackFailed, match="ROLLBACK_COMPLETE"):
        run(account)

    assert [outcome.action for outcome in run(account).stacks] == ["created"]
