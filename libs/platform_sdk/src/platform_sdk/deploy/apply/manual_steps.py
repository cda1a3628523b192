"""The steps that are left for a person after an apply: what no template can, or may, do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from platform_sdk.deploy.apply.events import ApplyContext, StackOutcome
from platform_sdk.deploy.aws import AccessDenied
from platform_sdk.deploy.environment import FOLDER, Environment
from platform_sdk.deploy.manifest.resources import SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.variables import secrets_of
from platform_sdk.deploy.shared import SharedParameter, shared_parameter


def still_to_do(
    outcomes: Sequence[StackOutcome], services: Sequence[ServiceSpec], environment: Environment, context: ApplyContext
) -> tuple[str, ...]:
    """Return a sentence for each step. What AWS does not let us read is left out."""
    return (
        *addresses(environment, context),
        *secrets(services, environment, context),
        *after_creation(outcomes, environment),
    )


def addresses(environment: Environment, context: ApplyContext) -> Iterator[str]:
    """AWS chooses the host names of database and cache. The environment's file must name them."""
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
        names = {
            secret.name for _, secret in secrets_of(spec, environment) if secret.store is SecretStore.SECRETS_MANAGER
        }
        for name in sorted(names):
            full = f"platform/{environment.name}/{spec.name}/{name}"
            if not exists(full, context):
                yield f"{spec.name} needs a secret: `aws secretsmanager create-secret --name {full} --secret-string …`"


def exists(secret: str, context: ApplyContext) -> bool:
    try:
        return context.aws.secrets.exists(secret)
    except AccessDenied:
        return True


def after_creation(outcomes: Sequence[StackOutcome], environment: Environment) -> Iterator[str]:
    created = {outcome.stack for outcome in outcomes if outcome.action == "created"}
    if any(name.startswith(f"platform-{environment.name}-pipeline-") for name in created):
        yield "confirm the connection to the repository, if it is pending: in the console, Developer Tools, Connections"
