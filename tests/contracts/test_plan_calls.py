"""What `platform plan` asks of AWS, beside what the role for pull requests may do: the one is exactly the other."""

from typing import Final

import pytest
from click.testing import CliRunner

from aws_simulator.account_setup import register
from aws_simulator.client import Call
from aws_simulator.ecr import Ecr
from aws_simulator.iam import Iam
from aws_simulator.policies import is_allowed
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, load_appspec_template, render_appspec
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.contracts.test_pipeline_roles import listed
from tests.support.applying import Applying, account_with_service, copy_of, everything
from tests.support.repository import FIXTURES

PRODUCTION, SPECS = everything("production")
ORDERS: Final = SPECS["orders"]
ROLE: Final = "platform-production-plan"
CONTEXT: Final = {"ecs:cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/platform-production"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Applying:
    monkeypatch.chdir(FIXTURES)
    found = copy_of(account_with_service("production", "orders"))
    found.simulator.calls.clear()
    return found


def planned(account: Applying, *arguments: str) -> list[Call]:
    """The calls of one plan."""
    world = Outside(connect=lambda _environment: account.aws(), clock=account.simulator.clock)
    result = CliRunner().invoke(platform, ["plan", *arguments, "--env", "production"], obj=world)
    assert result.exit_code in (0, 2), result.stderr
    return account.simulator.calls


def plan_everything(account: Applying) -> list[Call]:
    """Services, an image, what they share, and a service while it is released."""
    planned(account)
    planned(account, "--shared")
    image = account.simulator.service(Ecr).push("orders", "1.5.0", architecture=ORDERS.task.architecture)
    planned(account, "orders", "--image", "1.5.0")
    asked = list(account.simulator.calls)
    revision = register(account.simulator, render_task_definition(ORDERS, PRODUCTION, image=image), {})
    appspec = render_appspec(load_appspec_template(FIXTURES), appspec_of(ORDERS, PRODUCTION), revision)
    account.aws().codedeploy.create(dict(deployment_request(appspec, ORDERS, PRODUCTION, "1.5.0")))
    account.simulator.calls.clear()
    return [*asked, *planned(account, "orders")]


def test_the_role_of_pull_requests_may_do_all_that_a_plan_does(account: Applying) -> None:
    documents = account.simulator.service(Iam).documents(ROLE)
    asked = {(call.action, resource) for call in plan_everything(account) for resource in call.resources}
    assert len(asked) > 30
    assert [about for about in sorted(asked) if not is_allowed(documents, *about, CONTEXT).allowed] == []


def test_and_nothing_else(account: Applying) -> None:
    documents = account.simulator.service(Iam).documents(ROLE)
    given = {
        action
        for document in documents
        for statement in document["Statement"]
        for action in listed(statement["Action"])
    }
    calls = plan_everything(account)
    assert {call.action for call in calls} == given
    assert not [call for call in calls if call.writes]


def test_of_another_environment_it_reads_nothing(account: Applying) -> None:
    documents = account.simulator.service(Iam).documents(ROLE)
    asked = {
        (call.action, resource.replace("production", "staging"))
        for call in plan_everything(account)
        for resource in call.resources
        if "production" in resource
    }
    assert len(asked) > 20
    assert [about for about in sorted(asked) if is_allowed(documents, *about).allowed] == []
