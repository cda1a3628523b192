"""Fixtures of the container tests. Where no engine answers, each of these tests is skipped and says so."""

from collections.abc import Callable, Iterator

import pytest
from testcontainers.core.network import Network

from tests.support.container_tasks import Surroundings, surroundings
from tests.support.containers import NO_ENGINE, build_image, engine_answers

Image = Callable[[str], str]
"""Service to the tag of its image."""


@pytest.fixture(scope="session")
def engine() -> None:
    """A container engine answers."""
    if not engine_answers():
        pytest.skip(NO_ENGINE)


@pytest.fixture(scope="session")
def image(engine: None) -> Image:
    """Builds a service's image, once a run."""
    return lambda service: build_image(f"platform-test/{service}:built", f"services/{service}/Dockerfile")


@pytest.fixture(scope="session")
def network(engine: None) -> Iterator[Network]:
    """A network of this run's own."""
    with Network() as network:
        yield network


@pytest.fixture(scope="session")
def around(network: Network) -> Iterator[Surroundings]:
    """PostgreSQL, Redis and an AWS endpoint in the network; schemas are empty until a test migrates them."""
    with surroundings(network) as servers:
        yield servers
