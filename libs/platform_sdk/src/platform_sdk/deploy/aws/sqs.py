"""SQS as the command line needs it: names, depths, batches of messages."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from platform_sdk.deploy.aws import failure

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH: Final = 10
"""Messages that one call may send, delete, receive or release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A received message. `attributes` are as SQS gave them; `receipt` is good until the visibility timeout ends."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: datetime
    receive_count: int

    def text_attributes(self) -> dict[str, str]:
        return {name: value["StringValue"] for name, value in self.attributes.items() if "StringValue" in value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Approximate, as SQS counts: messages that wait, and messages that somebody has received."""

    visible: int
    in_flight: int


class Sqs:
    """Every method raises AwsCallFailed."""

    def __init__(self, client: "SQSClient", account_id: str) -> None:
        self.client = client
        self.account_id = account_id

    def queue_url(self, name: str) -> str | None:
        """None where the queue does not exist. With the keys of another account AWS refuses the call, rather than
        find that account's queue of the same name.
        """
        with translated(f"the queue {name} could not be looked up"):
            try:
                return self.client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=self.account_id)["QueueUrl"]
            except self.client.exceptions.QueueDoesNotExist:
                return None

    def depth(self, url: str) -> Depth:
        with translated("the messages could not be counted"):
            answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        found = answer["Attributes"]
        return Depth(
            visible=int(found["ApproximateNumberOfMessages"]),
            in_flight=int(found["ApproximateNumberOfMessagesNotVisible"]),
        )

    def receive(self, url: str, *, most: int, visibility_timeout_seconds: int) -> list[QueueMessage]:
        """Up to ten messages; waits a second for the first, so that AWS asks all its servers and not a few."""
        with translated("no messages could be received"):
            answer = self.client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(most, BATCH),
                VisibilityTimeout=visibility_timeout_seconds,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        return [message_of(received) for received in answer.get("Messages", [])]

    def release(self, url: str, messages: Sequence[QueueMessage]) -> None:
        """Makes up to ten received messages visible again at once; one that cannot be becomes visible by itself."""
        with translated("the messages could not be released"):
            self.client.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
                    for index, message in enumerate(messages)
                ],
            )

    def send(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        """Sends up to ten copies; answers the reasons for those that SQS refused, by message id."""
        with translated("the messages could not be sent"):
            answer = self.client.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(index), "MessageBody": message.body, "MessageAttributes": dict(message.attributes)}
                    for index, message in enumerate(messages)
                ],
            )
        return refusals(answer.get("Failed", []), messages)

    def delete(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        """Deletes up to ten received messages; answers as `send` does."""
        with translated("the messages could not be deleted"):
            answer = self.client.delete_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message.receipt} for index, message in enumerate(messages)
                ],
            )
        return refusals(answer.get("Failed", []), messages)

    def purge(self, url: str) -> None:
        """Deletes all messages; AWS takes up to a minute, and refuses a second purge meanwhile."""
        with translated("the queue could not be purged"):
            self.client.purge_queue(QueueUrl=url)


def connect(region: str, account_id: str, endpoint_url: str | None) -> Sqs:
    """A gateway to AWS, or to an endpoint that stands for it; such a one never sees a developer's own keys."""
    import boto3
    from botocore.config import Config

    nobody = "local" if endpoint_url else None
    client = boto3.client(
        "sqs",
        region_name=region,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": 3},
            # Only the environment decides: AWS_ENDPOINT_URL of the shell must not turn production into the laptop.
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # unknown to the stubs
        ),
        aws_access_key_id=nobody,
        aws_secret_access_key=nobody,
    )
    return Sqs(client, account_id)


def message_of(received: Any) -> QueueMessage:
    system = received.get("Attributes", {})
    return QueueMessage(
        id=received["MessageId"],
        receipt=received["ReceiptHandle"],
        body=received["Body"],
        attributes=received.get("MessageAttributes", {}),
        sent_at=datetime.fromtimestamp(int(system.get("SentTimestamp", 0)) / 1000, UTC),
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
    )


def refusals(failed: Sequence[Any], messages: Sequence[QueueMessage]) -> dict[str, str]:
    return {messages[int(entry["Id"])].id: f"{entry['Code']}: {entry.get('Message', '')}" for entry in failed}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """botocore's errors in our words."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        operation = error.operation_name if isinstance(error, ClientError) else ""
        raise failure(error, what, service="sqs", operation=operation) from error
