"""The CloudFormation template of one service in one environment. The shared stacks are in deploy/cloudformation.

Pure: the result is plain, and `aws cloudformation deploy` accepts it. The stack can be created before the service has
an image. It finds the shared stacks through Systems Manager parameters. An update leaves alone what releases change:
see stack_update.py and decision 0014.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from platform_sdk.contract import RECEIVE_WAIT_SECONDS, dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import Queue
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import alarms, dashboard
from platform_sdk.deploy.render.autoscaling import autoscaling, schedules
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, get, kept, policy, ref, resource
from platform_sdk.deploy.render.codedeploy import codedeploy
from platform_sdk.deploy.render.ecs_services import HAS_WORKER_REVISION, ecs_services
from platform_sdk.deploy.render.load_balancing import LIVE_IS_GREEN, load_balancing
from platform_sdk.deploy.render.names import arn, log_group, logical
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


def render_service_stack(spec: ServiceSpec, environment: Environment) -> Json:
    """Return the template as a JSON object.

    Raises:
        StackTooLarge: above 500 resources (docs.aws.amazon.com/AWSCloudFormation, "quotas").
    """
    resources = resources_of(spec, environment)
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


def resources_of(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    return {
        **load_balancing(spec, environment),
        **ecs_services(spec, environment),
        **codedeploy(spec, environment),
        **autoscaling(spec, environment),
        **queues(spec, environment),
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
    if spec.worker is not None:
        parameters["WorkerTaskDefinition"] = {
            "Type": "String",
            "Description": "The worker's revision when the stack last wrote its service; empty before a release",
            "Default": "",
        }
    return parameters


# Queues: each one that the service owns, with its dead-letter queue.


def queues(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    return {name: body for queue in spec.queues for name, body in queue_resources(queue, environment)}


def queue_resources(queue: Queue, environment: Environment) -> Iterator[tuple[str, Json]]:
    name, dead = logical(queue.name, "queue"), logical(queue.name, "dead", "letter", "queue")
    yield name, main_queue(queue, environment, dead)
    yield dead, dead_letter_queue(queue, environment)
    for of in (name, dead):
        yield f"{of}Policy", only_by_tls(of)


def main_queue(queue: Queue, environment: Environment, dead: str) -> Json:
    properties: Json = {
        "QueueName": queue_name(environment.name, queue.name),
        "VisibilityTimeout": queue.visibility_timeout_seconds,
        "DelaySeconds": queue.delay_seconds,
        "MessageRetentionPeriod": queue.retention_days * SECONDS_PER_DAY,
        "ReceiveMessageWaitTimeSeconds": RECEIVE_WAIT_SECONDS,
        "RedrivePolicy": {"deadLetterTargetArn": get(dead, "Arn"), "maxReceiveCount": queue.max_receive_count},
    }
    return encrypted_queue(properties)


def dead_letter_queue(queue: Queue, environment: Environment) -> Json:
    source = arn(environment, "sqs", queue_name(environment.name, queue.name))
    properties: Json = {
        "QueueName": dead_letter_queue_name(environment.name, queue.name),
        # A message keeps its age when it is moved.
        "MessageRetentionPeriod": queue.dead_letter_retention_days * SECONDS_PER_DAY,
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [source]},
    }
    return encrypted_queue(properties)


def encrypted_queue(properties: Json) -> Json:
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
    return {
        "AppLogs": group(log_group(spec, environment), spec),
        "SidecarLogs": group(log_group(spec, environment, "/sidecars"), spec),
    }


def group(name: str, spec: ServiceSpec) -> Json:
    reason = "CloudWatch Logs encrypts every group; a key of ours would be one more thing that can stop logging."
    body = kept("AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": spec.log_retention_days})
    return {**body, "Metadata": checkov_skip("CKV_AWS_158", reason)}
