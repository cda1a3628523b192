"""Systems Manager's Parameter Store: where stacks leave what others need to know."""

from collections.abc import Sequence
from typing import Any, Final

from platform_sdk.deploy.aws.calls import call, in_batches, pages

# docs.aws.amazon.com/systems-manager/latest/APIReference: the most names in one GetParameters.
PARAMETERS: Final = 10


class Parameters:
    """Names are full, `/platform/staging/cluster/name`. No secret is read: values are of type String and StringList.
    Every method raises AwsCallFailed.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """By name, without those that do not exist."""
        return {
            each["Name"]: each["Value"]
            for batch in in_batches(names, PARAMETERS)
            for each in call(self.client, "get_parameters", f"read the parameters {', '.join(batch)}", Names=batch)[
                "Parameters"
            ]
        }

    def under(self, path: str) -> dict[str, str]:
        """All below a path such as `/platform/staging`, by name."""
        purpose = f"read the parameters below {path}"
        return {
            each["Name"]: each["Value"]
            for page in pages(self.client, "get_parameters_by_path", purpose, Path=path, Recursive=True)
            for each in page["Parameters"]
        }
