"""What is encoded is decoded; what is not understood is refused with the reason."""

import re
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_sdk.runtime.messaging.messages import Message, UndecodableMessage, decode_message, encode_message, new_id

ENVELOPE = {
    "id": "01935b2c-6d7e-7a1b-8c3d-4e5f60718293",
    "type": "order.placed",
    "version": 1,
    "source": "orders",
    "occurred_at": "2026-11-23T04:05:06+00:00",
    "aggregate_id": "order-1",
    "aggregate_version": 3,
    "correlation_id": "a-request",
    "causation_id": None,
    "data": {"order_id": "order-1"},
}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_a_message_survives_the_wire_and_holds_no_character_that_sqs_refuses(data: dict[str, str]) -> None:
    message = Message(
        id=new_id(),
        type="order.placed",
        version=1,
        source="orders",
        occurred_at=datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC),
        aggregate_id="order-1",
        aggregate_version=3,
        correlation_id="a-request",
        causation_id=None,
        data=data,
    )
    text = encode_message(message)
    assert decode_message(text) == message
    assert re.fullmatch("[\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", text)


def test_unknown_fields_are_ignored_and_trace_headers_come_from_the_attributes() -> None:
    body = orjson.dumps(ENVELOPE | {"tenant": "blue", "trace_headers": {"traceparent": "forged"}})
    message = decode_message(body, {"traceparent": "real"})
    assert message.id == UUID(str(ENVELOPE["id"]))
    assert message.trace_headers == {"traceparent": "real"}


@pytest.mark.parametrize("field", [name for name in ENVELOPE if name != "causation_id"])
def test_a_missing_or_mistyped_field_is_named(field: str) -> None:
    missing = {name: value for name, value in ENVELOPE.items() if name != field}
    with pytest.raises(UndecodableMessage, match=field):
        decode_message(orjson.dumps(missing))
    with pytest.raises(UndecodableMessage, match=field):
        decode_message(orjson.dumps(ENVELOPE | {field: [1]}))


@pytest.mark.parametrize("body", ["", "null", "[]", "not json", '{"id": '])
def test_what_is_no_envelope_is_refused(body: str) -> None:
    with pytest.raises(UndecodableMessage):
        decode_message(body)


def test_ids_are_version_7_unique_and_in_order_of_time() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    stamps = [each.int >> 64 for each in ids]
    assert stamps == sorted(stamps)
