"""SQS without messages: the queues that there are, and their attributes."""

from collections.abc import Mapping
from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.refused import Refused
from aws_simulator.service import Answer, Request, Service

DEFAULTS: Final[Mapping[str, str]] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}


class Sqs(Service):
    """Attributes by name of the queue, as text, as SQS gives them. Tests set ApproximateNumberOfMessages here."""

    NAME: ClassVar[str] = "sqs"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.queues: dict[str, dict[str, str]] = {}

    def create_queue(self, request: Request) -> Answer:
        """Raises `Refused` where the queue is there with other attributes."""
        name, attributes = request["QueueName"], dict(request.get("Attributes", {}))
        known = self.queues.setdefault(name, {**DEFAULTS, **attributes, "QueueArn": self.arn(name)})
        if any(known.get(key) != value for key, value in attributes.items()):
            raise Refused("QueueAlreadyExists", "A queue already exists with the same name and a different value.")
        return {"QueueUrl": self.url(name)}

    def delete_queue(self, request: Request) -> Answer:
        del self.queues[self._name(request["QueueUrl"])]
        return {}

    def get_queue_url(self, request: Request) -> Answer:
        return {"QueueUrl": self.url(self._name(request["QueueName"]))}

    def get_queue_attributes(self, request: Request) -> Answer:
        queue = self.queues[self._name(request["QueueUrl"])]
        wanted = request.get("AttributeNames", [])
        return {"Attributes": {key: value for key, value in queue.items() if "All" in wanted or key in wanted}}

    def set_queue_attributes(self, request: Request) -> Answer:
        self.queues[self._name(request["QueueUrl"])].update(request["Attributes"])
        return {}

    def list_queues(self, request: Request) -> Answer:
        prefix = request.get("QueueNamePrefix", "")
        return {"QueueUrls": [self.url(name) for name in sorted(self.queues) if name.startswith(prefix)]}

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        name = request.get("QueueName") or request.get("QueueUrl", "").rpartition("/")[2]
        return (self.arn(name),) if name else ()

    def arn(self, name: str) -> str:
        return self.account.arn("sqs", name)

    def url(self, name: str) -> str:
        return f"https://sqs.{self.account.region}.amazonaws.com/{self.account.account_id}/{name}"

    def _name(self, url: str) -> str:
        name = url.rpartition("/")[2]
        if name not in self.queues:
            raise Refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return name
