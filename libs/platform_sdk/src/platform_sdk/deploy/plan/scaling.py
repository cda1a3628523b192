"""Changes of how many tasks run, in the words of platform.toml instead of the stack's."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from platform_sdk.deploy.diff import diff
from platform_sdk.deploy.plan.decisions import ScalingChange
from platform_sdk.deploy.state import EcsService, ServiceState

Json = dict[str, object]
Role = Literal["api", "worker"]

TARGETS: Final[Mapping[Role, Mapping[str, str]]] = {
    "api": {
        "ScalingByCpu": "target_cpu_percent",
        "ScalingByMemory": "target_memory_percent",
        "ScalingByRequests": "target_requests_per_task",
    },
    "worker": {"WorkerScalingByBacklog": "backlog_per_task"},
}
"""The scaling policies of a stack, and the keys that hold their targets."""
SCALABLE: Final[Mapping[Role, tuple[str, str]]] = {
    "api": ("ScalableTarget", "scaling"),
    "worker": ("WorkerScalableTarget", "worker"),
}
"""The scalable target, and the table of platform.toml."""


def scaling_changes(deployed: Json | None, rendered: Json, state: ServiceState) -> Iterator[ScalingChange]:
    """None for what is created or goes as a whole."""
    roles: tuple[tuple[Role, EcsService | None], ...] = (("api", state.api), ("worker", state.worker))
    for role, service in roles:
        before, after = scaling_of(deployed, role), scaling_of(rendered, role)
        if before and after and before != after:
            yield scaling_change(role, before, after, service)


def scaling_change(role: Role, before: Json, after: Json, service: EcsService | None) -> ScalingChange:
    _, table = SCALABLE[role]
    desired = service.desired if service is not None else None
    low, high = after["min_tasks"], after["max_tasks"]
    assert isinstance(low, int), "a count of tasks is a number"
    assert isinstance(high, int), "a count of tasks is a number"
    # Hours with bounds of their own make it unknown how many the next minute wants.
    known = desired is not None and "scheduled" not in before and "scheduled" not in after
    return ScalingChange(
        role=role,
        changes=tuple(diff({table: before}, {table: after})),
        desired=desired,
        started=max(0, low - desired) if known and desired is not None else 0,
        stopped=max(0, desired - high) if known and desired is not None else 0,
    )


def scaling_of(template: Json | None, role: Role) -> Json:
    """The keys of platform.toml that a template says; empty where it does not scale the role."""
    resources: Any = template["Resources"] if template is not None else {}
    target, _ = SCALABLE[role]
    if target not in resources:
        return {}
    properties = resources[target]["Properties"]
    found: Json = {"min_tasks": properties["MinCapacity"], "max_tasks": properties["MaxCapacity"]}
    if properties.get("ScheduledActions"):
        found["scheduled"] = scheduled_of(properties["ScheduledActions"])
    for policy, key in TARGETS[role].items():
        if policy in resources:
            tracked = resources[policy]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
            found[key] = tracked["TargetValue"]
            found["scale_out_cooldown_seconds"] = tracked["ScaleOutCooldown"]
            found["scale_in_cooldown_seconds"] = tracked["ScaleInCooldown"]
    return found


def scheduled_of(actions: Any) -> Json:
    return {
        action["ScheduledActionName"]: {
            "schedule": action["Schedule"],
            "timezone": action.get("Timezone"),
            "min_tasks": action["ScalableTargetAction"]["MinCapacity"],
            "max_tasks": action["ScalableTargetAction"]["MaxCapacity"],
        }
        for action in actions
    }
