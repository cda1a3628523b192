"""The settings of a process: environment variables, read once into one frozen, typed value by `load_settings`.

The names of the variables are those of platform_sdk.contract, which the deploy half writes into the task definition.
A service adds its own fields in a subclass; the variable of a field is its name in upper case.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

import orjson
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from platform_sdk import contract
from platform_sdk.contract import Variable
from platform_sdk.errors import PlatformError

S = TypeVar("S", bound="ServiceSettings")

CLOSING_SECONDS = 3.0
"""The part of the stop timeout that is reserved for closing pools and flushing, after the last request."""


class InvalidSettings(PlatformError):
    """Every variable that is missing or wrong, at once; values are never shown.

    Attributes:
        errors: one line for each error, `VARIABLE: reason`.
    """

    def __init__(self, errors: Iterable[str], *, hint: str) -> None:
        self.errors = tuple(errors)
        super().__init__("the environment variables are not valid", because="\n  ".join(["", *self.errors]), hint=hint)


def _parse_json(value: object) -> object:
    if not isinstance(value, str | bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError("not JSON") from error


def _refuse_password(url: str | None, schemes: tuple[str, ...], password_variable: str) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"expected {' or '.join(f'{scheme}://' for scheme in schemes)} and a host")
    if parts.password:
        raise ValueError(f"holds a password; give it in {password_variable}")
    return url


def _database_url(value: Any) -> Any:
    return _refuse_password(value, ("postgresql", "postgres"), Variable.DATABASE_PASSWORD)


def _redis_url(value: Any) -> Any:
    return _refuse_password(value, ("redis", "rediss", "unix"), Variable.REDIS_PASSWORD)


def _http_url(value: Any) -> Any:
    return value if value is None else _refuse_password(value, ("http", "https"), "no variable: it is not allowed here")


class ServiceSettings(BaseSettings):
    """The settings that every process gets from the platform; see platform_sdk.contract.Variable for each name.

    Times are in seconds, sizes in bytes. Immutable; secrets are masked in `repr` and in errors.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, populate_by_name=True
    )

    service_name: str = Field(min_length=1)
    service_version: str = "dev"
    service_path: str = Field(pattern=r"^/[a-z0-9][a-z0-9/_-]*[a-z0-9]$")
    environment: str = Field(min_length=1)
    host: str = "0.0.0.0"
    port: int = Field(default=contract.CONTAINER_PORT, ge=0, le=65_535)
    stop_timeout_seconds: float = Field(default=contract.STOP_TIMEOUT_SECONDS, gt=0, le=120)
    drain_delay_seconds: float = Field(default=contract.DRAIN_DELAY_SECONDS, ge=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: Annotated[str | None, BeforeValidator(_database_url)] = None
    database_user: str | None = None
    database_password: SecretStr | None = None
    database_max_connections: int = Field(default=10, ge=1, le=200)
    redis_url: Annotated[str | None, BeforeValidator(_redis_url)] = None
    redis_password: SecretStr | None = None

    aws_region: str = Field(min_length=1)
    aws_endpoint_url: Annotated[str | None, BeforeValidator(_http_url)] = None
    event_routes: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_parse_json)] = {}
    consumed_queues: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parse_json)] = ()

    receive_wait_seconds: int = Field(default=contract.RECEIVE_WAIT_SECONDS, ge=1, le=20)

    token_issuer: str = Field(min_length=1)
    token_audience: str = Field(min_length=1)
    jwks_url: Annotated[str, BeforeValidator(_http_url)]
    otlp_endpoint: Annotated[str | None, BeforeValidator(_http_url)] = Field(
        default=None, validation_alias=Variable.OTLP_ENDPOINT
    )

    request_timeout_seconds: float = Field(default=30, gt=0)
    max_body_bytes: int = Field(default=65_536, ge=0)
    max_concurrent_requests: int = Field(default=200, ge=1)

    @model_validator(mode="after")
    def _stop_fits_its_timeout(self) -> Self:
        if self.drain_delay_seconds + CLOSING_SECONDS >= self.stop_timeout_seconds:
            raise ValueError(
                f"{Variable.DRAIN_DELAY_SECONDS} and {CLOSING_SECONDS:.0f} s for closing must be less than "
                f"{Variable.STOP_TIMEOUT_SECONDS}"
            )
        return self


def load_settings(kind: type[S]) -> S:
    """Read the environment into `kind`.

    Raises:
        InvalidSettings: names every wrong variable, the reason and a hint.
    """
    # To mypy the fields without a default are arguments; here the environment gives them.
    read_environment = cast(Callable[[], S], kind)
    try:
        return read_environment()
    except ValidationError as error:
        errors = [_describe(kind, details) for details in error.errors(include_url=False, include_context=False)]
    raise InvalidSettings(
        errors, hint="correct them in the service's platform.toml, or in the environment of this process"
    ) from None


def _describe(kind: type[ServiceSettings], details: ErrorDetails) -> str:
    location = [str(part) for part in details["loc"]]
    if not location:
        return details["msg"].removeprefix("Value error, ")
    name, field = _field(kind, location[0])
    variable = ".".join([_variable(name, field), *location[1:]])
    if details["type"] == "missing":
        return f"{variable}: missing{_did_you_mean(variable)}"
    if field is not None and "Secret" in str(field.annotation):
        return f"{variable}: not valid"
    return f"{variable}: {details['msg'].removeprefix('Value error, ')}"


def _field(kind: type[ServiceSettings], location: str) -> tuple[str, FieldInfo | None]:
    for name, field in kind.model_fields.items():
        if location.lower() in (name.lower(), str(field.validation_alias).lower()):
            return name, field
    return location, None


def _variable(name: str, field: FieldInfo | None) -> str:
    if field is not None and isinstance(field.validation_alias, str):
        return field.validation_alias
    return name.upper()


def _did_you_mean(variable: str) -> str:
    close = difflib.get_close_matches(variable, [name.upper() for name in os.environ], n=1, cutoff=0.85)
    return f"; did you mean {close[0]}, which is set?" if close else ""


# Crash points, for tests that show that a crash loses and repeats nothing. `PLATFORM_CRASH_AT=consumer_after_commit`
# ends the process at that point as SIGKILL would; only where ENVIRONMENT is `local`.
#
#     after_commit                 committed, before callbacks and before the relay is woken
#     relay_after_send             SQS has taken the messages, the outbox rows are not yet deleted
#     consumer_before_commit       the handler has done its work, nothing is committed
#     consumer_after_commit        committed, the message is not yet deleted from the queue

_CRASH_AT: Final = os.environ.get("PLATFORM_CRASH_AT") if os.environ.get(Variable.ENVIRONMENT) == "local" else None


def crash_point(name: str) -> None:
    """End the process if PLATFORM_CRASH_AT names this point."""
    if name == _CRASH_AT:
        os._exit(137)
