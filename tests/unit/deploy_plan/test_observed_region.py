"""A whole region in memory, read by the real gateways: what releases leave behind is no change, what people do is."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account, released
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.cloudformation.template import parse
from aws_simulator.ecr import Ecr
from aws_simulator.iam import Iam
from aws_simulator.policies import is_allowed
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import UnreadableTemplate, observe_service, observe_services
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.plan.stack import live_of
from platform_sdk.deploy.render.cloudformation import to_yaml
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, load_appspec_template, render_appspec
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.deploy.shared import load_shared_stacks
from tests.support.deployed_services import NOTHING
from tests.support.repository import FIXTURES

STAGING = load_environment(FIXTURES, "staging")
SERVICES = load_services(FIXTURES, "staging")
ORDERS = next(spec for spec in SERVICES if spec.name == "orders")
SCALED = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def empty_simulator() -> AwsSimulator:
    clock = SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
    return AwsSimulator(clock=clock, account_id=STAGING.account_id, region=STAGING.region)


@pytest.fixture(scope="module")
def simulator() -> AwsSimulator:
    """All services run version 1.4.2. Tests only read it."""
    made = empty_simulator()
    build_account(made, FIXTURES, STAGING, SERVICES)
    for spec in SERVICES:
        released(made, FIXTURES, STAGING, spec, "1.4.2")
    return made


@pytest.fixture
def created() -> AwsSimulator:
    """Orders alone, and nothing is released."""
    made = empty_simulator()
    build_account(made, FIXTURES, STAGING, [ORDERS])
    return made


@pytest.fixture
def live(created: AwsSimulator) -> AwsSimulator:
    """Orders alone runs version 1.4.2; for tests that change something."""
    released(created, FIXTURES, STAGING, ORDERS, "1.4.2")
    return created


def gateways(simulator: AwsSimulator) -> Aws:
    return Aws(simulator.client, account_id=STAGING.account_id, region=STAGING.region)


def run(simulator: AwsSimulator, *arguments: str) -> Result:
    outside = Outside(connect=lambda _: gateways(simulator), clock=simulator.clock)
    return CliRunner().invoke(platform, ["plan", *arguments, "--env", "staging"], obj=outside)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)


def test_a_new_service_waits_for_its_first_release(created: AwsSimulator) -> None:
    state = observe_service(ORDERS, STAGING, gateways(created))
    plan = plan_service(ORDERS, STAGING, state)
    assert state.template == render_service_stack(ORDERS, STAGING)
    assert (plan.stack.action, plan.drift, plan.api.awaits_image) == ("unchanged", (), True)


def test_after_a_release_there_is_nothing_to_do_and_no_drift(simulator: AwsSimulator) -> None:
    states = observe_services(SERVICES, STAGING, gateways(simulator))
    plans = [plan_service(spec, STAGING, states[spec.name]) for spec in SERVICES]
    assert [(plan.has_changes, plan.drift) for plan in plans] == [(False, ())] * 3


def test_nor_when_the_other_target_group_is_live(live: AwsSimulator) -> None:
    before = observe_service(ORDERS, STAGING, gateways(live))
    released(live, FIXTURES, STAGING, ORDERS, "1.5.0")
    after = observe_service(ORDERS, STAGING, gateways(live))
    assert plan_service(ORDERS, STAGING, after).exit_code == 0
    assert {live_of(state).target_group for state in (before, after)} == {"blue", "green"}
    assert after.api_revision is not None
    assert after.api_revision.tags["platform:version"] == "1.5.0"


def test_services_are_read_in_few_calls_and_nothing_is_written(simulator: AwsSimulator) -> None:
    simulator.calls.clear()
    observe_services(SERVICES, STAGING, gateways(simulator))
    assert not [call for call in simulator.calls if call.writes or call.error]
    assert Counter(call.operation for call in simulator.calls) == {
        "DescribeStacks": 3,
        "GetTemplate": 3,
        "DescribeTaskDefinition": 5,
        "GetDeploymentGroup": 3,
        "ListDeployments": 3,
        "DescribeServices": 1,
        "DescribeRules": 2,
        "DescribeTargetGroups": 1,
        "DescribeScalableTargets": 1,
        "DescribeAlarms": 1,
        "GetParameters": 1,
    }


def test_one_service_and_all_services_are_read_equally(simulator: AwsSimulator) -> None:
    aws = gateways(simulator)
    assert observe_service(ORDERS, STAGING, aws) == observe_services(SERVICES, STAGING, aws)["orders"]


def test_an_empty_account_has_no_state() -> None:
    assert observe_service(ORDERS, STAGING, gateways(empty_simulator())) == NOTHING


def test_a_name_for_a_first_change_set_is_no_stack_to_update() -> None:
    simulator = empty_simulator()
    cloudformation = simulator.client("cloudformation")
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    cloudformation.create_change_set(
        StackName="platform-staging-orders", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
    )
    state = observe_service(ORDERS, STAGING, gateways(simulator))
    assert state.stack is not None
    assert not state.stack.is_created
    assert plan_service(ORDERS, STAGING, state).stack.action == "create"


def test_a_revision_that_was_registered_and_does_not_run_is_found_beside_the_one_that_does(live: AwsSimulator) -> None:
    document: Any = render_task_definition(ORDERS, STAGING, image="orders:2.0.0")
    live.client("ecs").register_task_definition(**document)
    state = observe_service(ORDERS, STAGING, gateways(live))
    assert state.api_revision is not None
    assert (state.api_revision.revision, state.newer_revisions["api"].revision) == (1, 2)
    assert set(state.newer_revisions) == {"api"}


def test_a_running_deployment_is_found_and_its_changes_are_no_drift(live: AwsSimulator) -> None:
    revision = live.client("ecs").describe_task_definition(taskDefinition="staging-orders")["taskDefinition"]
    document: Any = render_task_definition(ORDERS, STAGING, image=revision["containerDefinitions"][0]["image"])
    arn = live.client("ecs").register_task_definition(**document)["taskDefinition"]["taskDefinitionArn"]
    begin(live, arn)
    live.client("application-autoscaling").register_scalable_target(
        **SCALED,
        ResourceId="service/platform-staging/staging-orders",
        SuspendedState={"DynamicScalingInSuspended": True},
    )
    state = observe_service(ORDERS, STAGING, gateways(live))
    assert state.running_deployment is not None
    assert [drift.what for drift in drift_of(state)] == []


def begin(live: AwsSimulator, revision: str) -> None:
    appspec = render_appspec(load_appspec_template(FIXTURES), appspec_of(ORDERS, STAGING), revision)
    live.client("codedeploy").create_deployment(**deployment_request(appspec, ORDERS, STAGING, "by hand"))


def bounds_in_the_console(live: AwsSimulator) -> None:
    live.client("application-autoscaling").register_scalable_target(
        **SCALED, ResourceId="service/platform-staging/staging-orders", MaxCapacity=20
    )


def suspended_in_the_console(live: AwsSimulator) -> None:
    live.client("application-autoscaling").register_scalable_target(
        **SCALED,
        ResourceId="service/platform-staging/staging-orders",
        SuspendedState={"DynamicScalingOutSuspended": True},
    )


def weights_in_the_console(live: AwsSimulator) -> None:
    state = observe_service(ORDERS, STAGING, gateways(live))
    assert state.production_rule is not None
    groups = [{"TargetGroupArn": group.arn, "Weight": 50} for group in state.target_groups]
    live.client("elbv2").modify_rule(
        RuleArn=state.production_rule.arn,
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
    )


def alarm_deleted_in_the_console(live: AwsSimulator) -> None:
    live.client("cloudwatch").delete_alarms(AlarmNames=["staging-orders-error-rate"])


@pytest.mark.parametrize(
    ("done", "found"),
    [
        (bounds_in_the_console, "scaling.max_tasks"),
        (suspended_in_the_console, "suspended scaling"),
        (weights_in_the_console, "weights of the production rule"),
        (alarm_deleted_in_the_console, "alarm staging-orders-error-rate is missing"),
    ],
)
def test_changes_in_the_console_are_drift(live: AwsSimulator, done: Callable[[AwsSimulator], None], found: str) -> None:
    done(live)
    assert [drift.what for drift in drift_of(observe_service(ORDERS, STAGING, gateways(live)))] == [found]
    result = run(live, "orders")
    assert result.exit_code == 2
    assert f"! {found}" in result.stdout


def scaled(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, scaling=replace(spec.scaling, min_tasks=2, max_tasks=9, target_cpu_percent=None))


def without_queue(spec: ServiceSpec) -> ServiceSpec:
    alarms = tuple(alarm for alarm in spec.alarms if alarm.queue is None)
    return replace(spec, queues=(), worker=None, alarms=alarms)


def elsewhere(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, path="/purchases")


def without_rollback_alarms(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, alarms=tuple(replace(alarm, roll_back=False) for alarm in spec.alarms))


def shifted_linearly(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, traffic_shift=replace(spec.traffic_shift, type="linear", percent=30, interval_minutes=2))


@pytest.mark.parametrize("edited", [scaled, without_queue, elsewhere, without_rollback_alarms, shifted_linearly])
def test_the_updates_of_a_plan_apply_it_and_leave_no_drift(
    live: AwsSimulator, edited: Callable[[ServiceSpec], ServiceSpec]
) -> None:
    wanted = edited(ORDERS)
    before = observe_service(wanted, STAGING, gateways(live))
    plan = plan_service(wanted, STAGING, before)
    assert plan.stack.action == "update"
    for update in plan.stack.updates:
        give_template(live, json.dumps(update.template), update.parameters)
    after = observe_service(wanted, STAGING, gateways(live))
    again = plan_service(wanted, STAGING, after)
    assert (again.stack.action, again.scaling, again.drift) == ("unchanged", (), ())
    assert live_of(after).target_group == live_of(before).target_group == "green"


def give_template(live: AwsSimulator, text: str, parameters: Sequence[Mapping[str, object]] = ()) -> None:
    live.client("cloudformation").update_stack(
        StackName="platform-staging-orders",
        TemplateBody=text,
        Parameters=list(parameters),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    live.clock.sleep(600)


def test_a_template_may_be_the_yaml_that_render_prints(live: AwsSimulator) -> None:
    alarms = tuple(replace(alarm, minutes=alarm.minutes + 1) for alarm in ORDERS.alarms)
    template = render_service_stack(replace(ORDERS, alarms=alarms), STAGING)
    give_template(live, to_yaml(template))
    assert observe_service(ORDERS, STAGING, gateways(live)).template == template


def test_a_template_with_short_forms_is_refused_by_name(live: AwsSimulator) -> None:
    alarms = tuple(replace(alarm, minutes=alarm.minutes + 1) for alarm in ORDERS.alarms)
    template = to_yaml(render_service_stack(replace(ORDERS, alarms=alarms), STAGING))
    give_template(live, template.replace("- Ref: AlarmTopicArn", "- !Ref AlarmTopicArn"))
    with pytest.raises(UnreadableTemplate, match="platform-staging-orders"):
        observe_service(ORDERS, STAGING, gateways(live))


def test_the_command_talks_on_stderr_and_ends_with_nothing_to_do(simulator: AwsSimulator) -> None:
    result = run(simulator)
    assert result.exit_code == 0
    assert result.stdout.endswith("3 services: 0 with something to do, 3 up to date\n")
    assert result.stderr == "reading 3 services of staging on AWS\n"


def test_the_command_plans_an_image_by_its_tag(live: AwsSimulator) -> None:
    uri = live.service(Ecr).push("orders", "1.5.0")
    result = run(live, "orders", "--image", "1.5.0", "--json")
    assert result.exit_code == 2
    (service,) = json.loads(result.stdout)["services"]
    assert {revision["image"] for revision in service["revisions"]} == {uri}
    assert service["next"] == ["platform deploy orders --env staging --image 1.5.0"]
    assert service["cost"]["usd_per_month"] == "0.00"


def test_the_role_that_releases_a_service_may_plan_it(live: AwsSimulator) -> None:
    live.calls.clear()
    assert run(live, "orders", "--image", "1.4.2").exit_code == 0
    documents = live.service(Iam).documents("staging-orders-release")
    asked = {(call.action, resource) for call in live.calls for resource in call.resources}
    context = {"ecs:cluster": "arn:aws:ecs:us-east-1:444455556666:cluster/platform-staging"}
    assert [about for about in sorted(asked) if not is_allowed(documents, *about, context).allowed] == []
    assert len({action for action, _ in asked}) == 16


def test_a_tag_that_is_not_in_the_registry_is_an_error(simulator: AwsSimulator) -> None:
    result = run(simulator, "orders", "--image", "9.9.9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no image orders:9.9.9" in result.stderr
    assert "platform build orders --env staging --push" in result.stderr


def test_markdown_of_a_first_release(created: AwsSimulator) -> None:
    result = run(created, "orders", "--markdown")
    assert result.exit_code == 2
    assert result.stdout.startswith("### orders in staging: the first release\n")


def test_shared_stacks_are_as_the_repository_has_them_and_a_missing_one_is_created(simulator: AwsSimulator) -> None:
    result = run(simulator, "--shared")
    count = len(load_shared_stacks(FIXTURES, STAGING, SERVICES))
    assert (result.exit_code, result.stdout) == (0, f"shared stacks of staging: 0 of {count} to create or update\n")
    nothing = run(empty_simulator(), "--shared", "--json")
    assert nothing.exit_code == 2
    assert {stack["action"] for stack in json.loads(nothing.stdout)["shared"]["stacks"]} == {"create"}


def test_a_service_that_cannot_be_planned_or_is_gone_does_not_silence_the_others(live: AwsSimulator) -> None:
    template: Any = render_service_stack(ORDERS, STAGING)
    template["Resources"]["Service"]["Properties"]["EnableExecuteCommand"] = True
    stack = live.service(CloudFormation).find("platform-staging-orders")
    stack.definition = replace(stack.definition, template=parse(json.dumps(template)))
    result = run(live, "orders", "users", "returns")
    assert result.exit_code == 1
    assert result.stdout.startswith("users in staging: a stack to create")
    assert "returns: no plan\n    error: there is no service `returns`\n" in result.stdout
    assert "orders: no plan\n    error: the update would change Service\n    because: ECS refuses" in result.stdout
    found = json.loads(run(live, "--json").stdout)
    assert [each["service"] for each in found["services"]] == ["inventory", "users"]
    assert (found["exit_code"], found["outcome"]) == (1, "error")
    assert [(each["service"], each["kind"]) for each in found["errors"]] == [("orders", "FrozenService")]
    assert "### orders: no plan\n\n> [!WARNING]\n> the update would" in run(live, "--markdown").stdout


@pytest.mark.parametrize(
    "arguments", [("--shared", "orders"), ("--shared", "--image", "1"), ("--image", "1"), ("--image", "1", "a", "b")]
)
def test_contradicting_options_are_refused_before_any_call(arguments: tuple[str, ...]) -> None:
    simulator = empty_simulator()
    assert run(simulator, *arguments).exit_code == 2
    assert simulator.calls == []


def test_an_unknown_service_and_a_call_that_is_denied_are_errors(live: AwsSimulator) -> None:
    assert run(live, "order").exit_code == 1
    live.fail("codedeploy", "GetDeploymentGroup", how="denied", times=9)
    result = run(live, "orders")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "codedeploy:GetDeploymentGroup" in result.stderr
