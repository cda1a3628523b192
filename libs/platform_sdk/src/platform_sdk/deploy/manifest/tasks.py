"""Tables that define what runs and how large it is: `[service]`, `[task]`, `[sidecars]`, `[commands]`, `[[tasks]]`."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from platform_sdk.contract import CONTAINER_PORT, STOP_TIMEOUT_SECONDS
from platform_sdk.deploy.manifest.keys import (
    ARGUMENT,
    CONTAINS_A_SECRET,
    PATH,
    SCHEDULE,
    SERVICE_NAME,
    SHORT_NAME,
    TIMEZONE,
    Boolean,
    Choice,
    Integer,
    Key,
    Text,
    Texts,
    check_schedule,
    declared,
    key,
    table,
)
from platform_sdk.deploy.toml_document import Table

Architecture = Literal["x86_64", "arm64"]
ARCHITECTURES: Final[tuple[Architecture, ...]] = ("x86_64", "arm64")

MEMORY_MIB_BY_CPU: Final[Mapping[int, Sequence[int]]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}
"""The task sizes that Fargate offers: CPU units (1024 are one vCPU) to the MiB that may go with them.

Source: docs.aws.amazon.com/AmazonECS, "Fargate task definition differences".
"""

CPU: Final = Integer(256, 32768, legal=tuple(MEMORY_MIB_BY_CPU))
MEMORY_SIZES: Final = sorted({size for sizes in MEMORY_MIB_BY_CPU.values() for size in sizes})
MEMORY: Final = Integer(512, 249856, legal=tuple(MEMORY_SIZES))

PORTS_OF_SIDECARS: Final = frozenset({2000, 2020, 4314, 4315, 4316, 4317, 4318, 8125, 24224, 25888})
DEREGISTRATION_DELAY_SECONDS: Final = 30

# Priorities below 1000 are reserved for rules of the platform itself.
PRIORITIES: Final = range(1000, 50_000)


def priority_of(values: Mapping[str, Any]) -> int:
    """Return a number that depends on the name alone. Otherwise a new service would change the rules of others, and
    CloudFormation would write those with the target group of the template, whichever is live.
    """
    return PRIORITIES[zlib.crc32(values["name"].encode()) % len(PRIORITIES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The `[service]` table: what the load balancer and other services see."""

    name: str = key(
        Text(SERVICE_NAME), example='"orders"', becomes="`family` of the task definition, as <environment>-<name>"
    )
    """What the service is called: in names of AWS resources, of its database role and schema, and on the command line.
    The same as its folder below services/."""
    path: str = key(
        Text(PATH),
        example='"/orders"',
        becomes="`PathPatternConfig.Values` of the listener rule, as the path and the path with /*",
    )
    """Where the load balancer sends requests: this path and everything below it. The service sees the whole path. No
    other service may have it, a path above it or a path below it."""
    port: int = key(Integer(1024, 65535), default=CONTAINER_PORT, becomes="`portMappings[].containerPort`")
    """The port on which the container listens; not a port of the two sidecars."""
    priority: int = key(
        Integer(1, 50_000),
        default=priority_of,
        default_text="1000 to 49999, by the CRC-32 of the name",
        example="20000",
        becomes="`Priority` of the listener rule",
    )
    """The place of the service's rule on the listener that all services share. It follows from the name alone, so that
    no new service moves another's rule; give it only if `platform check` finds two the same."""

    def check(self, table: Table) -> None:
        """Report a port that a sidecar of the same task listens on: they share one network interface (awsvpc)."""
        if self.port in PORTS_OF_SIDECARS:
            reason = f"{self.port} is taken by the CloudWatch agent or the log router of the same task"
            table.error("port", reason, f"leave it out, which is {CONTAINER_PORT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSize:
    """A Fargate task: its size, and how it ends."""

    cpu: int = key(CPU, example="512", becomes="`cpu` of the task definition")
    """CPU units of the whole task; 1024 are one vCPU."""
    memory_mib: int = key(MEMORY, example="1024", becomes="`memory` of the task definition")
    """MiB of memory of the whole task. With 256 CPU units: 512, 1024 or 2048; with 512 to 4096 units, two to eight
    times as many MiB in steps of 1024 (4096 units: 8192 to 30720); with 8192: 16384 to 61440 in steps of 4096; with
    16384: 32768 to 122880 in steps of 8192; with 32768: 61440, 122880 or 249856."""
    architecture: Architecture = key(
        Choice(ARCHITECTURES), default="x86_64", example='"arm64"', becomes="`runtimePlatform.cpuArchitecture`"
    )
    """The processor that the image is built for. arm64 costs a fifth less."""
    stop_timeout_seconds: int = key(
        Integer(2, 120), default=STOP_TIMEOUT_SECONDS, becomes="`stopTimeout` of the container"
    )
    """Seconds that a task has to finish when it is stopped, until it is killed. At least 5 seconds more than the
    environment's drain delay, during which the task still serves while the load balancer removes it."""
    deregistration_delay_seconds: int = key(
        Integer(0, 120),
        default=lambda values: min(DEREGISTRATION_DELAY_SECONDS, values["stop_timeout_seconds"]),
        default_text="30, or stop_timeout_seconds where that is less",
        example="30",
        becomes="`deregistration_delay.timeout_seconds` of the target groups",
    )
    """Seconds that the load balancer gives to open requests when it removes a task. At most stop_timeout_seconds,
    after which the task is killed."""

    def check(self, table: Table) -> None:
        """Report a size that Fargate does not offer, and a delay that ends after ECS has killed the task."""
        check_size(table, self.cpu, self.memory_mib)
        delay, most = self.deregistration_delay_seconds, self.stop_timeout_seconds
        if delay > most and table.are_sound("deregistration_delay_seconds"):
            reason = f"{delay} is above task.stop_timeout_seconds, which is {most}: the task is killed first"
            table.error("deregistration_delay_seconds", reason, f"did you mean {most}?")


def check_size(table: Table, cpu: int, memory_mib: int) -> None:
    """Refuse sizes that Fargate does not offer."""
    if not table.are_sound("cpu", "memory_mib"):
        return
    if cpu not in MEMORY_MIB_BY_CPU:
        table.error("cpu", f"{cpu} is not a Fargate size", nearest(cpu, MEMORY_MIB_BY_CPU))
    elif memory_mib not in MEMORY_MIB_BY_CPU[cpu]:
        legal = MEMORY_MIB_BY_CPU[cpu]
        reason = f"{memory_mib} is not a Fargate size with {cpu} CPU units, which take {legal[0]} to {legal[-1]} MiB"
        table.error("memory_mib", reason, nearest(memory_mib, legal))


def nearest(value: int, legal: Iterable[int]) -> str:
    """Return a question that names the closest legal values below and above, where they exist."""
    below = [str(candidate) for candidate in legal if candidate < value]
    above = [str(candidate) for candidate in legal if candidate > value]
    return f"did you mean {' or '.join([*below[-1:], *above[:1]])}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """One of the two containers beside the app; a size that is None follows from the task's."""

    enabled: bool = key(Boolean(), default=True, becomes="an entry of `containerDefinitions`")
    """Whether it runs. Without the CloudWatch agent, the service's metrics and traces go nowhere. Without the log
    router, ECS itself sends the lines to the same log group."""
    cpu: int | None = key(
        Integer(16, 4096),
        default=None,
        default_text="an eighth of the task's, and 64 at most",
        example="32",
        becomes="`cpu` of the container",
    )
    """CPU units that are its share when the task is busy."""
    memory_mib: int | None = key(
        Integer(64, 8192),
        default=None,
        default_text="a quarter of the task's, and 256 at most",
        example="128",
        becomes="`memory` of the container; half of it is `memoryReservation`",
    )
    """MiB at which it is killed. The app cannot use what the sidecars may use."""

    def cpu_in(self, task_cpu: int) -> int:
        """Return CPU units: by default an eighth of the task, at most 64. A share under contention, not a limit."""
        if not self.enabled:
            return 0
        return min(64, task_cpu // 8) if self.cpu is None else self.cpu

    def memory_mib_in(self, task_memory_mib: int) -> int:
        """Return the hard limit in MiB: by default a quarter of the task, at most 256. The smallest task leaves the app
        256 MiB.
        """
        if not self.enabled:
            return 0
        return min(256, task_memory_mib // 4) if self.memory_mib is None else self.memory_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecars:
    """The `[sidecars]` tables: containers that the platform adds to each task."""

    cloudwatch_agent: Sidecar = table(Sidecar)
    """takes metrics and traces over OTLP, StatsD and EMF"""
    log_router: Sidecar = table(Sidecar)
    """FireLens: takes what the app writes to standard output"""

    def lack_of_room(self, of: str, cpu: int, memory_mib: int) -> Iterator[tuple[tuple[str, str], str, str]]:
        """Yield path, reason and suggestion: the app needs half of the CPU and 256 MiB of a task with this size.

        Args:
            of: the table that gives the size.
        """
        agent, router = self.cloudwatch_agent, self.log_router
        taken_mib = agent.memory_mib_in(memory_mib) + router.memory_mib_in(memory_mib)
        if memory_mib - taken_mib < 256:
            largest = "log_router" if (router.memory_mib or 0) > (agent.memory_mib or 0) else "cloudwatch_agent"
            reason = f"the sidecars take {taken_mib} of the {memory_mib} MiB of [{of}], and the app needs 256"
            yield (largest, "memory_mib"), reason, f"raise {of}.memory_mib, or lower this"
        taken_cpu = agent.cpu_in(cpu) + router.cpu_in(cpu)
        if 2 * taken_cpu > cpu:
            largest = "log_router" if (router.cpu or 0) > (agent.cpu or 0) else "cloudwatch_agent"
            reason = f"the sidecars take {taken_cpu} of the {cpu} CPU units of [{of}], more than half"
            yield (largest, "cpu"), reason, f"raise {of}.cpu, or lower this"


MIGRATE: Final = Key(
    Texts(ARGUMENT),
    default=None,
    example='["python", "-m", "platform_sdk.runtime.database.migrate", "orders"]',
    becomes="`overrides.containerOverrides[].command` of the task that migrates",
    meaning="Brings the database schema up to date, before tasks of a new version start. Required with [database].",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What the image runs, each in exec form."""

    api: tuple[str, ...] = key(
        Texts(ARGUMENT), example='["python", "-m", "orders.main"]', becomes="`command` of the container"
    )
    """Answers requests until it is stopped."""
    migrate: tuple[str, ...] | None = declared(MIGRATE)
    demo: tuple[str, ...] | None = key(Texts(ARGUMENT), default=None, example='["python", "-m", "orders.demo"]')
    """Fills the database with demonstration data; on the laptop only, and run again at every start."""

    def check(self, table: Table) -> None:
        """Refuse secrets: everybody who may read the task definition sees the commands."""
        for name, command in (("api", self.api), ("migrate", self.migrate), ("demo", self.demo)):
            for index, text in enumerate(command or ()):
                if CONTAINS_A_SECRET.search(text):
                    reason = "looks like a secret, which commands do not keep"
                    table.error((name, index), reason, "read it from a variable")


OWN_CPU: Final = Key(
    CPU,
    default=lambda values: values["task"].cpu,
    default_text="that of [task]",
    example="256",
    becomes="`cpu` of its task definition",
    meaning="CPU units, as in [task].",
)
OWN_MEMORY: Final = Key(
    MEMORY,
    default=lambda values: values["task"].memory_mib,
    default_text="that of [task]",
    example="512",
    becomes="`memory` of its task definition",
    meaning="MiB of memory, as in [task].",
)


def check_own_size(table: Table, cpu: int, memory_mib: int) -> None:
    """Check the size of tasks that have that of `[task]` by default."""
    if table.values.keys() & {"cpu", "memory_mib"} and table.document.is_sound("task"):
        check_size(table, cpu, memory_mib)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneTask:
    """A command that runs to its end in a task of its own: by its schedule, or where that is None, when asked."""

    name: str = key(
        Text(SHORT_NAME),
        example='"close-the-books"',
        becomes="`family` of its task definition, as <environment>-<service>-<name>",
    )
    """What the task is called."""
    command: tuple[str, ...] = key(
        Texts(ARGUMENT),
        example='["python", "-m", "orders.close_the_books"]',
        becomes="`command` of the container",
    )
    """What it runs."""
    schedule: str | None = key(
        Text(SCHEDULE),
        default=None,
        example='"cron(30 2 * * ? *)"',
        becomes="`ScheduleExpression` of the schedule that runs it",
    )
    """When it runs by itself, if it does: "cron(minute hour day-of-month month day-of-week year)", in which one of the
    two days is ?; "rate(5 minutes)"; or "at(2026-11-27T06:00:00)"."""
    timezone: str = declared(TIMEZONE)
    cpu: int = declared(OWN_CPU)
    memory_mib: int = declared(OWN_MEMORY)

    def check(self, table: Table) -> None:
        """Report a name that the platform uses itself, a size that Fargate does not offer, or a bad schedule."""
        if self.name in ("worker", "migrate"):
            table.error("name", f'"{self.name}" is the platform\'s own name for a task', "choose another name")
        check_own_size(table, self.cpu, self.memory_mib)
        check_schedule(table, self.schedule, self.timezone)
