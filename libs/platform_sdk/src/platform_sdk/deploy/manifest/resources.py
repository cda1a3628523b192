"""Tables of what the tasks use: data stores, queues, permissions and logs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from platform_sdk.contract import LOG_LEVELS, Variable
from platform_sdk.deploy.config_errors import counted
from platform_sdk.deploy.manifest.keys import (
    ACTION,
    CONTAINS_A_SECRET,
    EVENT_TYPE,
    QUEUE_NAME,
    RESOURCE,
    SECRET_NAME,
    VARIABLE_VALUE,
    Integer,
    Key,
    Text,
    Texts,
    key,
)
from platform_sdk.deploy.manifest.tasks import nearest
from platform_sdk.deploy.toml_document import Table

ALARM_AGE_SECONDS: Final = 300
DAY_SECONDS: Final = 86_400

LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What CloudWatch Logs offers (docs.aws.amazon.com/AmazonCloudWatchLogs, PutRetentionPolicy)."""

WITHOUT_RESOURCES: Final = frozenset(
    {
        "cloudwatch:GetMetricData",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "ses:GetSendQuota",
        "sts:GetCallerIdentity",
        "textract:AnalyzeDocument",
        "textract:DetectDocumentText",
        "translate:TranslateText",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)
"""Actions without resources (Service Authorization Reference), among those that services use."""

PLACEHOLDER: Final = re.compile(r"\{(environment|region|account_id)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNeeds:
    """A schema and a role of the service's name."""

    max_connections: int = key(
        Integer(1, 100),
        default=10,
        becomes="the variable DATABASE_MAX_CONNECTIONS, beside DATABASE_URL and the secret DATABASE_PASSWORD",
    )
    """Connections that one process opens at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheNeeds:
    """Redis. Nothing to choose yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue that the service owns, with the event types that its worker consumes from it."""

    name: str
    consumes: tuple[str, ...] = key(
        Texts(EVENT_TYPE, unique=True),
        example='["inventory.reserved", "inventory.rejected"]',
        becomes="the variable CONSUMED_QUEUES of the worker",
    )
    """Event types that the worker handles. For each, some service lists this queue in its [publishes]."""
    visibility_timeout_seconds: int = key(Integer(1, 43_200), default=60, becomes="`VisibilityTimeout` of the queue")
    """Seconds that a received message is hidden from other workers. A worker that takes longer prolongs it."""
    max_receive_count: int = key(Integer(1, 1000), default=5, becomes="`RedrivePolicy.maxReceiveCount` of the queue")
    """How often a message is tried before it goes to the dead-letter queue."""
    delay_seconds: int = key(Integer(0, 900), default=0, becomes="`DelaySeconds` of the queue")
    """Seconds before a new message can be received."""
    retention_days: int = key(Integer(1, 13), default=4, becomes="`MessageRetentionPeriod` of the queue, in seconds")
    """Days after which a message that nobody has handled is gone."""
    dead_letter_retention_days: int = key(
        Integer(2, 14), default=14, becomes="`MessageRetentionPeriod` of the dead-letter queue, in seconds"
    )
    """The same of the dead-letter queue, counted from when the message was first sent: more than retention_days."""
    alarm_age_seconds: int = key(
        Integer(60, 1_123_200),
        default=lambda values: max(ALARM_AGE_SECONDS, 5 * values["visibility_timeout_seconds"]),
        default_text="300, or five times the visibility timeout where that is more",
        example="300",
        becomes="`Threshold` of an alarm on ApproximateAgeOfOldestMessage",
    )
    """How long a message may wait before the alarm queue_age fires; more than the visibility timeout, or one message
    that is tried twice would fire it."""

    def check(self, table: Table) -> None:
        """Report a name taken by dead-letter queues, and periods in which messages are lost or the alarm is noise."""
        if self.name.endswith("-dead-letter"):
            reason = "ends like the name of a dead-letter queue, and every queue has one of its own"
            table.error((), reason, "choose another name")
        if not table.is_sound():
            return
        days, kept = self.retention_days, self.dead_letter_retention_days
        if kept <= days:
            reason = f"{kept} is not above retention_days, which is {days}: a message keeps its age when it is moved"
            table.error("dead_letter_retention_days", reason, f"did you mean {min(14, days + 10)}?")
        age, visibility = self.alarm_age_seconds, self.visibility_timeout_seconds
        if visibility >= days * DAY_SECONDS or "alarm_age_seconds" not in table.values:
            return
        if age <= visibility:
            reason = f"{age} is not above visibility_timeout_seconds, which is {visibility}"
            hint = f"did you mean {5 * visibility}?"
            table.error("alarm_age_seconds", f"{reason}: a second try would fire the alarm", hint)
        elif age >= days * DAY_SECONDS:
            reason = f"{age} is not below retention_days, {counted(days, 'day')}: the message is deleted first"
            table.error("alarm_age_seconds", reason, f"did you mean {ALARM_AGE_SECONDS}?")


RECEIVING_QUEUES: Final = Key(
    Texts(QUEUE_NAME, may_be_empty=True, unique=True),
    example='["inventory"]',
    becomes="the variable EVENT_ROUTES, and `sqs:SendMessage` of the task role",
    meaning="The owner of the queue lists the event in `consumes`. An empty list is an event that nobody listens "
    "to yet.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What the app may do on AWS beyond its own queues and secrets."""

    actions: tuple[str, ...] = key(
        Texts(ACTION, unique=True),
        example='["s3:GetObject", "s3:PutObject"]',
        becomes="`Action` of a statement of the task role",
    )
    """Actions of IAM, each by its whole name."""
    resources: tuple[str, ...] = key(
        Texts(RESOURCE, unique=True),
        example='["arn:aws:s3:::receipts-{environment}/*"]',
        becomes="`Resource` of a statement of the task role",
    )
    """ARNs; {environment}, {region} and {account_id} stand for the environment's own. A * only after a name; "*" alone
    only for actions without resources."""

    def resources_in(self, *, environment: str, region: str, account_id: str) -> tuple[str, ...]:
        """Return the ARNs with the placeholders replaced."""
        values = {"environment": environment, "region": region, "account_id": account_id}
        return tuple(resource.format_map(values) for resource in self.resources)

    def check(self, table: Table) -> None:
        """Report resources that allow more than one service may have, and unknown placeholders."""
        if not table.are_sound("actions", "resources"):
            return
        for index, resource in enumerate(self.resources):
            key = ("resources", index)
            if resource == "*":
                nameable = [action for action in self.actions if action not in WITHOUT_RESOURCES]
                if nameable:
                    table.error(key, f'"*" is every resource, and {nameable[0]} can name one', "give its ARN")
                continue
            left = PLACEHOLDER.sub("", resource)
            if "{" in left or "}" in left:
                known = "{environment}, {region} and {account_id}"
                table.error(key, f"has an unknown placeholder: only {known} exist", "write one of these")
            elif resource.split(":", 5)[5].startswith("*"):
                table.error(
                    key, "a * without a name before it allows every name", "put the name before it, as in orders-*"
                )


def refuse_wildcards(table: Table) -> None:
    """Refuse wildcards in actions, with a better message than that of their form."""
    actions = table.values.get("actions")
    for index, action in enumerate(actions if isinstance(actions, list) else ()):
        if isinstance(action, str) and "*" in action:
            hint = f"name the actions of {action.partition(':')[0]} that the app calls"
            table.error(("actions", index), "a wildcard allows actions that nobody has reviewed", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """The `[logs]` table, for the log groups of the service."""

    retention_days: int = key(
        Integer(1, 3653, legal=LOG_RETENTION_DAYS), default=30, becomes="`RetentionInDays` of the log groups"
    )
    """Days for which CloudWatch Logs keeps it."""

    def check(self, table: Table) -> None:
        """Report a number of days that CloudWatch Logs does not offer."""
        days = self.retention_days
        if days not in LOG_RETENTION_DAYS and table.are_sound("retention_days"):
            reason = f"CloudWatch Logs does not offer {days} days"
            table.error("retention_days", reason, nearest(days, LOG_RETENTION_DAYS))


# Tables that become variables of the app: `[environment]` in plain sight, `[secrets]` by reference.

LOOKS_LIKE_A_SECRET: Final = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(API|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCESS)_?KEY)$"
)
LOOKS_RANDOM: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{20,}|[0-9a-f]{32,}")
"""What looks random, so it is no name that a person would choose."""

SET_BY_THE_PLATFORM: Final = frozenset(
    value for name, value in vars(Variable).items() if not name.startswith("_") and isinstance(value, str)
)
RESERVED_PREFIXES: Final = ("AWS_", "ECS_", "FLUENT_")
"""Prefixes of variables that Fargate and FireLens set."""


class SecretStore(StrEnum):
    """Where a secret is kept. ECS reads both by `valueFrom` when it starts a task."""

    SECRETS_MANAGER = "secrets_manager"
    PARAMETER_STORE = "parameter_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept, below `platform/<environment>/<service>/`; `json_key` picks one value out of JSON."""

    store: SecretStore
    name: str
    json_key: str | None = None


def secret_reference(text: str) -> SecretReference:
    """Parse a value of `[secrets]`: `/name` is a parameter, `name` or `name:json_key` a secret of Secrets Manager."""
    if text.startswith("/"):
        return SecretReference(store=SecretStore.PARAMETER_STORE, name=text.removeprefix("/"))
    name, _, json_key = text.partition(":")
    return SecretReference(store=SecretStore.SECRETS_MANAGER, name=name, json_key=json_key or None)


VARIABLE: Final = Key(
    Text(VARIABLE_VALUE),
    example='"hello"',
    becomes="`environment[]` of the container",
    meaning="Capital letters, digits and underscores. What the platform sets (`platform render` shows it) cannot be "
    'set here, with one exception: LOG_LEVEL is "debug", "info", "warning" or "error", and overrides that of the '
    "environment.",
)
SECRET: Final = Key(
    Text(SECRET_NAME),
    example='"payment:api_key"',
    becomes="`secrets[]` of the container",
    meaning='"name" of Secrets Manager, below platform/<environment>/<service>/; "name:json_key" for one value of a '
    'secret that is a JSON object; or "/path" of Parameter Store, below /platform/<environment>/<service>. Read when a '
    "task starts: a changed secret reaches tasks that start after the change.",
)


def refuse_reserved(table: Table, allowed: frozenset[str] = frozenset({Variable.LOG_LEVEL})) -> None:
    """Refuse variables of the platform and of AWS. LOG_LEVEL is the only one that a team may set."""
    for name in table.values:
        if name in SET_BY_THE_PLATFORM - allowed:
            table.error(name, "is set by the platform", "remove it, or choose another name")
        elif name.startswith(RESERVED_PREFIXES) and name not in allowed:
            table.error(name, "is reserved: AWS sets variables of this prefix in every task", "choose another name")


def refuse_arns(table: Table) -> None:
    """Refuse ARNs and reserved names in `[secrets]`."""
    refuse_reserved(table, frozenset())
    for name, value in table.values.items():
        if isinstance(value, str) and value.startswith("arn:"):
            table.error(name, "must be a name, not an ARN", "the environment adds account, region and prefix")


def check_environment(values: Mapping[str, str], table: Table) -> None:
    """Report variables that look like secrets by name or value, and an unknown log level."""
    for name, value in values.items():
        if LOOKS_LIKE_A_SECRET.search(name) or CONTAINS_A_SECRET.search(value):
            table.error(name, "looks like a secret, which plain variables do not keep", "move it to [secrets]")
    if Variable.LOG_LEVEL in values:
        table.choice(Variable.LOG_LEVEL, LOG_LEVELS)


def check_secrets(values: Mapping[str, str], table: Table) -> None:
    """Refuse what looks like the value of a secret: platform.toml has names only."""
    for name, value in values.items():
        if CONTAINS_A_SECRET.search(value) or LOOKS_RANDOM.fullmatch(value):
            table.error(name, "looks like the secret itself", "give the name under which Secrets Manager keeps it")
