"""The local stack: backing servers, the tasks of all services, and the order in which they come up and go down.

servers ─▶ database roles, secrets, queues ─▶ migrations ─▶ demo data, tasks ─▶ healthy through the load balancer
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from local_aws import logs
from local_aws.errors import OneOffTaskFailed, TaskDoesNotStart
from local_aws.load_balancer.server import LoadBalancer
from local_aws.processes import free_port
from local_aws.provision import SecretStore, create_queues, prepare_database
from local_aws.servers import ministack
from local_aws.servers.ministack import AwsServer
from local_aws.servers.postgres import PostgresServer
from local_aws.servers.server import BackingServer, ServerWatch, WatchedServer
from local_aws.servers.valkey import RedisServer
from local_aws.settings import LocalSettings, Report, local_environment, outside_cache_password
from local_aws.state import StateFolder
from local_aws.tasks.cluster import Cluster, http_status
from local_aws.tasks.process import ProcessTask, resolve_secrets, start_task
from local_aws.tasks.scheduling import Slot
from local_aws.tasks.services import LocalService, load_local_services
from platform_sdk.contract import Variable
from platform_sdk.deploy.environment import Environment

START_TIMEOUT_SECONDS: Final = 120.0
FAILURES_UNTIL_GIVING_UP: Final = 3
DEMO_FILE: Final = "demo.json"

T = TypeVar("T")


class LocalStack:
    """Made once for each `platform up`. Call it on the main thread only: a process ends with its starting thread."""

    _aws: asyncio.Task[ministack.AwsClients]

    def __init__(self, settings: LocalSettings, *, report: Report, on_change: Callable[[], None]) -> None:
        self.settings = settings
        self.folder = StateFolder(settings.state)
        self.environment: Environment = local_environment(settings)
        self.services: Mapping[str, LocalService] = load_local_services(settings.root, self.environment)
        self.revisions = dict.fromkeys(self.services, 1)
        self._report = report
        self._on_change = on_change
        self._one_off: set[ProcessTask] = set()
        self._secrets = SecretStore(self.folder)
        self._create_servers()
        self.cluster = Cluster(
            start_process=lambda slot, name: self._start_container(self.services[slot.service], slot, name),
            health_paths={service.name: service.health_path for service in self.services.values()},
            on_targets=lambda name, ports: self.load_balancer.set_targets(self.services[name].target_group.name, ports),
            on_change=on_change,
            report=report,
        )
        self.server_watch = ServerWatch(
            servers=[], after_restart={AwsServer.name: self._prepare_aws}, on_change=on_change, report=report
        )

    def _create_servers(self) -> None:
        settings, state, log = self.settings, self.folder.path, self._log
        self.load_balancer = LoadBalancer(
            state / LoadBalancer.name,
            settings.load_balancer_port,
            target_groups=[service.target_group for service in self.services.values()],
            rules=[service.rule for service in self.services.values()],
            log=log(LoadBalancer.name),
        )
        self._aws_server = AwsServer(state / AwsServer.name, settings.aws_port, log=log(AwsServer.name))
        self._redis = RedisServer(state / RedisServer.name, settings.redis_port, log=log(RedisServer.name))
        self._postgres = PostgresServer(
            state / PostgresServer.name, settings.database_port, log=log(PostgresServer.name)
        )
        # PostgreSQL last: creating its cluster takes a second, in which the others start.
        possible: list[tuple[BackingServer, str | None]] = [
            (self._aws_server, settings.outside_aws_endpoint_url),
            (self.load_balancer, None),
            (self._redis, settings.outside_redis_url),
            (self._postgres, settings.outside_database_url),
        ]
        self.servers = [server for server, outside in possible if outside is None]

    async def prepare(self) -> None:
        """Start everything that tasks need. Raises PlatformError; `stop` then cleans up."""
        self._complete_secrets()
        for server in self.servers:
            server.launch()
            self._on_change()
        # Importing botocore takes half a second, in which the servers start.
        endpoint_url, region = str(self.environment.aws_endpoint_url), self.environment.region
        self._aws = asyncio.create_task(asyncio.to_thread(ministack.connect, endpoint_url, region))
        await asyncio.gather(*map(self._start_up, self.servers), *self._prepare_outside_servers())
        await self._migrate(self.services.values())

    async def start_tasks(self, *, demo: bool) -> None:
        """Ask the cluster, whose loop must be running, for all tasks; create the demo data meanwhile."""
        self._report("starting tasks")
        self.cluster.set_desired(self._slots(self.services.values()))
        if demo:
            await self._create_demo_data()

    async def wait_until_healthy(self) -> None:
        """Wait until every task is healthy and every service answers through the load balancer."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        reported: set[str] = set()
        while not self.cluster.is_healthy():
            self._report_new_healthy(reported)
            self._raise_if_a_task_fails(deadline)
            await asyncio.sleep(0.05)
        self._report_new_healthy(reported)
        for service in self.services.values():
            while await http_status(self.load_balancer.port, service.health_path) != 200:
                self._raise_if_a_task_fails(deadline)
                await asyncio.sleep(0.02)

    def _report_new_healthy(self, reported: set[str]) -> None:
        for name, service in self.services.items():
            slots = set(service.slots())
            healthy = {task.slot for task in self.cluster.tasks if task.healthy_since is not None}
            if name not in reported and slots <= healthy:
                reported.add(name)
                self._report(f"{name}: {len(slots)} tasks healthy")

    def _raise_if_a_task_fails(self, deadline: float) -> None:
        for slot, record in self.cluster.records.items():
            if record.failures_in_a_row >= FAILURES_UNTIL_GIVING_UP:
                raise self._start_failure(slot, f"it ended {record.failures_in_a_row} times in a row")
        if time.monotonic() > deadline:
            healthy = {task.slot for task in self.cluster.tasks if task.healthy_since is not None}
            slot = min(set(self.cluster.desired) - healthy, default=min(self.cluster.desired))
            raise self._start_failure(slot, f"it is not healthy after {START_TIMEOUT_SECONDS:.0f} s")

    def _start_failure(self, slot: Slot, why: str) -> TaskDoesNotStart:
        log = self._log(slot.name)
        end = "\n".join(f"  {line}" for line in logs.end_of(log, 12))
        return TaskDoesNotStart(
            f"{slot.name} does not start: {why}",
            because=f"the end of its log is\n{end}" if end else None,
            hint=f"the whole log: platform logs {slot.service}",
        )

    async def replace_services(self, names: Iterable[str], *, migrate: bool) -> None:
        """Read the services' files again and replace their tasks. Raises InvalidSpec, and then nothing changes."""
        services = load_local_services(self.settings.root, self.environment)
        changed = [services[name] for name in names if name in services and name in self.services]
        self.services = {**self.services, **{service.name: service for service in changed}}
        self._complete_secrets()
        await self._prepare_aws()
        if migrate:
            await self._migrate(changed)
        for service in changed:
            self.revisions[service.name] += 1
        self.cluster.set_desired(self._slots(changed))

    async def stop(self) -> None:
        """Stop tasks first, then the load balancer, then the servers that tasks need."""
        for task in list(self._one_off):
            task.request_stop()
        await self.cluster.stop()
        await asyncio.to_thread(self._stop_servers)

    def _stop_servers(self) -> None:
        self.load_balancer.stop()
        for server in self.servers:
            server.request_stop()
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        """Kill everything at once."""
        for task in self._one_off:
            task.kill()
        self.cluster.kill()
        for server in self.servers:
            server.kill()

    def process_ids(self) -> list[int]:
        """Return the ids of all process groups that were started."""
        tasks = [task.process.pid for task in self.cluster.tasks] + [task.pid for task in self._one_off]
        return tasks + [server.pid for server in self.servers if server.pid is not None]

    def _log(self, name: str) -> Path:
        return self.folder.logs / f"{name}.log"

    def _slots(self, services: Iterable[LocalService]) -> dict[Slot, int]:
        return {slot: self.revisions[service.name] for service in services for slot in service.slots()}

    def _complete_secrets(self) -> None:
        password = outside_cache_password(self.settings)
        self._secrets.complete(
            [container for service in self.services.values() for container in service.containers.values()],
            kinds=self.environment.generated_secrets,
            given={} if password is None else {Variable.REDIS_PASSWORD: password},
        )

    async def _start_up(self, server: BackingServer) -> None:
        started = time.monotonic()
        await asyncio.to_thread(server.wait_until_ready)
        self._report(f"{server.title} is ready ({time.monotonic() - started:.1f} s)")
        self.server_watch.servers.append(WatchedServer(server=server))
        self._on_change()
        if server is self._postgres:
            await self._prepare_database(self._postgres.url)
        elif server is self._aws_server:
            await self._prepare_aws()

    def _prepare_outside_servers(self) -> Iterator[Awaitable[None]]:
        if self.settings.outside_database_url is not None:
            yield self._prepare_database(self.settings.outside_database_url)
        if self.settings.outside_aws_endpoint_url is not None:
            yield self._prepare_aws()

    async def _prepare_database(self, url: str) -> None:
        specs = [service.spec for service in self.services.values()]
        await prepare_database(
            url,
            specs,
            self.environment,
            passwords={spec.name: self._database_password(spec.name) for spec in specs if spec.database is not None},
            create=self.settings.outside_database_url is None,
        )

    def _database_password(self, service: str) -> str:
        return self._secrets.password_of(f"platform/{self.environment.name}/{service}/database", "password")

    async def _prepare_aws(self) -> None:
        aws = await self._aws
        await asyncio.to_thread(self._secrets.put, aws)
        specs = [service.spec for service in self.services.values()]
        await asyncio.to_thread(create_queues, aws, specs, self.environment)

    async def _migrate(self, services: Iterable[LocalService]) -> None:
        commands = [(service, service.spec.commands.migrate) for service in services]
        await self._timed("database migrated", self._run_all("migrate", commands))

    async def _create_demo_data(self) -> None:
        """Run each service's demo command, once for each database."""
        database = dataclasses.asdict(self.environment.database)
        if self.folder.read(DEMO_FILE) == database:
            return
        commands = [(service, service.spec.commands.demo) for service in self.services.values()]
        await self._timed("demo data created", self._run_all("demo", commands))
        self.folder.write(DEMO_FILE, database)

    async def _run_all(self, purpose: str, commands: Iterable[tuple[LocalService, tuple[str, ...] | None]]) -> None:
        await asyncio.gather(
            *(self._run_once(service, purpose, command) for service, command in commands if command is not None)
        )

    async def _run_once(self, service: LocalService, purpose: str, command: tuple[str, ...]) -> None:
        """Run a one-off task in the service's container, like RunTask with another command. Raises OneOffTaskFailed."""
        name = f"{service.name}-{purpose}"
        log = self._log(name)
        before = log.stat().st_size if log.exists() else 0
        task = await self._start_container(service, Slot(service.name, "api", 0), name, command)
        self._one_off.add(task)
        try:
            while (exit_code := task.exit_code) is None:
                task.kill_if_overdue()
                await asyncio.sleep(0.02)
        finally:
            task.kill()
            self._one_off.discard(task)
        if exit_code != 0:
            output = log.read_bytes()[before:].decode(errors="replace").rstrip()
            raise OneOffTaskFailed(
                f"`{' '.join(command)}` of {service.name} ended with exit code {exit_code}",
                because=f"its output:\n{output}" if output else "it printed nothing",
                hint=f"its folder: {service.directory}",
            )

    async def _start_container(
        self, service: LocalService, slot: Slot, name: str, command: tuple[str, ...] | None = None
    ) -> ProcessTask:
        container = service.containers[slot.role]
        secrets = await asyncio.to_thread(resolve_secrets, container.secrets, await self._aws)
        return start_task(
            container,
            name=name,
            directory=service.directory,
            port=free_port(),
            secrets=secrets,
            log=self._log(name),
            command=command,
        )

    async def _timed(self, what: str, work: Awaitable[T]) -> T:
        started = time.monotonic()
        result = await work
        self._report(f"{what} ({time.monotonic() - started:.1f} s)")
        return result
