"""platform.toml to ServiceSpec. A new key starts here, and in deploy/reference.toml, which a test compares with it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from platform_sdk.contract import CONTAINER_PORT, STOP_TIMEOUT_SECONDS
from platform_sdk.deploy.document import Document, Form, Table
from platform_sdk.deploy.fargate import MEMORY_MIB_BY_CPU, nearest
from platform_sdk.deploy.faults import listed
from platform_sdk.deploy.spec.types import (
    ARCHITECTURES,
    Architecture,
    CacheNeeds,
    Commands,
    DatabaseNeeds,
    Queue,
    Scaling,
    ServiceSpec,
    TaskSize,
    Worker,
)
from platform_sdk.deploy.spec.variables import read_environment, read_secrets

# The service's name becomes part of names whose limits are 32 (target group) and 63 (database role) characters.
SERVICE_NAME: Final = Form(
    re.compile(r"(?=.{2,20}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 20 lower-case letters, digits and single hyphens, starting with a letter",
)
# A listener rule's path pattern holds 128 characters and treats `*` and `?` as wildcards.
PATH: Final = Form(
    re.compile(r"(?=.{3,100}$)(/[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+"),
    'lower-case segments such as "/orders", without a slash at the end',
)
# SQS allows 80 characters, of which environment, prefix and "-dead-letter" take their part.
QUEUE_NAME: Final = Form(
    re.compile(r"(?=.{2,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 40 lower-case letters, digits and single hyphens, starting with a letter",
)
EVENT_TYPE: Final = Form(
    re.compile(r"(?=.{3,100}$)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"), 'an event type such as "order.placed"'
)
ARGUMENT: Final = Form(re.compile(r"[^\x00]+", re.DOTALL), "a text that is not empty")

PORTS: Final = range(1024, 65536)
PORTS_OF_SIDECARS: Final = frozenset({2000, 2020, 4314, 4315, 4316, 4317, 4318, 8125, 24224, 25888})
TASK_COUNTS: Final = range(1, 5001)
STOP_TIMEOUTS: Final = range(2, 121)
VISIBILITY_TIMEOUTS: Final = range(1, 43201)
RECEIVE_COUNTS: Final = range(1, 1001)
CONNECTIONS: Final = range(1, 101)


def read_service(document: Document, directory: Path) -> ServiceSpec:
    """The whole file, with placeholders where a value is at fault; the faults are in the document."""
    root = document.root()
    service = root.table("service")
    task = read_task(root.table("task"))
    worker = read_worker(root.optional_table("worker"), task)
    environment = read_environment(root.optional_table("environment"))
    spec = ServiceSpec(
        name=service.text("name", SERVICE_NAME),
        path=service.text("path", PATH),
        port=read_port(service),
        directory=directory,
        task=task,
        scaling=read_scaling(root.table("scaling")),
        commands=read_commands(root.table("commands"), has_database="database" in root.values),
        worker=worker,
        environment=environment,
        secrets=read_secrets(root.optional_table("secrets"), environment),
        database=read_database(root.optional_table("database")),
        cache=None if root.optional_table("cache") is None else CacheNeeds(),
        queues=tuple(read_queues(root.optional_table("queues"))),
        publishes=read_publishes(root.optional_table("publishes")),
    )
    if spec.queues and "worker" not in root.values:
        reason = "the table [worker] is missing, though queues are consumed"
        document.fault(("worker",), reason, beside=("queues",))
    document.reject_unknown_keys()
    return spec


def read_port(service: Table) -> int:
    port = service.integer("port", legal=PORTS, default=CONTAINER_PORT)
    if port in PORTS_OF_SIDECARS:
        service.fault("port", f"{port} is taken by the CloudWatch agent or the log router of the same task")
    return port


def read_task(task: Table) -> TaskSize:
    cpu = task.integer("cpu")
    memory_mib = task.integer("memory_mib")
    check_size(task, cpu, memory_mib)
    return TaskSize(
        cpu=cpu,
        memory_mib=memory_mib,
        architecture=cast(Architecture, task.choice("architecture", ARCHITECTURES, default="x86_64")),
        stop_timeout_seconds=task.integer("stop_timeout_seconds", legal=STOP_TIMEOUTS, default=STOP_TIMEOUT_SECONDS),
    )


def check_size(table: Table, cpu: int, memory_mib: int) -> None:
    """Fargate sells certain sizes only."""
    if not table.are_sound("cpu", "memory_mib"):
        return
    if cpu not in MEMORY_MIB_BY_CPU:
        closest = listed_with_or(nearest(cpu, MEMORY_MIB_BY_CPU))
        table.fault("cpu", f"{cpu} is not a Fargate size", f"did you mean {closest}?")
    elif memory_mib not in MEMORY_MIB_BY_CPU[cpu]:
        legal = MEMORY_MIB_BY_CPU[cpu]
        reason = f"{memory_mib} is not a Fargate size with {cpu} CPU units, which take {legal[0]} to {legal[-1]} MiB"
        table.fault("memory_mib", reason, f"did you mean {listed_with_or(nearest(memory_mib, legal))}?")


def listed_with_or(numbers: list[int]) -> str:
    return " or ".join(str(number) for number in numbers)


def read_scaling(table: Table) -> Scaling:
    min_tasks = table.integer("min_tasks", legal=TASK_COUNTS)
    max_tasks = table.integer("max_tasks", legal=TASK_COUNTS)
    if table.are_sound("min_tasks", "max_tasks") and min_tasks > max_tasks:
        table.fault("min_tasks", f"{min_tasks} is above max_tasks, which is {max_tasks}", "swap them?")
    return Scaling(min_tasks=min_tasks, max_tasks=max_tasks)


def read_commands(table: Table, *, has_database: bool) -> Commands:
    commands = Commands(
        api=table.texts("api", ARGUMENT),
        migrate=table.texts("migrate", ARGUMENT, default=None),
        demo=table.texts("demo", ARGUMENT, default=None),
    )
    if has_database and commands.migrate is None and table.are_sound("migrate"):
        table.fault("migrate", "is missing, though there is a [database]")
    return commands


def read_worker(table: Table | None, task: TaskSize) -> Worker | None:
    if table is None:
        return None
    cpu = table.integer("cpu", default=task.cpu)
    memory_mib = table.integer("memory_mib", default=task.memory_mib)
    if {"cpu", "memory_mib"} & set(table.values) and table.document.is_sound("task"):
        check_size(table, cpu, memory_mib)
    scaling = read_scaling(table)
    return Worker(
        command=table.texts("command", ARGUMENT),
        min_tasks=scaling.min_tasks,
        max_tasks=scaling.max_tasks,
        cpu=cpu,
        memory_mib=memory_mib,
    )


def read_database(table: Table | None) -> DatabaseNeeds | None:
    if table is None:
        return None
    return DatabaseNeeds(max_connections=table.integer("max_connections", legal=CONNECTIONS, default=10))


def read_queues(table: Table | None) -> Iterator[Queue]:
    if table is None:
        return
    for name in table.names(QUEUE_NAME):
        queue = table.optional_table(name)
        if queue is None:
            continue
        yield Queue(
            name=name,
            consumes=read_list(queue, "consumes", EVENT_TYPE),
            visibility_timeout_seconds=queue.integer(
                "visibility_timeout_seconds", legal=VISIBILITY_TIMEOUTS, default=60
            ),
            max_receive_count=queue.integer("max_receive_count", legal=RECEIVE_COUNTS, default=5),
        )


def read_publishes(table: Table | None) -> Mapping[str, tuple[str, ...]]:
    if table is None:
        return MappingProxyType({})
    return MappingProxyType(
        {event: read_list(table, event, QUEUE_NAME, may_be_empty=True) for event in table.names(EVENT_TYPE)}
    )


def read_list(table: Table, key: str, form: Form, *, may_be_empty: bool = False) -> tuple[str, ...]:
    """A list in which nothing stands twice."""
    values = table.texts(key, form, may_be_empty=may_be_empty)
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        table.fault(key, f"{listed(twice)} is listed twice", "remove one")
    return values
