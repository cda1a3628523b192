"""What a change of each property of a service's stack does to the version that runs: decision 0024. Pure.

`EFFECTS` sorts every property. `template_to_apply` holds back what would be an outage if it were made at once, and
`version_moves` says so in a plan. docs/stack-properties.md is the table as a page; a test keeps the two equal.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.decisions import ResourcePlan, VersionMove
from platform_sdk.deploy.plan.stack import is_placeholder, live_colour
from platform_sdk.deploy.render.ecs_services import LISTENERS
from platform_sdk.deploy.render.names import COLOURS, health_check_path, target_group, target_group_name
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import checked_path, served_path
from platform_sdk.deploy.state import ServiceState, TaskDefinition

Json = dict[str, Any]
Effect = Literal["safe", "version", "replaces"]
"""Safe at any time; moves with the version; replaces or deletes something."""

API: Final = "AWS::ECS::Service of the API"
WORKER: Final = "AWS::ECS::Service of the worker"
KINDS: Final[Mapping[str, str]] = {"Service": API, "WorkerService": WORKER}
"""By logical name: resources of one type to which the same change does different things."""

NAMED: Final = "another name is another resource: CloudFormation creates it and deletes the one in use"
FROZEN: Final = "refused: ECS updates no service that CodeDeploy deploys, so it would need another name"
PLACEHOLDER: Final = "refused: a new revision of the placeholder would change the service of the API"
RULES: Final = "at the next evaluation; no deployment runs while it is applied"
CHECKED: Final = "the running tasks are judged by it at once: all become unhealthy if they cannot pass"
NEXT_CHECKS: Final = "the same check, at another pace"
BOUNDS: Final = "at once; scaling starts or stops tasks within the new bounds"

EFFECTS: Final[Mapping[str, Mapping[str, tuple[Effect, str]]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": {
        "MaxCapacity": ("safe", BOUNDS),
        "MinCapacity": ("safe", BOUNDS),
        "ResourceId": ("replaces", "the target of another service; it follows from the service's name"),
        "ScalableDimension": ("replaces", "a new scalable target"),
        "ScheduledActions": ("safe", BOUNDS),
        "ServiceNamespace": ("replaces", "a new scalable target"),
    },
    "AWS::ApplicationAutoScaling::ScalingPolicy": {
        "PolicyName": ("replaces", "a new policy beside the current one, which is then deleted: no task stops"),
        "PolicyType": ("safe", "at the next evaluation"),
        "ScalingTargetId": ("replaces", "it follows from the scalable target"),
        "TargetTrackingScalingPolicyConfiguration": ("safe", "at the next evaluation"),
    },
    "AWS::CloudWatch::Alarm": {
        "AlarmActions": ("safe", "at the next change of its state"),
        "AlarmDescription": ("safe", "text only"),
        "AlarmName": ("replaces", "a new alarm without a history, then the deployment group names it"),
        "ComparisonOperator": ("safe", RULES),
        "DatapointsToAlarm": ("safe", RULES),
        "Dimensions": ("safe", RULES),
        "EvaluationPeriods": ("safe", RULES),
        "MetricName": ("safe", RULES),
        "Metrics": ("safe", RULES),
        "Namespace": ("safe", RULES),
        "OKActions": ("safe", "at the next change of its state"),
        "Period": ("safe", RULES),
        "Statistic": ("safe", RULES),
        "Threshold": ("safe", RULES),
        "TreatMissingData": ("safe", RULES),
    },
    "AWS::CloudWatch::Dashboard": {
        "DashboardBody": ("safe", "text only"),
        "DashboardName": ("replaces", "a new dashboard"),
    },
    "AWS::CodeDeploy::Application": {
        "ApplicationName": ("replaces", "the history of deployments starts again, and no rollback finds its target"),
        "ComputePlatform": ("replaces", "the history of deployments starts again"),
    },
    "AWS::CodeDeploy::DeploymentConfig": {
        "ComputePlatform": ("replaces", "a new configuration beside the current one: no deployment notices"),
        "DeploymentConfigName": ("replaces", "a new configuration beside the current one: no deployment notices"),
        "TrafficRoutingConfig": ("replaces", "a new configuration beside the current one: no deployment notices"),
    },
    "AWS::CodeDeploy::DeploymentGroup": {
        "AlarmConfiguration": ("safe", "the next deployment"),
        "ApplicationName": ("replaces", "the history of deployments starts again"),
        "AutoRollbackConfiguration": ("safe", "the next deployment"),
        "BlueGreenDeploymentConfiguration": ("safe", "the next deployment"),
        "DeploymentConfigName": ("safe", "the next deployment"),
        "DeploymentGroupName": ("replaces", "the history of deployments starts again"),
        "DeploymentStyle": ("safe", "the next deployment"),
        "ECSServices": ("safe", "the next deployment; it follows from the service's name"),
        "LoadBalancerInfo": ("safe", "the next deployment; it follows from the target groups and listeners"),
        "ServiceRoleArn": ("safe", "the next deployment"),
    },
    API: {
        "Cluster": ("replaces", FROZEN),
        "DeploymentController": ("replaces", FROZEN),
        "EnableECSManagedTags": ("replaces", FROZEN),
        "HealthCheckGracePeriodSeconds": ("replaces", f"{FROZEN}; `apply` and releases set it past the stack"),
        "LaunchType": ("replaces", FROZEN),
        "LoadBalancers": ("replaces", FROZEN),
        "NetworkConfiguration": ("replaces", FROZEN),
        "PlatformVersion": ("replaces", f"{FROZEN}; a release brings its own"),
        "PropagateTags": ("replaces", FROZEN),
        "ServiceName": ("replaces", FROZEN),
        "Tags": ("replaces", FROZEN),
        "TaskDefinition": ("replaces", f"{FROZEN}; a release brings its own"),
    },
    WORKER: {
        "Cluster": ("replaces", NAMED),
        "DeploymentConfiguration": ("safe", "the next rolling update"),
        "DeploymentController": ("safe", "the next rolling update; it is always ECS"),
        "EnableECSManagedTags": ("safe", "the next tasks"),
        "LaunchType": ("replaces", NAMED),
        "NetworkConfiguration": ("safe", "ECS replaces the tasks in turn, with the revision that runs"),
        "PlatformVersion": ("safe", "ECS replaces the tasks in turn, with the revision that runs"),
        "PropagateTags": ("safe", "the next tasks"),
        "ServiceName": ("replaces", NAMED),
        "Tags": ("safe", "text only"),
        "TaskDefinition": ("version", "a parameter with the live revision: only a release changes it (decision 0014)"),
    },
    "AWS::ECS::TaskDefinition": dict.fromkeys(
        ("ContainerDefinitions", "Cpu", "ExecutionRoleArn", "Family", "Memory", "NetworkMode",
         "RequiresCompatibilities"),
        ("replaces", PLACEHOLDER),
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": {
        "Actions": ("version", "the weights are a parameter with the live target group: only releases move them"),
        "Conditions": ("version", "at once: users of a path that the running version does not serve get 404. Both "
                       "paths are routed until a version that serves the new one has all traffic"),
        "ListenerArn": ("replaces", "a new rule with the weights of the stack; it follows from the edge stack"),
        "Priority": ("safe", "at once, in one step; refused if another rule has it"),
    },
    "AWS::ElasticLoadBalancingV2::TargetGroup": {
        "HealthCheckIntervalSeconds": ("safe", NEXT_CHECKS),
        "HealthCheckPath": ("version", f"{CHECKED}. A release sets it on the target group of its replacement tasks"),
        "HealthCheckPort": ("version", CHECKED),
        "HealthCheckProtocol": ("version", CHECKED),
        "HealthCheckTimeoutSeconds": ("safe", f"{NEXT_CHECKS}; a task that answers more slowly becomes unhealthy"),
        "HealthyThresholdCount": ("safe", NEXT_CHECKS),
        "Matcher": ("version", CHECKED),
        "Name": ("replaces", "an empty target group; the service of the API stays in the current one"),
        "Port": ("replaces", "refused: the new target group would have the name of the current one"),
        "Protocol": ("replaces", "refused: the new target group would have the name of the current one"),
        "TargetGroupAttributes": ("safe", "the next task that is deregistered"),
        "TargetType": ("replaces", "refused: the new target group would have the name of the current one"),
        "UnhealthyThresholdCount": ("safe", NEXT_CHECKS),
        "VpcId": ("replaces", "refused: the new target group would have the name of the current one"),
    },
    "AWS::IAM::Policy": {
        "PolicyDocument": ("version", "at once: what is taken away fails in the running tasks, and without their "
                           "secrets no more of them start. It is kept until another version has all traffic"),
        "PolicyName": ("safe", "the policy is written under the new name, then the current one is deleted"),
        "Roles": ("safe", "it follows from the roles"),
    },
    "AWS::IAM::Role": {
        "AssumeRolePolicyDocument": ("safe", "tasks that run keep their credentials until they renew them"),
        "RoleName": ("replaces", "a new role; it follows from the service's name"),
    },
    "AWS::Logs::LogGroup": {
        "LogGroupName": ("replaces", "an empty log group; the current one stays on AWS"),
        "RetentionInDays": ("replaces", "a lower value deletes older lines; a higher one deletes nothing"),
    },
    "AWS::SQS::Queue": {
        "DelaySeconds": ("safe", "messages that are sent from then on"),
        "MessageRetentionPeriod": ("replaces", "a lower value deletes older messages; a higher one deletes nothing"),
        "QueueName": ("replaces", "an empty queue; the current one stays on AWS with its messages"),
        "ReceiveMessageWaitTimeSeconds": ("safe", "the next receive"),
        "RedriveAllowPolicy": ("safe", "at once"),
        "RedrivePolicy": ("safe", "the next receive; a lower count moves messages sooner to the dead letters"),
        "SqsManagedSseEnabled": ("safe", "messages that are sent from then on"),
        "VisibilityTimeout": ("safe", "the next receive; the running worker extends it while it handles a message"),
    },
    "AWS::SQS::QueuePolicy": {
        "PolicyDocument": ("safe", "at once: it denies access without TLS, and grants nothing"),
        "Queues": ("safe", "it follows from the queue"),
    },
    "AWS::Scheduler::Schedule": {
        "FlexibleTimeWindow": ("safe", "the next run"),
        "Name": ("replaces", "a new schedule; a run may be lost between the two"),
        "ScheduleExpression": ("safe", "the next run"),
        "ScheduleExpressionTimezone": ("safe", "the next run"),
        "Target": ("safe", "the next run, with the newest revision, which the last release registered"),
    },
}  # fmt: skip
"""By kind of resource and property: its effect, and what happens when it changes.

Sources: "Update requires" of each property (docs.aws.amazon.com/AWSCloudFormation), "Health checks for Application Load
Balancer target groups" (docs.aws.amazon.com/elasticloadbalancing), and SetQueueAttributes on retention.
"""

SEQUENCED: Final = frozenset({
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckPath"),
    ("AWS::ElasticLoadBalancingV2::ListenerRule", "Conditions"),
    ("AWS::ElasticLoadBalancingV2::ListenerRule", "Actions"),
    ("AWS::IAM::Policy", "PolicyDocument"),
    (WORKER, "TaskDefinition"),
})  # fmt: skip
"""What moves with the version and is made in steps. Everything else that does is refused by `apply`."""


def kind_of(logical_id: str, type_: str) -> str:
    """Return the plan's word for a resource of the service's stack, or its CloudFormation type."""
    return KINDS.get(logical_id, type_)


# What the running version needs.


def released(revision: TaskDefinition | None) -> TaskDefinition | None:
    """Return None for the placeholder of a new service: it is no version."""
    return None if revision is None or is_placeholder(revision.family) else revision


def _running_path(spec: ServiceSpec, state: ServiceState) -> str | None:
    """Return the path of the running version, if platform.toml names another."""
    live = released(state.api_revision)
    path = served_path(live.document) if live is not None else None
    return path if path != spec.path else None


def template_to_apply(spec: ServiceSpec, environment: Environment, state: ServiceState) -> dict[str, object]:
    """Return the rendered template, with what the running version needs beside it.

    Raises:
        StackTooLarge
    """
    rendered: Json = render_service_stack(spec, environment, also_routed=_running_path(spec, state))
    live = released(state.api_revision)
    if live is not None and state.template is not None:
        for name in KEPT_POLICIES:
            _keep_statements(rendered["Resources"][name], state.template, name, live.revision)
    return rendered


# Permissions. A statement that is kept for a revision says so in its Sid; it goes when another revision runs.

KEPT_POLICIES: Final = ("ExecutionPolicy", "TaskPolicy")
KEPT_FOR: Final = re.compile(r"KeptForRevision(\d+)Statement\d+")


def _keep_statements(policy: Json, deployed: Any, name: str, revision: int) -> None:
    """Add the statements that the running revision may need and that platform.toml no longer asks for."""
    document = policy["Properties"]["PolicyDocument"]
    wanted = list(document["Statement"])
    found = deployed["Resources"].get(name, {}).get("Properties", {}).get("PolicyDocument", {}).get("Statement", [])
    kept = [each for each in found if not any(_covers(one, each) for one in wanted) and _is_needed(each, revision)]
    document["Statement"] = wanted + [
        {"Sid": f"KeptForRevision{revision}Statement{number}"} | _without_sid(each) for number, each in enumerate(kept)
    ]


def _is_needed(statement: Json, revision: int) -> bool:
    kept = KEPT_FOR.fullmatch(str(statement.get("Sid", "")))
    return kept is None or int(kept[1]) == revision


def _without_sid(statement: Json) -> Json:
    return {key: value for key, value in statement.items() if key != "Sid"}


def _covers(wanted: Json, statement: Json) -> bool:
    """Return whether a statement allows everything that another one does, under the same condition."""
    same = all(wanted.get(key) == statement.get(key) for key in ("Effect", "Condition"))
    return same and all(
        all(each in wanted[key] for each in statement[key]) or "*" in wanted[key] for key in ("Action", "Resource")
    )


def _kept_statements(template: Any) -> list[Json]:
    policies = (template["Resources"].get(name, {}) for name in KEPT_POLICIES)
    statements = [each for policy in policies for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    return [each for each in statements if KEPT_FOR.fullmatch(str(each.get("Sid", "")))]


def is_stale(name: str, rendered: Any, deployed: Any) -> bool:
    """Return whether a deployed resource differs only in what the version before needed, which `apply` removes."""
    if rendered is None or deployed is None or rendered["Type"] != deployed["Type"]:
        return False
    after, before = rendered["Properties"], deployed["Properties"]
    if name in LISTENERS:
        more = _patterns(after) < _patterns(before)
        return more and {**before, "Conditions": None} == {**after, "Conditions": None}
    if name in KEPT_POLICIES:
        found = [each for each in before["PolicyDocument"]["Statement"] if not KEPT_FOR.fullmatch(each.get("Sid", ""))]
        return bool(found == after["PolicyDocument"]["Statement"])
    return False


def _patterns(rule: Any) -> set[str]:
    return {value for each in rule["Conditions"] for value in each["PathPatternConfig"]["Values"]}


# What a plan says about it.


def version_moves(
    spec: ServiceSpec,
    environment: Environment,
    state: ServiceState,
    template: Json,
    resources: tuple[ResourcePlan, ...],
) -> Iterator[VersionMove]:
    """Yield the changes that would be an outage for the running version if they were made at once."""
    live = released(state.api_revision)
    if live is None:
        return
    running = _name_of(live)
    before = _running_path(spec, state)
    if before is not None:
        yield _path_move(before, spec.path, running)
    yield from _health_check_move(spec, environment, state, live)
    kept = _kept_statements(template)
    if kept:
        yield VersionMove(
            what=f"permissions of {running}",
            before=[_without_sid(each) for each in kept],
            after=None,
            outage=f"{running} may still use them",
            how="they are kept; the first `platform apply` after the next release removes them",
            ends_with_apply=True,
        )
    yield from _refused_moves(resources, running)


def _name_of(revision: TaskDefinition) -> str:
    return f"{revision.family}:{revision.revision}"


def _path_move(before: str, after: str, running: str) -> VersionMove:
    return VersionMove(
        what="service.path",
        before=before,
        after=after,
        outage=f"{running} does not serve {after}, and users of {before} would get 404",
        how=f"`platform apply` routes both paths, and the first one after the release removes {before}. Until then "
        f"requests to {before} also reach the replacement tasks: the new version has to answer both paths",
        ends_with_apply=True,
    )


def _health_check_move(
    spec: ServiceSpec, environment: Environment, state: ServiceState, live: TaskDefinition
) -> Iterator[VersionMove]:
    colour = live_colour(state.production_rule, state.target_groups)
    name = target_group_name(environment.name, spec.name, colour)
    found = next((group.health_path for group in state.target_groups if group.name == name), None)
    expected = checked_path(live.document)
    # Where both are of platform.toml, somebody changed the target group: that is drift.
    if found is not None and health_check_path(spec) not in (found, expected):
        yield VersionMove(
            what="path of the load balancer's health check",
            before=found,
            after=health_check_path(spec),
            outage=f"the load balancer would find all tasks of {_name_of(live)} unhealthy, and ECS would stop them",
            how="the release sets it on the target group of its replacement tasks; the running ones keep theirs",
        )


def _refused_moves(resources: tuple[ResourcePlan, ...], running: str) -> Iterator[VersionMove]:
    groups = {target_group(colour) for colour in COLOURS}
    for resource in resources:
        kind = kind_of(resource.logical_id, resource.type)
        for change in resource.changes if resource.action == "change" else ():
            name = re.split(r"\W", change.path, maxsplit=1)[0]
            if EFFECTS.get(kind, {}).get(name, ("safe", ""))[0] != "version" or (kind, name) in SEQUENCED:
                continue
            assert resource.logical_id in groups, "only target groups have such properties"
            yield VersionMove(
                what=f"{resource.logical_id} · {change.path}",
                before=change.before,
                after=change.after,
                outage=f"the load balancer would judge the tasks of {running} by it at once, and users would get 503 "
                "if they cannot pass",
                how="release a version that passes both checks first; then "
                f"`platform apply` with `--allow-outage {resource.logical_id}`",
                refused=resource.logical_id,
            )
