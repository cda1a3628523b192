"""The CloudFormation template of one service in one environment. The shared stacks are in deploy/cloudformation.

Pure: the result is plain, and `aws cloudformation deploy` accepts it. The stack can be created before the service has
an image. It finds the shared stacks through Systems Manager parameters. An update leaves alone what releases change:
see `StackUpdate` below and decision 0014.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.contract import RECEIVE_WAIT_SECONDS, dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import Queue
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import alarms, dashboard
from platform_sdk.deploy.render.autoscaling import autoscaling, schedules
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, get, kept, policy, ref, resource
from platform_sdk.deploy.render.codedeploy import codedeploy
from platform_sdk.deploy.render.ecs_services import HAS_WORKER_REVISION, LIVE_IS_GREEN, ecs_services, load_balancing
from platform_sdk.deploy.render.names import (
    COLOURS,
    Colour,
    arn,
    health_check_parameter,
    health_check_path,
    log_group,
    logical,
    target_group,
)
from platform_sdk.deploy.render.roles import roles
from platform_sdk.deploy.shared import SharedParameter, shared_parameter
from platform_sdk.errors import PlatformError

MAX_RESOURCES: Final = 500
MAX_BYTES: Final = 1_000_000
SECONDS_PER_DAY: Final = 86_400

FOUND: Final[Mapping[str, tuple[str, str]]] = {
    "VpcId": ("AWS::EC2::VPC::Id", SharedParameter.VPC_ID),
    "PrivateSubnetIds": ("List<AWS::EC2::Subnet::Id>", SharedParameter.PRIVATE_SUBNET_IDS),
    "TaskSecurityGroupId": ("AWS::EC2::SecurityGroup::Id", SharedParameter.TASK_SECURITY_GROUP_ID),
    "ClusterName": ("String", SharedParameter.CLUSTER_NAME),
    "ClusterArn": ("String", SharedParameter.CLUSTER_ARN),
    "AlarmTopicArn": ("String", SharedParameter.ALARM_TOPIC_ARN),
    "LoadBalancerFullName": ("String", SharedParameter.LOAD_BALANCER_FULL_NAME),
    "ProductionListenerArn": ("String", SharedParameter.PRODUCTION_LISTENER_ARN),
    "TestListenerArn": ("String", SharedParameter.TEST_LISTENER_ARN),
}
"""Parameters that CloudFormation looks up: their type, and the SSM parameter that a shared stack writes."""


class StackTooLarge(PlatformError):
    """The template exceeds the limit of CloudFormation."""


def render_service_stack(spec: ServiceSpec, environment: Environment, *, also_routed: str | None = None) -> Json:
    """Return the template as a JSON object.

    Args:
        also_routed: another path that the listener rules forward, such as the one that the running version serves.

    Raises:
        StackTooLarge: above 500 resources (docs.aws.amazon.com/AWSCloudFormation, "quotas").
    """
    resources = _resources_of(spec, environment, also_routed)
    if len(resources) > MAX_RESOURCES:
        raise StackTooLarge(
            f"the stack of {spec.name} has {len(resources)} resources, and CloudFormation takes {MAX_RESOURCES}",
            hint="give some of its queues or scheduled tasks to another service",
        )
    conditions: Json = {LIVE_IS_GREEN: {"Fn::Equals": [{"Ref": "LiveTargetGroup"}, "green"]}}
    if spec.worker is not None:
        conditions[HAS_WORKER_REVISION] = {"Fn::Not": [{"Fn::Equals": [{"Ref": "WorkerTaskDefinition"}, ""]}]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{spec.name} in {environment.name}",
        "Parameters": {**found(spec, environment), **given(spec)},
        "Conditions": conditions,
        "Resources": resources,
    }


def _resources_of(spec: ServiceSpec, environment: Environment, also_routed: str | None) -> dict[str, Json]:
    return {
        **load_balancing(spec, environment, also_routed),
        **ecs_services(spec, environment),
        **codedeploy(spec, environment),
        **autoscaling(spec, environment),
        **dict(each for queue in spec.queues for each in _queue_resources(queue, environment)),
        **schedules(spec, environment),
        **alarms(spec, environment),
        **dashboard(spec, environment),
        **log_groups(spec, environment),
        **roles(spec, environment),
    }


def found(spec: ServiceSpec, environment: Environment) -> Json:
    """Give each parameter a default, so that the stack is created without parameters on the command line."""
    by_schedule = any(task.schedule is not None for task in spec.tasks)
    return {
        name: {"Type": f"AWS::SSM::Parameter::Value<{kind}>", "Default": shared_parameter(environment, place)}
        for name, (kind, place) in FOUND.items()
        if name != "ClusterArn" or by_schedule
    }


def given(spec: ServiceSpec) -> Json:
    """Return what a release changes, and what no stack update can change: an update keeps their values."""
    parameters: Json = {
        "LiveTargetGroup": {
            "Type": "String",
            "Description": "The target group with the production traffic, when the stack last wrote its listener rules",
            "AllowedValues": ["blue", "green"],
            "Default": "blue",
        },
        "ContainerPort": {
            "Type": "Number",
            "Description": "Of the placeholder with which the service is created; a release brings its own",
            "Default": spec.port,
        },
        "HealthCheckGracePeriodSeconds": {
            "Type": "Number",
            "Description": "When the service is created; a release brings its own",
            "Default": spec.health_check.grace_period_seconds,
        },
    }
    for colour in COLOURS:
        parameters[health_check_parameter(colour)] = {
            "Type": "String",
            "Description": f"The health check of the {colour} target group, when the stack last wrote it",
            "Default": health_check_path(spec),
        }
    if spec.worker is not None:
        parameters["WorkerTaskDefinition"] = {
            "Type": "String",
            "Description": "The worker's revision when the stack last wrote its service; empty before a release",
            "Default": "",
        }
    return parameters


# Queues: each one that the service owns, with its dead-letter queue.


def _queue_resources(queue: Queue, environment: Environment) -> Iterator[tuple[str, Json]]:
    name, dead = logical(queue.name, "queue"), logical(queue.name, "dead", "letter", "queue")
    yield name, _main_queue(queue, environment, dead)
    yield dead, _dead_letter_queue(queue, environment)
    for of in (name, dead):
        yield f"{of}Policy", only_by_tls(of)


def _main_queue(queue: Queue, environment: Environment, dead: str) -> Json:
    properties: Json = {
        "QueueName": queue_name(environment.name, queue.name),
        "VisibilityTimeout": queue.visibility_timeout_seconds,
        "DelaySeconds": queue.delay_seconds,
        "MessageRetentionPeriod": queue.retention_days * SECONDS_PER_DAY,
        "ReceiveMessageWaitTimeSeconds": RECEIVE_WAIT_SECONDS,
        "RedrivePolicy": {"deadLetterTargetArn": get(dead, "Arn"), "maxReceiveCount": queue.max_receive_count},
    }
    return _encrypted_queue(properties)


def _dead_letter_queue(queue: Queue, environment: Environment) -> Json:
    source = arn(environment, "sqs", queue_name(environment.name, queue.name))
    properties: Json = {
        "QueueName": dead_letter_queue_name(environment.name, queue.name),
        # A message keeps its age when it is moved.
        "MessageRetentionPeriod": queue.dead_letter_retention_days * SECONDS_PER_DAY,
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [source]},
    }
    return _encrypted_queue(properties)


def _encrypted_queue(properties: Json) -> Json:
    reason = "Encrypted with the key of SQS. A key of ours would have to be granted to every service that publishes."
    body = kept("AWS::SQS::Queue", {**properties, "SqsManagedSseEnabled": True})
    return {**body, "Metadata": checkov_skip("CKV_AWS_27", reason)}


def only_by_tls(queue: str) -> Json:
    """Deny access without TLS. The roles of the services say who may send and receive."""
    statement: Json = {
        "Sid": "OnlyByTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": get(queue, "Arn"),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return resource("AWS::SQS::QueuePolicy", {"Queues": [ref(queue)], "PolicyDocument": policy([statement])})


# Log groups: one for the app, one for the sidecars.


def log_groups(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the log groups of app and sidecars, which the stack keeps when it is deleted."""
    return {
        "AppLogs": _group(log_group(spec, environment), spec),
        "SidecarLogs": _group(log_group(spec, environment, "/sidecars"), spec),
    }


def _group(name: str, spec: ServiceSpec) -> Json:
    reason = "CloudWatch Logs encrypts every group; a key of ours would be one more thing that can stop logging."
    body = kept("AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": spec.log_retention_days})
    return {**body, "Metadata": checkov_skip("CKV_AWS_158", reason)}


# Update the stack of a service without undoing what releases changed: decision 0014.
#
# CloudFormation compares a template with the last template, not with the resources. If any part of a resource
# differs, it writes the whole resource. If an update fails, it writes the last template again. So a resource that a
# release changes is safe while its text stays the same. Before its text changes, a separate update records in
# CloudFormation what the release changed.

GIVEN: Final = (
    "LiveTargetGroup",
    "WorkerTaskDefinition",
    "ContainerPort",
    "HealthCheckGracePeriodSeconds",
    *map(health_check_parameter, COLOURS),
)

CHANGED_BY_RELEASES: Final[Mapping[str, str]] = {
    **{target_group(colour): health_check_parameter(colour) for colour in COLOURS},
    "ProductionRule": "LiveTargetGroup",
    "TestRule": "LiveTargetGroup",
    "WorkerService": "WorkerTaskDefinition",
}
"""By logical name: the parameter that holds what releases change in the resource."""

Why = Literal["synchronise", "change"]


class FrozenService(PlatformError):
    """The ECS service would change, which ECS refuses under CodeDeploy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What runs: the target group with production traffic, the ARN of the worker's revision if there is one, and the
    paths of the target groups' health checks.
    """

    target_group: Colour
    worker_task_definition: str | None
    health_check_paths: Mapping[Colour, str]

    def parameters(self) -> dict[str, str]:
        """Return the parameters that record in CloudFormation what a release has changed."""
        return {
            "LiveTargetGroup": self.target_group,
            "WorkerTaskDefinition": self.worker_task_definition or "",
            **{health_check_parameter(colour): path for colour, path in self.health_check_paths.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUpdate:
    """One call of UpdateStack, with its parameters."""

    why: Why
    template: Json
    parameters: tuple[Json, ...]

    @property
    def rolls_back(self) -> bool:
        """Whether a failed update rolls back. A synchronisation must not: the last template would undo a release."""
        return self.why == "change"


def stack_updates(deployed: Json, rendered: Json, live: Live, *, has_failed: bool = False) -> Iterator[StackUpdate]:
    """Yield the updates to send. Each must be complete before the next, and no release may run at the same time.

    Args:
        deployed: the template of the stack (GetTemplate), parsed.
        rendered: the new template.
        has_failed: the last update failed without a rollback. A later rollback would write the template before it.

    Raises:
        FrozenService: the ECS service under CodeDeploy would change.
    """
    _refuse_other_service(deployed, rendered)
    stale = {
        parameter
        for name, parameter in CHANGED_BY_RELEASES.items()
        # A template from before the parameter existed holds the value itself: see `_with_live_checks`.
        if parameter in _parameters_of(deployed)
        and (
            has_failed
            or (
                resource_of(deployed, name) not in (None, resource_of(rendered, name))
                and resource_of(rendered, name) is not None
            )
        )
    }
    values = live.parameters()
    recorded = _with_live_checks(deployed, live)
    if stale or recorded != deployed:
        known = {name: value for name, value in values.items() if name in stale}
        yield StackUpdate(why="synchronise", template=recorded, parameters=tuple(keeping(deployed, recorded, known)))
    added = {name: value for name, value in values.items() if name not in _parameters_of(deployed)}
    yield StackUpdate(why="change", template=rendered, parameters=tuple(keeping(deployed, rendered, added)))


def _with_live_checks(deployed: Json, live: Live) -> Json:
    """Return a template from before the health check was a parameter with the paths that releases have set."""
    resources = deployed["Resources"]
    assert isinstance(resources, dict), "a template has resources"
    changed = {}
    for colour, path in live.health_check_paths.items():
        body = resources.get(target_group(colour), {})
        properties = body.get("Properties", {})
        if isinstance(properties.get("HealthCheckPath"), str):
            changed[target_group(colour)] = {**body, "Properties": {**properties, "HealthCheckPath": path}}
    return {**deployed, "Resources": {**resources, **changed}}


def keeping(deployed: Json, template: Json, known: Mapping[str, str]) -> Iterator[Json]:
    """Yield parameters that keep their value, or get a known one. Any other new parameter gets its default."""
    for name in GIVEN:
        if name not in _parameters_of(template):
            continue
        if name in known:
            yield {"ParameterKey": name, "ParameterValue": known[name]}
        elif name in _parameters_of(deployed):
            yield {"ParameterKey": name, "UsePreviousValue": True}


def _refuse_other_service(deployed: Json, rendered: Json) -> None:
    for name in ("Service", "Placeholder"):
        if resource_of(deployed, name) not in (None, resource_of(rendered, name)):
            raise FrozenService(
                f"the update would change {name}",
                because="ECS refuses to update a service that CodeDeploy deploys",
                hint="make the change with a release, or create the service again under another name",
            )


def resource_of(template: Json, name: str) -> object:
    """Return the properties of a resource. A change of DependsOn or Metadata updates nothing."""
    resources = template["Resources"]
    assert isinstance(resources, dict), "a template has resources"
    body = resources.get(name)
    return None if body is None else body["Properties"]


def _parameters_of(template: Json) -> Json:
    parameters = template.get("Parameters", {})
    assert isinstance(parameters, dict), "parameters are a mapping"
    return parameters
