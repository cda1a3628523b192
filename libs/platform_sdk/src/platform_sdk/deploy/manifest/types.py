"""A whole platform.toml: as it is written (`Manifest`), and as the rest of the code uses it (`ServiceSpec`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from platform_sdk.deploy.environment import ENVIRONMENT_NAME
from platform_sdk.deploy.manifest.keys import ANY_NAME, EVENT_TYPE, QUEUE_NAME, VARIABLE_NAME, Group, table
from platform_sdk.deploy.manifest.releases import (
    ALARMS,
    HOOKS,
    Alarm,
    AlarmKind,
    HealthCheck,
    LifecycleEvent,
    TrafficShift,
    refuse_events_of_aws,
    refuse_steps_in_percent,
)
from platform_sdk.deploy.manifest.resources import (
    RECEIVING_QUEUES,
    SECRET,
    VARIABLE,
    CacheNeeds,
    DatabaseNeeds,
    Logs,
    Permission,
    Queue,
    SecretReference,
    check_environment,
    check_secrets,
    refuse_arns,
    refuse_reserved,
    refuse_wildcards,
)
from platform_sdk.deploy.manifest.scaling import Scaling, Worker
from platform_sdk.deploy.manifest.tasks import Commands, Service, Sidecars, StandaloneTask, TaskSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Every table of platform.toml, in the order in which they are read and documented."""

    service: Service = table(Service, is_required=True)
    """what the service is called, and where it listens"""
    task: TaskSize = table(TaskSize, is_required=True)
    """one container of yours, with the CloudWatch agent and the log router beside it"""
    scaling: Scaling = table(Scaling, is_required=True)
    """how many tasks answer requests; more as soon as one target is exceeded, fewer when all allow it"""
    commands: Commands = table(Commands, is_required=True)
    """what the image runs; each a list of the program and its arguments, without a shell"""
    worker: Worker | None = table(Worker, is_optional=True)
    """the tasks that consume the queues below. Required if there is a queue, optional without"""
    tasks: tuple[StandaloneTask, ...] = table(StandaloneTask, form="list")
    """commands that run to their end in a task of their own, with the variables and secrets of the service"""
    traffic_shift: TrafficShift = table(TrafficShift, before=refuse_steps_in_percent)
    """how requests move from the tasks of the old version to those of the new one. Workers have no requests: ECS
    replaces them in turn"""
    alarms: Mapping[AlarmKind, Mapping[str, Any]] = table(ALARMS)
    """what is watched; CodeDeploy rolls a release back when one of its alarms fires"""
    hooks: Mapping[str, str | None] = table(HOOKS, before=refuse_events_of_aws)
    """functions that CodeDeploy calls during a release, one hour each at most; one that fails rolls it back"""
    health_check: HealthCheck = table(HealthCheck)
    """how the load balancer finds out which tasks can serve"""
    environment: Mapping[str, str] = table(
        {ANY_NAME: VARIABLE},
        names=VARIABLE_NAME,
        example="GREETING",
        before=refuse_reserved,
        check=check_environment,
    )
    """variables of your own: NAME = "value", the value always in quotes"""
    secrets: Mapping[str, str] = table(
        {ANY_NAME: SECRET}, names=VARIABLE_NAME, example="PAYMENT_KEY", before=refuse_arns, check=check_secrets
    )
    """variables with secret values: NAME = the place of the secret"""
    database: DatabaseNeeds | None = table(DatabaseNeeds, is_optional=True)
    """if present, the service gets a schema and a role in PostgreSQL, both with its name"""
    cache: CacheNeeds | None = table(CacheNeeds, is_optional=True)
    """if present, the service gets Redis: the variables REDIS_URL and REDIS_PASSWORD. No keys yet"""
    queues: tuple[Queue, ...] = table(Queue, form="named", names=QUEUE_NAME, example="orders")
    """a queue that this service owns, by name; each has a dead-letter queue"""
    publishes: Mapping[str, tuple[str, ...]] = table(
        {ANY_NAME: RECEIVING_QUEUES}, names=EVENT_TYPE, example='"order.placed"'
    )
    """event types that this service publishes, and the queues that receive each"""
    permissions: tuple[Permission, ...] = table(Permission, form="list", before=refuse_wildcards)
    """what the app may do on AWS beyond its queues, secrets and telemetry, which need no entry"""
    logs: Logs = table(Logs)
    """what the containers write"""
    sidecars: Sidecars = table(Sidecars)
    """the two containers beside yours"""


ROOT: Final = Group(Manifest, meaning="Every key of platform.toml.")

ENVIRONMENTS: Final = "environments"
ENVIRONMENT_OVERRIDES: Final = Group(
    {},
    form="named",
    names=ENVIRONMENT_NAME,
    example="production",
    meaning="what differs in one environment; any key of this file, below the environment's name. A list replaces "
    "the whole list",
)
"""`[environments]`, which is merged over the rest before the file is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One platform.toml. `directory` is the service's folder; `publishes` maps event types to names of queues.

    `priority` is that of the listener rule; `hooks` maps CodeDeploy's lifecycle events to names of functions.
    """

    name: str
    path: str
    port: int
    priority: int
    directory: Path
    task: TaskSize
    sidecars: Sidecars
    scaling: Scaling
    commands: Commands
    worker: Worker | None
    tasks: tuple[StandaloneTask, ...]
    traffic_shift: TrafficShift
    alarms: tuple[Alarm, ...]
    hooks: Mapping[LifecycleEvent, str]
    health_check: HealthCheck
    log_retention_days: int
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]
    database: DatabaseNeeds | None
    cache: CacheNeeds | None
    queues: tuple[Queue, ...]
    publishes: Mapping[str, tuple[str, ...]]
    permissions: tuple[Permission, ...]
