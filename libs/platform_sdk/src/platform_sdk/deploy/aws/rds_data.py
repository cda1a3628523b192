"""The RDS data API: SQL for a cluster in a private network, as one of its users and without a connection."""

from collections.abc import Mapping
from typing import Any

from platform_sdk.deploy.aws.calls import call


class Database:
    """Raises AwsCallFailed; AwsUnavailable also while a paused database wakes up."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def execute(
        self,
        purpose: str,
        *,
        cluster_arn: str,
        secret_arn: str,
        database: str,
        sql: str,
        parameters: Mapping[str, str] | None = None,
    ) -> list[list[object]]:
        """The rows, in the plainest of types.

        Args:
            purpose: completes "could not …"; the SQL is told nowhere, because it may hold a password.
            secret_arn: of the user and password to do it as.
            parameters: of the SQL's `:name`; texts.
        """
        answer = call(
            self.client,
            "execute_statement",
            purpose,
            resourceArn=cluster_arn,
            secretArn=secret_arn,
            database=database,
            sql=sql,
            parameters=[{"name": name, "value": {"stringValue": text}} for name, text in (parameters or {}).items()],
        )
        return [[next(iter(field.values())) for field in row] for row in answer.get("records", [])]
