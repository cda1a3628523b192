"""SQS as the command line needs it: names, depths, batches of messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from platform_sdk.deploy.aws import AwsCallFailed, Client

BATCH: Final = 10
"""Messages that one call may send, delete, receive or release."""

MISSING: Final = ("NonExistentQueue", "QueueDoesNotExist")
"""The code of an unknown queue in SQS's query and JSON protocols."""


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
    """The calls of SQS. All raise AwsCallFailed."""

    def __init__(self, client: Client, account_id: str) -> None:
        self.client = client
        self.account_id = account_id

    def queue_url(self, name: str) -> str | None:
        """Return None where the queue does not exist. With credentials of another account AWS refuses the call, instead
        of finding that account's queue of the same name.
        """
        wanted = {"QueueName": name, "QueueOwnerAWSAccountId": self.account_id}
        try:
            return str(self.client.call("get_queue_url", f"look up the queue {name}", **wanted)["QueueUrl"])
        except AwsCallFailed as error:
            if error.code.rsplit(".", 1)[-1] in MISSING:
                return None
            raise

    def depth(self, url: str) -> Depth:
        """Return how many messages a queue holds: exact a minute after the last send (GetQueueAttributes)."""
        purpose = "count the messages"
        found = self.client.call("get_queue_attributes", purpose, QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return Depth(
            visible=int(found["ApproximateNumberOfMessages"]),
            in_flight=int(found["ApproximateNumberOfMessagesNotVisible"]),
        )

    def receive(self, url: str, *, most: int, visibility_timeout_seconds: int) -> list[QueueMessage]:
        """Receive up to ten messages. Waits a second for the first, so that AWS asks all its servers."""
        answer = self.client.call(
            "receive_message",
            "receive messages",
            QueueUrl=url,
            MaxNumberOfMessages=min(most, BATCH),
            VisibilityTimeout=visibility_timeout_seconds,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [_message_of(received) for received in answer.get("Messages", [])]

    def release(self, url: str, messages: Sequence[QueueMessage]) -> None:
        """Make up to ten received messages visible again at once. One that fails becomes visible by itself."""
        entries = [{"Id": str(index), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                   for index, each in enumerate(messages)]  # fmt: skip
        self.client.call("change_message_visibility_batch", "release the messages", QueueUrl=url, Entries=entries)

    def send(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        """Send up to ten copies. Return the reasons for those that SQS refused, by message id."""
        entries = [{"Id": str(index), "MessageBody": each.body, "MessageAttributes": dict(each.attributes)}
                   for index, each in enumerate(messages)]  # fmt: skip
        answer = self.client.call_once("send_message_batch", "send the messages", QueueUrl=url, Entries=entries)
        return _refusals(answer.get("Failed", []), messages)

    def delete(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        """Delete up to ten received messages. Return the reasons for those that SQS refused, by message id."""
        entries = [{"Id": str(index), "ReceiptHandle": each.receipt} for index, each in enumerate(messages)]
        answer = self.client.call("delete_message_batch", "delete the messages", QueueUrl=url, Entries=entries)
        return _refusals(answer.get("Failed", []), messages)

    def purge(self, url: str) -> None:
        """Delete all messages. AWS takes up to a minute, and refuses a second purge meanwhile."""
        self.client.call("purge_queue", "purge the queue", QueueUrl=url)


def _message_of(received: Any) -> QueueMessage:
    system = received.get("Attributes", {})
    return QueueMessage(
        id=received["MessageId"],
        receipt=received["ReceiptHandle"],
        body=received["Body"],
        attributes=received.get("MessageAttributes", {}),
        sent_at=datetime.fromtimestamp(int(system.get("SentTimestamp", 0)) / 1000, UTC),
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
    )


def _refusals(failed: Sequence[Any], messages: Sequence[QueueMessage]) -> dict[str, str]:
    return {messages[int(entry["Id"])].id: f"{entry['Code']}: {entry.get('Message', '')}" for entry in failed}
