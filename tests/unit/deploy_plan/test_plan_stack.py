"""Plans of a service's stack and of each resource in it."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.decisions import Plan
from platform_sdk.deploy.plan.stack import CREATE_ONLY, live_of, planned
from platform_sdk.deploy.render.service_stack import FrozenService, render_service_stack
from tests.support.deployed_services import NOTHING, created, released
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SERVICES = {spec.name: spec for spec in load_services(FIXTURES, "production")}
ORDERS, USERS = SERVICES["orders"], SERVICES["users"]


def plan_of(wanted: ServiceSpec, deployed: ServiceSpec = ORDERS) -> Plan:
    return plan_service(wanted, PRODUCTION, released(deployed, PRODUCTION))


def actions(plan: Plan) -> Mapping[str, str]:
    return {resource.logical_id: resource.action for resource in plan.stack.resources}


def types_in_use() -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "platform.toml"
        file.write_text(reference(), encoding="utf-8")
        specs = [*SERVICES.values(), load_spec(file, "production")]
    templates: list[Any] = [render_service_stack(spec, PRODUCTION) for spec in specs]
    return {body["Type"] for template in templates for body in template["Resources"].values()}


def test_create_only_properties_are_those_of_the_schemas_of_every_type_that_is_rendered() -> None:
    assert set(CREATE_ONLY) == types_in_use()
    for kind, known in CREATE_ONLY.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        paths = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
        assert known == {path.removeprefix("/properties/").split("/")[0] for path in paths}, kind


def test_a_change_names_the_property_and_makes_one_update() -> None:
    alarms = tuple(
        replace(alarm, threshold=alarm.threshold + 1) if alarm.kind == "error_rate" else alarm
        for alarm in ORDERS.alarms
    )
    plan = plan_of(replace(ORDERS, alarms=alarms))
    (resource,) = plan.stack.resources
    assert (resource.action, resource.logical_id) == ("change", "ErrorRateAlarm")
    assert [change.path for change in resource.changes] == ["Threshold"]
    assert [update.why for update in plan.stack.updates] == ["change"]
    assert not plan.stack.is_synchronised_first


def test_a_removed_queue_is_kept_on_aws_and_its_policy_is_deleted() -> None:
    alarms = tuple(alarm for alarm in ORDERS.alarms if alarm.queue is None)
    found = actions(plan_of(replace(ORDERS, queues=(), alarms=alarms)))
    assert found["OrdersQueue"] == found["OrdersDeadLetterQueue"] == "keep"
    assert found["OrdersQueuePolicy"] == "remove"


def test_a_create_only_property_replaces_and_the_loss_of_data_is_reported() -> None:
    body = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "a", "DelaySeconds": 0}}
    resource = planned("Queue", body, {**body, "Properties": {"QueueName": "b", "DelaySeconds": 0}})
    assert (resource.action, resource.create_only, resource.is_stateful) == ("replace", ("QueueName",), True)


def test_another_type_under_the_same_name_is_a_replacement() -> None:
    before = {"Type": "AWS::SQS::Queue", "Properties": {}}
    resource = planned("Queue", before, {"Type": "AWS::SQS::QueuePolicy", "Properties": {}})
    assert (resource.action, resource.create_only) == ("replace", ("Type",))


def test_dropping_the_deletion_policy_is_a_change() -> None:
    body = {"Type": "AWS::SQS::Queue", "Properties": {}}
    resource = planned("Queue", {**body, "DeletionPolicy": "Retain"}, body)
    assert [(change.path, change.before) for change in resource.changes] == [("DeletionPolicy", "Retain")]


def test_another_shift_is_another_configuration_in_place_of_the_current() -> None:
    shift = TrafficShift(type="linear", percent=25, interval_minutes=2, bake_minutes=15)
    plan = plan_of(replace(USERS, traffic_shift=shift), USERS)
    assert actions(plan) == {"DeploymentConfiguration": "replace"}
    assert plan.traffic is None


def test_a_rule_is_changed_only_after_cloudformation_has_the_live_target_group() -> None:
    plan = plan_of(replace(ORDERS, path="/purchases"))
    synchronise, change = plan.stack.updates
    assert plan.stack.is_synchronised_first
    assert {"ParameterKey": "LiveTargetGroup", "ParameterValue": "green"} in synchronise.parameters
    assert {"ParameterKey": "LiveTargetGroup", "UsePreviousValue": True} in change.parameters


def test_live_is_the_group_with_the_traffic_and_the_released_revision() -> None:
    live = live_of(released(ORDERS, PRODUCTION))
    assert live.target_group == "green"
    assert live.worker_task_definition is not None
    assert live.worker_task_definition.endswith("production-orders-worker:6")
    assert live_of(created(ORDERS, PRODUCTION)).worker_task_definition is None
    assert live_of(NOTHING).target_group == "blue"


def test_a_port_changes_with_a_release_and_not_with_the_stack() -> None:
    plan = plan_of(replace(ORDERS, port=3001))
    assert plan.stack.action == "unchanged"
    assert "api · app · environment.PORT" in [change.path for change in plan.api.changes]


def test_parameters_that_are_looked_up_elsewhere_are_shown() -> None:
    state = released(ORDERS, PRODUCTION)
    template: Any = state.template
    template["Parameters"]["VpcId"]["Default"] = "/platform/other/network/vpc-id"
    plan = plan_service(ORDERS, PRODUCTION, state)
    assert plan.stack.action == "update"
    assert [change.path for change in plan.stack.others] == ["Parameters · VpcId.Default"]


def test_a_change_of_the_ecs_service_is_refused() -> None:
    state = released(ORDERS, PRODUCTION)
    template: Any = state.template
    template["Resources"]["Service"]["Properties"]["PlatformVersion"] = "1.3.0"
    with pytest.raises(FrozenService):
        plan_service(ORDERS, PRODUCTION, state)
