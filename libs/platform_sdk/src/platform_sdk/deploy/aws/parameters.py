"""Parameter Store, where stacks store values for each other, and Secrets Manager."""

import json
from collections.abc import Sequence
from typing import Final

from platform_sdk.deploy.aws import AccessDenied, AwsCallFailed, Client, NotFound, in_batches

# docs.aws.amazon.com/systems-manager/latest/APIReference: the most names in one GetParameters.
PARAMETERS: Final = 10


class Parameters:
    """Names are full, `/platform/staging/cluster/name`. No secret is read: values are of type String and StringList.
    Every method raises AwsCallFailed.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """Return parameters by name, without those that do not exist."""
        return {
            each["Name"]: each["Value"]
            for batch in in_batches(names, PARAMETERS)
            for each in self.client.call("get_parameters", f"read the parameters {', '.join(batch)}", Names=batch)[
                "Parameters"
            ]
        }

    def under(self, path: str) -> dict[str, str]:
        """Return all parameters below a path such as `/platform/staging`, by name."""
        purpose = f"read the parameters below {path}"
        return {
            each["Name"]: each["Value"]
            for page in self.client.pages("get_parameters_by_path", purpose, Path=path, Recursive=True)
            for each in page["Parameters"]
        }


# Secrets Manager: whether secrets exist, and their keys.


class Secrets:
    """`name` is a secret's name or ARN. Every method raises AwsCallFailed, and no error contains a value."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def exists(self, name: str) -> bool:
        """Whether a secret exists. One that is marked for deletion cannot be read, so it does not count."""
        try:
            answer = self.client.call("describe_secret", f"look for the secret {name}", SecretId=name)
        except NotFound:
            return False
        return "DeletedDate" not in answer

    def keys(self, name: str) -> set[str] | None:
        """Return the keys of a secret with a JSON object, none of another; None where the caller may not read it.

        Raises:
            NotFound
        """
        try:
            return set(self.fields(name))
        except AccessDenied:
            return None

    def field(self, name: str, key: str) -> str:
        """Return one value of a secret with a JSON object.

        Raises:
            NotFound: there is no such secret, or it has no such key.
        """
        fields = self.fields(name)
        if key not in fields:
            raise NotFound(f"the secret {name} has no key `{key}`", hint="give the secret its value as a JSON object")
        return fields[key]

    def fields(self, name: str) -> dict[str, str]:
        try:
            answer = self.client.call("get_secret_value", f"read the secret {name}", SecretId=name)
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
