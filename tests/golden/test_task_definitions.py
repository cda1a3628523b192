"""Every rendered task definition, compared with the files that were reviewed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.goldens import agree, differences, masked, no_stale_goldens
from tests.support.repository import FIXTURES

ENVIRONMENTS: Final = {name: load_environment(FIXTURES, name) for name in ("production", "staging", "local")}
SPECS: Final = {name: {spec.name: spec for spec in load_services(FIXTURES, name)} for name in ENVIRONMENTS}
DIGEST: Final = "sha256:" + "0123456789abcdef" * 4
DIFFERENCES: Final = "task_definitions/differences.txt"

Rendered = tuple[str, str, Role]
WHOLE: Final[Mapping[str, Rendered]] = {
    "task_definitions/production/production-orders.json": ("production", "orders", "api"),
    "task_definitions/production/production-orders-worker.json": ("production", "orders", "worker"),
}


def document(environment_name: str, service: str, role: Role) -> dict[str, Any]:
    environment, spec = ENVIRONMENTS[environment_name], SPECS[environment_name][service]
    image = f"{environment.account_id}.dkr.ecr.{environment.region}.amazonaws.com/{service}:1.4.2@{DIGEST}"
    return dict(render_task_definition(spec, environment, image=image, role=role))


def masked_document(environment_name: str, service: str, role: Role) -> Any:
    spec = SPECS[environment_name][service]
    return masked(document(environment_name, service, role), spec, ENVIRONMENTS[environment_name])


def sections() -> Iterator[str]:
    """Return the differences of each other service from orders, and of each other environment from production."""
    for environment in ENVIRONMENTS:
        for service, spec in SPECS[environment].items():
            roles: tuple[Role, ...] = ("api",) if spec.worker is None else ("api", "worker")
            for role in roles:
                before = ("production", "orders" if environment == "production" else service, role)
                after = (environment, service, role)
                if after != before:
                    lines = differences(masked_document(*before), masked_document(*after))
                    yield f"== {service} {role} in {environment}, from {before[1]} in production\n"
                    yield from (f"{line}\n" for line in lines)


@pytest.mark.parametrize("name", WHOLE)
def test_task_definition_of_orders_in_production_is_as_reviewed(name: str) -> None:
    agree(name, json.dumps(document(*WHOLE[name]), indent=2) + "\n")


def test_task_definitions_differ_as_reviewed() -> None:
    agree(DIFFERENCES, "".join(sections()))


def test_no_golden_is_stale() -> None:
    no_stale_goldens("task_definitions", (*WHOLE, DIFFERENCES))
