"""`platform dlq` against the SQS endpoint of the laptop."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner, Result

from local_aws.servers.ministack import AwsServer
from platform_sdk.cli import platform
from platform_sdk.contract import DeadLetterAttribute, dead_letter_queue_name, queue_name
from tests.support.repository import FIXTURES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Queues:
    """The queue `orders` of the local environment, with its dead-letter queue."""

    client: "SQSClient"
    source: str
    dead: str

    def bury(self, body: str, **attributes: str) -> None:
        self.client.send_message(
            QueueUrl=self.dead,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def received(self, url: str) -> list[Any]:
        answer = self.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))


@pytest.fixture
def queues(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.chdir(FIXTURES)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server.endpoint_url)
    client: SQSClient = boto3.client("sqs", endpoint_url=aws_server.endpoint_url, region_name="us-east-1")
    names = queue_name("local", "orders"), dead_letter_queue_name("local", "orders")
    source, dead = (client.create_queue(QueueName=name)["QueueUrl"] for name in names)
    yield Queues(client, source, dead)
    client.delete_queue(QueueUrl=source)
    client.delete_queue(QueueUrl=dead)
    client.close()


def dlq(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(platform, ["dlq", *arguments], input=typed, prog_name="platform")


def listed() -> dict[str, Any]:
    return {row["queue"]: row for row in json.loads(dlq("list", "--json").stdout)["queues"]}


def test_list_counts_messages_and_reports_which_queues_are_missing(queues: Queues) -> None:
    queues.bury("one")
    queues.bury("two")
    assert listed()["orders"] == {
        "queue": "orders",
        "service": "orders",
        "dead_letter_queue": "platform-local-orders-dead-letter",
        "depth": 2,
        "in_flight": 0,
    }
    assert listed()["inventory"]["depth"] is None
    text = dlq("list").stdout.splitlines()
    assert [line.split() for line in text] == [
        ["QUEUE", "SERVICE", "MESSAGES"],
        ["inventory", "inventory", "no", "queue"],
        ["orders", "orders", "2"],
    ]


def test_show_decodes_messages_and_leaves_them(queues: Queues) -> None:
    envelope = {"id": str(uuid4()), "type": "inventory.reserved", "data": {"note": "naïve"}}
    queues.bury(json.dumps(envelope), **{DeadLetterAttribute.REASON: "no such order", "traceparent": "00-1"})
    shown = json.loads(dlq("show", "orders", "--json").stdout)
    [message] = shown["messages"]
    assert shown["queue"] == "orders"
    assert message["body"] == envelope
    assert message["attributes"] == {"dead-letter-reason": "no such order", "traceparent": "00-1"}
    text = dlq("show", "orders").stdout
    assert f"message {message['id']}, sent 2" in text
    assert "  dead-letter-reason: no such order\n" in text
    assert '"note": "naïve"' in text
    assert listed()["orders"]["depth"] == 1


def test_show_prints_text_that_is_not_json_unchanged(queues: Queues) -> None:
    queues.bury("poison")
    [message] = json.loads(dlq("show", "orders", "--json").stdout)["messages"]
    assert message["body"] == "poison"


def test_show_of_an_empty_queue_says_so(queues: Queues) -> None:
    result = dlq("show", "orders")
    assert (result.stdout, result.stderr) == ("", "platform-local-orders-dead-letter is empty\n")


def test_redriving_all_moves_every_message_back_without_its_diagnosis(queues: Queues) -> None:
    for number in range(23):
        attributes = {DeadLetterAttribute.REASON: "bad", DeadLetterAttribute.ERROR_TYPE: "Bad", "traceparent": "00-1"}
        queues.bury(str(number), **attributes)
    result = dlq("redrive", "orders", "--all")
    assert result.stdout == "23 messages sent to platform-local-orders\n"
    assert queues.received(queues.dead) == []
    assert listed()["orders"]["depth"] == 0
    arrived = queues.received(queues.source)
    assert len(arrived) == 10
    assert {tuple(message["MessageAttributes"]) for message in arrived} == {("traceparent",)}
    counted = queues.client.get_queue_attributes(QueueUrl=queues.source, AttributeNames=["All"])
    assert counted["Attributes"]["ApproximateNumberOfMessages"] == "23"


def test_redriving_one_leaves_the_others(queues: Queues) -> None:
    for number in range(12):
        queues.bury(json.dumps({"id": f"event-{number}"}))
    assert dlq("redrive", "orders", "event-11").stdout == "1 message sent to platform-local-orders\n"
    assert [json.loads(message["Body"])["id"] for message in queues.received(queues.source)] == ["event-11"]
    assert listed()["orders"]["depth"] == 11


def test_redriving_a_missing_message_is_an_error(queues: Queues) -> None:
    queues.bury("one")
    result = dlq("redrive", "orders", "nobody")
    assert result.exit_code == 1
    assert "holds no message `nobody`" in result.stderr
    assert listed()["orders"]["depth"] == 1


def test_purging_asks_first(queues: Queues) -> None:
    queues.bury("one")
    refused = dlq("purge", "orders", typed="n\n")
    assert refused.exit_code == 1
    assert "Delete 1 message of platform-local-orders-dead-letter permanently?" in refused.stderr
    assert listed()["orders"]["depth"] == 1
    assert dlq("purge", "orders", "--yes").stdout == "1 message deleted from platform-local-orders-dead-letter\n"
    assert listed()["orders"]["depth"] == 0


@pytest.mark.usefixtures("queues")
def test_a_queue_that_the_environment_lacks_is_an_error() -> None:
    result = dlq("show", "inventory")
    assert result.exit_code == 1
    assert "error: there is no queue platform-local-inventory-dead-letter" in result.stderr


def test_an_endpoint_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = dlq("list")
    assert result.exit_code == 1
    assert "hint: on the laptop, check `platform status`" in result.stderr
