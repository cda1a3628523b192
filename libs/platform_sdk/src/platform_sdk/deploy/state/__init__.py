"""What is on AWS, as plain values: gateways answer with them, and plan, preflight and release read them.

Nothing here calls AWS or decides. Times are in UTC with their zone; ARNs and names are texts as AWS gives them.
"""

from platform_sdk.deploy.state.around import (
    Alarm,
    ListenerRule,
    LogLine,
    ScalableTarget,
    Suspended,
    TargetGroup,
    TargetHealth,
)
from platform_sdk.deploy.state.deployments import (
    ENDED,
    RUNNING,
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentStatus,
    DeploymentTarget,
    LifecycleEvent,
    LifecycleStatus,
    TaskSetProgress,
)
from platform_sdk.deploy.state.images import Finding, Image, Scan
from platform_sdk.deploy.state.locks import Held, LockItem, Taken
from platform_sdk.deploy.state.service import ServiceState
from platform_sdk.deploy.state.stacks import ChangeSet, DeployedStack, ResourceChange, Stack, StackEvent, StackResource
from platform_sdk.deploy.state.tasks import (
    ContainerState,
    EcsService,
    Json,
    RollingDeployment,
    ServiceDeployment,
    ServiceEvent,
    Task,
    TaskDefinition,
    TaskSet,
)

__all__ = [
    "ENDED",
    "RUNNING",
    "Alarm",
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
]
