"""Secrets Manager: whether secrets are there and which keys they have."""

import json
from typing import Any

from platform_sdk.deploy.aws import AccessDenied, AwsCallFailed, NotFound
from platform_sdk.deploy.aws.calls import call


class Secrets:
    """`name` is a secret's name or ARN. Every method raises AwsCallFailed, and no error ever holds a value."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def exists(self, name: str) -> bool:
        """One that is marked for deletion cannot be read, and so counts as gone."""
        try:
            answer = call(self.client, "describe_secret", f"look for the secret {name}", SecretId=name)
        except NotFound:
            return False
        return "DeletedDate" not in answer

    def keys(self, name: str) -> set[str] | None:
        """The keys of a secret that holds a JSON object, none of another; None where the caller may not read it.

        Raises:
            NotFound
        """
        try:
            return set(self.fields(name))
        except AccessDenied:
            return None

    def field(self, name: str, key: str) -> str:
        """One value of a secret that holds a JSON object.

        Raises:
            NotFound: there is no such secret, or it has no such key.
        """
        fields = self.fields(name)
        if key not in fields:
            raise NotFound(f"the secret {name} has no key `{key}`", hint="give the secret its value as a JSON object")
        return fields[key]

    def fields(self, name: str) -> dict[str, str]:
        try:
            answer = call(self.client, "get_secret_value", f"read the secret {name}", SecretId=name)
        except AwsCallFailed as error:
            # A secret that is marked for deletion: InvalidRequestException.
            if error.code == "InvalidRequestException":
                raise NotFound(error.what, because=error.because, hint=error.hint, code=error.code) from None
            raise
        try:
            found = json.loads(answer.get("SecretString", ""))
        except ValueError:
            return {}
        return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
