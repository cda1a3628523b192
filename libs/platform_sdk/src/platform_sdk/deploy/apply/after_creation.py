"""Do and name what no template can once the stacks exist: database roles, and the steps that a person takes.

`make_database_roles` gives each service that has a database a role and a schema: CloudFormation has no resource for
them. `manual_steps` lists what only a person can do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platform_sdk.deploy.apply.events import ApplyContext, StackOutcome, Waiting
from platform_sdk.deploy.aws import AccessDenied, AwsUnavailable, Throttled
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import FOLDER, Environment
from platform_sdk.deploy.manifest.resources import SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import arn
from platform_sdk.deploy.render.variables import password_literal, secret_name, secrets_of
from platform_sdk.deploy.shared import SharedParameter, shared_parameter
from platform_sdk.errors import PlatformError


def manual_steps(
    outcomes: Sequence[StackOutcome], services: Sequence[ServiceSpec], environment: Environment, context: ApplyContext
) -> tuple[str, ...]:
    """Return a sentence for each step. What AWS does not let us read is left out."""
    return (
        *addresses(environment, context),
        *secrets(services, environment, context),
        *_after_creation(outcomes, environment),
    )


def addresses(environment: Environment, context: ApplyContext) -> Iterator[str]:
    """Yield edits of the environment's file, which must name the hosts that AWS chose for database and cache."""
    database = shared_parameter(environment, SharedParameter.DATABASE_HOST)
    cache = shared_parameter(environment, SharedParameter.CACHE_HOST)
    given = context.aws.parameters.values([database, cache])
    file: Path = FOLDER / f"{environment.name}.toml"
    if database in given and given[database] != environment.database.host:
        yield f'{file}: set host = "{given[database]}" in [database]; it is "{environment.database.host}"'
    url = urlsplit(environment.cache.url)
    if cache in given and given[cache] != url.hostname:
        right = url._replace(netloc=f"{given[cache]}:{url.port}" if url.port else given[cache]).geturl()
        yield f'{file}: set url = "{right}" in [cache]; it is "{environment.cache.url}"'


def secrets(services: Sequence[ServiceSpec], environment: Environment, context: ApplyContext) -> Iterator[str]:
    """Yield the services' own secrets that do not exist yet."""
    for spec in services:
        needed = {
            secret_name(secret, spec, environment): secret.name
            for _, secret in secrets_of(spec, environment)
            if secret.store is SecretStore.SECRETS_MANAGER
        }
        for full_name, name in sorted(needed.items()):
            if not _exists(full_name, context):
                yield f"{spec.name} needs a secret: `platform secret set {spec.name} {name} --env {environment.name}`"


def _exists(secret: str, context: ApplyContext) -> bool:
    try:
        return context.aws.secrets.exists(secret)
    except AccessDenied:
        return True


def _after_creation(outcomes: Sequence[StackOutcome], environment: Environment) -> Iterator[str]:
    created = {outcome.stack for outcome in outcomes if outcome.action == "created"}
    if any(name.startswith(f"platform-{environment.name}-pipeline-") for name in created):
        yield "confirm the connection to the repository, if it is pending: in the console, Developer Tools, Connections"


# Database roles.
#
# Each statement may be repeated, and the schema comes last: where it exists, all is done. The password is the one
# that the secrets stack generated; it is read and never shown. The database gets a verifier of it, because it writes
# each statement that changes a role to its log (`log_statement: ddl` in deploy/cloudformation/data.yaml).

IS_DONE: Final = "SELECT 1 FROM pg_namespace WHERE nspname = :name"
HAS_ROLE: Final = "SELECT 1 FROM pg_roles WHERE rolname = :name"

WAKING_SECONDS: Final = 120
"""A paused database takes about a quarter of a minute."""
POLL_SECONDS: Final = 5


class UnusablePassword(PlatformError):
    """Nobody can log in with the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The database user that may create roles."""

    cluster_arn: str
    secret_arn: str
    database: str


def make_database_roles(
    specs: Sequence[ServiceSpec], environment: Environment, context: ApplyContext
) -> tuple[str, ...]:
    """Create missing roles and schemas, and return the services that got them.

    Raises:
        UnusablePassword
        AwsCallFailed: AccessDenied, if the caller may not use the database or read the services' passwords.
    """
    owner = database_owner(environment, context.aws)
    if owner is None:
        return ()
    return tuple(
        spec.name for spec in specs if spec.database is not None and make_role(spec.name, owner, environment, context)
    )


def database_owner(environment: Environment, aws: Aws) -> Owner | None:
    """Return the database's own user; None if there is no database yet."""
    name = shared_parameter(environment, SharedParameter.DATABASE_SECRET_ARN)
    secret_arn = aws.parameters.values([name]).get(name)
    if secret_arn is None:
        return None
    cluster_arn = arn(environment, "rds", f"cluster:platform-{environment.name}")
    return Owner(cluster_arn=cluster_arn, secret_arn=secret_arn, database=environment.database.name)


def make_role(service: str, owner: Owner, environment: Environment, context: ApplyContext) -> bool:
    """Create a role and schema. Return False if they exist."""
    if rows(IS_DONE, service, owner, context):
        return False
    has_role = bool(rows(HAS_ROLE, service, owner, context))
    secret = f"platform/{environment.name}/{service}/database"
    password = context.aws.secrets.field(secret, "password")
    if not password:
        raise UnusablePassword(
            f"the password of {service} is empty",
            because="PostgreSQL lets nobody log in with an empty password",
            hint=f"give the secret {secret} a JSON object with a `password`, then run this again",
        )
    for sql in statements(service, owner.database, password, has_role=has_role):
        rows(sql, service, owner, context)
    return True


def statements(service: str, database: str, password: str, *, has_role: bool) -> Iterator[str]:
    """Yield the statements to run as the database's owner."""
    role = f'"{service}"'
    yield f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC'
    yield f"{'ALTER' if has_role else 'CREATE'} ROLE {role} LOGIN PASSWORD {password_literal(password)}"
    yield f'ALTER ROLE {role} IN DATABASE "{database}" SET search_path = {role}'
    yield f'GRANT CONNECT ON DATABASE "{database}" TO {role}'
    # The owner may give a schema only to a role that it belongs to.
    yield f"GRANT {role} TO CURRENT_USER"
    yield f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}"


def rows(sql: str, service: str, owner: Owner, context: ApplyContext) -> list[list[object]]:
    """Run a statement and return its rows. A paused database takes some time to wake up."""
    deadline = context.clock.now().timestamp() + WAKING_SECONDS
    while True:
        try:
            return context.aws_once.database.execute(
                f"give {service} its role and schema in the database",
                cluster_arn=owner.cluster_arn,
                secret_arn=owner.secret_arn,
                database=owner.database,
                sql=sql,
                parameters={"name": service} if ":name" in sql else {},
            )
        except (AwsUnavailable, Throttled):
            if context.clock.now().timestamp() >= deadline:
                raise
            context.emit(Waiting(stack="database", subject="a paused database to wake up"))
            context.pause(POLL_SECONDS)
