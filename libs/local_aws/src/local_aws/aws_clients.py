"""Clients of the AWS endpoint on the laptop, with which start-up creates and reads what tasks need."""

from dataclasses import dataclass
from typing import Any, Final

# No real account's keys: a developer's own keys never reach a task or an endpoint on the laptop.
ACCESS_KEY_ID: Final = "local"
SECRET_ACCESS_KEY: Final = "local"  # noqa: S105 - deliberately not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """botocore clients; threads may share them. Call them through `platform_sdk.deploy.aws.call`."""

    sqs: Any
    secretsmanager: Any
    ssm: Any


def connect(endpoint_url: str, region: str) -> AwsClients:
    """Return clients of the endpoint. Takes about half a second, to import botocore; sends nothing."""
    import botocore.session
    from botocore.config import Config

    # Without the developer's profile and configuration files, which may not even be readable.
    session = botocore.session.Session({"profile": (None, None, None, None), "config_file": (None, None, None, None)})
    session.set_credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    sqs, secretsmanager, ssm = (
        session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)
        for service in ("sqs", "secretsmanager", "ssm")
    )
    return AwsClients(sqs=sqs, secretsmanager=secretsmanager, ssm=ssm)
