"""Calls that fail on demand, as boto3's caller would see it after botocore's own retries were used up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from aws_simulator.service import Refused

How = Literal["throttled", "denied", "server_error", "timeout", "answer_lost", "repeated"]
"""`timeout`: not performed. `answer_lost`: performed, and the caller learns nothing. `repeated`: the first answer is
lost and botocore tries again, so it is performed twice and the caller sees the second answer."""

ANY: Final = "*"

THROTTLED: Final[Mapping[str, str]] = {
    name: "Throttling" for name in ("elbv2", "cloudformation", "cloudwatch", "iam", "sts")
} | {"sqs": "RequestThrottled"}
"""Others say ThrottlingException."""

DENIED: Final[Mapping[str, str]] = {name: "AccessDenied" for name in ("elbv2", "cloudformation", "iam", "sts")}
"""Others say AccessDeniedException."""

BROKEN: Final[Mapping[str, str]] = {
    "ecs": "ServerException",
    "logs": "ServiceUnavailableException",
    "dynamodb": "InternalServerError",
    "ssm": "InternalServerError",
    "ecr": "ServerException",
    "secretsmanager": "InternalServiceError",
    "application-autoscaling": "InternalServiceException",
}
"""Others say InternalFailure."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Of the calls of an operation: `after` of them go well, then `times` fail."""

    service: str
    operation: str
    how: How
    times: int
    after: int
    seen: int = field(default=0)

    def strikes(self, service: str, operation: str) -> bool:
        if self.service not in (ANY, service) or self.operation not in (ANY, operation):
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


def throttled(service: str) -> Refused:
    return Refused(THROTTLED.get(service, "ThrottlingException"), "Rate exceeded")


def denied(service: str, action: str, resource: str, principal: str) -> Refused:
    message = (
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} because no identity-based "
        f"policy allows the {action} action"
    )
    return Refused(DENIED.get(service, "AccessDeniedException"), message, status=403 if service in DENIED else 400)


def broken(service: str) -> Refused:
    message = "Service Unavailable. Please try again later." if service == "ecs" else "An internal error occurred."
    return Refused(BROKEN.get(service, "InternalFailure"), message, status=500)
