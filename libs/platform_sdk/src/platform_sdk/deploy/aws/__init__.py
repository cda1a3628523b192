"""Thin typed gateways: one file for each AWS service, one family of errors for all of them, and no decisions.

AwsCallFailed
├── AccessDenied       the policies do not allow it
├── NoCredentials      there are none, or they are not valid any more
├── Throttled          too many calls, after botocore's own retries
├── AwsUnavailable     no answer, or one of 5xx
├── NotFound           what the call is about does not exist, where the gateway does not answer None
└── DeploymentRunning  CodeDeploy deploys the group already
"""

from platform_sdk.errors import PlatformError


class AwsCallFailed(PlatformError):
    """AWS, or the laptop's AWS, refused a call or could not be reached.

    Args:
        service: as in an IAM action: `ecs`.
        operation: as in AWS's reference: `DescribeServices`; empty where no call was made.
        code: AWS's code of the error; empty where there was no answer.
        may_have_happened: AWS may have done what was asked: there was no clear answer, or only to a second attempt.
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
    """`action` is as in a policy, `resource` and `who` are ARNs; the two are empty where AWS does not name them."""

    action = ""
    resource = ""
    who = ""


class NoCredentials(AwsCallFailed):
    pass


class Throttled(AwsCallFailed):
    pass


class AwsUnavailable(AwsCallFailed):
    pass


class NotFound(AwsCallFailed):
    pass


class DeploymentRunning(AwsCallFailed):
    """A group has one deployment at a time. `deployment_id` is empty where AWS does not name it."""

    deployment_id = ""
