"""What orders publishes agrees with the samples that its consumers are tested with."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from orders import events
from orders.states import Status
from platform_sdk.runtime.messaging.messages import decode_message

SAMPLES = Path(__file__).parents[2] / "contracts" / "events"
PUBLISHED = {
    kind.type: kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.OrderEvent) and kind is not events.OrderEvent
}


def test_there_is_a_sample_of_each_event_and_no_other() -> None:
    assert {path.stem for path in SAMPLES.glob("order.*.json")} == set(PUBLISHED)


@pytest.mark.parametrize("kind", sorted(PUBLISHED))
def test_the_sample_is_what_we_publish(kind: str) -> None:
    message = decode_message((SAMPLES / f"{kind}.json").read_bytes())
    assert (message.type, message.source) == (kind, "orders")
    event = PUBLISHED[kind].model_validate(message.data)
    assert event.model_dump(mode="json") == message.data
    assert message.aggregate_id == message.data["order_id"]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_every_transition_has_its_event(status: Status) -> None:
    order_id, user_id = UUID(int=1), UUID(int=2)
    event = events.transition_event(status, order_id=order_id, user_id=user_id, reason="because")
    assert event.type == f"order.{status}"
    assert (event.order_id, event.user_id) == (order_id, user_id)
    assert json.loads(event.model_dump_json()).get("reason", "because") == "because"
