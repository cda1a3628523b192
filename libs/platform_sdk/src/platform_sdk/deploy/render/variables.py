"""The environment variables and secrets of the app: those of contract.Variable, and the team's own.

Also the form in which the database gets a password of the app.
"""

import hashlib
import hmac
import json
import os
import stringprep
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from typing import Final, Literal

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


# Passwords in SQL. The database writes each statement that changes a role to its log (`log_statement: ddl` in
# deploy/cloudformation/data.yaml), so no statement holds one.

ITERATIONS: Final = 4096
"""As PostgreSQL's own (`scram_iterations`); also the least that RFC 7677 allows."""
SALT_BYTES: Final = 16


def password_literal(password: str) -> str:
    """Return the SQL literal for `PASSWORD`: a verifier with which the database checks the password, never itself.

    It holds no colon: the RDS Data API takes a colon and a word for a parameter, and does not document that it skips
    those in literals (docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_ExecuteStatement.html).
    """
    escaped = scram_verifier(password, os.urandom(SALT_BYTES)).replace(":", r"\x3a")
    return f"E'{escaped}'"


def scram_verifier(password: str, salt: bytes) -> str:
    """Return the SCRAM-SHA-256 verifier of a password: `SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`.

    PostgreSQL stores a password of this form as it is (RFC 5803; postgresql.org/docs/17/catalog-pg-authid.html), and
    a client that knows the password logs in with it (RFC 5802, section 3).
    """
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password).encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (b64encode(each).decode() for each in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"


def _prepared(password: str) -> str:
    """Return the password after SASLprep (RFC 4013), or as it is where SASLprep forbids it, as PostgreSQL does.

    https://www.postgresql.org/docs/17/sasl-authentication.html
    """
    if password.isascii():
        return password
    mapped = (" " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char))
    prepared = unicodedata.normalize("NFKC", "".join(mapped))
    return prepared if prepared and not _is_forbidden(prepared) else password


def _is_forbidden(text: str) -> bool:
    """Return whether RFC 4013, sections 2.3 to 2.5, forbids the text."""
    tables = (
        stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
        stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
        stringprep.in_table_c8, stringprep.in_table_c9,
    )  # fmt: skip
    if any(in_table(char) for char in text for in_table in tables):
        return True
    # Text from right to left holds no letter from left to right, and begins and ends from right to left.
    from_right = [stringprep.in_table_d1(char) for char in text]
    mixed = any(stringprep.in_table_d2(char) for char in text) or not (from_right[0] and from_right[-1])
    return any(from_right) and mixed
