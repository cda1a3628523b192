"""The part of platform.toml that says how a new version comes to the users, and what takes it back."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from platform_sdk.deploy.faults import counted
from platform_sdk.deploy.manifest.described import Described
from platform_sdk.deploy.manifest.types import (
    ALARMS_OF_QUEUES,
    LIFECYCLE_EVENTS,
    Alarm,
    AlarmKind,
    HealthCheck,
    LifecycleEvent,
    Queue,
    TrafficShift,
    TrafficShiftType,
)

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
        table.fault("percent", reason, 'give one number, or choose type = "linear"')
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
        table.fault("interval_minutes", reason, f"did you mean {MAX_SHIFT_MINUTES // intervals}?")
    return TrafficShift(type=kind, percent=percent, interval_minutes=interval, bake_minutes=bake_minutes)


def refuse_steps(table: Described) -> None:
    """What the file says of steps for other environments does no harm where an environment shifts all at once."""
    for key in ("percent", "interval_minutes"):
        if table.says(key) and (table.is_overridden(key) or not table.is_overridden("type")):
            table.fault(key, "all_at_once has no steps", f"remove {key}, or choose another type")


def read_alarms(table: Described, queues: Sequence[Queue]) -> Iterator[Alarm]:
    """One of each kind that is not switched off, or one for each queue."""
    alarms = [alarm for kind in THRESHOLDS for alarm in read_alarm(table.part(kind), kind, queues)]
    watched = sum(alarm.roll_back for alarm in alarms)
    if watched > MAX_ALARMS:
        reason = f"{counted(watched, 'alarm')} would roll back, and CodeDeploy watches at most {MAX_ALARMS}"
        suggestion = "set roll_back = false below [alarms.dead_letters]"
        table.table.document.fault(
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
            table.fault(key, "must be a name, not an ARN", "the environment adds account and region")
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
            table.fault(key, reason, f"did you mean {STEPS_OF_CODEDEPLOY[plain]}?")
        elif plain in ours:
            table.fault(key, "unknown key", f"did you mean {ours[plain]}?")


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
        table.fault("timeout_seconds", reason, f"did you mean {max(2, check.interval_seconds // 2)}?")
    needed = check.interval_seconds * check.healthy_threshold
    if check.grace_period_seconds < needed:
        reason = f"{check.grace_period_seconds} is below the {needed} s that {check.healthy_threshold} checks take"
        table.fault("grace_period_seconds", reason, f"did you mean {max(60, needed)}?")
    return check
