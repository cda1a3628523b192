"""Where the local stack lives: folders, ports, outside servers; and the local environment with them put in."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from local_aws.processes import LOOPBACK
from platform_sdk.deploy.environment import Cache, Database, Environment, find_root, load_environment
from platform_sdk.errors import PlatformError

ENVIRONMENT = "local"

Report = Callable[[str], None]
"""Takes one line of progress, for people."""


class InvalidVariable(PlatformError):
    """A variable of the developer's shell is not valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """The settings of the developer's shell. An outside URL names a server that is neither started nor stopped."""

    root: Path
    state: Path
    load_balancer_port: int
    aws_port: int
    database_port: int
    redis_port: int
    outside_database_url: str | None
    outside_redis_url: str | None
    outside_aws_endpoint_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """The options of `platform up`: replace tasks when sources change, create demo data."""

    watch: bool = True
    demo: bool = True


def load_local_settings(variables: Mapping[str, str] = os.environ) -> LocalSettings:
    """Raise InvalidVariable, or NotInRepository."""
    root = find_root(Path.cwd())
    return LocalSettings(
        root=root,
        state=Path(variables.get("PLATFORM_STATE") or root / ".platform").absolute(),
        load_balancer_port=_port(variables, "PLATFORM_PORT", 8080),
        aws_port=_port(variables, "PLATFORM_AWS_PORT", 4566),
        database_port=_port(variables, "PLATFORM_DATABASE_PORT", 15432),
        redis_port=_port(variables, "PLATFORM_REDIS_PORT", 16379),
        outside_database_url=_url(variables, "DATABASE_URL", ("postgresql", "postgres")),
        outside_redis_url=_url(variables, "REDIS_URL", ("redis", "rediss")),
        outside_aws_endpoint_url=_url(variables, "AWS_ENDPOINT_URL", ("http", "https")),
    )


def local_environment(settings: LocalSettings) -> Environment:
    """Return deploy/environments/local.toml, with the ports and servers of this run in place of its defaults."""
    environment = load_environment(settings.root, ENVIRONMENT)
    redis = settings.outside_redis_url
    return dataclasses.replace(
        environment,
        aws_endpoint_url=settings.outside_aws_endpoint_url or f"http://{LOOPBACK}:{settings.aws_port}",
        load_balancer_url=f"http://{LOOPBACK}:{settings.load_balancer_port}",
        database=_database(settings, environment.database),
        cache=_outside_cache(redis)
        if redis
        else Cache(url=f"redis://{LOOPBACK}:{settings.redis_port}/0", authenticated=False),
    )


def _database(settings: LocalSettings, default: Database) -> Database:
    if settings.outside_database_url is None:
        return dataclasses.replace(default, host=LOOPBACK, port=settings.database_port)
    url = urlsplit(settings.outside_database_url)
    mode = parse_qs(url.query).get("sslmode", ["disable"])[0]
    name = url.path.lstrip("/") or default.name
    return Database(host=url.hostname or LOOPBACK, port=url.port or 5432, name=name, sslmode=mode)


def _outside_cache(text: str) -> Cache:
    url = urlsplit(text)
    address = f"{url.hostname}:{url.port or 6379}"
    return Cache(url=f"{url.scheme}://{address}{url.path or '/0'}", authenticated=url.password is not None)


def outside_cache_password(settings: LocalSettings) -> str | None:
    """Return the password in REDIS_URL: tasks get it as a secret, as they do on AWS."""
    password = urlsplit(settings.outside_redis_url or "").password
    return None if password is None else unquote(password)


def _port(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InvalidVariable(f"{name} is not a port", because=f"it is `{text}`", hint=f"for example {name}={default}")
    return int(text)


def _url(variables: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    text = variables.get(name)
    if not text:
        return None
    if urlsplit(text).scheme not in schemes or not urlsplit(text).hostname:
        raise InvalidVariable(
            f"{name} is not a URL of the form {schemes[0]}://host:port/…",
            hint=f"unset {name} to use the embedded server",
        )
    return text
