"""platform.toml to ServiceSpec. A new key starts in the table of keys, is read here, and is a field in types.py."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from platform_sdk.contract import LOG_LEVELS, Variable
from platform_sdk.deploy.manifest.described import Described, described
from platform_sdk.deploy.manifest.keys.key import MEMORY_MIB_BY_CPU, nearest
from platform_sdk.deploy.manifest.load_parts import (
    read_alarms,
    read_database,
    read_health_check,
    read_hooks,
    read_log_retention,
    read_permissions,
    read_publishes,
    read_queues,
    read_traffic_shift,
)
from platform_sdk.deploy.manifest.topology import check_schedule
from platform_sdk.deploy.manifest.types import (
    Architecture,
    CacheNeeds,
    Commands,
    Scaling,
    ScheduledScaling,
    SecretReference,
    SecretStore,
    ServiceSpec,
    Sidecar,
    Sidecars,
    StandaloneTask,
    TaskSize,
    Worker,
)
from platform_sdk.deploy.toml_document import Document

# The tables that become variables of the app container: `[environment]` in plain sight, `[secrets]` by reference.

LOOKS_LIKE_A_SECRET: Final = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(API|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCESS)_?KEY)$"
)
CONTAINS_A_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access key ids
    r"|\bgh[pousr]_[A-Za-z0-9]{36}"  # GitHub tokens
    r"|\b[rs]k_live_[A-Za-z0-9]{16}"  # Stripe keys
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."  # signed JWTs
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"  # URLs with a password
)

MADE_BY_CHANCE: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{20,}|[0-9a-f]{32,}")
"""No name that a person would choose."""

SET_BY_THE_PLATFORM: Final = frozenset(
    value for name, value in vars(Variable).items() if not name.startswith("_") and isinstance(value, str)
)
RESERVED_PREFIXES: Final = ("AWS_", "ECS_", "FLUENT_")
"""What Fargate and FireLens put into a container themselves."""


def read_environment(table: Described) -> Mapping[str, str]:
    """`[environment]`; LOG_LEVEL is the one variable of the platform's own that a team may set here."""
    variables = {}
    for name in table.names():
        refuse_reserved(table, name, allowed={Variable.LOG_LEVEL})
        value = table.text(name)
        if LOOKS_LIKE_A_SECRET.search(name) or CONTAINS_A_SECRET.search(value):
            table.error(name, "looks like a secret, which plain variables do not keep", "move it to [secrets]")
        if name == Variable.LOG_LEVEL:
            table.table.choice(name, LOG_LEVELS)
        variables[name] = value
    return MappingProxyType(variables)


def read_secrets(table: Described, environment: Mapping[str, str]) -> Mapping[str, SecretReference]:
    """`[secrets]`: names of secrets, never their values."""
    references = {}
    for name in table.names():
        refuse_reserved(table, name)
        if name in environment:
            table.error(name, "is in [environment] as well; ECS refuses a name given twice", "remove one of them")
        references[name] = secret_reference(table, name)
    return MappingProxyType(references)


def secret_reference(table: Described, name: str) -> SecretReference:
    value = table.table.values[name]
    if isinstance(value, str) and value.startswith("arn:"):
        table.error(name, "must be a name, not an ARN", "the environment adds account, region and prefix")
        return SecretReference(store=SecretStore.SECRETS_MANAGER, name="")
    text = table.text(name)
    if CONTAINS_A_SECRET.search(text) or MADE_BY_CHANCE.fullmatch(text):
        table.error(name, "looks like the secret itself", "give the name under which Secrets Manager keeps it")
    if text.startswith("/"):
        return SecretReference(store=SecretStore.PARAMETER_STORE, name=text.removeprefix("/"))
    secret, _, json_key = text.partition(":")
    return SecretReference(store=SecretStore.SECRETS_MANAGER, name=secret, json_key=json_key or None)


def refuse_secrets_in(table: Described, key: str, texts: tuple[str, ...] | None) -> None:
    """In the words of a command, which anybody may read who may see the task definition."""
    for index, text in enumerate(texts or ()):
        if CONTAINS_A_SECRET.search(text):
            table.error((key, index), "looks like a secret, which commands do not keep", "read it from a variable")


def refuse_reserved(table: Described, name: str, allowed: frozenset[str] | set[str] = frozenset()) -> None:
    if name in SET_BY_THE_PLATFORM - allowed:
        table.error(name, "is set by the platform", "remove it, or choose another name")
    elif name.startswith(RESERVED_PREFIXES) and name not in allowed:
        table.error(name, "is reserved: AWS sets variables of this prefix in every task", "choose another name")


PORTS_OF_SIDECARS: Final = frozenset({2000, 2020, 4314, 4315, 4316, 4317, 4318, 8125, 24224, 25888})
DEREGISTRATION_DELAY_SECONDS: Final = 30

# Rules below 1000 are left to what the platform itself may answer on the listener.
PRIORITIES: Final = range(1000, 50_000)


def read_service(document: Document, directory: Path) -> ServiceSpec:
    """The whole file, with placeholders where a value is wrong; the errors are in the document."""
    root = described(document)
    service = root.part("service")
    name = service.text("name")
    task = read_task(root.part("task"))
    worker = read_worker(root.present("worker"), task)
    tasks = tuple(read_tasks(root, task))
    environment = read_environment(root.part("environment"))
    queues = tuple(read_queues(root))
    spec = ServiceSpec(
        name=name,
        path=service.text("path"),
        port=read_port(service),
        priority=read_priority(service, name),
        directory=directory,
        task=task,
        sidecars=read_sidecars(root.part("sidecars"), task, worker, tasks),
        scaling=read_scaling(root.part("scaling")),
        commands=read_commands(root.part("commands"), has_database=root.says("database")),
        worker=worker,
        tasks=tasks,
        traffic_shift=read_traffic_shift(root.part("traffic_shift")),
        alarms=tuple(read_alarms(root.part("alarms"), queues)),
        hooks=read_hooks(root.part("hooks")),
        health_check=read_health_check(root.part("health_check")),
        log_retention_days=read_log_retention(root.part("logs")),
        environment=environment,
        secrets=read_secrets(root.part("secrets"), environment),
        database=read_database(root.present("database")),
        cache=None if root.present("cache") is None else CacheNeeds(),
        queues=queues,
        publishes=read_publishes(root.part("publishes")),
        permissions=tuple(read_permissions(root)),
    )
    if spec.queues and not root.says("worker"):
        reason, suggestion = "the table [worker] is missing, though queues are consumed", root.table.example("worker")
        document.error(("worker",), reason, suggestion, beside=("queues",))
    document.reject_unknown_keys()
    return spec


def read_port(service: Described) -> int:
    port = service.integer("port")
    if port in PORTS_OF_SIDECARS:
        reason = f"{port} is taken by the CloudWatch agent or the log router of the same task"
        service.error("port", reason, "leave it out, which is 3000")
    return port


def read_priority(service: Described, name: str) -> int:
    """A function of the name alone: were it of a service's place among all, a new service would change the rules of
    others, and CloudFormation writes a changed rule with the target group of its template, whichever is live.
    """
    return service.optional_integer("priority") or PRIORITIES[zlib.crc32(name.encode()) % len(PRIORITIES)]


def read_task(task: Described) -> TaskSize:
    cpu, memory_mib = task.integer("cpu"), task.integer("memory_mib")
    check_size(task, cpu, memory_mib)
    stop_timeout = task.integer("stop_timeout_seconds")
    delay = task.optional_integer("deregistration_delay_seconds")
    if delay is not None and delay > stop_timeout and task.are_sound("deregistration_delay_seconds"):
        reason = f"{delay} is above task.stop_timeout_seconds, which is {stop_timeout}: the task is gone before"
        task.error("deregistration_delay_seconds", reason, f"did you mean {stop_timeout}?")
    return TaskSize(
        cpu=cpu,
        memory_mib=memory_mib,
        architecture=cast(Architecture, task.choice("architecture")),
        stop_timeout_seconds=stop_timeout,
        deregistration_delay_seconds=min(DEREGISTRATION_DELAY_SECONDS, stop_timeout) if delay is None else delay,
    )


def check_size(table: Described, cpu: int, memory_mib: int) -> None:
    """Fargate sells certain sizes only."""
    if not table.are_sound("cpu", "memory_mib"):
        return
    if cpu not in MEMORY_MIB_BY_CPU:
        closest = listed_with_or(nearest(cpu, MEMORY_MIB_BY_CPU))
        table.error("cpu", f"{cpu} is not a Fargate size", f"did you mean {closest}?")
    elif memory_mib not in MEMORY_MIB_BY_CPU[cpu]:
        legal = MEMORY_MIB_BY_CPU[cpu]
        reason = f"{memory_mib} is not a Fargate size with {cpu} CPU units, which take {legal[0]} to {legal[-1]} MiB"
        table.error("memory_mib", reason, f"did you mean {listed_with_or(nearest(memory_mib, legal))}?")


def listed_with_or(numbers: list[int]) -> str:
    return " or ".join(str(number) for number in numbers)


def read_sidecars(table: Described, task: TaskSize, worker: Worker | None, tasks: Sequence[StandaloneTask]) -> Sidecars:
    sidecars = Sidecars(
        cloudwatch_agent=read_sidecar(table.part("cloudwatch_agent")), log_router=read_sidecar(table.part("log_router"))
    )
    document = table.table.document
    if all(document.is_sound(key) for key in ("task", "worker", "tasks", "sidecars")):
        check_room(table, sidecars, "task", task)
        if worker is not None:
            check_room(table, sidecars, "worker", worker)
        for own in tasks:
            check_room(table, sidecars, "tasks", own)
    return sidecars


def read_sidecar(table: Described) -> Sidecar:
    return Sidecar(
        enabled=table.boolean("enabled"),
        cpu=table.optional_integer("cpu"),
        memory_mib=table.optional_integer("memory_mib"),
    )


def check_room(table: Described, sidecars: Sidecars, what: str, size: TaskSize | Worker | StandaloneTask) -> None:
    """The app keeps at least half of the CPU and 256 MiB."""
    cpu, memory_mib = size.cpu, size.memory_mib
    both = (sidecars.cloudwatch_agent, sidecars.log_router)
    taken_mib, taken_cpu = sum(one.memory_mib_in(memory_mib) for one in both), sum(one.cpu_in(cpu) for one in both)
    largest = "log_router" if (both[1].memory_mib or 0) > (both[0].memory_mib or 0) else "cloudwatch_agent"
    if memory_mib - taken_mib < 256:
        reason = f"the sidecars take {taken_mib} of the {memory_mib} MiB of [{what}], and the app needs 256"
        table.error((largest, "memory_mib"), reason, f"raise {what}.memory_mib, or lower this")
    largest = "log_router" if (both[1].cpu or 0) > (both[0].cpu or 0) else "cloudwatch_agent"
    if 2 * taken_cpu > cpu:
        reason = f"the sidecars take {taken_cpu} of the {cpu} CPU units of [{what}], more than half"
        table.error((largest, "cpu"), reason, f"raise {what}.cpu, or lower this")


def read_bounds(table: Described) -> tuple[int, int]:
    low, high = table.integer("min_tasks"), table.integer("max_tasks")
    if table.are_sound("min_tasks", "max_tasks") and low > high:
        if table.is_overridden("max_tasks") and not table.is_overridden("min_tasks"):
            table.error("max_tasks", f"{high} is below min_tasks, which is {low}", f"give min_tasks here too, or {low}")
        else:
            table.error("min_tasks", f"{low} is above max_tasks, which is {high}", "swap them?")
    return low, high


def read_scaling(table: Described) -> Scaling:
    low, high = read_bounds(table)
    scaling = Scaling(
        min_tasks=low,
        max_tasks=high,
        target_cpu_percent=table.target("target_cpu_percent"),
        target_memory_percent=table.target("target_memory_percent"),
        target_requests_per_task=table.target("target_requests_per_task"),
        scale_out_cooldown_seconds=table.integer("scale_out_cooldown_seconds"),
        scale_in_cooldown_seconds=table.integer("scale_in_cooldown_seconds"),
        scheduled=tuple(read_scheduled(table)),
    )
    targets = (scaling.target_cpu_percent, scaling.target_memory_percent, scaling.target_requests_per_task)
    if low < high and not any(targets):
        table.error("target_cpu_percent", "no target is left, so the number of tasks would never change", "60 is usual")
    return scaling


def read_scheduled(table: Described) -> Iterator[ScheduledScaling]:
    seen: set[str] = set()
    for entry in table.parts("scheduled"):
        low, high = read_bounds(entry)
        yield ScheduledScaling(
            name=unique_name(entry, seen),
            schedule=check_schedule(entry) or "",
            timezone=entry.text("timezone"),
            min_tasks=low,
            max_tasks=high,
        )


def unique_name(entry: Described, seen: set[str]) -> str:
    name = entry.text("name")
    if name in seen and entry.are_sound("name"):
        entry.error("name", f'"{name}" is the name of an entry above as well', f"for example {name}-2")
    seen.add(name)
    return name


def read_commands(table: Described, *, has_database: bool) -> Commands:
    commands = Commands(
        api=table.texts("api"), migrate=table.optional_texts("migrate"), demo=table.optional_texts("demo")
    )
    for key, command in (("api", commands.api), ("migrate", commands.migrate), ("demo", commands.demo)):
        refuse_secrets_in(table, key, command)
    if has_database and commands.migrate is None and table.are_sound("migrate"):
        table.error("migrate", "is missing, though there is a [database]", table.table.example("migrate"))
    return commands


def read_own_size(table: Described, task: TaskSize) -> tuple[int, int]:
    """CPU units and MiB of tasks that have the size of `[task]` unless they say otherwise."""
    cpu, memory_mib = table.optional_integer("cpu"), table.optional_integer("memory_mib")
    size = (task.cpu if cpu is None else cpu, task.memory_mib if memory_mib is None else memory_mib)
    if (cpu is not None or memory_mib is not None) and table.table.document.is_sound("task"):
        check_size(table, *size)
    return size


def read_worker(table: Described | None, task: TaskSize) -> Worker | None:
    if table is None:
        return None
    low, high = read_bounds(table)
    cpu, memory_mib = read_own_size(table, task)
    return Worker(
        command=table.texts("command"),
        min_tasks=low,
        max_tasks=high,
        backlog_per_task=table.integer("backlog_per_task"),
        scale_out_cooldown_seconds=table.integer("scale_out_cooldown_seconds"),
        scale_in_cooldown_seconds=table.integer("scale_in_cooldown_seconds"),
        scheduled=tuple(read_scheduled(table)),
        cpu=cpu,
        memory_mib=memory_mib,
    )


def read_tasks(root: Described, task: TaskSize) -> Iterator[StandaloneTask]:
    seen: set[str] = set()
    for entry in root.parts("tasks"):
        name = unique_name(entry, seen)
        if name in ("worker", "migrate"):
            entry.error("name", f'"{name}" is the platform\'s own name for a task', "choose another name")
        cpu, memory_mib = read_own_size(entry, task)
        yield StandaloneTask(
            name=name,
            command=entry.texts("command"),
            schedule=check_schedule(entry),
            timezone=entry.text("timezone"),
            cpu=cpu,
            memory_mib=memory_mib,
        )
