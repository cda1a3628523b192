"""The environment variables and secrets of the app: those of contract.Variable, and the team's own."""

import json
from collections.abc import Iterator
from typing import Literal

from platform_sdk.contract import Variable, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec

DATABASE_USER = SecretReference(store=SecretStore.SECRETS_MANAGER, name="database", json_key="username")
DATABASE_PASSWORD = SecretReference(store=SecretStore.SECRETS_MANAGER, name="database", json_key="password")
CACHE_PASSWORD = SecretReference(store=SecretStore.SECRETS_MANAGER, name="cache", json_key="password")


def app_environment(
    spec: ServiceSpec, environment: Environment, image: str, role: Literal["api", "worker"]
) -> list[dict[str, str]]:
    """Return the plain variables, sorted by name."""
    variables = {
        **_common(spec, environment, image),
        **(_api(spec, environment) if role == "api" else _worker(spec, environment)),
        **optional(spec, environment),
        **spec.environment,
    }
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def version_of(image: str) -> str:
    """Return the tag of an image, or the first 12 digits of its digest, or `latest`."""
    name, _, digest = image.partition("@")
    _, _, tag = name.rpartition("/")[2].partition(":")
    return tag or digest.removeprefix("sha256:")[:12] or "latest"


def _common(spec: ServiceSpec, environment: Environment, image: str) -> dict[str, str]:
    routes = {event: [queue_name(environment.name, queue) for queue in to] for event, to in spec.publishes.items()}
    return {
        Variable.SERVICE_NAME: spec.name,
        Variable.SERVICE_VERSION: version_of(image),
        Variable.SERVICE_PATH: spec.path,
        Variable.ENVIRONMENT: environment.name,
        Variable.STOP_TIMEOUT_SECONDS: str(spec.task.stop_timeout_seconds),
        Variable.DRAIN_DELAY_SECONDS: str(environment.tasks.drain_delay_seconds),
        Variable.LOG_LEVEL: environment.log_level,
        Variable.AWS_REGION: environment.region,
        Variable.EVENT_ROUTES: json.dumps(routes, sort_keys=True),
        Variable.TOKEN_ISSUER: environment.load_balancer_url,
        Variable.TOKEN_AUDIENCE: environment.tokens.audience,
        Variable.JWKS_URL: f"{environment.load_balancer_url}{environment.tokens.jwks_path}",
    }


def _api(spec: ServiceSpec, environment: Environment) -> dict[str, str]:
    return {Variable.HOST: environment.tasks.host, Variable.PORT: str(spec.port)}


def _worker(spec: ServiceSpec, environment: Environment) -> dict[str, str]:
    queues = [queue_name(environment.name, queue.name) for queue in spec.queues]
    return {
        Variable.CONSUMED_QUEUES: json.dumps(queues),
        Variable.RECEIVE_WAIT_SECONDS: str(environment.tasks.receive_wait_seconds),
    }


def optional(spec: ServiceSpec, environment: Environment) -> dict[str, str]:
    """Return the variables of what a service or an environment may lack."""
    variables = {}
    if spec.database is not None:
        where = environment.database
        variables[Variable.DATABASE_URL] = (
            f"postgresql://{spec.name}@{where.host}:{where.port}/{where.name}?sslmode={where.sslmode}"
        )
        variables[Variable.DATABASE_MAX_CONNECTIONS] = str(spec.database.max_connections)
    if spec.cache is not None:
        variables[Variable.REDIS_URL] = environment.cache.url
    if environment.aws_endpoint_url is not None:
        variables[Variable.AWS_ENDPOINT_URL] = environment.aws_endpoint_url
    if environment.otlp_endpoint is not None and spec.sidecars.cloudwatch_agent.enabled:
        variables[Variable.OTLP_ENDPOINT] = environment.otlp_endpoint
    return variables


def app_secrets(spec: ServiceSpec, environment: Environment) -> list[dict[str, str]]:
    """Return names and references of secrets, sorted by name. ECS reads the values when it starts a task."""
    secrets = dict(secrets_of(spec, environment))
    return [{"name": name, "valueFrom": place_of(secrets[name], spec, environment)} for name in sorted(secrets)]


def secrets_of(spec: ServiceSpec, environment: Environment) -> Iterator[tuple[str, SecretReference]]:
    """Yield variables with the secret that each gets its value from: the service's own, then the platform's."""
    yield from spec.secrets.items()
    if spec.database is not None:
        yield Variable.DATABASE_PASSWORD, DATABASE_PASSWORD
        if environment.aws_endpoint_url is None:
            # Two roles alternate when the password is rotated. On the laptop nothing is.
            yield Variable.DATABASE_USER, DATABASE_USER
    if spec.cache is not None and environment.cache.authenticated:
        yield Variable.REDIS_PASSWORD, CACHE_PASSWORD


def secret_name(secret: SecretReference, spec: ServiceSpec, environment: Environment) -> str:
    """Return the name of a secret in AWS. In Parameter Store, it begins with a slash."""
    slash = "/" if secret.store is SecretStore.PARAMETER_STORE else ""
    return f"{slash}platform/{environment.name}/{spec.name}/{secret.name}"


def place_of(secret: SecretReference, spec: ServiceSpec, environment: Environment) -> str:
    """Return the `valueFrom` of a secret.

    The ARN lacks the six random characters of Secrets Manager: a partial ARN finds the secret too, and is known before
    the secret exists. The colons at the end select a key of a JSON secret.
    """
    name = secret_name(secret, spec, environment)
    if secret.store is SecretStore.PARAMETER_STORE:
        return name
    key = f":{secret.json_key}::" if secret.json_key else ""
    return (
        f"arn:{environment.partition}:secretsmanager:{environment.region}:{environment.account_id}:secret:{name}{key}"
    )
