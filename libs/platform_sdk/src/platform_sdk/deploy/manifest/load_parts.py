"""The part of platform.toml that says what the tasks are given: data stores, queues, events, permissions, logs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from platform_sdk.deploy.config_errors import counted
from platform_sdk.deploy.manifest.described import Described
from platform_sdk.deploy.manifest.keys.key import nearest
from platform_sdk.deploy.manifest.keys.resources import LOG_RETENTION_DAYS
from platform_sdk.deploy.manifest.types import (
    ALARMS_OF_QUEUES,
    LIFECYCLE_EVENTS,
    Alarm,
    AlarmKind,
    DatabaseNeeds,
    HealthCheck,
    LifecycleEvent,
    Permission,
    Queue,
    TrafficShift,
    TrafficShiftType,
)

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
            root.error(("queues", queue.name), reason, "choose another name")
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
        table.error("dead_letter_retention_days", reason, f"did you mean {min(14, days + 10)}?")
    if queue.visibility_timeout_seconds >= days * DAY_SECONDS:
        return
    if table.says("alarm_age_seconds"):
        check_alarm_age(table, queue)


def check_alarm_age(table: Described, queue: Queue) -> None:
    age, visibility = queue.alarm_age_seconds, queue.visibility_timeout_seconds
    if age <= visibility:
        reason = f"{age} is not above visibility_timeout_seconds, which is {visibility}: a second try would set it off"
        table.error("alarm_age_seconds", reason, f"did you mean {5 * visibility}?")
    elif age >= queue.retention_days * DAY_SECONDS:
        reason = (
            f"{age} is not below retention_days, {counted(queue.retention_days, 'day')}: the message is gone before"
        )
        table.error("alarm_age_seconds", reason, f"did you mean {ALARM_AGE_SECONDS}?")


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
            table.error(("actions", index), reason, f"name the actions of {product} that the app calls")


def check_resources(table: Described, permission: Permission) -> None:
    for index, resource in enumerate(permission.resources):
        key = ("resources", index)
        if resource == "*":
            nameable = [action for action in permission.actions if action not in WITHOUT_RESOURCES]
            if nameable:
                table.error(key, f'"*" is every resource, and {nameable[0]} can name one', "give its ARN")
            continue
        left = PLACEHOLDER.sub("", resource)
        if "{" in left or "}" in left:
            known = "{environment}, {region} and {account_id}"
            table.error(key, f"holds a placeholder that is not known: there are {known}", "write one of these")
        elif resource.split(":", 5)[5].startswith("*"):
            table.error(key, "a * stands where a name can stand", "put the name before it, as in orders-*")


def read_log_retention(logs: Described) -> int:
    days = logs.integer("retention_days")
    if days not in LOG_RETENTION_DAYS and logs.are_sound("retention_days"):
        closest = " or ".join(map(str, nearest(days, LOG_RETENTION_DAYS)))
        logs.error("retention_days", f"CloudWatch Logs does not offer {days} days", f"did you mean {closest}?")
    return days


# The part of platform.toml that says how a new version comes to the users, and what takes it back.

# CodeDeploy's quotas (docs.aws.amazon.com/codedeploy, "CodeDeploy limits"; the API's own text says 10 alarms).
MAX_SHIFT_MINUTES: Final = 2880
MAX_ALARMS: Final = 10

STEPS_OF_CODEDEPLOY: Final = {
    "install": "after_install",
    "allowtesttraffic": "after_allow_test_traffic",
    "allowtraffic": "before_allow_traffic",
}
"""Lifecycle events without a hook, to the one that a team may have meant."""

THRESHOLDS: Final[Mapping[AlarmKind, str | None]] = {
    "error_rate": "threshold_percent",
    "latency_p99": "threshold_ms",
    "unhealthy_tasks": "threshold_tasks",
    "dead_letters": "threshold_messages",
    "queue_age": None,
}


def read_traffic_shift(table: Described) -> TrafficShift:
    if isinstance(table.table.values.get("percent"), list):
        reason = "a canary has exactly two steps: one part, and then all the rest"
        table.error("percent", reason, 'give one number, or choose type = "linear"')
    kind = cast(TrafficShiftType, table.choice("type"))
    percent, interval = table.integer("percent"), table.integer("interval_minutes")
    bake_minutes = table.integer("bake_minutes")
    if not table.are_sound("type", "percent", "interval_minutes"):
        return TrafficShift(type=kind, percent=percent, interval_minutes=interval, bake_minutes=bake_minutes)
    if kind == "all_at_once":
        refuse_steps(table)
        return TrafficShift(type=kind, percent=100, interval_minutes=0, bake_minutes=bake_minutes)
    intervals = 1 if kind == "canary" else -(-100 // percent) - 1
    if intervals * interval > MAX_SHIFT_MINUTES:
        reason = f"{intervals} intervals of {interval} minutes are more than {MAX_SHIFT_MINUTES}, CodeDeploy's limit"
        table.error("interval_minutes", reason, f"did you mean {MAX_SHIFT_MINUTES // intervals}?")
    return TrafficShift(type=kind, percent=percent, interval_minutes=interval, bake_minutes=bake_minutes)


def refuse_steps(table: Described) -> None:
    """What the file says of steps for other environments does no harm where an environment shifts all at once."""
    for key in ("percent", "interval_minutes"):
        if table.says(key) and (table.is_overridden(key) or not table.is_overridden("type")):
            table.error(key, "all_at_once has no steps", f"remove {key}, or choose another type")


def read_alarms(table: Described, queues: Sequence[Queue]) -> Iterator[Alarm]:
    """One of each kind that is not switched off, or one for each queue."""
    alarms = [alarm for kind in THRESHOLDS for alarm in read_alarm(table.part(kind), kind, queues)]
    watched = sum(alarm.roll_back for alarm in alarms)
    if watched > MAX_ALARMS:
        reason = f"{counted(watched, 'alarm')} would roll back, and CodeDeploy watches at most {MAX_ALARMS}"
        suggestion = "set roll_back = false below [alarms.dead_letters]"
        table.table.document.error(
            ("alarms",), reason, suggestion, beside=("alarms",) if table.table.values else ("queues",)
        )
    yield from alarms


def read_alarm(table: Described, kind: AlarmKind, queues: Sequence[Queue]) -> Iterator[Alarm]:
    enabled, minutes, roll_back = table.boolean("enabled"), table.integer("minutes"), table.boolean("roll_back")
    key = THRESHOLDS[kind]
    threshold = 0.0 if key is None else table.number(key)
    if not enabled:
        return
    if kind not in ALARMS_OF_QUEUES:
        yield Alarm(kind=kind, threshold=threshold, minutes=minutes, roll_back=roll_back)
        return
    for queue in queues:
        own = float(queue.alarm_age_seconds) if key is None else threshold
        yield Alarm(kind=kind, threshold=own, minutes=minutes, roll_back=roll_back, queue=queue.name)


def read_hooks(table: Described) -> Mapping[LifecycleEvent, str]:
    hooks = {}
    for key, event in LIFECYCLE_EVENTS.items():
        value = table.table.values.get(key)
        if isinstance(value, str) and value.startswith("arn:"):
            table.error(key, "must be a name, not an ARN", "the environment adds account and region")
        function = table.text_or_default(key)
        if function not in (None, "none"):
            hooks[event] = str(function)
    refuse_names_of_aws(table)
    return MappingProxyType(hooks)


def refuse_names_of_aws(table: Described) -> None:
    """CodeDeploy writes its events otherwise, and knows some at which nobody can be asked."""
    ours = {event.lower(): key for key, event in LIFECYCLE_EVENTS.items()}
    for key in table.table.values:
        plain = key.replace("_", "").lower()
        if key in LIFECYCLE_EVENTS:
            continue
        if plain in STEPS_OF_CODEDEPLOY:
            reason = "is CodeDeploy's own step, at which nothing can be called"
            table.error(key, reason, f"did you mean {STEPS_OF_CODEDEPLOY[plain]}?")
        elif plain in ours:
            table.error(key, "unknown key", f"did you mean {ours[plain]}?")


def read_health_check(table: Described) -> HealthCheck:
    check = HealthCheck(
        path=table.text("path"),
        interval_seconds=table.integer("interval_seconds"),
        timeout_seconds=table.integer("timeout_seconds"),
        healthy_threshold=table.integer("healthy_threshold"),
        unhealthy_threshold=table.integer("unhealthy_threshold"),
        start_period_seconds=table.integer("start_period_seconds"),
        grace_period_seconds=table.integer("grace_period_seconds"),
    )
    if not table.table.document.is_sound(*table.table.path):
        return check
    if check.timeout_seconds >= check.interval_seconds:
        reason = f"{check.timeout_seconds} is not below interval_seconds, which is {check.interval_seconds}"
        table.error("timeout_seconds", reason, f"did you mean {max(2, check.interval_seconds // 2)}?")
    needed = check.interval_seconds * check.healthy_threshold
    if check.grace_period_seconds < needed:
        reason = f"{check.grace_period_seconds} is below the {needed} s that {check.healthy_threshold} checks take"
        table.error("grace_period_seconds", reason, f"did you mean {max(60, needed)}?")
    return check
