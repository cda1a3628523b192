"""deploy/environments/<name>.toml: the account, region, domain and addresses of an environment; never an ARN."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from platform_sdk.contract import DRAIN_DELAY_SECONDS, LOG_LEVELS, RECEIVE_WAIT_SECONDS
from platform_sdk.deploy.config_errors import InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.toml_document import Form, Table, read_document
from platform_sdk.errors import PlatformError

ENVIRONMENT_NAME: Final = Form(re.compile(r"[a-z][a-z0-9]{1,11}"), "2 to 12 lower-case letters and digits")


class NotInRepository(PlatformError):
    """The current folder is not inside the platform's repository."""


class UnknownName(PlatformError):
    """A name that no service, or no queue, has."""


def find_root(start: Path) -> Path:
    """Return the closest folder at or above `start` that has `services` and `deploy/environments`.

    Raises:
        NotInRepository: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / "services").is_dir() and (folder / "deploy" / "environments").is_dir():
            return folder
    raise NotInRepository(
        f"{start} is not inside the platform's repository",
        because="neither it nor a folder above it has `services` and `deploy/environments`",
        hint="change into your clone",
    )


def service_names(root: Path) -> list[str]:
    """Return the folders of services/ that have a platform.toml, whether or not it can be read."""
    return sorted(path.parent.name for path in root.glob("services/*/platform.toml"))


def environment_names(root: Path) -> list[str]:
    """Return the names of the files in deploy/environments, whether or not they can be read."""
    return sorted(path.stem for path in root.glob("deploy/environments/*.toml"))


def refuse_unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownName for the first of the names that is not known."""
    for _, error in unknown(kind, names, known):
        raise error


def unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, UnknownName]]:
    """Yield each of the names that is not known, with its error."""
    known = sorted(known)
    for name in names:
        if name not in known:
            because = f"the {kind}s are {listed(known)}"
            yield name, UnknownName(f"there is no {kind} `{name}`", because=because, hint=did_you_mean(name, known))


FOLDER: Final = Path("deploy/environments")

ACCOUNT_ID: Final = Form(re.compile(r"\d{12}"), "the 12 digits of an AWS account")
REGION: Final = Form(re.compile(r"[a-z]{2}(-[a-z]+)+-\d"), 'an AWS region such as "us-east-1"')
HOST: Final = Form(re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"), "a host name or an address")
DATABASE_NAME: Final = Form(re.compile(r"[a-z][a-z0-9_]{0,62}"), "lower-case letters, digits and underscores")
HTTP_URL: Final = Form(re.compile(r"https?://[^/\s@]+"), 'an origin such as "https://api.example.com", without a path')
REDIS_URL: Final = Form(
    re.compile(r"rediss?://[^/\s@]+/\d{1,2}"), 'a URL such as "rediss://host:6379/0", without a password'
)
URL_PATH: Final = Form(re.compile(r"(/[A-Za-z0-9_.~-]+)+"), "a path that starts with a slash")
SSL_MODES: Final = ("disable", "require", "verify-ca", "verify-full")
SECRET_KINDS: Final = ("ed25519_private_key", "password")
READ_BY_OTHERS: Final = frozenset({"stacks", "cost"})
"""Tables of the same file that shared.py and cost.py read."""
SECRET_PATH: Final = Form(re.compile(r"[a-z][a-z0-9-]*(/[A-Za-z0-9_]+)+"), '"<service>/<secret name>"')


class UnknownEnvironment(PlatformError):
    """A name that no file in deploy/environments has."""


class InvalidEnvironment(InvalidConfiguration):
    """An environment file that cannot be used; `errors` has every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The shared PostgreSQL server of an environment. `sslmode` is one of libpq's."""

    host: str
    port: int
    name: str
    sslmode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The shared Redis. `url` has no password; if `authenticated`, it is the key `password` of `<service>/cache`."""

    url: str
    authenticated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Who access tokens are for, and where the keys to verify them are published, below the load balancer."""

    audience: str
    jwks_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefaults:
    """What all tasks of an environment use. `host` is the address that the app binds; times are in seconds."""

    host: str
    drain_delay_seconds: int
    receive_wait_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One file. `aws_endpoint_url` and `otlp_endpoint` are None where no variable is set.

    `generated_secrets` maps `<service>/<secret name>` to the kind of value that the laptop generates for it.
    """

    name: str
    log_level: str
    account_id: str
    region: str
    aws_endpoint_url: str | None
    load_balancer_url: str
    database: Database
    cache: Cache
    tokens: Tokens
    tasks: TaskDefaults
    otlp_endpoint: str | None
    generated_secrets: Mapping[str, str]

    @property
    def domain(self) -> str:
        """The host under which users reach the load balancer."""
        return urlsplit(self.load_balancer_url).hostname or ""

    @property
    def partition(self) -> str:
        """The second part of every ARN (docs.aws.amazon.com/IAM, "Identify AWS resources with ARNs")."""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")


class InvalidPort(PlatformError):
    """A variable of this machine has no legal port."""


def with_ports_of(variables: Mapping[str, str], environment: Environment) -> Environment:
    """Return the laptop's environment with the ports and the AWS endpoint in this machine's variables.

    Variables do not change an environment on AWS.

    Raises:
        InvalidPort: a variable has no legal port.
    """
    if environment.aws_endpoint_url is None:
        return environment
    database_port = _port_of(variables, "PLATFORM_DATABASE_PORT") or environment.database.port
    aws_endpoint_url = _on_port(environment.aws_endpoint_url, _port_of(variables, "PLATFORM_AWS_PORT"))
    return replace(
        environment,
        aws_endpoint_url=variables.get("AWS_ENDPOINT_URL") or aws_endpoint_url,
        load_balancer_url=_on_port(environment.load_balancer_url, _port_of(variables, "PLATFORM_PORT")),
        database=replace(environment.database, port=database_port),
        cache=replace(
            environment.cache, url=_on_port(environment.cache.url, _port_of(variables, "PLATFORM_REDIS_PORT"))
        ),
    )


def _port_of(variables: Mapping[str, str], name: str) -> int | None:
    text = variables.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536):
        raise InvalidPort(f"{name} is `{text}`, which is no port", hint="give a number from 1 to 65535")
    return int(text)


def _on_port(url: str, port: int | None) -> str:
    parts = urlsplit(url)
    return url if port is None else parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


def load_environment(root: Path, name: str) -> Environment:
    """Read deploy/environments/<name>.toml below the repository's root.

    Raises:
        UnknownEnvironment: there is no such file.
        InvalidEnvironment: with every error of the file.
    """
    names = environment_names(root)
    if name not in names:
        closest = did_you_mean(name, names)
        raise UnknownEnvironment(
            f"there is no environment `{name}`", because=f"{FOLDER} holds {listed(names)}", hint=closest
        )
    document = read_document(root / FOLDER / f"{name}.toml", f"{FOLDER}/{name}.toml")
    outermost = document.root()
    outermost.known |= READ_BY_OTHERS
    environment = _read_environment_file(outermost, name)
    document.reject_unknown_keys()
    document.raise_errors(InvalidEnvironment)
    return environment


def _read_environment_file(root: Table, file_name: str) -> Environment:
    name = root.text("name", ENVIRONMENT_NAME)
    if root.are_sound("name") and name != file_name:
        root.error("name", f"is not the name of its file, which is {file_name}.toml")
    aws, telemetry = root.table("aws"), root.optional_table("telemetry")
    secrets = root.table_or_defaults("generated_secrets")
    return Environment(
        name=name,
        log_level=root.choice("log_level", LOG_LEVELS, default="info"),
        account_id=aws.text("account_id", ACCOUNT_ID),
        region=aws.text("region", REGION),
        aws_endpoint_url=aws.text("endpoint_url", HTTP_URL, default=None),
        load_balancer_url=root.table("load_balancer").text("url", HTTP_URL),
        database=_read_database(root.table("database")),
        cache=_read_cache(root.table("cache")),
        tokens=_read_tokens(root.table("tokens")),
        tasks=_read_tasks(root.table_or_defaults("tasks")),
        otlp_endpoint=None if telemetry is None else telemetry.text("otlp_endpoint", HTTP_URL),
        generated_secrets=MappingProxyType(
            {name: secrets.choice(name, SECRET_KINDS) for name in secrets.names(SECRET_PATH)}
        ),
    )


def _read_database(table: Table) -> Database:
    return Database(
        host=table.text("host", HOST),
        port=table.integer("port", legal=range(1, 65536)),
        name=table.text("name", DATABASE_NAME),
        sslmode=table.choice("sslmode", SSL_MODES),
    )


def _read_cache(table: Table) -> Cache:
    return Cache(url=table.text("url", REDIS_URL), authenticated=table.boolean("authenticated", default=False))


def _read_tokens(table: Table) -> Tokens:
    return Tokens(
        audience=table.text("audience"),
        jwks_path=table.text("jwks_path", URL_PATH, default="/users/.well-known/jwks.json"),
    )


def _read_tasks(table: Table) -> TaskDefaults:
    return TaskDefaults(
        host=table.text("host", HOST, default="0.0.0.0"),
        drain_delay_seconds=table.integer("drain_delay_seconds", legal=range(0, 61), default=DRAIN_DELAY_SECONDS),
        receive_wait_seconds=table.integer("receive_wait_seconds", legal=range(1, 21), default=RECEIVE_WAIT_SECONDS),
    )
