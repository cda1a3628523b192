"""The queues that a service owns, each with its dead-letter queue; a worker moves there what it cannot handle."""

from collections.abc import Iterator
from typing import Final

from platform_sdk.contract import RECEIVE_WAIT_SECONDS, dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import Queue, ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, get, kept, policy, ref, resource
from platform_sdk.deploy.render.names import arn, logical

SECONDS_PER_DAY: Final = 86_400


def queues(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    return {name: body for queue in spec.queues for name, body in resources_of(queue, environment)}


def resources_of(queue: Queue, environment: Environment) -> Iterator[tuple[str, Json]]:
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
        # A message's age goes on counting when it is moved.
        "MessageRetentionPeriod": queue.dead_letter_retention_days * SECONDS_PER_DAY,
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [source]},
    }
    return encrypted_queue(properties)


def encrypted_queue(properties: Json) -> Json:
    reason = "Encrypted with the key of SQS. A key of ours would have to be granted to every service that publishes."
    body = kept("AWS::SQS::Queue", {**properties, "SqsManagedSseEnabled": True})
    return {**body, "Metadata": checkov_skip("CKV_AWS_27", reason)}


def only_by_tls(queue: str) -> Json:
    """Who may send and receive is said in the roles of the services; this holds for all of them."""
    statement: Json = {
        "Sid": "OnlyByTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": get(queue, "Arn"),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return resource("AWS::SQS::QueuePolicy", {"Queues": [ref(queue)], "PolicyDocument": policy([statement])})
