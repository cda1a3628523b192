"""An account in memory, and a person with a template in hand: change set, look, execute, wait."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any

import pytest

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account
from aws_simulator.cloudformation import CloudFormation
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from tests.support.repository import FIXTURES

Json = dict[str, Any]
STAGING = load_environment(FIXTURES, "staging")
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Console:
    """What a person does with CloudFormation, through a real client."""

    def __init__(self, simulator: AwsSimulator) -> None:
        self.simulator = simulator
        self.client = simulator.client("cloudformation")
        self._numbers = count(1)

    def plan(
        self, stack: str, template: Json | str, parameters: Mapping[str, str | None] | None = None, **more: Any
    ) -> Json:
        """A change set that is ready, as DescribeChangeSet gives it; a value of None is the previous one."""
        exists = any(one.name == stack and one.resources for one in self.simulator.service(CloudFormation).stacks)
        name = f"change-{next(self._numbers)}"
        given = [
            {"ParameterKey": key, "UsePreviousValue": True}
            if value is None
            else {"ParameterKey": key, "ParameterValue": value}
            for key, value in (parameters or {}).items()
        ]
        self.client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateBody=template if isinstance(template, str) else json.dumps(template),
            Parameters=given,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **more,
        )
        self.simulator.clock.sleep(5)
        described: Json = self.client.describe_change_set(
            StackName=stack, ChangeSetName=name, IncludePropertyValues=True
        )
        return described

    def apply(
        self, stack: str, template: Json | str, parameters: Mapping[str, str | None] | None = None, **more: Any
    ) -> str:
        """Plans, executes and waits. Returns the stack's status."""
        return self.execute(stack, self.plan(stack, template, parameters, **more))

    def execute(self, stack: str, change_set: Json, **more: Any) -> str:
        self.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"], **more)
        return self.settle(stack)

    def settle(self, stack: str) -> str:
        found = self.simulator.service(CloudFormation).find(stack)
        while found.busy:
            self.simulator.clock.sleep(1)
        return found.status

    def events(self, stack: str) -> list[tuple[str, str]]:
        """Logical id and status, the oldest first."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reason(self, stack: str, logical_id: str, status: str) -> str:
        """Of the newest event of that status."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=stack)
        return next(
            str(event["ResourceStatusReason"])
            for page in pages
            for event in page["StackEvents"]
            if (event["LogicalResourceId"], event["ResourceStatus"]) == (logical_id, status)
        )


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> AwsSimulator:
    """An account: empty, or with all stacks of staging if the test uses `staging`."""
    copied: AwsSimulator = pickle.loads(built()) if "staging" in request.fixturenames else empty()
    return copied


def empty() -> AwsSimulator:
    return AwsSimulator(clock=SteppedClock(START), account_id=STAGING.account_id)


@cache
def built() -> bytes:
    simulator = empty()
    build_account(simulator, FIXTURES, STAGING, load_services(FIXTURES, "staging"))
    return pickle.dumps(simulator)


@pytest.fixture
def console(simulator: AwsSimulator) -> Console:
    return Console(simulator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Staging with its three services, none of them released."""

    simulator: AwsSimulator
    environment: Environment
    services: Mapping[str, ServiceSpec]


@pytest.fixture
def staging(simulator: AwsSimulator) -> Staging:
    services = load_services(FIXTURES, "staging")
    return Staging(simulator=simulator, environment=STAGING, services={spec.name: spec for spec in services})
