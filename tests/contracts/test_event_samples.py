"""One sample of each message binds its publisher and its consumers, who share no code.

tests/contracts/events/<type>.json is a whole message as it is on the wire. The publisher's class must produce its data,
each consumer's class must accept it; which service publishes and consumes what is said by the platform.toml files.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.runtime.messaging.messages import Event, Message, decode_message, encode_message
from tests.support.repository import ROOT

SAMPLES = {path.name.removesuffix(".json"): path for path in sorted((ROOT / "tests/contracts/events").glob("*.json"))}


@dataclass(frozen=True)
class Service:
    """What platform.toml says, and the classes that the code has for it."""

    name: str
    publishes: Mapping[str, list[str]]
    consumes: Mapping[str, list[str]]
    """Queue to event types."""

    def published_classes(self) -> dict[str, type[Event]]:
        module = import_module(f"{self.name}.events")
        classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
        # Beside what it publishes, the module may hold base classes and copies of what others publish.
        return {kind.type: kind for kind in classes if getattr(kind, "type", None) in self.publishes}

    def consumed_classes(self) -> dict[str, type[Event]]:
        if find_spec(f"{self.name}.consumers") is None:
            return {}
        return {kind.type: kind for kind in import_module(f"{self.name}.consumers").HANDLERS}


def _service(path: Path) -> Service:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    queues = document.get("queues", {})
    consumes = {name: queue["consumes"] for name, queue in queues.items()}
    return Service(document["service"]["name"], document.get("publishes", {}), consumes)


SERVICES = [_service(path) for path in sorted(ROOT.glob("services/*/platform.toml"))]
PUBLISHED = [(service, kind) for service in SERVICES for kind in service.publishes]
CONSUMED = [(service, kind) for service in SERVICES for kinds in service.consumes.values() for kind in kinds]


def _named(value: object) -> str:
    return value.name if isinstance(value, Service) else str(value)


def sample(kind: str) -> tuple[dict[str, Any], Message]:
    """The sample as JSON, and as the consumer decodes it."""
    text = SAMPLES[kind].read_text(encoding="utf-8")
    return json.loads(text), decode_message(text)


def test_every_published_type_has_a_sample_and_every_sample_a_publisher() -> None:
    assert sorted(SAMPLES) == sorted(kind for _, kind in PUBLISHED)


@pytest.mark.parametrize(("service", "kind"), PUBLISHED, ids=_named)
def test_publisher_produces_its_sample(service: Service, kind: str) -> None:
    document, message = sample(kind)
    event = service.published_classes()[kind]

    produced = event.model_validate(message.data).model_dump(mode="json")

    assert produced == document["data"]
    assert (message.type, message.version, message.source) == (kind, event.version, service.name)


@pytest.mark.parametrize("kind", SAMPLES)
def test_sample_is_a_message_as_the_relay_sends_it(kind: str) -> None:
    document, message = sample(kind)

    assert decode_message(encode_message(message)) == message
    assert document.keys() == json.loads(encode_message(message)).keys()


@pytest.mark.parametrize(("service", "kind"), CONSUMED, ids=_named)
def test_consumer_accepts_the_sample_of_what_it_consumes(service: Service, kind: str) -> None:
    _, message = sample(kind)
    event = service.consumed_classes()[kind]

    event.model_validate(message.data)

    # A field with a default would hide that its publisher calls it otherwise.
    assert event.model_fields.keys() <= message.data.keys()
    assert message.version == event.version


@pytest.mark.parametrize("service", SERVICES, ids=_named)
def test_service_handles_exactly_what_its_queues_consume(service: Service) -> None:
    consumed = {kind for kinds in service.consumes.values() for kind in kinds}
    assert service.consumed_classes().keys() == consumed
    assert service.published_classes().keys() == service.publishes.keys()


@pytest.mark.parametrize("service", SERVICES, ids=_named)
def test_what_a_queue_consumes_is_what_publishers_send_to_it(service: Service) -> None:
    for queue, kinds in service.consumes.items():
        sent = {kind for publisher in SERVICES for kind, queues in publisher.publishes.items() if queue in queues}
        assert set(kinds) == sent
