"""Puts messages onto the local stack's queues by hand: duplicates, strays and poison."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3

from platform_sdk.contract import dead_letter_queue_name, queue_name
from tests.support.local_stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def envelope(kind: str, aggregate_id: str, data: dict[str, Any], *, aggregate_version: int = 1) -> str:
    """One message as the services put it on the wire, with a new id."""
    return json.dumps(
        {
            "id": str(uuid4()),
            "type": kind,
            "version": 1,
            "source": kind.split(".", 1)[0],
            "occurred_at": datetime.now(UTC).isoformat(),
            "aggregate_id": aggregate_id,
            "aggregate_version": aggregate_version,
            "correlation_id": str(uuid4()),
            "causation_id": None,
            "data": data,
        }
    )


class Queues:
    """The queues of a running local stack."""

    def __init__(self, local_stack: LocalStack) -> None:
        self.client: SQSClient = boto3.client(
            "sqs",
            endpoint_url=local_stack.aws_endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def url(self, queue: str) -> str:
        return self.client.get_queue_url(QueueName=queue_name("local", queue))["QueueUrl"]

    def dead_letter_url(self, queue: str) -> str:
        return self.client.get_queue_url(QueueName=dead_letter_queue_name("local", queue))["QueueUrl"]

    def send(self, queue: str, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url(queue), MessageBody=body)

    def depth(self, url: str) -> int:
        """Messages waiting or in flight."""
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        waiting, in_flight = (
            attributes["ApproximateNumberOfMessages"],
            attributes["ApproximateNumberOfMessagesNotVisible"],
        )
        return int(waiting) + int(in_flight)

    def is_idle(self) -> bool:
        """Whether nothing is on its way in either queue of the saga."""
        return all(self.depth(self.url(queue)) == 0 for queue in ("orders", "inventory"))
