"""Secrets by reference, as ECS resolves them when it starts a task: from Secrets Manager, or as a parameter.

The forms: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from local_aws.aws_api import AwsApi
from local_aws.errors import AwsCallFailed, SecretNotResolved


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsManagerReference:
    """`arn:aws:secretsmanager:region:account:secret:name[:json-key:version-stage:version-id]`."""

    arn: str
    json_key: str | None = None
    version_stage: str | None = None
    version_id: str | None = None

    @property
    def name(self) -> str:
        return self.arn.split(":", 6)[6]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterReference:
    """A parameter's name or its ARN."""

    name: str


def parse_reference(value_from: str) -> SecretsManagerReference | ParameterReference:
    """Reads the `valueFrom` of a container's secret."""
    parts = value_from.split(":")
    if parts[0] != "arn":
        return ParameterReference(name=value_from)
    if parts[2] == "ssm":
        return ParameterReference(name="/" + ":".join(parts[5:]).removeprefix("parameter").lstrip("/"))
    json_key, version_stage, version_id = [*(part or None for part in parts[7:10]), None, None, None][:3]
    return SecretsManagerReference(
        arn=":".join(parts[:7]), json_key=json_key, version_stage=version_stage, version_id=version_id
    )


def resolve_secrets(references: Mapping[str, str], aws: AwsApi) -> dict[str, str]:
    """Variable name to value, for variable name to `valueFrom`. Raises SecretNotResolved, naming the variable."""
    return {variable: _resolve(variable, parse_reference(text), aws) for variable, text in references.items()}


def _resolve(variable: str, reference: SecretsManagerReference | ParameterReference, aws: AwsApi) -> str:
    try:
        match reference:
            case ParameterReference(name=name):
                return str(aws.call("ssm", "GetParameter", Name=name, WithDecryption=True)["Parameter"]["Value"])
            case SecretsManagerReference():
                return _from_secrets_manager(variable, reference, aws)
    except AwsCallFailed as error:
        raise SecretNotResolved(
            f"the secret {variable} could not be read",
            because=f"{reference.name}: {error.code} {error.because or ''}".strip(),
        ) from error


def _from_secrets_manager(variable: str, reference: SecretsManagerReference, aws: AwsApi) -> str:
    which = {"VersionStage": reference.version_stage, "VersionId": reference.version_id}
    given = {name: value for name, value in which.items() if value}
    text = str(aws.call("secretsmanager", "GetSecretValue", SecretId=reference.arn, **given)["SecretString"])
    if reference.json_key is None:
        return text
    try:
        return str(json.loads(text)[reference.json_key])
    except (ValueError, KeyError, TypeError):
        raise SecretNotResolved(
            f"the secret {variable} could not be read",
            because=f"{reference.name} has no JSON key `{reference.json_key}`",
        ) from None
