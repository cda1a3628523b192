"""What releases, rollbacks, restarts and those who wait ask of AWS, beside what the role that they run with may do."""

from collections.abc import Callable
from typing import Final

import pytest

from aws_simulator import Behaviour
from aws_simulator.iam import Iam
from aws_simulator.policies import is_allowed
from aws_simulator.small_services import Sts
from platform_sdk.deploy.release.outcome import ReleaseOptions
from tests.support.releases import World, world

ACCOUNT: Final = "arn:aws:ecs:us-east-1:111122223333"
CONTEXT: Final = {
    "application-autoscaling:service-namespace": "ecs",
    "dynamodb:LeadingKeys": ["release/orders"],
    "ecs:cluster": f"{ACCOUNT}:cluster/platform-production",
    "iam:PassedToService": "ecs-tasks.amazonaws.com",
}
NOT_GIVEN: Final = {"secretsmanager:GetSecretValue"}
"""Asked for, and left out where it is refused: which keys a secret has."""

SUPERSEDE: Final = ReleaseOptions(if_busy="supersede")


def superseding(case: World) -> None:
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(120)
    case.deploy("v3", options=SUPERSEDE)


def superseding_a_bake(case: World) -> None:
    case.deploy("v2", options=ReleaseOptions(until="traffic"))
    case.deploy("v3", options=SUPERSEDE)


def going_back_at_once(case: World) -> None:
    case.wait(
        case.deploy("v2", options=ReleaseOptions(until="traffic")).deployment_id,
        options=ReleaseOptions(until="traffic"),
    )
    case.roll_back()


def going_back_later(case: World) -> None:
    case.deploy("v2")
    case.roll_back()
    case.roll_back("v0")


PATHS: Final[dict[str, Callable[[World], object]]] = {
    "a good release": lambda case: case.deploy("v2"),
    "a worker that fails": lambda case: case.deploy("v2", Behaviour(kind="crashes")),
    "an API that fails": lambda case: case.deploy("v2", Behaviour(kind="never_healthy")),
    "a migration that fails": lambda case: case.deploy("v2", Behaviour(migration_exit_code=1)),
    "superseding a shift": superseding,
    "superseding a bake": superseding_a_bake,
    "going back at once": going_back_at_once,
    "going back later": going_back_later,
    "a restart": lambda case: case.restart(),
}


@pytest.mark.parametrize("path", PATHS)
def test_the_role_of_a_release_may_do_what_releases_do(path: str) -> None:
    case = world()
    case.simulator.service(Sts).caller = "arn:aws:sts::111122223333:assumed-role/production-orders-release/build"
    PATHS[path](case)
    called = {(call.action, resource) for call in case.simulator.calls for resource in call.resources}
    assert len(called) > 30
    documents = case.simulator.service(Iam).documents("production-orders-release")
    refused = [
        (action, resource)
        for action, resource in sorted(called)
        if action not in NOT_GIVEN and not is_allowed(documents, action, resource, CONTEXT).allowed
    ]
    assert refused == []


def test_a_denied_call_is_refused_and_the_release_continues() -> None:
    case = world()
    case.simulator.fail("secretsmanager", "GetSecretValue", how="denied", times=9)
    outcome = case.deploy("v2")
    found = next(check for check in outcome.checks if check.name == "secrets")
    assert (found.status, outcome.exit_code) == ("SKIP", 0)
    assert "may not read" in found.reason
