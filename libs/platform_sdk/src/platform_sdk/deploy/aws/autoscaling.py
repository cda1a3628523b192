"""Application Auto Scaling: a service's bounds, and which kinds of its scaling are suspended."""

from collections.abc import Sequence
from typing import Any, Final

from platform_sdk.deploy.aws import Client, in_batches
from platform_sdk.deploy.state import ScalableTarget, Suspended

# docs.aws.amazon.com/autoscaling/application/APIReference: the most resource ids in one DescribeScalableTargets.
TARGETS: Final = 50
WHAT: Final = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


class Scaling:
    """The calls of Application Auto Scaling. `resource` is `service/<cluster>/<service>`. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def targets(self, resources: Sequence[str]) -> dict[str, ScalableTarget]:
        """Return targets by resource, without resources that are not scaled."""
        return {
            each["ResourceId"]: _target_of(each)
            for batch in in_batches(resources, TARGETS)
            for page in self.client.pages(
                "describe_scalable_targets", f"read the scaling of {', '.join(batch)}", ResourceIds=batch, **WHAT
            )
            for each in page["ScalableTargets"]
        }

    def suspend(self, resource: str, suspended: Suspended) -> None:
        """Suspend these kinds of scaling and resume the others. AWS refuses a resource that is not scaled."""
        self.client.call(
            "register_scalable_target",
            f"{'suspend' if suspended.any else 'resume'} the scaling of {resource}",
            ResourceId=resource,
            SuspendedState={
                "DynamicScalingInSuspended": suspended.scale_in,
                "DynamicScalingOutSuspended": suspended.scale_out,
                "ScheduledScalingSuspended": suspended.scheduled,
            },
            **WHAT,
        )

    def set_bounds(self, resource: str, min_tasks: int, max_tasks: int) -> None:
        """Set the bounds. Suspended scaling stays suspended."""
        self.client.call(
            "register_scalable_target",
            f"set the bounds of the scaling of {resource}",
            ResourceId=resource,
            MinCapacity=min_tasks,
            MaxCapacity=max_tasks,
            **WHAT,
        )


def _target_of(found: Any) -> ScalableTarget:
    suspended = found.get("SuspendedState", {})
    return ScalableTarget(
        resource=found["ResourceId"],
        min_tasks=found["MinCapacity"],
        max_tasks=found["MaxCapacity"],
        suspended=Suspended(
            scale_in=suspended.get("DynamicScalingInSuspended", False),
            scale_out=suspended.get("DynamicScalingOutSuspended", False),
            scheduled=suspended.get("ScheduledScalingSuspended", False),
        ),
    )
