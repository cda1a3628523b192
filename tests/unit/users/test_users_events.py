"""What users publishes agrees with the samples that its consumers are tested with."""

from pathlib import Path

import pytest

from platform_sdk.runtime.messaging.messages import Event, decode_message
from users.events import UserDeleted, UserDisabled, UserEnabled, UserRegistered, UserUpdated

SAMPLES = Path(__file__).parents[2] / "contracts" / "events"
PUBLISHED: dict[str, type[Event]] = {
    kind.type: kind for kind in (UserRegistered, UserUpdated, UserDisabled, UserEnabled, UserDeleted)
}


def test_there_is_a_sample_of_each_event_and_no_other() -> None:
    assert {path.stem for path in SAMPLES.glob("user.*.json")} == set(PUBLISHED)


@pytest.mark.parametrize("kind", sorted(PUBLISHED))
def test_the_sample_is_what_we_publish(kind: str) -> None:
    message = decode_message((SAMPLES / f"{kind}.json").read_bytes())
    assert (message.type, message.source) == (kind, "users")
    event = PUBLISHED[kind].model_validate(message.data)
    assert event.model_dump(mode="json") == message.data
    assert message.aggregate_id == message.data["user_id"]
