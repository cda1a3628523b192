"""Typed gateways to AWS: a file for each service, one family of errors, retries, and no decisions.

AwsCallFailed
├── AccessDenied       the policies do not allow it
├── NoCredentials      there are none, or they are not valid any more
├── Throttled          too many calls, after botocore's own retries
├── AwsUnavailable     no answer, or one of 5xx
├── NotFound           the subject of the call does not exist, where the gateway does not return None
├── NotPlaced          RunTask had no place for a task now: no capacity, or a quota is used up
└── DeploymentRunning  the group has a running deployment already
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import Any, Final, TypeVar, overload

from platform_sdk.errors import PlatformError


class AwsCallFailed(PlatformError):
    """AWS, or the laptop's AWS, refused a call or could not be reached.

    Args:
        service: as in an IAM action: `ecs`.
        operation: as in AWS's reference: `DescribeServices`; empty where no call was made.
        code: AWS's code of the error; empty where there was no answer.
        may_have_happened: AWS may have done it: there was no clear answer, or only to a second attempt.
    """

    def __init__(
        self,
        what: str,
        *,
        because: str | None = None,
        hint: str | None = None,
        service: str = "",
        operation: str = "",
        code: str = "",
        may_have_happened: bool = False,
    ) -> None:
        super().__init__(what, because=because, hint=hint)
        self.service = service
        self.operation = operation
        self.code = code
        self.may_have_happened = may_have_happened


class AccessDenied(AwsCallFailed):
    """A denied call. `action` is as in a policy, `resource` and `who` are ARNs, empty where AWS names none."""

    action = ""
    resource = ""
    who = ""


class NoCredentials(AwsCallFailed):
    """There are no credentials, or AWS does not accept them, for example because they expired."""


class Throttled(AwsCallFailed):
    """AWS is busy with calls of this account. A retry is likely to succeed."""


class AwsUnavailable(AwsCallFailed):
    """AWS failed, or gave no answer. Where the call writes, it may have had its effect (`may_have_happened`)."""


class NotFound(AwsCallFailed):
    """What the call names does not exist."""


class NotPlaced(AwsCallFailed):
    """A task that ECS could not place. `because` is ECS's reason, in its words."""


class DeploymentRunning(AwsCallFailed):
    """A group has one deployment at a time. `deployment_id` is empty where AWS does not name it."""

    deployment_id = ""


# Retries, for when AWS is busy or away for longer than botocore itself waits.

PAUSES: Final = (1, 2, 4, 8, 15)
"""Seconds between attempts, beyond botocore's own attempts within each."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy.

    Args:
        on_retry: called with the error and the pause in seconds before each further attempt. It waits for that long;
            what it raises ends the attempts.
    """

    on_retry: Callable[[AwsCallFailed, int], None]
    pauses: Sequence[int] = PAUSES

    def run(self, call: Callable[[], Result], *, find_result: Callable[[], Result | None] | None = None) -> Result:
        """Return the result of a call, repeated while it fails temporarily.

        Args:
            find_result: for a call that must not be made twice: looks for what it did although no answer came.

        Raises:
            AwsCallFailed: AWS refused, or still fails after the last pause.
        """
        may_have_happened = False
        for pause in (*self.pauses, None):
            try:
                return call()
            except AwsCallFailed as error:
                # A later attempt may meet what an earlier one did, whose answer was lost.
                may_have_happened = error.may_have_happened = error.may_have_happened or may_have_happened
                if pause is None or not isinstance(error, Throttled | AwsUnavailable):
                    raise
                self.on_retry(error, pause)
            if may_have_happened and find_result is not None and (found := find_result()) is not None:
                return found
        raise AssertionError("the last attempt returns or raises")


def never(_error: AwsCallFailed, _pause: int) -> None:
    """Do nothing, for a policy without pauses."""


NO_RETRY: Final = Retry(never, pauses=())

VISIBLE_WITHIN: Final = timedelta(minutes=2)
"""How long reads may miss a write before them. ECS follows an eventual consistency model, and names no time
(docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html)."""

MAKING_CLIENT: Final = Lock()


# Calls by their names in boto3, with botocore's errors as one family.

# docs.aws.amazon.com/IAM: a denial says "User: <arn> is not authorized to perform: <action> on resource: <arn> …".
DENIED_SENTENCE: Final = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>[^\s\"]+))?"
)
DENIED: Final = frozenset({"AccessDenied", "AuthorizationError", "Forbidden", "UnauthorizedOperation"})
EXPIRED: Final = frozenset(
    {
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignature",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    }
)
# Those of botocore.retries.standard.ThrottledRetryableChecker, but for LimitExceededException: to most services that
# is a quota, and waiting does not help.
THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2Throttled",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttled",
        "Throttling",
        "TooManyRequests",
        "TransactionInProgress",
    }
)
# RegisterTaskDefinition has no code of its own for registrations of one family at the same time.
TOO_MANY_AT_ONCE: Final = "Too many concurrent attempts"
UNAVAILABLE: Final = frozenset(
    {
        "DatabaseResuming",
        "DatabaseUnavailable",
        "InternalError",
        "InternalFailure",
        "InternalServer",
        "InternalServerError",
        "Server",
        "ServiceUnavailable",
        "ServiceUnavailableError",
    }
)
MISSING: Final = re.compile(r"(?:.*NotFound|.*DoesNotExist|NoSuch\w+)(?:Fault)?")

ACTION_PREFIXES: Final = {"monitoring": "cloudwatch"}
"""Of IAM actions, where botocore signs with another name."""


def call(boto3_client: Any, method: str, purpose: str, /, **request: Any) -> Any:
    """Return the answer of `boto3_client.<method>(**request)`, without retries of our own.

    Args:
        purpose: completes "could not …": "read the service orders".

    Raises:
        AwsCallFailed
    """
    return _translated(boto3_client, method, purpose, lambda: getattr(boto3_client, method)(**request))


def _translated(boto3_client: Any, method: str, purpose: str, send: Callable[[], Any]) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return send()
    except (BotoCoreError, ClientError) as error:
        meta = boto3_client.meta
        service = ACTION_PREFIXES.get(meta.service_model.signing_name, meta.service_model.signing_name)
        operation = meta.method_to_api_mapping[method]
        raise failure(error, f"could not {purpose}", service=service, operation=operation) from error


class Client:
    """A boto3 client whose calls are retried by a policy. `method` and `purpose` are as for `call`."""

    def __init__(self, client_of: Callable[[], Any], retry: Retry) -> None:
        self.client_of = client_of
        self.retry = retry

    @cached_property
    def boto3_client(self) -> Any:
        """The client of boto3, made at its first use."""
        # A session of boto3 makes one client at a time.
        with MAKING_CLIENT:
            return self.client_of()

    def call(self, method: str, purpose: str, /, **request: Any) -> Any:
        """Return the answer to a call that may be repeated."""
        return self.retry.run(lambda: self.call_once(method, purpose, **request))

    def call_once(self, method: str, purpose: str, /, **request: Any) -> Any:
        """Return the answer to a call that must not be repeated blindly: the first one may have done it."""
        return call(self.boto3_client, method, purpose, **request)

    def pages(self, method: str, purpose: str, /, **request: Any) -> Iterator[Any]:
        """Yield the pages of a list. Each is read when the one before is used up."""
        paginator = self.boto3_client.get_paginator(method)
        read = 0
        answers = iter(paginator.paginate(**request))

        def next_page() -> Any:
            nonlocal answers
            if answers is None:
                # botocore's iterator ends with an error: start again, after the pages that were read.
                answers = islice(paginator.paginate(**request), read, None)
            try:
                return _translated(self.boto3_client, method, purpose, lambda: next(answers, None))
            except AwsCallFailed:
                answers = None
                raise

        while (page := self.retry.run(next_page)) is not None:
            read += 1
            yield page


def failure(error: Exception, what: str, *, service: str, operation: str) -> AwsCallFailed:
    """Return botocore's error as one of ours."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return refusal(error.response, what, service=service, operation=operation)
    return no_answer(error, what, service=service, operation=operation)


def refusal(response: Any, what: str, *, service: str, operation: str) -> AwsCallFailed:
    """Return the error of an answer."""
    code = str(response.get("Error", {}).get("Code", ""))
    because = str(response.get("Error", {}).get("Message", "")) or code
    about = response.get("ResponseMetadata", {})
    # A second attempt may meet what the first one did, whose answer was lost.
    again = about.get("RetryAttempts", 0) > 0
    kind = code.rsplit("#", 1)[-1].removesuffix("Exception")
    if kind in DENIED:
        return _denied(what, because, service=service, operation=operation, code=code)
    if kind in EXPIRED:
        return NoCredentials(
            what, because=because, hint="log in again, for example `aws sso login`",
            service=service, operation=operation, code=code,
        )  # fmt: skip
    if kind in THROTTLED or (kind == "Client" and TOO_MANY_AT_ONCE in because):
        return Throttled(
            what, because=f"AWS limits the rate of {service}:{operation}: {because}", hint="try again later",
            service=service, operation=operation, code=code,
        )  # fmt: skip
    if kind in UNAVAILABLE or about.get("HTTPStatusCode", 0) >= 500:
        return AwsUnavailable(
            what, because=f"AWS failed: {because}", hint="try again, or see health.aws.amazon.com",
            service=service, operation=operation, code=code, may_have_happened=True,
        )  # fmt: skip
    # CloudFormation has no code of its own for an unknown stack.
    missing = MISSING.fullmatch(kind) or (kind == "ValidationError" and "does not exist" in because)
    error = NotFound if missing else AwsCallFailed
    return error(what, because=because, service=service, operation=operation, code=code, may_have_happened=again)


def _denied(what: str, because: str, *, service: str, operation: str, code: str) -> AccessDenied:
    found = DENIED_SENTENCE.search(because)
    action = found["action"] if found else f"{service}:{operation}"
    resource = (found["resource"] if found else "") or ""
    who = found["who"] if found else ""
    error = AccessDenied(
        what,
        because=f"{who or 'the caller'} may not {action}" + (f" on {resource}" if resource else "") + f": {because}",
        hint=f"allow {action} in the policy of that role, or use a role that may; `aws sts get-caller-identity` "
        "shows which one is in use",
        service=service,
        operation=operation,
        code=code,
    )
    error.action, error.resource, error.who = action, resource, who
    return error


def no_answer(error: Exception, what: str, *, service: str, operation: str) -> AwsCallFailed:
    """Return the error of a request that was not sent, or whose answer did not arrive."""
    from botocore import exceptions

    known: Any = {"service": service, "operation": operation}
    if isinstance(
        error,
        exceptions.NoCredentialsError
        | exceptions.PartialCredentialsError
        | exceptions.CredentialRetrievalError
        | exceptions.ProfileNotFound
        | exceptions.SSOError
        | exceptions.LoginError
        | exceptions.TokenRetrievalError,
    ):
        return NoCredentials(what, because=str(error), hint="log in, for example `aws sso login`", **known)
    if isinstance(error, exceptions.ConnectionError):
        hint = "on the laptop, check `platform status`; on AWS, check the network first"
        return AwsUnavailable(what, because=str(error), hint=hint, **known)
    if isinstance(error, exceptions.HTTPClientError):
        hint = "AWS may have done it anyway: check before you repeat it"
        return AwsUnavailable(what, because=str(error), hint=hint, may_have_happened=True, **known)
    return AwsCallFailed(what, because=str(error), **known)


def in_batches(values: Sequence[str], most: int) -> Iterator[list[str]]:
    """Yield batches of up to `most` values, for calls that take a limited number."""
    for start in range(0, len(values), most):
        yield list(values[start : start + most])


@overload
def utc(moment: datetime) -> datetime: ...
@overload
def utc(moment: None) -> None: ...
def utc(moment: datetime | None) -> datetime | None:
    """Return a time in UTC: botocore uses the zone of the machine."""
    return None if moment is None else moment.astimezone(UTC)


def best_effort(read: Callable[[], Result], default: Result) -> Result:
    """Return what AWS answers, or the default where it does not. For what only helps a person to see more."""
    try:
        return read()
    except AwsCallFailed:
        return default
