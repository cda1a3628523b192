"""Updates of a service's stack, on an account where the service has been released: decision 0014."""

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator.account_setup import released
from aws_simulator.cloudformation import CloudFormation
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.service_stack import GIVEN, Live, StackUpdate, render_service_stack, stack_updates
from tests.support.repository import FIXTURES

STACK = "platform-staging-orders"


def rendered(staging: Any, spec: ServiceSpec) -> str:
    return json.dumps(render_service_stack(spec, staging.environment))


def kept(template: str) -> dict[str, None]:
    """What releases change stays as it was."""
    return dict.fromkeys(name for name in GIVEN if name in json.loads(template)["Parameters"])


def changes(change_set: Any) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """By logical id: action, replacement, and the properties that differ for certain."""
    return {
        one["LogicalResourceId"]: (
            one["Action"],
            one.get("Replacement", ""),
            tuple(
                detail["Target"].get("Name", detail["Target"]["Attribute"])
                for detail in one["Details"]
                if detail["Evaluation"] == "Static"
            ),
        )
        for one in (change["ResourceChange"] for change in change_set["Changes"])
    }


def weights(staging: Any, priority: int) -> dict[str, int]:
    """Of the production rule: end of the target group's name, and its weight."""
    ssm, elbv2 = staging.simulator.client("ssm"), staging.simulator.client("elbv2")
    listener = ssm.get_parameter(Name="/platform/staging/edge/production-listener-arn")["Parameter"]["Value"]
    (rule,) = (one for one in elbv2.describe_rules(ListenerArn=listener)["Rules"] if one["Priority"] == str(priority))
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {one["TargetGroupArn"].split("/")[1].rpartition("-")[2]: one["Weight"] for one in groups}


@pytest.fixture
def orders(staging: Any) -> ServiceSpec:
    """Released once: green is live."""
    spec: ServiceSpec = staging.services["orders"]
    released(staging.simulator, FIXTURES, staging.environment, spec, "v1")
    return spec


def touched(console: Any, since: int) -> set[str]:
    return {name for name, _ in console.events(STACK)[since:]} - {STACK}


def test_the_same_template_is_no_change(staging: Any, console: Any) -> None:
    template = rendered(staging, staging.services["orders"])
    change_set = console.plan(STACK, template, kept(template))
    assert (change_set["Status"], change_set["StatusReason"], change_set["Changes"]) == (
        "FAILED",
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        [],
    )
    assert change_set["ExecutionStatus"] == "UNAVAILABLE"


def test_an_edit_of_scaling_touches_the_scalable_target_alone(staging: Any, console: Any, orders: ServiceSpec) -> None:
    spec = replace(orders, scaling=replace(orders.scaling, max_tasks=50))
    template, since = rendered(staging, spec), len(console.events(STACK))
    change_set = console.plan(STACK, template, kept(template))
    assert changes(change_set) == {"ScalableTarget": ("Modify", "False", ("MaxCapacity",))}
    console.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert console.settle(STACK) == "UPDATE_COMPLETE"
    assert touched(console, since) == {"ScalableTarget"}
    target = staging.simulator.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=["service/platform-staging/staging-orders"]
    )["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (orders.scaling.min_tasks, 50)
    assert weights(staging, orders.priority) == {"blue": 0, "green": 100}


def test_scaling_that_is_suspended_stays_so_during_an_update(staging: Any, console: Any, orders: ServiceSpec) -> None:
    scaling = staging.simulator.client("application-autoscaling")
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    where = {"ServiceNamespace": "ecs", "ResourceId": "service/platform-staging/staging-orders"}
    scaling.register_scalable_target(**where, ScalableDimension="ecs:service:DesiredCount", SuspendedState=suspended)
    spec = replace(orders, scaling=replace(orders.scaling, max_tasks=50))
    template = rendered(staging, spec)
    console.apply(STACK, template, kept(template))
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[where["ResourceId"]])[
        "ScalableTargets"
    ]
    assert target["SuspendedState"]["DynamicScalingInSuspended"]


def test_a_rule_that_changes_without_the_live_target_group_sends_users_to_the_old_one(
    staging: Any, console: Any, orders: ServiceSpec
) -> None:
    """What stack_updates is there to prevent."""
    template = rendered(staging, replace(orders, path="/purchases"))
    console.apply(STACK, template, kept(template))
    assert weights(staging, orders.priority) == {"blue": 100, "green": 0}


@pytest.mark.parametrize("fails", [False, True])
def test_two_updates_change_a_rule_and_leave_its_weights(
    staging: Any, console: Any, orders: ServiceSpec, fails: bool
) -> None:
    synchronise, change = updates(staging, orders)
    assert send(console, synchronise) == "UPDATE_COMPLETE"
    if fails:
        staging.simulator.service(CloudFormation).fail_resource(STACK, "TestRule", "No more of those.")
    assert send(console, change) == ("UPDATE_ROLLBACK_COMPLETE" if fails else "UPDATE_COMPLETE")
    assert weights(staging, orders.priority) == {"blue": 0, "green": 100}


@pytest.mark.parametrize(
    ("disable_rollback", "status", "live"),
    [(False, "UPDATE_ROLLBACK_COMPLETE", "blue"), (True, "UPDATE_FAILED", "green")],
)
def test_the_first_of_the_two_updates_must_not_be_rolled_back_when_it_fails(
    staging: Any, console: Any, orders: ServiceSpec, disable_rollback: bool, status: str, live: str
) -> None:
    """Its previous text is outdated."""
    synchronise, change = updates(staging, orders)
    staging.simulator.service(CloudFormation).fail_resource(STACK, "TestRule", "No more of those.")
    assert send(console, synchronise, DisableRollback=disable_rollback) == status
    assert weights(staging, orders.priority)[live] == 100
    if disable_rollback:
        assert [send(console, update) for update in (synchronise, change)] == ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]
        assert weights(staging, orders.priority)[live] == 100


def updates(staging: Any, orders: ServiceSpec) -> list[StackUpdate]:
    """For another path of the service, of which green is live."""
    before = render_service_stack(orders, staging.environment)
    after = render_service_stack(replace(orders, path="/purchases"), staging.environment)
    live = Live(target_group="green", worker_task_definition=worker_revision(staging), health_check_paths={})
    found = list(stack_updates(before, after, live))
    assert [update.why for update in found] == ["synchronise", "change"]
    return found


def worker_revision(staging: Any) -> str:
    (worker,) = staging.simulator.client("ecs").describe_services(
        cluster="platform-staging", services=["staging-orders-worker"]
    )["services"]
    return str(worker["taskDefinition"])


def send(console: Any, update: StackUpdate, **more: Any) -> str:
    parameters: Any = update.parameters
    values = {one["ParameterKey"]: one.get("ParameterValue") for one in parameters}
    return str(console.execute(STACK, console.plan(STACK, json.dumps(update.template), values), **more))


def test_ecs_refuses_the_service_that_codedeploy_deploys(staging: Any, console: Any, orders: ServiceSpec) -> None:
    template = json.loads(rendered(staging, orders))
    template["Resources"]["Service"]["Properties"]["HealthCheckGracePeriodSeconds"] = 300
    assert console.apply(STACK, json.dumps(template), kept(json.dumps(template))) == "UPDATE_ROLLBACK_FAILED"
    assert (
        "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to "
        "trigger a new deployment."
    ) in console.reason(STACK, "Service", "UPDATE_FAILED")
    console.client.continue_update_rollback(StackName=STACK, ResourcesToSkip=["Service"])
    assert console.settle(STACK) == "UPDATE_ROLLBACK_COMPLETE"


def test_a_target_group_without_a_listener_is_refused(staging: Any, console: Any) -> None:
    spec = replace(staging.services["users"], name="returns", path="/returns", priority=7)
    template = json.loads(rendered(staging, spec))
    template["Resources"]["Service"]["DependsOn"] = []
    for rule in ("ProductionRule", "TestRule"):
        del template["Resources"][rule]
    policy = template["Resources"]["DeployPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    policy[:] = [one for one in policy if "elasticloadbalancing:ModifyRule" not in one["Action"]]
    assert console.apply("platform-staging-returns", json.dumps(template)) == "ROLLBACK_COMPLETE"
    assert "does not have an associated load balancer" in console.reason(
        "platform-staging-returns", "Service", "CREATE_FAILED"
    )


def test_a_change_of_a_role_shows_what_may_follow_from_it(staging: Any, console: Any) -> None:
    """CloudFormation cannot know whether an attribute of what it changes will be the same."""
    template = json.loads(rendered(staging, staging.services["orders"]))
    role = template["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]
    role["Statement"][0]["Sid"] = "CodeDeploy"
    found = console.plan(STACK, json.dumps(template), kept(json.dumps(template)))
    assert changes(found) == {
        "DeployRole": ("Modify", "False", ("AssumeRolePolicyDocument",)),
        "DeploymentGroup": ("Modify", "False", ()),
    }
    since = len(console.events(STACK))
    console.client.execute_change_set(ChangeSetName=found["ChangeSetId"])
    console.settle(STACK)
    assert touched(console, since) == {"DeployRole"}


def test_another_listener_port_would_replace_the_target_group(staging: Any, console: Any) -> None:
    template = json.loads(rendered(staging, staging.services["orders"]))
    template["Resources"]["GreenTargetGroup"]["Properties"]["Port"] = 9
    found = changes(console.plan(STACK, json.dumps(template), kept(json.dumps(template))))
    assert found["GreenTargetGroup"] == ("Modify", "True", ("Port",))
    assert found["ProductionRule"] == ("Modify", "False", ())


def test_a_new_alarm_and_one_that_goes(staging: Any, console: Any, orders: ServiceSpec) -> None:
    fewer = tuple(alarm for alarm in orders.alarms if alarm.kind != "latency_p99")
    template = rendered(staging, replace(orders, alarms=fewer))
    found = changes(console.plan(STACK, template, kept(template)))
    assert found["LatencyP99Alarm"][0] == "Remove"
    assert "AlarmConfiguration" in found["DeploymentGroup"][2]
    assert console.apply(STACK, template, kept(template)) == "UPDATE_COMPLETE"
    names = {one["AlarmName"] for one in staging.simulator.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert not any("orders" in name and "latency" in name for name in names)


def test_a_stack_that_is_being_updated_takes_no_other_change(staging: Any, console: Any, orders: ServiceSpec) -> None:
    spec = replace(orders, log_retention_days=545)
    template = rendered(staging, spec)
    first = console.plan(STACK, template, kept(template))
    second = console.plan(STACK, template, kept(template))
    console.client.execute_change_set(ChangeSetName=first["ChangeSetId"])
    with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS state and can not be updated"):
        console.plan(STACK, template, kept(template))
    with pytest.raises(ClientError, match="EXECUTE_IN_PROGRESS"):
        console.client.execute_change_set(ChangeSetName=first["ChangeSetId"])
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        console.client.describe_change_set(ChangeSetName=second["ChangeSetId"])
    assert console.settle(STACK) == "UPDATE_COMPLETE"
    past = console.client.describe_change_set(ChangeSetName=first["ChangeSetId"])
    assert past["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert console.client.list_change_sets(StackName=STACK)["Summaries"] == []
