"""One command of ours as a process: its calls to AWS, which may fail or be its last, and its clock.

Its clients answer from the simulator without botocore's serialization, and its clock skips seconds in which nothing
happens: so a history takes a third of the time. What boto3 checks and sends is checked by all other tests.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import ReadTimeoutError

from aws_simulator import AwsSimulator
from aws_simulator.client import denied, error_answer, metadata, server_error, throttled
from aws_simulator.service import Refused
from aws_simulator.shapes import operation_model
from tests.histories.steps import Disturbance
from tests.support.releases import Killed

FAILURE_MODES: Final = ("throttled", "server_error", "timeout", "answer_lost", "repeated", "denied")


@dataclass(slots=True)
class Process:
    """A command that runs. Every call of one that was killed raises Killed, so none of its cleaning up happens."""

    simulator: AwsSimulator
    disturbance: Disturbance | None = None
    calls: int = 0
    killed: bool = False
    quiet_until: datetime | None = None

    def client_of(self, service: str) -> Any:
        """Return a client with boto3's methods, paginators and exceptions, whose calls are those of this process."""
        shared = self.simulator.client(service)
        client = object.__new__(type(shared))
        vars(client).update(vars(shared))
        client._make_api_call = lambda operation, given: self.call(client, service, operation, given)
        return client

    def call(self, client: Any, service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        self.quiet_until = None
        tokens = {name: str(uuid4()) for name in operation_model(service, operation).idempotent_members}
        try:
            return self.answer(service, operation, tokens | given) | {"ResponseMetadata": metadata(200)}
        except Refused as refused:
            raise client.exceptions.from_code(refused.code)(error_answer(refused), operation) from None

    def answer(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        disturbance = self.disturbance
        strikes = disturbance is not None and disturbance.at <= self.calls < disturbance.at + disturbance.times
        match disturbance.kind if disturbance is not None and strikes else "":
            case "kill":
                self.killed = True
            case "throttled":
                raise throttled(service)
            case "server_error":
                raise server_error(service)
            case "denied":
                raise denied(service, f"{service}:{operation}", "*", self.simulator.principal)
            case "timeout":
                raise ReadTimeoutError(endpoint_url=f"https://{service}.amazonaws.com")
            case "answer_lost":
                with suppress(Refused):
                    self.simulator.perform(service, operation, request)
                raise ReadTimeoutError(endpoint_url=f"https://{service}.amazonaws.com")
            case "repeated":
                with suppress(Refused):
                    self.simulator.perform(service, operation, request)
        if self.killed:
            raise Killed
        return self.simulator.perform(service, operation, request)

    # The clock of a process. Between two of its calls nothing happens but what the simulator knows.

    def now(self) -> datetime:
        return self.simulator.clock.now()

    def sleep(self, seconds: float) -> None:
        clock = self.simulator.clock
        if self.quiet_until is None:
            self.quiet_until = clock.quiet_until
        if not clock.skip(seconds, self.quiet_until):
            self.quiet_until = None
            clock.sleep(seconds)
