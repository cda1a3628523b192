"""What is still for a person to do when the stacks are there: what no template can, or may, do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from platform_sdk.deploy.apply.context import Tools
from platform_sdk.deploy.apply.events import StackOutcome
from platform_sdk.deploy.aws import AccessDenied
from platform_sdk.deploy.environment import FOLDER, Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.manifest.variables import SecretStore
from platform_sdk.deploy.render.variables import secrets_of
from platform_sdk.deploy.shared import SharedParameter, shared_parameter


def still_to_do(
    outcomes: Sequence[StackOutcome], services: Sequence[ServiceSpec], environment: Environment, tools: Tools
) -> tuple[str, ...]:
    """Sentences, each with what to do. What AWS does not let us read is left out."""
    return (
        *addresses(environment, tools),
        *secrets(services, environment, tools),
        *after_creation(outcomes, environment),
    )


def addresses(environment: Environment, tools: Tools) -> Iterator[str]:
    """The names that AWS gave database and cache belong into the environment's file."""
    database = shared_parameter(environment, SharedParameter.DATABASE_HOST)
    cache = shared_parameter(environment, SharedParameter.CACHE_HOST)
    given = tools.aws.parameters.values([database, cache])
    file: Path = FOLDER / f"{environment.name}.toml"
    if database in given and given[database] != environment.database.host:
        yield f'{file}: set host = "{given[database]}" in [database]; it is "{environment.database.host}"'
    url = urlsplit(environment.cache.url)
    if cache in given and given[cache] != url.hostname:
        right = url._replace(netloc=f"{given[cache]}:{url.port}" if url.port else given[cache]).geturl()
        yield f'{file}: set url = "{right}" in [cache]; it is "{environment.cache.url}"'


def secrets(services: Sequence[ServiceSpec], environment: Environment, tools: Tools) -> Iterator[str]:
    """Those of the services' own that nobody has made yet."""
    for spec in services:
        names = {
            secret.name for _, secret in secrets_of(spec, environment) if secret.store is SecretStore.SECRETS_MANAGER
        }
        for name in sorted(names):
            full = f"platform/{environment.name}/{spec.name}/{name}"
            if not is_there(full, tools):
                yield f"{spec.name} needs a secret: `aws secretsmanager create-secret --name {full} --secret-string …`"


def is_there(secret: str, tools: Tools) -> bool:
    try:
        return tools.aws.secrets.exists(secret)
    except AccessDenied:
        return True


def after_creation(outcomes: Sequence[StackOutcome], environment: Environment) -> Iterator[str]:
    created = {outcome.stack for outcome in outcomes if outcome.action == "created"}
    if any(name.startswith(f"platform-{environment.name}-pipeline-") for name in created):
        yield "confirm the connection to the repository, if it is pending: in the console, Developer Tools, Connections"
