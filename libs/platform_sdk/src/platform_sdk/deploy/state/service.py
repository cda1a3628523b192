"""All of one service together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from platform_sdk.deploy.state.around import Alarm, ListenerRule, ScalableTarget, TargetGroup
from platform_sdk.deploy.state.deployments import Deployment, DeploymentGroup
from platform_sdk.deploy.state.stacks import Stack
from platform_sdk.deploy.state.tasks import EcsService, Json, TaskDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """All of a service in an environment that exists on AWS; None and empty where it does not."""

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
    """The newest for `api` and `worker`, where that is not the one that runs: a release failed, or went back."""
    production_rule: ListenerRule | None = None
    test_rule: ListenerRule | None = None
    target_groups: tuple[TargetGroup, ...] = ()
    scaling: ScalableTarget | None = None
    worker_scaling: ScalableTarget | None = None
    deployment_group: DeploymentGroup | None = None
    running_deployment: Deployment | None = None
    alarms: tuple[Alarm, ...] = ()
