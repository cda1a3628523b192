"""Runs a service's tasks as containers, as their task definitions say, beside PostgreSQL, Redis and an AWS endpoint."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from local_aws.provision import create_queues, ed25519_private_key, prepare_database
from local_aws.servers import ministack
from local_aws.servers.ministack import ACCESS_KEY_ID, SECRET_ACCESS_KEY, AwsClients, AwsServer
from local_aws.tasks.process import app_container
from platform_sdk.contract import READINESS_PATH, Variable
from platform_sdk.deploy.environment import Cache, Database, Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.containers import build_image
from tests.support.local_stack import wait_for
from tests.support.repository import ROOT

# Its reaper is an image of its own, which not every machine can pull; what a killed run leaves behind has the label
# org.testcontainers=true.
testcontainers_config.ryuk_disabled = True

SERVICES: Final = ("orders", "users", "inventory")
CPU_UNITS: Final = 1024
DRAIN_DELAY_SECONDS: Final = 1
_AWS_PORT: Final = 4566
_PASSWORD: Final = "of-this-run-alone"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What tasks find around them: a network with servers, one database with a role for each service, and queues.

    Attributes:
        database_url: of the superuser, as this machine reaches it.
        aws: as this machine reaches it.
    """

    network: Network
    environment: Environment
    specs: Mapping[str, ServiceSpec]
    database_url: str
    aws: AwsClients
    signing_key: str

    def task(
        self, service: str, image: str, role: Role = "api", *, command: tuple[str, ...] | None = None
    ) -> DockerContainer:
        """A container that is not started yet. Another command takes the place of the role's, as RunTask lets it."""
        document = render_task_definition(self.specs[service], self.environment, image=image, role=role)
        task = task_container(document, secrets=self._secrets(service), command=command)
        if role == "api" and command is None:
            task.with_network_aliases(service).with_exposed_ports(self.specs[service].port)
        return task.with_network(self.network)

    def _secrets(self, service: str) -> dict[str, str]:
        secrets = {Variable.DATABASE_PASSWORD: _PASSWORD}
        return secrets if service != "users" else {**secrets, "TOKEN_SIGNING_KEY": self.signing_key}


def task_container(
    document: Mapping[str, Any], *, secrets: Mapping[str, str], command: tuple[str, ...] | None = None
) -> DockerContainer:
    """The app of a task definition: its command, user, confinement and size, its variables and the secrets' values."""
    described = next(one for one in document["containerDefinitions"] if one["name"] == "app")
    app = app_container(document)
    assert set(secrets) == set(app.secrets)
    linux = described["linuxParameters"]
    memory = f"{document['memory']}m"
    container = DockerContainer(
        described["image"],
        user=described["user"],
        read_only=described["readonlyRootFilesystem"],
        init=linux["initProcessEnabled"],
        cap_drop=linux["capabilities"]["drop"],
        security_opt=["no-new-privileges:true"],
        nano_cpus=int(document["cpu"]) * 10**9 // CPU_UNITS,
        mem_limit=memory,
        memswap_limit=memory,
    )
    credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
    return container.with_command(list(command or app.command)).with_envs(**credentials, **app.environment, **secrets)


@contextmanager
def surroundings(network: Network) -> Iterator[Surroundings]:
    postgres = PostgresContainer("postgres:17", username="postgres", dbname="platform", driver=None)
    postgres.with_command(["postgres", "-c", "fsync=off"]).with_network(network).with_network_aliases("postgres")
    redis = RedisContainer("redis:7").with_network(network).with_network_aliases("redis")
    with postgres, redis, aws_container(network) as aws:
        around = Surroundings(
            network=network,
            environment=container_environment(),
            specs={spec.name: spec for spec in load_services(ROOT, "local")},
            database_url=postgres.get_connection_url(),
            aws=ministack.connect(url_of(aws, _AWS_PORT), "us-east-1"),
            signing_key=ed25519_private_key(),
        )
        wait_for(
            lambda: answers(f"{around.aws.sqs.meta.endpoint_url}/_ministack/health"), 60, "the AWS endpoint answers"
        )
        create_queues(around.aws, around.specs.values(), around.environment)
        asyncio.run(
            prepare_database(
                around.database_url,
                around.specs.values(),
                around.environment,
                passwords=dict.fromkeys(SERVICES, _PASSWORD),
                create=False,
            )
        )
        yield around


def container_environment() -> Environment:
    """The laptop's environment, with the names that servers have in the network."""
    local = load_environment(ROOT, "local")
    return replace(
        local,
        aws_endpoint_url=f"http://aws:{_AWS_PORT}",
        # In the load balancer's place: services that verify tokens fetch the keys from users.
        load_balancer_url="http://users:3000",
        database=Database(host="postgres", port=5432, name="platform", sslmode="disable"),
        cache=Cache(url="redis://redis:6379/0", authenticated=False),
        tasks=replace(local.tasks, host="0.0.0.0", drain_delay_seconds=DRAIN_DELAY_SECONDS),
    )


def aws_container(network: Network) -> DockerContainer:
    image = build_image("platform-test/local-stack:built", "deploy/compose/Dockerfile", "--target", "local-stack")
    container = DockerContainer(image, read_only=True, cap_drop=["ALL"]).with_tmpfs_mount("/tmp")
    variables = {"BIND_HOST": "0.0.0.0", "MINISTACK_HOST": "aws", "GATEWAY_PORT": str(_AWS_PORT)}
    variables |= {"MINISTACK_REGION": "us-east-1", "S3_DATA_DIR": "/tmp/s3", "STATE_DIR": "/tmp/state"}
    variables |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING"}
    container.with_envs(**variables).with_exposed_ports(_AWS_PORT)
    return container.with_network(network).with_network_aliases(AwsServer.name)


def url_of(container: DockerContainer, port: int) -> str:
    """As this machine reaches the container's port."""
    return f"http://{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def answers(url: str) -> bool:
    """Whether there is an answer 200."""
    try:
        with urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def ready(task: DockerContainer, spec: ServiceSpec, *, within_seconds: float = 60) -> str:
    """Waits until the API answers that it is ready; its URL as this machine reaches it."""
    url = url_of(task, spec.port)
    wait_for(lambda: answers(f"{url}{spec.path}{READINESS_PATH}"), within_seconds, f"{spec.name} is ready")
    return url


def exit_code(container: DockerContainer, *, within_seconds: float = 60) -> int:
    return int(container.get_wrapped_container().wait(timeout=within_seconds)["StatusCode"])


def log_of(container: DockerContainer) -> str:
    log: bytes = container.get_wrapped_container().logs()
    return log.decode()


def health_of(container: DockerContainer) -> str:
    """`starting`, `healthy` or `unhealthy`, as the image's own health check found."""
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    return str(wrapped.attrs["State"]["Health"]["Status"])


def run_to_end(container: DockerContainer, *, within_seconds: float = 180) -> tuple[int, str]:
    """Exit code, and what it printed."""
    with container:
        return exit_code(container, within_seconds=within_seconds), log_of(container)
