"""The part of platform.toml that says what the tasks are given: data stores, queues, events, permissions, logs."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from platform_sdk.deploy.fargate import nearest
from platform_sdk.deploy.faults import counted
from platform_sdk.deploy.manifest.described import Described
from platform_sdk.deploy.manifest.keys.resources import LOG_RETENTION_DAYS
from platform_sdk.deploy.manifest.types import DatabaseNeeds, Permission, Queue

ALARM_AGE_SECONDS: Final = 300
DAY_SECONDS: Final = 86_400

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
"""Actions that AWS knows no resource for (Service Authorization Reference), among those that services use."""

PLACEHOLDER: Final = re.compile(r"\{(environment|region|account_id)\}")


def read_database(table: Described | None) -> DatabaseNeeds | None:
    return None if table is None else DatabaseNeeds(max_connections=table.integer("max_connections"))


def read_queues(root: Described) -> Iterator[Queue]:
    for table in root.parts("queues"):
        visibility = table.integer("visibility_timeout_seconds")
        age = table.optional_integer("alarm_age_seconds")
        queue = Queue(
            name=str(table.table.path[-1]),
            consumes=table.texts("consumes"),
            visibility_timeout_seconds=visibility,
            max_receive_count=table.integer("max_receive_count"),
            delay_seconds=table.integer("delay_seconds"),
            retention_days=table.integer("retention_days"),
            dead_letter_retention_days=table.integer("dead_letter_retention_days"),
            alarm_age_seconds=max(ALARM_AGE_SECONDS, 5 * visibility) if age is None else age,
        )
        if queue.name.endswith("-dead-letter"):
            reason = "ends as the names of dead-letter queues do, of which every queue has one"
            root.fault(("queues", queue.name), reason, "choose another name")
        check_times(table, queue)
        yield queue


def check_times(table: Described, queue: Queue) -> None:
    if not table.table.document.is_sound(*table.table.path):
        return
    days = queue.retention_days
    if queue.dead_letter_retention_days <= days:
        reason = (
            f"{queue.dead_letter_retention_days} is not above retention_days, which is {days}: "
            "a message keeps its age when it is moved"
        )
        table.fault("dead_letter_retention_days", reason, f"did you mean {min(14, days + 10)}?")
    if queue.visibility_timeout_seconds >= days * DAY_SECONDS:
        return
    if table.says("alarm_age_seconds"):
        check_alarm_age(table, queue)


def check_alarm_age(table: Described, queue: Queue) -> None:
    age, visibility = queue.alarm_age_seconds, queue.visibility_timeout_seconds
    if age <= visibility:
        reason = f"{age} is not above visibility_timeout_seconds, which is {visibility}: a second try would set it off"
        table.fault("alarm_age_seconds", reason, f"did you mean {5 * visibility}?")
    elif age >= queue.retention_days * DAY_SECONDS:
        reason = (
            f"{age} is not below retention_days, {counted(queue.retention_days, 'day')}: the message is gone before"
        )
        table.fault("alarm_age_seconds", reason, f"did you mean {ALARM_AGE_SECONDS}?")


def read_publishes(table: Described) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({event: table.texts(event) for event in table.names()})


def read_permissions(root: Described) -> Iterator[Permission]:
    for table in root.parts("permissions"):
        refuse_wildcards(table)
        permission = Permission(actions=table.texts("actions"), resources=table.texts("resources"))
        if table.are_sound("actions", "resources"):
            check_resources(table, permission)
        yield permission


def refuse_wildcards(table: Described) -> None:
    """In actions; before the form of an action is compared, which would only say that it has none."""
    actions = table.table.values.get("actions")
    for index, action in enumerate(actions if isinstance(actions, list) else ()):
        if isinstance(action, str) and "*" in action:
            reason = "a wildcard allows more than anybody has read"
            product = action.partition(":")[0]
            table.fault(("actions", index), reason, f"name the actions of {product} that the app calls")


def check_resources(table: Described, permission: Permission) -> None:
    for index, resource in enumerate(permission.resources):
        key = ("resources", index)
        if resource == "*":
            nameable = [action for action in permission.actions if action not in WITHOUT_RESOURCES]
            if nameable:
                table.fault(key, f'"*" is every resource, and {nameable[0]} can name one', "give its ARN")
            continue
        left = PLACEHOLDER.sub("", resource)
        if "{" in left or "}" in left:
            known = "{environment}, {region} and {account_id}"
            table.fault(key, f"holds a placeholder that is not known: there are {known}", "write one of these")
        elif resource.split(":", 5)[5].startswith("*"):
            table.fault(key, "a * stands where a name can stand", "put the name before it, as in orders-*")


def read_log_retention(logs: Described) -> int:
    days = logs.integer("retention_days")
    if days not in LOG_RETENTION_DAYS and logs.are_sound("retention_days"):
        closest = " or ".join(map(str, nearest(days, LOG_RETENTION_DAYS)))
        logs.fault("retention_days", f"CloudWatch Logs does not offer {days} days", f"did you mean {closest}?")
    return days
