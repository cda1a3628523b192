"""Stacks applied to the simulated account: what a test applies with, and how it is killed on the way."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import released
from aws_simulator.cloudformation import CloudFormation
from platform_sdk.deploy.apply import LockOptions, apply_service, apply_shared
from platform_sdk.deploy.apply.events import ApplyContext, ApplyEvent, Question, ResourceMoved
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.context import Interrupts
from platform_sdk.deploy.shared import load_shared_stacks
from tests.support.repository import FIXTURES

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass(slots=True, kw_only=True)
class Applying:
    """One account, with the events and questions of its applies."""

    simulator: AwsSimulator
    emitted: list[ApplyEvent] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    @property
    def cloudformation(self) -> CloudFormation:
        return self.simulator.service(CloudFormation)

    def aws(self, client_of: Callable[[str], Any] | None = None) -> Aws:
        return Aws(
            client_of or self.simulator.client, account_id=self.simulator.account_id, region=self.simulator.region
        )

    def context(
        self,
        *,
        agree: Callable[[Question], bool] = lambda _question: True,
        client_of: Callable[[str], Any] | None = None,
        on_event: Callable[[ApplyEvent], None] = lambda _event: None,
        replaceable: frozenset[str] = frozenset(),
        skippable: frozenset[str] = frozenset(),
        interrupts: Interrupts | None = None,
    ) -> ApplyContext:
        def emit(event: ApplyEvent) -> None:
            self.emitted.append(event)
            on_event(event)

        def answer(question: Question) -> bool:
            self.questions.append(question)
            return agree(question)

        return ApplyContext(
            aws_once=self.aws(client_of),
            clock=self.simulator.clock,
            emit=emit,
            agree=answer,
            interrupts=interrupts or Interrupts(),
            replaceable=replaceable,
            skippable=skippable,
        )

    def status(self, stack: str) -> str | None:
        found = self.aws().stacks.stack(stack)
        return None if found is None else found.status

    def moved(self) -> list[tuple[str, str]]:
        """Return logical id and status of each event."""
        return [(each.event.logical_id, each.event.status) for each in self.emitted if isinstance(each, ResourceMoved)]

    def written(self) -> list[str]:
        """The operations that may have changed something."""
        return [call.operation for call in self.simulator.calls if call.writes]

    @contextmanager
    def dying_before(self, call: int) -> Iterator[Callable[[str], Any]]:
        """Clients of a process that is killed before its call of this number, counted from 1."""
        count = 0
        hooked: list[Any] = []

        def die(**_: Any) -> None:
            nonlocal count
            count += 1
            if count == call:
                raise Killed

        def client_of(service: str) -> Any:
            client = self.simulator.client(service)
            client.meta.events.register_first("before-call", die)
            hooked.append(client)
            return client

        yield client_of
        for client in hooked:
            client.meta.events.unregister("before-call", die)


def empty_account(account_id: str = "444455556666") -> Applying:
    return Applying(simulator=AwsSimulator(clock=SteppedClock(START), account_id=account_id))


@cache
def account_with_shared_stacks(environment_name: str, service: str) -> bytes:
    """Return a pickled account with all that services share, and no stack of the service itself."""
    environment, specs = everything(environment_name)
    simulator = AwsSimulator(clock=SteppedClock(START), account_id=environment.account_id, region=environment.region)
    stacks = load_shared_stacks(FIXTURES, environment, [specs[service]])
    apply_shared(stacks, FIXTURES, environment, Applying(simulator=simulator).context())
    return pickle.dumps(simulator)


@cache
def account_with_service(environment_name: str, service: str) -> bytes:
    """Return a pickled account with the stack of the service, and a first release of it."""
    environment, specs = everything(environment_name)
    account = copy_of(account_with_shared_stacks(environment_name, service))
    apply_service(specs[service], environment, account.context(), LockOptions(owner="setup"))
    released(account.simulator, FIXTURES, environment, specs[service], "v1")
    return pickle.dumps(account.simulator)


@cache
def everything(environment_name: str) -> tuple[Environment, dict[str, ServiceSpec]]:
    specs = {spec.name: spec for spec in load_services(FIXTURES, environment_name)}
    return load_environment(FIXTURES, environment_name), specs


def copy_of(pickled: bytes) -> Applying:
    return Applying(simulator=pickle.loads(pickled))
