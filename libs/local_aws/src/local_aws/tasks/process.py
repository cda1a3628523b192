"""One task as a supervised process group, started from the app container of a rendered task definition.

This does what ECS and the image do on AWS: it resolves secrets, gives each task its own port (not a network interface),
takes `python` from this environment, and stops a task by SIGTERM, then SIGKILL after its stop timeout.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws import processes
from local_aws.errors import SecretNotResolved, TaskDoesNotStart
from local_aws.servers.ministack import ACCESS_KEY_ID, SECRET_ACCESS_KEY, AwsClients
from platform_sdk.contract import STOP_TIMEOUT_SECONDS, Variable
from platform_sdk.deploy.aws import AwsCallFailed, call

APP_CONTAINER = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContainer:
    """The part of a task definition that runs here; sidecars do not run on a laptop."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    """Variable name to `valueFrom`."""
    stop_timeout_seconds: float


def app_container(task_definition: Mapping[str, Any]) -> AppContainer:
    """Return the container named "app" of an ECS task definition document."""
    container = next(c for c in task_definition["containerDefinitions"] if c["name"] == APP_CONTAINER)
    return AppContainer(
        command=tuple(container["command"]),
        environment={pair["name"]: pair["value"] for pair in container.get("environment", ())},
        secrets={secret["name"]: secret["valueFrom"] for secret in container.get("secrets", ())},
        stop_timeout_seconds=container.get("stopTimeout", STOP_TIMEOUT_SECONDS),
    )


@dataclass(slots=True, kw_only=True, eq=False)
class ProcessTask:
    """A started task. Times are `time.monotonic()` seconds; `since` is `time.time()`, for people."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    stop_timeout_seconds: float
    started_at: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.time)
    kill_at: float | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """As in ECS and shells: 128 + the signal's number after a signal; None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def request_stop(self) -> None:
        """Send SIGTERM to the whole group; `kill_if_overdue` does the rest."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + self.stop_timeout_seconds
            processes.signal_group(self.pid, signal.SIGTERM)

    def kill_if_overdue(self) -> None:
        """Send SIGKILL once the stop timeout is over. Called again and again, because nobody waits for it."""
        if self.kill_at is not None and time.monotonic() >= self.kill_at:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to what is left of the group."""
        processes.signal_group(self.pid, signal.SIGKILL)


def start_task(
    container: AppContainer,
    *,
    name: str,
    directory: Path,
    port: int,
    secrets: Mapping[str, str],
    log: Path,
    command: Sequence[str] | None = None,
) -> ProcessTask:
    """Start the container's command, or another one in its place (as RunTask's override does for migrations).

    Args:
        port: replaces the container's own; every task listens on a different one.
        secrets: resolved values of `container.secrets`.

    Raises:
        TaskDoesNotStart: the command's program, or the folder, is not there or may not be run.
    """
    environment = {**base_environment(), **container.environment, **secrets, Variable.PORT: str(port)}
    wanted = command or container.command
    try:
        process = processes.spawn(wanted, log=log, environment=environment, directory=directory)
    except (FileNotFoundError, PermissionError) as error:
        # PermissionError also means that a folder of PATH may not be read.
        what = f"there is no `{error.filename}`" if isinstance(error, FileNotFoundError) else str(error)
        raise TaskDoesNotStart(f"{name} cannot be started", because=what) from error
    return ProcessTask(name=name, port=port, process=process, stop_timeout_seconds=container.stop_timeout_seconds)


def base_environment() -> dict[str, str]:
    """Return the variables that an image would set. As on AWS, a task gets no others of the developer's shell."""
    interpreter = Path(sys.executable).parent
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "USER") if name in os.environ}
    return {
        **inherited,
        "PATH": f"{interpreter}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Not the developer's, which choose profiles and may not even be readable.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


# Secrets by reference, as ECS resolves them when it starts a task
# (docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html).


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsManagerReference:
    """A `valueFrom`: `arn:aws:secretsmanager:region:account:secret:name[:json-key:version-stage:version-id]`."""

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
    """Read the `valueFrom` of a container's secret."""
    parts = value_from.split(":")
    if parts[0] != "arn":
        return ParameterReference(name=value_from)
    if parts[2] == "ssm":
        return ParameterReference(name="/" + ":".join(parts[5:]).removeprefix("parameter").lstrip("/"))
    json_key, version_stage, version_id = [*(part or None for part in parts[7:10]), None, None, None][:3]
    return SecretsManagerReference(
        arn=":".join(parts[:7]), json_key=json_key, version_stage=version_stage, version_id=version_id
    )


def resolve_secrets(references: Mapping[str, str], aws: AwsClients) -> dict[str, str]:
    """Return values by variable, from `valueFrom` by variable. Raises SecretNotResolved, naming the variable."""
    return {variable: _resolve(variable, parse_reference(text), aws) for variable, text in references.items()}


def _resolve(variable: str, reference: SecretsManagerReference | ParameterReference, aws: AwsClients) -> str:
    purpose = f"read {reference.name}"
    try:
        match reference:
            case ParameterReference(name=name):
                parameter = call(aws.ssm, "get_parameter", purpose, Name=name, WithDecryption=True)["Parameter"]
                return str(parameter["Value"])
            case SecretsManagerReference():
                return _from_secrets_manager(variable, reference, aws)
    except AwsCallFailed as error:
        raise SecretNotResolved(
            f"the secret {variable} could not be read",
            because=f"{reference.name}: {error.code} {error.because or ''}".strip(),
        ) from error


def _from_secrets_manager(variable: str, reference: SecretsManagerReference, aws: AwsClients) -> str:
    which = {"VersionStage": reference.version_stage, "VersionId": reference.version_id}
    given = {name: value for name, value in which.items() if value}
    purpose = f"read {reference.name}"
    text = str(call(aws.secretsmanager, "get_secret_value", purpose, SecretId=reference.arn, **given)["SecretString"])
    if reference.json_key is None:
        return text
    try:
        return str(json.loads(text)[reference.json_key])
    except (ValueError, KeyError, TypeError):
        raise SecretNotResolved(
            f"the secret {variable} could not be read",
            because=f"{reference.name} has no JSON key `{reference.json_key}`",
        ) from None
