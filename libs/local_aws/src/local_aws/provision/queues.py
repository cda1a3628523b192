"""The queues that services own, each with its dead-letter queue, as their stacks would create them."""

import json
from collections.abc import Iterable

from local_aws.aws_api import AwsApi
from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest import Queue, ServiceSpec

_FOURTEEN_DAYS_SECONDS = 14 * 24 * 3600
_LONG_POLL_SECONDS = 20


def create_queues(aws: AwsApi, specs: Iterable[ServiceSpec], environment: Environment) -> None:
    """Creates what is missing and corrects the attributes of what is there."""
    for spec in specs:
        for queue in spec.queues:
            _create(aws, queue, environment)


def _create(aws: AwsApi, queue: Queue, environment: Environment) -> None:
    prefix = f"arn:{environment.partition}:sqs:{environment.region}:{environment.account_id}"
    name = queue_name(environment.name, queue.name)
    dead_letters = dead_letter_queue_name(environment.name, queue.name)
    _ensure(
        aws,
        dead_letters,
        {
            "MessageRetentionPeriod": str(_FOURTEEN_DAYS_SECONDS),
            "RedriveAllowPolicy": json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [f"{prefix}:{name}"]}),
        },
    )
    _ensure(
        aws,
        name,
        {
            "VisibilityTimeout": str(queue.visibility_timeout_seconds),
            "ReceiveMessageWaitTimeSeconds": str(_LONG_POLL_SECONDS),
            "RedrivePolicy": json.dumps(
                {"deadLetterTargetArn": f"{prefix}:{dead_letters}", "maxReceiveCount": queue.max_receive_count}
            ),
        },
    )


def _ensure(aws: AwsApi, name: str, attributes: dict[str, str]) -> None:
    # CreateQueue with other attributes than an existing queue has is refused, so they are set in a second call.
    url = aws.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"]
    aws.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=attributes)
