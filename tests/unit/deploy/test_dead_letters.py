"""Looking into dead-letter queues and sending messages back, against queues in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.aws.sqs import Depth, QueueMessage
from platform_sdk.deploy.dead_letters import (
    DeadLetterQueue,
    NoSuchMessage,
    NoSuchQueue,
    decoded_body,
    peek,
    purge,
    redrive_all,
    redrive_one,
)

DEAD = DeadLetterQueue(
    queue="orders",
    service="orders",
    name="platform-local-orders-dead-letter",
    url="dead",
    source_name="platform-local-orders",
    source_url="source",
)


@dataclass
class InMemorySqs:
    """Queues as lists. `writes` records what happened, in order; SQS will not take the bodies in `refuse`."""

    queues: dict[str, list[QueueMessage]]
    hidden: set[str] = field(default_factory=set)
    writes: list[str] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    keep: set[str] = field(default_factory=set)
    sending_fails: bool = False

    def queue_url(self, name: str) -> str | None:
        return name if name in self.queues else None

    def depth(self, url: str) -> Depth:
        visible = [message for message in self.queues[url] if message.id not in self.hidden]
        return Depth(visible=len(visible), in_flight=len(self.queues[url]) - len(visible))

    def receive(self, url: str, *, most: int, visibility_timeout_seconds: int) -> list[QueueMessage]:
        assert visibility_timeout_seconds <= 60
        visible = [message for message in self.queues[url] if message.id not in self.hidden][: min(most, 10)]
        self.hidden |= {message.id for message in visible}
        return visible

    def release(self, url: str, messages: Sequence[QueueMessage]) -> None:
        assert 0 < len(messages) <= 10
        self.hidden -= {message.id for message in messages}

    def send(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        assert 0 < len(messages) <= 10
        if self.sending_fails:
            raise AwsCallFailed("the messages could not be sent")
        accepted = [message for message in messages if message.body not in self.refuse]
        self.queues[url].extend(replace(message, id=f"copy of {message.id}") for message in accepted)
        self.writes.extend(f"send {message.id}" for message in accepted)
        return {message.id: "InternalError: busy" for message in messages if message.body in self.refuse}

    def delete(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]:
        assert 0 < len(messages) <= 10
        gone = {message.id for message in messages if message.body not in self.keep}
        self.queues[url] = [message for message in self.queues[url] if message.id not in gone]
        self.writes.extend(f"delete {message_id}" for message_id in sorted(gone))
        return {message.id: "ReceiptHandleIsInvalid: late" for message in messages if message.id not in gone}

    def purge(self, url: str) -> None:
        self.queues[url] = []


def message(number: int, body: str | None = None, **attributes: str) -> QueueMessage:
    return QueueMessage(
        id=f"m{number}",
        receipt=f"r{number}",
        body=json.dumps({"id": f"event-{number}"}) if body is None else body,
        attributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        sent_at=datetime(2026, 1, 1, tzinfo=UTC),
        receive_count=1,
    )


def queues_with(count: int) -> InMemorySqs:
    return InMemorySqs({"dead": [message(number) for number in range(count)], "source": []})


def ids(messages: Sequence[QueueMessage]) -> list[str]:
    return [one.id for one in messages]


def test_peeking_leaves_every_message_visible() -> None:
    sqs = queues_with(25)
    assert len(peek(DEAD, sqs, most=23)) == 23
    assert sqs.depth("dead") == Depth(visible=25, in_flight=0)
    assert sqs.writes == []


def test_peeking_ends_when_the_queue_does() -> None:
    assert ids(peek(DEAD, queues_with(3), most=100)) == ["m0", "m1", "m2"]


def test_redriving_sends_before_it_deletes() -> None:
    sqs = queues_with(2)
    assert redrive_all(DEAD, sqs).sent == 2
    assert sqs.writes == ["send m0", "send m1", "delete m0", "delete m1"]
    assert sqs.queues["dead"] == []


def test_redriving_takes_all_that_is_there_and_no_more() -> None:
    sqs = queues_with(37)
    sqs.queues["source"] = sqs.queues["dead"]
    # Source and dead-letter queue are one here: whatever is sent comes back at once, and is left for the next time.
    done = redrive_all(replace(DEAD, source_url="dead"), sqs)
    assert done.sent == 37
    assert len(sqs.queues["dead"]) == 37


def test_redriving_takes_off_the_diagnosis_and_keeps_the_rest() -> None:
    sqs = queues_with(0)
    diagnosed = {"dead-letter-reason": "x", "error-type": "x", "failed-at": "x", "traceparent": "00-1"}
    sqs.queues["dead"] = [message(1, **diagnosed)]
    redrive_all(DEAD, sqs)
    [copy] = sqs.queues["source"]
    assert copy.text_attributes() == {"traceparent": "00-1"}


def test_what_is_refused_stays_and_is_reported() -> None:
    sqs = queues_with(0)
    sqs.queues["dead"] = [message(number, body=f"body {number}") for number in range(12)]
    sqs.refuse = {"body 3"}
    done = redrive_all(DEAD, sqs)
    assert done.sent == 11
    assert done.refused == {"m3": "InternalError: busy"}
    assert ids(sqs.queues["dead"]) == ["m3"]
    assert sqs.depth("dead").visible == 1


def test_what_was_sent_but_not_deleted_is_reported() -> None:
    sqs = queues_with(0)
    sqs.queues["dead"] = [message(1, body="stays"), message(2)]
    sqs.keep = {"stays"}
    done = redrive_all(DEAD, sqs)
    assert (done.sent, done.still_there) == (2, {"m1": "ReceiptHandleIsInvalid: late"})


def test_a_failure_on_the_way_releases_what_was_received() -> None:
    sqs = queues_with(3)
    sqs.sending_fails = True
    with pytest.raises(AwsCallFailed):
        redrive_all(DEAD, sqs)
    assert sqs.depth("dead") == Depth(visible=3, in_flight=0)


def test_large_messages_are_sent_in_small_batches() -> None:
    sqs = queues_with(0)
    sqs.queues["dead"] = [message(number, body=str(number) * 100_000) for number in range(5)]
    assert redrive_all(DEAD, sqs).sent == 5
    assert sqs.writes[:4] == ["send m0", "send m1", "delete m0", "delete m1"]


@pytest.mark.parametrize("name", ["m14", "event-14"])
def test_one_message_is_found_by_its_id_or_its_events(name: str) -> None:
    sqs = queues_with(20)
    assert redrive_one(DEAD, sqs, name).sent == 1
    assert ids(sqs.queues["source"]) == ["copy of m14"]
    assert sqs.depth("dead") == Depth(visible=19, in_flight=0)


def test_an_unknown_message_leaves_everything_as_it_was() -> None:
    sqs = queues_with(12)
    with pytest.raises(NoSuchMessage, match="holds no message `m99`"):
        redrive_one(DEAD, sqs, "m99")
    assert sqs.depth("dead") == Depth(visible=12, in_flight=0)


def test_purging_empties_the_queue() -> None:
    sqs = queues_with(3)
    purge(DEAD, sqs)
    assert sqs.queues["dead"] == []


def test_a_queue_that_does_not_exist_is_named() -> None:
    with pytest.raises(NoSuchQueue, match="there is no queue platform-local-orders-dead-letter"):
        peek(replace(DEAD, url=None), queues_with(0), most=1)
    with pytest.raises(NoSuchQueue, match="there is no queue platform-local-orders"):
        redrive_all(replace(DEAD, source_url=None), queues_with(1))


@pytest.mark.parametrize(
    ("body", "decoded"),
    [('{"id": "1"}', {"id": "1"}), ("not json", "not json"), ("", ""), ("[" * 100_000, "[" * 100_000)],
    ids=["json", "text", "empty", "deep"],
)
def test_a_body_is_decoded_where_it_can_be(body: str, decoded: object) -> None:
    assert decoded_body(message(1, body=body)) == decoded
