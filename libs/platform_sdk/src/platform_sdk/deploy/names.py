"""What things are called on AWS, where more than one part of the deploy half has to know, and how long names may be."""

from collections.abc import Iterator
from typing import Final, Literal

from platform_sdk.contract import dead_letter_queue_name
from platform_sdk.deploy.manifest.types import ServiceSpec

Colour = Literal["blue", "green"]
COLOURS: Final[tuple[Colour, ...]] = ("blue", "green")


def target_group_name(environment: str, service: str, colour: Colour) -> str:
    """`production-orders-blue`. Which of the two is live changes with every release."""
    return f"{environment}-{service}-{colour}"


def role_name(environment: str, service: str, purpose: str) -> str:
    """`production-orders-execution`."""
    return f"{environment}-{service}-{purpose}"


def schedule_name(environment: str, service: str, task: str) -> str:
    """`production-orders-close-the-books`; also the family of the task's task definition."""
    return f"{environment}-{service}-{task}"


def limited_names(spec: ServiceSpec, environment: str) -> Iterator[tuple[str, str, int, tuple[str | int, ...]]]:
    """Kind, name, the most characters that AWS takes, and the key of platform.toml that it comes from."""
    longest = max((target_group_name(environment, spec.name, colour) for colour in COLOURS), key=len)
    yield "target group", longest, 32, ("service", "name")
    yield "role", role_name(environment, spec.name, "execution"), 64, ("service", "name")
    for queue in spec.queues:
        yield "queue", dead_letter_queue_name(environment, queue.name), 80, ("queues", queue.name)
    for index, task in enumerate(spec.tasks):
        yield "schedule", schedule_name(environment, spec.name, task.name), 64, ("tasks", index, "name")
