"""Creates what tasks need: database roles and schemas, queues, secrets. Every function can run again."""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local_aws.errors import DatabaseNotPrepared
from local_aws.servers.ministack import AwsClients
from local_aws.state import StateFolder
from local_aws.tasks.process import AppContainer, ParameterReference, SecretsManagerReference, parse_reference
from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.aws import AwsCallFailed, call
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import Queue
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.variables import password_literal

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def prepare_database(
    url: str,
    specs: Iterable[ServiceSpec],
    environment: Environment,
    *,
    passwords: Mapping[str, str],
    create: bool,
) -> None:
    """Create a role with its own schema for each service; set passwords and rights again each time.

    Args:
        url: of a superuser, or of a role that owns the database and may create roles.
        passwords: by service name.
        create: whether to create the database itself.

    Raises:
        DatabaseNotPrepared
    """
    try:
        if create:
            await _create_database(url, environment.database.name)
        await _prepare_all(url, specs, environment.database.name, passwords)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseNotPrepared(
            "the database could not be prepared for the services",
            because=str(error) or type(error).__name__,
            hint=None if create else "DATABASE_URL must reach a database that its role owns, and let it create roles",
        ) from error


async def _prepare_all(url: str, specs: Iterable[ServiceSpec], name: str, passwords: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
    try:
        async with connection.transaction():
            await connection.execute(f"REVOKE ALL ON DATABASE {_quoted(name)} FROM PUBLIC")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for spec in specs:
                if spec.database is not None:
                    await _prepare_service(connection, spec.name, name, passwords[spec.name])
    finally:
        await connection.close()


async def _create_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {_quoted(name)}")
    finally:
        await connection.close()


async def _prepare_service(connection: "Connection", service: str, database: str, password: str) -> None:
    role = _quoted(service)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    await connection.execute(f"ALTER ROLE {role} PASSWORD {password_literal(password)}")
    await connection.execute(f"ALTER ROLE {role} IN DATABASE {_quoted(database)} SET search_path = {role}")
    await connection.execute(f"GRANT CONNECT ON DATABASE {_quoted(database)} TO {role}")
    # PostgreSQL lets only a member of the owning role name it as the owner; a superuser needs no membership.
    if not await connection.fetchval("SELECT pg_has_role($1, 'MEMBER')", service):
        await connection.execute(f"GRANT {role} TO CURRENT_USER")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


_FOURTEEN_DAYS_SECONDS = 14 * 24 * 3600
_LONG_POLL_SECONDS = 20


def create_queues(aws: AwsClients, specs: Iterable[ServiceSpec], environment: Environment) -> None:
    """Create the queues of services with their dead-letter queues, or correct the attributes of existing ones."""
    for spec in specs:
        for queue in spec.queues:
            _create(aws, queue, environment)


def _create(aws: AwsClients, queue: Queue, environment: Environment) -> None:
    prefix = f"arn:{environment.partition}:sqs:{environment.region}:{environment.account_id}"
    name = queue_name(environment.name, queue.name)
    dead_letters = dead_letter_queue_name(environment.name, queue.name)
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [f"{prefix}:{name}"]}
    redrive = {"deadLetterTargetArn": f"{prefix}:{dead_letters}", "maxReceiveCount": queue.max_receive_count}
    retention = {"MessageRetentionPeriod": str(_FOURTEEN_DAYS_SECONDS)}
    _ensure(aws, dead_letters, {**retention, "RedriveAllowPolicy": json.dumps(allowed)})
    attributes = {
        "VisibilityTimeout": str(queue.visibility_timeout_seconds),
        "ReceiveMessageWaitTimeSeconds": str(_LONG_POLL_SECONDS),
        "RedrivePolicy": json.dumps(redrive),
    }
    _ensure(aws, name, attributes)


def _ensure(aws: AwsClients, name: str, attributes: dict[str, str]) -> None:
    # CreateQueue with other attributes than an existing queue has is refused, so they are set in a second call.
    url = call(aws.sqs, "create_queue", f"create the queue {name}", QueueName=name)["QueueUrl"]
    call(aws.sqs, "set_queue_attributes", f"configure the queue {name}", QueueUrl=url, Attributes=attributes)


_FILE = "secrets.json"


class SecretStore:
    """The secrets that task definitions refer to: generated once, kept in the state folder, copied to the AWS endpoint.

    Values by AWS name, for example `platform/local/orders/database`; JSON secrets hold an object. A file keeps them,
    because the AWS API on the laptop loses its state when it is killed.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._values: dict[str, str] = folder.read(_FILE)

    def complete(
        self, containers: Iterable[AppContainer], *, kinds: Mapping[str, str], given: Mapping[str, str]
    ) -> None:
        """Generate every value that a container refers to and that is not there yet.

        Args:
            kinds: secret name without `platform/<environment>/` to `password` or `ed25519_private_key`.
            given: variable names whose value is known, for example of an outside server.
        """
        for container in containers:
            for variable, text in container.secrets.items():
                self._complete(parse_reference(text), variable, kinds, given)
        self._folder.write(_FILE, self._values)

    def password_of(self, name: str, json_key: str) -> str:
        return str(json.loads(self._values[name])[json_key])

    def put(self, aws: AwsClients) -> None:
        """Create or correct every secret and parameter at the AWS endpoint."""
        for name, value in self._values.items():
            if name.startswith("/"):
                request = {"Name": name, "Value": value, "Type": "SecureString", "Overwrite": True}
                call(aws.ssm, "put_parameter", f"store the parameter {name}", **request)
            else:
                _put_secret(aws, name, value)

    def _complete(
        self,
        reference: SecretsManagerReference | ParameterReference,
        variable: str,
        kinds: Mapping[str, str],
        given: Mapping[str, str],
    ) -> None:
        name = reference.name
        kind = kinds.get("/".join(name.strip("/").split("/")[2:]), "password")
        if isinstance(reference, ParameterReference) or reference.json_key is None:
            if variable in given or name not in self._values:
                self._values[name] = given.get(variable) or _generate(kind)
            return
        document: dict[str, Any] = json.loads(self._values.get(name, "{}"))
        if variable in given or reference.json_key not in document:
            document[reference.json_key] = given.get(variable) or _generate(kind)
        self._values[name] = json.dumps(document)


def _generate(kind: str) -> str:
    return ed25519_private_key() if kind == "ed25519_private_key" else secrets.token_urlsafe(24)


def ed25519_private_key() -> str:
    """Return a new private key, PKCS #8 in PEM."""
    # Imported here: only the first start of a state folder needs it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _put_secret(aws: AwsClients, name: str, value: str) -> None:
    client, purpose = aws.secretsmanager, f"store the secret {name}"
    try:
        call(client, "create_secret", purpose, Name=name, SecretString=value)
    except AwsCallFailed as error:
        if error.code != "ResourceExistsException":
            raise
        if call(client, "get_secret_value", purpose, SecretId=name)["SecretString"] != value:
            call(client, "put_secret_value", purpose, SecretId=name, SecretString=value)
