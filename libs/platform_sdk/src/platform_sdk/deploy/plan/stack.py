"""The plan of a service's stack: which resources change, how, and with which updates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.decisions import ResourcePlan, ScalingChange, StackAction, StackPlan
from platform_sdk.deploy.plan.diff import Change, canonical_template, diff
from platform_sdk.deploy.render.names import COLOURS, Colour, Role, stack_name
from platform_sdk.deploy.render.service_stack import Live, StackUpdate, stack_updates
from platform_sdk.deploy.state import EcsService, ListenerRule, ServiceState, TargetGroup
from platform_sdk.deploy.state.stacks import FAILED

Json = dict[str, object]

CREATE_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": frozenset({"ResourceId", "ScalableDimension", "ServiceNamespace"}),
    "AWS::ApplicationAutoScaling::ScalingPolicy": frozenset(
        {"PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"}
    ),
    "AWS::CloudWatch::Alarm": frozenset({"AlarmName"}),
    "AWS::CloudWatch::Dashboard": frozenset({"DashboardName"}),
    "AWS::CodeDeploy::Application": frozenset({"ApplicationName", "ComputePlatform"}),
    "AWS::CodeDeploy::DeploymentConfig": frozenset(
        {"ComputePlatform", "DeploymentConfigName", "MinimumHealthyHosts", "TrafficRoutingConfig", "ZonalConfig"}
    ),
    "AWS::CodeDeploy::DeploymentGroup": frozenset({"ApplicationName", "DeploymentGroupName"}),
    "AWS::ECS::Service": frozenset({"Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName"}),
    "AWS::ECS::TaskDefinition": frozenset(
        {
            "ContainerDefinitions",
            "Cpu",
            "EnableFaultInjection",
            "EphemeralStorage",
            "ExecutionRoleArn",
            "Family",
            "InferenceAccelerators",
            "IpcMode",
            "Memory",
            "NetworkMode",
            "PidMode",
            "PlacementConstraints",
            "ProxyConfiguration",
            "RequiresCompatibilities",
            "RuntimePlatform",
            "TaskRoleArn",
            "Volumes",
        }
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": frozenset({"ListenerArn"}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": frozenset(
        {"IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"}
    ),
    "AWS::IAM::Policy": frozenset(),
    "AWS::IAM::Role": frozenset({"Path", "RoleName"}),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName"}),
    "AWS::SQS::Queue": frozenset({"FifoQueue", "QueueName"}),
    "AWS::SQS::QueuePolicy": frozenset(),
    "AWS::Scheduler::Schedule": frozenset({"Name"}),
}
"""By type: the properties whose change replaces the resource (docs.aws.amazon.com/AWSCloudFormation, "Update requires:
Replacement"), for the types in a service's stack."""

STATEFUL: Final = frozenset({"AWS::Logs::LogGroup", "AWS::SQS::Queue"})
"""Types that hold data: messages and logs."""

KEPT: Final = frozenset({"Retain", "RetainExceptOnCreate"})


def plan_stack(spec: ServiceSpec, environment: Environment, state: ServiceState, rendered: Json) -> StackPlan:
    """Return what the update of a stack changes.

    Raises:
        FrozenService: the ECS service under CodeDeploy would change, which ECS refuses.
    """
    before = canonical_template(state.template) if state.template is not None else canonical_template({"Resources": {}})
    after = canonical_template(rendered)
    resources = tuple(_planned_resources(before["Resources"], after["Resources"]))
    others = tuple(other_changes(before, after)) if state.template is not None else ()
    changed = bool(resources or others)
    return StackPlan(
        name=stack_name(spec, environment),
        action=_action_of(state, changed),
        status=state.stack.status if state.stack is not None else None,
        resources=resources,
        others=others,
        updates=tuple(updates_of(state, rendered, changed)),
    )


def _action_of(state: ServiceState, changed: bool) -> StackAction:
    if state.template is None:
        return "create"
    is_stuck = state.stack is not None and state.stack.is_stuck
    return "update" if changed else "repair" if is_stuck else "unchanged"


def updates_of(state: ServiceState, rendered: Json, changed: bool) -> Iterator[StackUpdate]:
    """Yield the updates to send. A new stack uses the defaults of its parameters.

    A stack without changes is only synchronised, and only if its last update failed.
    """
    if state.template is None:
        yield StackUpdate(why="change", template=rendered, parameters=())
        return
    has_failed = state.stack is not None and state.stack.status == FAILED
    if changed or has_failed:
        updates = stack_updates(state.template, rendered, live_of(state), has_failed=has_failed)
        yield from (update for update in updates if changed or update.why == "synchronise")


def live_of(state: ServiceState) -> Live:
    """Return what releases changed: the target group with the traffic, and the worker's revision.

    Before its first release the worker runs the placeholder, which the template names.
    """
    worker = state.worker_revision
    released = worker is not None and not is_placeholder(worker.family)
    return Live(
        target_group=live_colour(state.production_rule, state.target_groups),
        worker_task_definition=worker.arn if worker is not None and released else None,
        health_check_paths={
            colour: group.health_path
            for colour in COLOURS
            for group in state.target_groups
            if group.name.endswith(f"-{colour}")
        },
    )


def is_placeholder(family: str) -> bool:
    """Return whether the family is of the task definition that serves until the first release."""
    return family.endswith("-placeholder")


def live_colour(rule: ListenerRule | None, groups: tuple[TargetGroup, ...]) -> Colour:
    """Return the colour of the live target group: blue until traffic first shifts."""
    live = rule.live_target_group if rule is not None else None
    name = next((group.name for group in groups if group.arn == live), "")
    return "green" if name.endswith("-green") else "blue"


def _planned_resources(before: Any, after: Any) -> Iterator[ResourcePlan]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield planned(name, before.get(name), after.get(name))


def planned(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> ResourcePlan:
    """Return what CloudFormation would do with one resource. None is a side that does not have it."""
    if after is None:
        assert before is not None, "a resource that differs is on one side at least"
        return _resource_plan("keep" if before.get("DeletionPolicy") in KEPT else "remove", name, before)
    if before is None:
        return _resource_plan("add", name, after)
    changed = diff(before["Properties"], after["Properties"])
    names = frozenset(
        key
        for key in {*before["Properties"], *after["Properties"]}
        if before["Properties"].get(key) != after["Properties"].get(key)
    )
    replacing = names & CREATE_ONLY.get(after["Type"], frozenset())
    create_only = ("Type",) if before["Type"] != after["Type"] else tuple(sorted(replacing))
    around = diff(_without_properties(before), _without_properties(after))
    return _resource_plan("replace" if create_only else "change", name, after, (*changed, *around), create_only)


def _without_properties(body: Mapping[str, Any]) -> Json:
    return {key: value for key, value in body.items() if key != "Properties"}


def _resource_plan(
    action: Any, name: str, body: Mapping[str, Any], changes: tuple[Change, ...] = (), create_only: tuple[str, ...] = ()
) -> ResourcePlan:
    return ResourcePlan(
        action=action,
        logical_id=name,
        type=body["Type"],
        changes=changes,
        create_only=create_only,
        is_stateful=body["Type"] in STATEFUL,
    )


def other_changes(before: Json, after: Json) -> Iterator[Change]:
    """Yield changed parameters and conditions. A new or removed one matters only to resources, which are listed."""
    for part in ("Parameters", "Conditions"):
        yield from (change for change in diff(before[part], after[part], part) if change.kind == "change")


# Changes of scaling, with the keys of platform.toml instead of the properties of the stack.

TARGETS: Final[Mapping[Role, Mapping[str, str]]] = {
    "api": {
        "ScalingByCpu": "target_cpu_percent",
        "ScalingByMemory": "target_memory_percent",
        "ScalingByRequests": "target_requests_per_task",
    },
    "worker": {"WorkerScalingByBacklog": "backlog_per_task"},
}
"""By scaling policy: the key of platform.toml with its target."""
SCALABLE: Final[Mapping[Role, tuple[str, str]]] = {
    "api": ("ScalableTarget", "scaling"),
    "worker": ("WorkerScalableTarget", "worker"),
}
"""The scalable target and the table of platform.toml."""


def scaling_changes(deployed: Json | None, rendered: Json, state: ServiceState) -> Iterator[ScalingChange]:
    """Yield changes of scaling. Scaling that is added or removed as a whole is part of the stack only."""
    roles: tuple[tuple[Role, EcsService | None], ...] = (("api", state.api), ("worker", state.worker))
    for role, service in roles:
        before, after = scaling_of(deployed, role), scaling_of(rendered, role)
        if before and after and before != after:
            yield _scaling_change(role, before, after, service)


def _scaling_change(role: Role, before: Json, after: Json, service: EcsService | None) -> ScalingChange:
    _, table = SCALABLE[role]
    desired = service.desired if service is not None else None
    low, high = after["min_tasks"], after["max_tasks"]
    assert isinstance(low, int), "a count of tasks is a number"
    assert isinstance(high, int), "a count of tasks is a number"
    # With scheduled changes, the bounds of the next minute are not known.
    known = desired is not None and "scheduled" not in before and "scheduled" not in after
    return ScalingChange(
        role=role,
        changes=tuple(diff({table: before}, {table: after})),
        desired=desired,
        started=max(0, low - desired) if known and desired is not None else 0,
        stopped=max(0, desired - high) if known and desired is not None else 0,
    )


def scaling_of(template: Json | None, role: Role) -> Json:
    """Return the scaling of a template, by the keys of platform.toml. Empty if it does not scale the role."""
    resources: Any = template["Resources"] if template is not None else {}
    target, _ = SCALABLE[role]
    if target not in resources:
        return {}
    properties = resources[target]["Properties"]
    found: Json = {"min_tasks": properties["MinCapacity"], "max_tasks": properties["MaxCapacity"]}
    if properties.get("ScheduledActions"):
        found["scheduled"] = _scheduled_of(properties["ScheduledActions"])
    for policy, key in TARGETS[role].items():
        if policy in resources:
            tracked = resources[policy]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
            found[key] = tracked["TargetValue"]
            found["scale_out_cooldown_seconds"] = tracked["ScaleOutCooldown"]
            found["scale_in_cooldown_seconds"] = tracked["ScaleInCooldown"]
    return found


def _scheduled_of(actions: Any) -> Json:
    return {
        action["ScheduledActionName"]: {
            "schedule": action["Schedule"],
            "timezone": action.get("Timezone"),
            "min_tasks": action["ScalableTargetAction"]["MinCapacity"],
            "max_tasks": action["ScalableTargetAction"]["MaxCapacity"],
        }
        for action in actions
    }


# The deployed template, with names in place of references.


@dataclass(frozen=True, slots=True)
class Deployed:
    """A view of a service's deployed template."""

    template: Mapping[str, Any]

    def properties(self, name: str) -> Mapping[str, Any] | None:
        """Return the properties of a resource, by its logical name."""
        body = self.template["Resources"].get(name)
        found: Mapping[str, Any] | None = body["Properties"] if body is not None else None
        return found

    def of_type(self, kind: str) -> Iterator[Mapping[str, Any]]:
        return (body["Properties"] for body in self.template["Resources"].values() if body["Type"] == kind)

    def bounds(self, scalable_target: str) -> tuple[tuple[int, int], ...]:
        """Return the minimum and maximum of tasks: first those of the target, then those of each scheduled change."""
        found = self.properties(scalable_target)
        if found is None:
            return ()
        actions = [action["ScalableTargetAction"] for action in found.get("ScheduledActions", [])]
        return tuple((each["MinCapacity"], each["MaxCapacity"]) for each in (found, *actions))

    def alarm_names(self) -> tuple[str, ...]:
        return tuple(alarm["AlarmName"] for alarm in self.of_type("AWS::CloudWatch::Alarm"))

    def rollback_alarms(self) -> frozenset[str]:
        """Return the names of the alarms that roll back a deployment of CodeDeploy."""
        group = self.properties("DeploymentGroup") or {}
        watched = group.get("AlarmConfiguration", {}).get("Alarms", [])
        return frozenset(self.name_of(alarm["Name"], "AlarmName") for alarm in watched)

    def deployment_configuration(self) -> str:
        """Return the name of the deployment configuration; empty for CodeDeploy's default."""
        group = self.properties("DeploymentGroup") or {}
        return self.name_of(group.get("DeploymentConfigName", ""), "DeploymentConfigName")

    def rollback_events(self) -> frozenset[str]:
        """Return the events that make CodeDeploy roll back, such as DEPLOYMENT_FAILURE."""
        group = self.properties("DeploymentGroup") or {}
        return frozenset(group.get("AutoRollbackConfiguration", {}).get("Events", []))

    def bake_minutes(self) -> int:
        """Return the minutes for which the original tasks stay after all traffic has shifted."""
        group = self.properties("DeploymentGroup") or {}
        ended = group.get("BlueGreenDeploymentConfiguration", {}).get("TerminateBlueInstancesOnDeploymentSuccess", {})
        return int(ended.get("TerminationWaitTimeInMinutes", 0))

    def paths(self, rule: str) -> frozenset[str]:
        """Return the path patterns of a listener rule, by its logical name."""
        found = self.properties(rule) or {}
        conditions = found.get("Conditions", [])
        return frozenset(path for each in conditions for path in each.get("PathPatternConfig", {}).get("Values", []))

    def name_of(self, value: Any, property_: str) -> str:
        """Return a text, or the property of the resource to which a reference points."""
        match value:
            case {"Ref": name}:
                return str((self.properties(name) or {}).get(property_, ""))
        return str(value)
