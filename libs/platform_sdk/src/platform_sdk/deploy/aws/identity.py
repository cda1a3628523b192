"""Who calls AWS, and what that one may do."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from platform_sdk.deploy.aws import AccessDenied, AwsCallFailed
from platform_sdk.deploy.aws.calls import call

ASSUMED_ROLE: Final = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`arn` is that of a user, or of a role's session: `arn:aws:sts::111122223333:assumed-role/<role>/<session>`."""

    arn: str
    account_id: str


class Identity:
    """`iam_client` is asked for when it is needed. Every method raises AwsCallFailed."""

    def __init__(self, client: Any, iam_client: Callable[[], Any]) -> None:
        self.client = client
        self.iam_client = iam_client

    def caller(self) -> Caller:
        answer = call(self.client, "get_caller_identity", "find out who calls AWS")
        return Caller(arn=answer["Arn"], account_id=answer["Account"])

    def may_pass(self, role_arn: str, *, by: str, to: str) -> bool | None:
        """Whether `by`, an ARN of a user, role or session, may hand a role to a service such as
        `ecs-tasks.amazonaws.com`; None where the caller may not ask, or IAM does not find `by`.
        """
        try:
            answer = call(
                self.iam_client(),
                "simulate_principal_policy",
                f"find out whether {role_arn} may be passed",
                PolicySourceArn=principal_of(by),
                ActionNames=["iam:PassRole"],
                ResourceArns=[role_arn],
                ContextEntries=[
                    {
                        "ContextKeyName": "iam:PassedToService",
                        "ContextKeyValues": [to],
                        "ContextKeyType": "string",
                    }
                ],
            )
        except AccessDenied:
            return None
        except AwsCallFailed as error:
            # The role of a session is known by its name alone: with a path, IAM does not find it.
            if error.code in ("NoSuchEntity", "InvalidInput"):
                return None
            raise
        return all(each["EvalDecision"] == "allowed" for each in answer["EvaluationResults"])


def principal_of(arn: str) -> str:
    """The role of a session, which is what IAM knows; any other ARN as it is."""
    session = ASSUMED_ROLE.fullmatch(arn)
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else arn
