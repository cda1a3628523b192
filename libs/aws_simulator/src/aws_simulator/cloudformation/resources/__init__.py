"""How each resource type is created on the simulator's services: a handler per type, a file per group of services."""

from typing import Final

from aws_simulator.cloudformation.resources import deployment, supporting
from aws_simulator.cloudformation.resources.handler import Generic, Handler

HANDLERS: Final = {**deployment.HANDLERS, **supporting.HANDLERS}
GENERIC: Final = Generic()


def handler_of(kind: str) -> Handler:
    """Return the handler of a resource type. Types that only templates read share one."""
    return HANDLERS.get(kind, GENERIC)
