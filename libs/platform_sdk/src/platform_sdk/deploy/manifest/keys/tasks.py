"""The keys that say what runs, how large it is, and how many of it."""

from typing import Final

from platform_sdk.contract import CONTAINER_PORT, STOP_TIMEOUT_SECONDS
from platform_sdk.deploy.manifest.keys import key as forms
from platform_sdk.deploy.manifest.keys.key import MEMORY_MIB_BY_CPU, Boolean, Choice, Group, Integer, Key, Text, Texts
from platform_sdk.deploy.manifest.types import ARCHITECTURES

MEMORY_SIZES: Final = tuple(sorted({size for sizes in MEMORY_MIB_BY_CPU.values() for size in sizes}))
CPU: Final = Integer(256, 32768, legal=tuple(MEMORY_MIB_BY_CPU))
MEMORY: Final = Integer(512, 249856, legal=MEMORY_SIZES)

SERVICE: Final = Group(
    name="service",
    meaning="what the service is called, and where it listens",
    required=True,
    keys=(
        Key(
            name="name",
            kind=Text(forms.SERVICE_NAME),
            meaning="What the service is called: in names of AWS resources, of its database role and schema, and on "
            "the command line. The same as its folder below services/.",
            example='"orders"',
            becomes="`family` of the task definition, as <environment>-<name>",
        ),
        Key(
            name="path",
            kind=Text(forms.PATH),
            meaning="Where the load balancer sends requests: this path and everything below it. The service sees the "
            "whole path. No other service may have it, a path above it or a path below it.",
            example='"/orders"',
            becomes="`PathPatternConfig.Values` of the listener rule, as the path and the path with /*",
        ),
        Key(
            name="port",
            kind=Integer(1024, 65535),
            meaning="The port on which the container listens; not one of the two sidecars'.",
            example="3000",
            default=CONTAINER_PORT,
            becomes="`portMappings[].containerPort`",
        ),
        Key(
            name="priority",
            kind=Integer(1, 50_000),
            meaning="The place of the service's rule on the listener that all services share. It follows from the name "
            "alone, so that no new service moves another's rule; give it only if `platform check` finds two the same.",
            example="20000",
            default=None,
            default_text="1000 to 49999, by the CRC-32 of the name",
            becomes="`Priority` of the listener rule",
        ),
    ),
)

TASK: Final = Group(
    name="task",
    meaning="one container of yours, with the CloudWatch agent and the log router beside it",
    required=True,
    keys=(
        Key(
            name="cpu",
            kind=CPU,
            meaning="CPU units of the whole task; 1024 are one vCPU.",
            example="512",
            becomes="`cpu` of the task definition",
        ),
        Key(
            name="memory_mib",
            kind=MEMORY,
            meaning="MiB of memory of the whole task. With 256 CPU units: 512, 1024 or 2048; with 512 to 4096 units, "
            "two to eight times as many MiB in steps of 1024 (4096 units: 8192 to 30720); with 8192: 16384 to 61440 in "
            "steps of 4096; with 16384: 32768 to 122880 in steps of 8192; with 32768: 61440, 122880 or 249856.",
            example="1024",
            becomes="`memory` of the task definition",
        ),
        Key(
            name="architecture",
            kind=Choice(ARCHITECTURES),
            meaning="The processor that the image is built for. arm64 costs a fifth less.",
            example='"arm64"',
            default="x86_64",
            becomes="`runtimePlatform.cpuArchitecture`",
        ),
        Key(
            name="stop_timeout_seconds",
            kind=Integer(2, 120),
            meaning="Seconds that a task has to finish when it is stopped, until it is killed. It must leave 5 seconds "
            "after the environment's drain delay, during which the task serves on while the load balancer takes it "
            "out.",
            example="60",
            default=STOP_TIMEOUT_SECONDS,
            becomes="`stopTimeout` of the container",
        ),
        Key(
            name="deregistration_delay_seconds",
            kind=Integer(0, 120),
            meaning="Seconds that the load balancer leaves to requests under way when it takes a task out. Not more "
            "than stop_timeout_seconds: the task would be gone before.",
            example="30",
            default=None,
            default_text="30, or stop_timeout_seconds where that is less",
            becomes="`deregistration_delay.timeout_seconds` of the target groups",
        ),
    ),
)


def sidecar(name: str, meaning: str, without: str) -> Group:
    return Group(
        name=name,
        meaning=meaning,
        keys=(
            Key(
                name="enabled",
                kind=Boolean(),
                meaning=without,
                example="true",
                default=True,
                becomes="an entry of `containerDefinitions`",
            ),
            Key(
                name="cpu",
                kind=Integer(16, 4096),
                meaning="CPU units that are its share when the task is busy.",
                example="32",
                default=None,
                default_text="an eighth of the task's, and 64 at most",
                becomes="`cpu` of the container",
            ),
            Key(
                name="memory_mib",
                kind=Integer(64, 8192),
                meaning="MiB at which it is killed. What the sidecars may take is not the app's.",
                example="128",
                default=None,
                default_text="a quarter of the task's, and 256 at most",
                becomes="`memory` of the container; half of it is `memoryReservation`",
            ),
        ),
    )


SIDECARS: Final = Group(
    name="sidecars",
    meaning="the two containers beside yours",
    keys=(
        sidecar(
            "cloudwatch_agent",
            "takes metrics and traces over OTLP, StatsD and EMF",
            "Whether it runs. Without it, the service's metrics and traces go nowhere.",
        ),
        sidecar(
            "log_router",
            "FireLens: takes what the app writes to standard output",
            "Whether it runs. Without it, ECS itself sends the lines to the same log group.",
        ),
    ),
)


def counts(what: str, most: int = 5000) -> tuple[Key, Key]:
    return (
        Key(
            name="min_tasks",
            kind=Integer(1, most),
            meaning=f"{what} that always run. Two survive the loss of one availability zone.",
            example="2",
            becomes="`MinCapacity` of the scalable target, and the number that `platform up` runs",
        ),
        Key(
            name="max_tasks",
            kind=Integer(1, most),
            meaning=f"{what} that run at most.",
            example="6",
            becomes="`MaxCapacity` of the scalable target",
        ),
    )


COOLDOWNS: Final = (
    Key(
        name="scale_out_cooldown_seconds",
        kind=Integer(0, 3600),
        meaning="Seconds after tasks were added in which none is added for the same reason.",
        example="60",
        default=60,
        becomes="`ScaleOutCooldown` of the scaling policies",
    ),
    Key(
        name="scale_in_cooldown_seconds",
        kind=Integer(0, 3600),
        meaning="Seconds after a change in which no task is taken away.",
        example="300",
        default=300,
        becomes="`ScaleInCooldown` of the scaling policies",
    ),
)

TIMEZONE: Final = Key(
    name="timezone",
    kind=Text(forms.TIMEZONE),
    meaning="The time zone of the schedule, by its IANA name.",
    example='"Europe/Berlin"',
    default="UTC",
    becomes="`Timezone`, or `ScheduleExpressionTimezone` of a scheduled task",
)

SCHEDULE_TEXT: Final = (
    '"cron(minute hour day-of-month month day-of-week year)", in which one of the two days is ?; "rate(5 minutes)"; or '
    '"at(2026-11-27T06:00:00)"'
)

SCHEDULED: Final = Group(
    name="scheduled",
    meaning="other bounds from a moment on, until the next change: for the day when everybody comes",
    form="list",
    keys=(
        Key(
            name="name",
            kind=Text(forms.SHORT_NAME),
            meaning="What the change is called.",
            example='"before-the-sale"',
            becomes="`ScheduledActionName`",
        ),
        Key(
            name="schedule",
            kind=Text(forms.SCHEDULE),
            meaning=f"When: {SCHEDULE_TEXT}.",
            example='"cron(0 6 27 11 ? *)"',
            becomes="`Schedule` of the scheduled action",
        ),
        TIMEZONE,
        Key(
            name="min_tasks",
            kind=Integer(1, 5000),
            meaning="Tasks that always run from then on.",
            example="20",
            becomes="`ScalableTargetAction.MinCapacity`",
        ),
        Key(
            name="max_tasks",
            kind=Integer(1, 5000),
            meaning="Tasks that run at most from then on.",
            example="50",
            becomes="`ScalableTargetAction.MaxCapacity`",
        ),
    ),
)

SCALING: Final = Group(
    name="scaling",
    meaning="how many tasks answer requests; more as soon as one target is exceeded, fewer when all allow it",
    required=True,
    keys=(
        *counts("Tasks"),
        Key(
            name="target_cpu_percent",
            kind=Integer(10, 95, or_zero=True),
            meaning="CPU that the tasks use on average; 0 does not track it.",
            example="60",
            default=60,
            becomes="`TargetValue` of a policy on ECSServiceAverageCPUUtilization",
        ),
        Key(
            name="target_memory_percent",
            kind=Integer(10, 95, or_zero=True),
            meaning="Memory that the tasks use on average; 0 does not track it.",
            example="75",
            default=75,
            becomes="`TargetValue` of a policy on ECSServiceAverageMemoryUtilization",
        ),
        Key(
            name="target_requests_per_task",
            kind=Integer(1, 1_000_000, or_zero=True),
            meaning="Requests per minute and task; 0 does not track them.",
            example="1000",
            default=0,
            becomes="`TargetValue` of a policy on the requests of both target groups, by metric math",
        ),
        *COOLDOWNS,
        SCHEDULED,
    ),
)

COMMANDS: Final = Group(
    name="commands",
    meaning="what the image runs; each a list of the program and its arguments, without a shell",
    required=True,
    keys=(
        Key(
            name="api",
            kind=Texts(forms.ARGUMENT),
            meaning="Answers requests until it is stopped.",
            example='["python", "-m", "orders.main"]',
            becomes="`command` of the container",
        ),
        Key(
            name="migrate",
            kind=Texts(forms.ARGUMENT),
            meaning="Brings the database schema up to date, before tasks of a new version start. Required with "
            "[database].",
            example='["python", "-m", "platform_sdk.runtime.database.migrate", "orders"]',
            default=None,
            becomes="`overrides.containerOverrides[].command` of the task that migrates",
        ),
        Key(
            name="demo",
            kind=Texts(forms.ARGUMENT),
            meaning="Fills the database with demonstration data; on the laptop only, and run again at every start.",
            example='["python", "-m", "orders.demo"]',
            default=None,
        ),
    ),
)

OWN_SIZE: Final = (
    Key(
        name="cpu",
        kind=CPU,
        meaning="CPU units, as in [task].",
        example="256",
        default=None,
        default_text="that of [task]",
        becomes="`cpu` of its task definition",
    ),
    Key(
        name="memory_mib",
        kind=MEMORY,
        meaning="MiB of memory, as in [task].",
        example="512",
        default=None,
        default_text="that of [task]",
        becomes="`memory` of its task definition",
    ),
)

WORKER: Final = Group(
    name="worker",
    meaning="the tasks that consume the queues below. Required if there is a queue, optional without",
    keys=(
        Key(
            name="command",
            kind=Texts(forms.ARGUMENT),
            meaning="Consumes until it is stopped.",
            example='["python", "-m", "orders.worker"]',
            becomes="`command` of the container in the task definition <environment>-<name>-worker",
        ),
        *counts("Workers"),
        Key(
            name="backlog_per_task",
            kind=Integer(1, 1_000_000),
            meaning="Messages that may wait for each worker: the seconds that a message may wait, divided by those "
            "that one takes.",
            example="100",
            default=100,
            becomes="`TargetValue` of a policy on ApproximateNumberOfMessagesVisible / RunningTaskCount",
        ),
        *COOLDOWNS,
        *OWN_SIZE,
        SCHEDULED,
    ),
)

TASKS: Final = Group(
    name="tasks",
    meaning="commands that run to their end in a task of their own, with the variables and secrets of the service",
    form="list",
    keys=(
        Key(
            name="name",
            kind=Text(forms.SHORT_NAME),
            meaning="What the task is called.",
            example='"close-the-books"',
            becomes="`family` of its task definition, as <environment>-<service>-<name>",
        ),
        Key(
            name="command",
            kind=Texts(forms.ARGUMENT),
            meaning="What it runs.",
            example='["python", "-m", "orders.close_the_books"]',
            becomes="`command` of the container",
        ),
        Key(
            name="schedule",
            kind=Text(forms.SCHEDULE),
            meaning=f"When it runs by itself, if it does: {SCHEDULE_TEXT}.",
            example='"cron(30 2 * * ? *)"',
            default=None,
            becomes="`ScheduleExpression` of the schedule that runs it",
        ),
        TIMEZONE,
        *OWN_SIZE,
    ),
)
