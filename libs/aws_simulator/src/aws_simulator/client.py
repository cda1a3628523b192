"""Real boto3 clients for an account in memory: botocore validates, pages, waits and raises; no socket is opened.

A call arrives through botocore's event `before-call`, whose handler may answer in place of the network. The call is
recorded, may be made to fail, and is performed by its service. The answer is checked against AWS's service model.
"""

import copy
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, Literal

from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.model import OperationModel

from aws_simulator.account import Account
from aws_simulator.autoscaling import ApplicationAutoScaling
from aws_simulator.clock import SteppedClock
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.cloudwatch import CloudWatch
from aws_simulator.codedeploy.deployments import CodeDeploy
from aws_simulator.disorder import Disorder, shuffle
from aws_simulator.dynamodb import DynamoDb
from aws_simulator.ecr import Ecr
from aws_simulator.ecs.service import Ecs
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.iam import Iam
from aws_simulator.logs import Logs
from aws_simulator.secrets_and_parameters import SecretsManager, Ssm
from aws_simulator.service import Refused, Service, UnsupportedOperation
from aws_simulator.shapes import (
    OwnHandlers,
    check_pickled_answer,
    operation_model,
    session,
    unsent_request,
    violations_in_request,
)
from aws_simulator.small_services import CacheUsers, Functions, RdsData, Sqs, Sts

# Failure injection: calls fail as boto3's caller sees it after botocore's own retries.

FailureMode = Literal["throttled", "denied", "server_error", "timeout", "answer_lost", "repeated"]
"""`timeout`: not performed. `answer_lost`: performed, but without an answer. `repeated`: the first answer is lost and
botocore retries, so the call is performed twice and the caller sees the second answer."""

ANY: Final = "*"

THROTTLED: Final[Mapping[str, str]] = {
    name: "Throttling" for name in ("elbv2", "cloudformation", "cloudwatch", "iam", "sts")
} | {"sqs": "RequestThrottled"}
"""Other services use ThrottlingException."""

DENIED: Final[Mapping[str, str]] = {name: "AccessDenied" for name in ("elbv2", "cloudformation", "iam", "sts")}
"""Other services use AccessDeniedException."""

SERVER_ERRORS: Final[Mapping[str, str]] = {
    "ecs": "ServerException",
    "logs": "ServiceUnavailableException",
    "dynamodb": "InternalServerError",
    "ssm": "InternalServerError",
    "ecr": "ServerException",
    "secretsmanager": "InternalServiceError",
    "application-autoscaling": "InternalServiceException",
}
"""Other services use InternalFailure."""


@dataclass(slots=True, kw_only=True)
class FaultInjection:
    """One operation's calls: `after` of them succeed, then `times` fail."""

    service: str
    operation: str
    how: FailureMode
    times: int
    after: int
    seen: int = field(default=0)

    def strikes(self, service: str, operation: str) -> bool:
        """Count a call, and return whether it fails."""
        if self.service not in (ANY, service) or self.operation not in (ANY, operation):
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


def throttled(service: str) -> Refused:
    """Return the refusal of one call too many."""
    return Refused(THROTTLED.get(service, "ThrottlingException"), "Rate exceeded")


def denied(service: str, action: str, resource: str, principal: str) -> Refused:
    """Return the refusal of a caller without the permission."""
    message = (
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} because no identity-based "
        f"policy allows the {action} action"
    )
    return Refused(DENIED.get(service, "AccessDeniedException"), message, status=403 if service in DENIED else 400)


def server_error(service: str) -> Refused:
    """Return the error of a service that fails."""
    message = "Service Unavailable. Please try again later." if service == "ecs" else "An internal error occurred."
    return Refused(SERVER_ERRORS.get(service, "InternalFailure"), message, status=500)


# All services, in the order in which they are stepped.

SERVICES: Final[Mapping[str, Callable[[Account], Service]]] = {
    "logs": Logs,
    "elbv2": ElbV2,
    "ecs": Ecs,
    "cloudwatch": CloudWatch,
    "application-autoscaling": ApplicationAutoScaling,
    "codedeploy": CodeDeploy,
    "ecr": Ecr,
    "ssm": Ssm,
    "secretsmanager": SecretsManager,
    "lambda": Functions,
    "dynamodb": DynamoDb,
    "rds-data": RdsData,
    "elasticache": CacheUsers,
    "sqs": Sqs,
    "iam": Iam,
    "sts": Sts,
    "cloudformation": CloudFormation,
}


READING: Final = (
    "Describe",
    "Get",
    "List",
    "BatchGet",
    "BatchCheck",
    "Filter",
    "Query",
    "Scan",
    "Simulate",
    "Estimate",
)
"""Prefixes of operations that change nothing; and Validate."""

PREFIXES: Final[Mapping[str, str]] = {"cloudwatch": "cloudwatch"}
"""IAM's prefixes where they differ from the name that requests are signed with."""

LEGACY_CODES: Final[Mapping[str, str]] = {"AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist"}
"""Codes that SQS keeps from its earlier protocol, and the exceptions that botocore raises for them."""

RETRIES: Final = 4
"""How often botocore's default mode retries a throttled call or a server error before it gives up."""

INVALID: Final[Mapping[str, str]] = {
    "ecs": "InvalidParameterException",
    "ecr": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "elbv2": "ValidationError",
    "cloudformation": "ValidationError",
    "cloudwatch": "ValidationError",
    "iam": "ValidationError",
}
"""The code with which a service refuses a value that its model forbids. Others use ValidationException."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that a client made.

    Args:
        action: its name in IAM: `elasticloadbalancing:DescribeRules`.
        resources: the ARNs it concerns, or `*`.
        error: the code of a refusal, or the name of botocore's exception; None if it succeeded.
        writes: whether it may change something.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    action: str
    resources: tuple[str, ...]
    error: str | None
    at: datetime
    writes: bool


class AwsSimulator(Account):
    """An account with clients.

    Args:
        principal: ARN of who calls, as refusals name it.
    """

    def __init__(
        self,
        *,
        clock: SteppedClock,
        account_id: str = "111122223333",
        region: str = "us-east-1",
        principal: str | None = None,
    ) -> None:
        super().__init__(clock=clock, account_id=account_id, region=region, services=SERVICES)
        self.principal = principal or f"arn:aws:sts::{account_id}:assumed-role/release/session"
        self.calls: list[Call] = []
        self.checks_answers = True
        """Whether answers are checked against AWS's models; a test with very many calls saves the time."""
        self._faults: list[FaultInjection] = []
        self._disorder = Disorder()
        self._clients: dict[str, BaseClient] = {}
        self.autoscaling = self.service(ApplicationAutoScaling)
        self.cloudwatch = self.service(CloudWatch)
        self.codedeploy = self.service(CodeDeploy)
        self.ecs = self.service(Ecs)
        self.elbv2 = self.service(ElbV2)
        self.logs = self.service(Logs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the clients: a copy must not call the original."""
        return {**self.__dict__, "_clients": {}}

    def client(self, service: str) -> Any:
        """Return a real boto3 client, the same one each time. It never opens a socket."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def fail(self, service: str, operation: str, *, how: FailureMode, times: int = 1, after: int = 0) -> None:
        """Let `after` calls of the operation succeed and the next `times` fail. `*` is any service or operation."""
        self._faults.append(FaultInjection(service=service, operation=operation, how=how, times=times, after=after))

    def heal(self) -> None:
        """End all injected failures."""
        self._faults.clear()

    def perform(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform a client's call without record or injected failures: for one service that acts on another.

        Raises:
            Refused: as the service would refuse it.
            UnsupportedOperation: the simulator does not implement the operation.
        """
        # Neither side may change what the other one keeps. Pickling plain values is much faster than `copy.deepcopy`.
        pickled = pickle.dumps(dict(request))
        violations = violations_in_request(service, operation, pickled)
        if violations:
            plural = "errors" if len(violations) > 1 else "error"
            code = INVALID.get(service, "ValidationException")
            raise Refused(code, f"{len(violations)} validation {plural} detected: {'; '.join(violations)}")
        method = getattr(self.services.get(service), xform_name(operation), None)
        if method is None:
            raise UnsupportedOperation(f"the simulator does not implement {service}:{operation}")
        answer = pickle.dumps(method(pickle.loads(pickled)))
        if self.checks_answers:
            check_pickled_answer(service, operation, answer)
        parsed: dict[str, Any] = pickle.loads(answer)
        return parsed

    def _perform_for_client(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform a call with the order and the age that the conditions give its answer."""
        conditions, now = self.conditions, self.now()
        if not operation.startswith(READING):
            calls, self.calls, disorder, self._disorder = self.calls, [], self._disorder, Disorder()
            try:
                disorder.note_write(service, operation, conditions, now, self)
            finally:
                self.calls, self._disorder = calls, disorder
        old = self._disorder.account_for(service, operation, request, conditions, now)
        answer: dict[str, Any] = (old or self).perform(service, operation, request)
        if conditions.shuffles:
            shuffle(service, operation, answer, conditions.seed)
        return answer

    def _make_client(self, service: str) -> BaseClient:
        prototype = client_prototype(service, self.region)
        client: BaseClient = object.__new__(type(prototype))
        vars(client).update(vars(prototype))
        client.meta = copy.copy(prototype.meta)
        client.meta.events = OwnHandlers(prototype.meta.events)

        def remember(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["parameters"] = params

        def answer(model: OperationModel, context: Mapping[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
            return self._answer(service, model, context["parameters"], client.meta.endpoint_url)

        # No request is sent, so none is serialised and no endpoint is composed: half of the time that a call takes.
        endpoint = client.meta.endpoint_url
        vars(client).update(
            _resolve_endpoint_ruleset=lambda *_: (endpoint, {}, {}),
            _convert_to_request_dict=unsent_request,
            get_paginator=cache(client.get_paginator),
        )
        # Last, when botocore has added its idempotency tokens.
        client.meta.events.register_last("before-parameter-build", remember)
        client.meta.events.register("before-call", answer)  # type: ignore[arg-type]  # an answer is what it waits for
        return client

    def _answer(
        self, service: str, model: OperationModel, request: Mapping[str, Any], endpoint: str
    ) -> tuple[Any, dict[str, Any]]:
        """Return what botocore expects: the HTTP answer's status, and the parsed body."""
        error: str | None = None
        try:
            parsed = self._perform_or_fail(service, model.name, request, endpoint)
            return SimpleNamespace(status_code=200), parsed | {"ResponseMetadata": metadata(200)}
        except Refused as refused:
            error = refused.code
            return SimpleNamespace(status_code=refused.status), error_answer(refused)
        except ReadTimeoutError:
            error = "ReadTimeoutError"
            raise
        finally:
            self._record(service, model, request, error)

    def _perform_or_fail(
        self, service: str, operation: str, request: Mapping[str, Any], endpoint: str
    ) -> dict[str, Any]:
        # Every one of them counts the call, although only the first that strikes is applied.
        striking = [fault.how for fault in self._faults if fault.strikes(service, operation)]
        match next(iter(striking), None):
            case None:
                return self._perform_for_client(service, operation, request)
            case "throttled":
                raise throttled(service)
            case "denied":
                model = operation_model(service, operation)
                resources = self._resources(service, operation, request)
                raise denied(service, action(service, model), resources[0], self.principal)
            case "server_error":
                raise server_error(service)
            case "timeout":
                raise ReadTimeoutError(endpoint_url=endpoint)
            case "answer_lost":
                with suppress(Refused):
                    self._perform_for_client(service, operation, request)
                raise ReadTimeoutError(endpoint_url=endpoint)
            case "repeated":
                with suppress(Refused):
                    self._perform_for_client(service, operation, request)
                return self._perform_for_client(service, operation, request)

    def _record(self, service: str, model: OperationModel, request: Mapping[str, Any], error: str | None) -> None:
        call = Call(
            service=service,
            operation=model.name,
            parameters=pickle.loads(pickle.dumps(dict(request))),
            action=action(service, model),
            resources=self._resources(service, model.name, request),
            error=error,
            at=self.now(),
            writes=not model.name.startswith((*READING, "Validate")),
        )
        self.calls.append(call)

    def _resources(self, service: str, operation: str, request: Mapping[str, Any]) -> tuple[str, ...]:
        known = self.services.get(service)
        return (known.iam_resources(operation, request) if known else ()) or ("*",)


@cache
def client_prototype(service: str, region: str) -> BaseClient:
    """Return a client to be copied for each account: making one takes tens of milliseconds."""
    client: BaseClient = session().create_client(
        service,
        region_name=region,
        aws_access_key_id="in-memory",
        aws_secret_access_key="in-memory",  # noqa: S106 - it signs nothing
        # botocore would compose its own user agent anew for every call.
        config=Config(parameter_validation=True, user_agent="in-memory"),
    )
    return client


def action(service: str, model: OperationModel) -> str:
    """Return an operation's name in IAM: https://docs.aws.amazon.com/service-authorization/latest/reference/"""
    return f"{PREFIXES.get(service, model.service_model.signing_name)}:{model.name}"


def metadata(status: int, *, retried: bool = False) -> dict[str, Any]:
    """Return ResponseMetadata, with the retries that botocore would have made."""
    attempts = {"RetryAttempts": RETRIES, "MaxAttemptsReached": True} if retried else {"RetryAttempts": 0}
    return {"RequestId": "00000000-0000-0000-0000-000000000000", "HTTPStatusCode": status, **attempts}


def error_answer(refused: Refused) -> dict[str, Any]:
    """Return a refusal as botocore parses it from the wire."""
    error = {"Code": refused.code, "Message": refused.message, "Type": "Sender" if refused.status < 500 else "Receiver"}
    error |= {"QueryErrorCode": LEGACY_CODES[refused.code]} if refused.code in LEGACY_CODES else {}
    about = metadata(refused.status, retried=refused.status >= 500 or "Throttl" in refused.code)
    return {"Error": error, "ResponseMetadata": about, "message": refused.message, **refused.detail}
