"""What to do about the reasons that CloudFormation gives most often."""

import re
from typing import Final

REMEDIES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"parameters?:? \[?.*(/platform/|ssm:).*(cannot be found|parameter store)",
            "a shared stack that it needs is not there: `platform apply --shared --env {environment}`",
        ),
        (
            r"already exists|already in use|duplicate",
            "something of that name was made past this stack: delete it if nobody needs it, or import it "
            "(docs.aws.amazon.com/AWSCloudFormation, `Import AWS resources`)",
        ),
        (
            r"service.linked role",
            "AWS makes the role when somebody who may first uses the service: `aws iam create-service-linked-role`",
        ),
        (
            r"role .*(is invalid or cannot be assumed|cannot be assumed|does not exist)",
            "the role that changes the stack is not there: `platform apply --shared --env {environment}`",
        ),
        (
            r"not authorized|access ?denied|unauthorized",
            "let the role that the reason names do what it names, or use credentials that may",
        ),
        (
            r"limit ?exceeded|quota|maximum number|exceeded the number|too many",
            "ask for more under Service Quotas in the console, or delete what nobody needs",
        ),
        (
            r"certificate|dns validation|pending validation",
            "the certificate waits until the hosted zone is delegated: enter the zone's name servers where the domain "
            "is registered",
        ),
        (
            r"did not stabilize|exceeded attempts to wait|circuit breaker|steady state",
            "its tasks do not stay up: `platform status` and the log group of the service tell why",
        ),
        (
            r"rate exceeded|throttl",
            "AWS was asked too much at once: give the same command again",
        ),
        (
            r"termination ?protection",
            "the stack is protected: end that first in the console, if it is meant",
        ),
    )
)


def remedy_for(reason: str, environment: str) -> str | None:
    """The first that fits; None for a reason that is not known."""
    for pattern, remedy in REMEDIES:
        if pattern.search(reason):
            return remedy.format(environment=environment)
    return None
