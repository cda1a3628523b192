"""Lambda, as far as the hooks of a deployment need it."""

from typing import Any

from platform_sdk.deploy.aws import NotFound
from platform_sdk.deploy.aws.calls import call


class Lambdas:
    """Raises AwsCallFailed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def exists(self, function: str) -> bool:
        """By name or ARN."""
        try:
            call(self.client, "get_function", f"look for the function {function}", FunctionName=function)
        except NotFound:
            return False
        return True
