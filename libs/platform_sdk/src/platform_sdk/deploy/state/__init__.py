"""What exists on AWS, as plain values. Gateways return them; plan, preflight and release read them.

Nothing here calls AWS or decides. Times are in UTC with their zone; ARNs and names are texts as AWS gives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from platform_sdk.deploy.state.ecs import (
    Blocked,
    ContainerState,
    EcsService,
    Finding,
    Image,
    Json,
    RollingDeployment,
    Scan,
    ServiceDeployment,
    ServiceEvent,
    Task,
    TaskDefinition,
    TaskSet,
    UsedSecret,
)
from platform_sdk.deploy.state.stacks import (
    ChangeSet,
    DeployedStack,
    Held,
    LockItem,
    ResourceChange,
    Stack,
    StackEvent,
    StackResource,
    Taken,
)
from platform_sdk.deploy.state.traffic import (
    ENDED,
    RUNNING,
    Alarm,
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentStatus,
    DeploymentTarget,
    LifecycleEvent,
    LifecycleStatus,
    ListenerRule,
    LogLine,
    ScalableTarget,
    Suspended,
    TargetGroup,
    TargetHealth,
    TaskSetProgress,
)

NO_REASON: Final = "AWS gave no reason"
"""In a text, where AWS leaves out a reason that it usually gives."""

__all__ = [
    "ENDED",
    "NO_REASON",
    "RUNNING",
    "Alarm",
    "Blocked",
    "ChangeSet",
    "ContainerState",
    "DeployedStack",
    "Deployment",
    "DeploymentConfiguration",
    "DeploymentGroup",
    "DeploymentStatus",
    "DeploymentTarget",
    "EcsService",
    "Finding",
    "Held",
    "Image",
    "Json",
    "LifecycleEvent",
    "LifecycleStatus",
    "ListenerRule",
    "LockItem",
    "LogLine",
    "ResourceChange",
    "RollingDeployment",
    "ScalableTarget",
    "Scan",
    "ServiceDeployment",
    "ServiceEvent",
    "ServiceState",
    "Stack",
    "StackEvent",
    "StackResource",
    "Suspended",
    "Taken",
    "TargetGroup",
    "TargetHealth",
    "Task",
    "TaskDefinition",
    "TaskSet",
    "TaskSetProgress",
    "UsedSecret",
]


def given_reason(*texts: str | None) -> str:
    """Return the first text that AWS gave."""
    return next(filter(None, texts), NO_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """Everything of a service that exists on AWS in an environment. None and empty where it does not."""

    stack: Stack | None
    template: Json | None
    """Of the stack, as deployed."""
    api: EcsService | None
    worker: EcsService | None
    api_revision: TaskDefinition | None
    worker_revision: TaskDefinition | None
    standalone_revisions: Mapping[str, TaskDefinition] = field(default_factory=dict)
    """The newest of each `[[tasks]]`, by the task's name."""
    newer_revisions: Mapping[str, TaskDefinition] = field(default_factory=dict)
    """The newest for `api` and `worker`, if it is not the running one: a release failed, or was rolled back."""
    production_rule: ListenerRule | None = None
    test_rule: ListenerRule | None = None
    target_groups: tuple[TargetGroup, ...] = ()
    scaling: ScalableTarget | None = None
    worker_scaling: ScalableTarget | None = None
    deployment_group: DeploymentGroup | None = None
    running_deployment: Deployment | None = None
    alarms: tuple[Alarm, ...] = ()
