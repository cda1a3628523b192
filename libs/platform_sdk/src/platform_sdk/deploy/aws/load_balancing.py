"""Elastic Load Balancing: the rules that say which target group has the traffic, and the health of its targets. And
Application Auto Scaling: a service's bounds, and which kinds of its scaling are suspended.
"""

from collections.abc import Sequence
from typing import Any, Final

from platform_sdk.deploy.aws import Client, NotFound, in_batches
from platform_sdk.deploy.state import ListenerRule, ScalableTarget, Suspended, TargetGroup, TargetHealth

TARGET_GROUPS: Final = 20


class LoadBalancing:
    """The calls of Elastic Load Balancing. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def rules(self, listener_arn: str) -> tuple[ListenerRule, ...]:
        """Return a listener's rules, the default one last; none where the listener does not exist."""
        listed = self.client.pages("describe_rules", f"read the rules of {listener_arn}", ListenerArn=listener_arn)
        try:
            return tuple(_rule_of(each, listener_arn) for page in listed for each in page["Rules"])
        except NotFound:
            return ()

    def target_groups(self, names: Sequence[str]) -> dict[str, TargetGroup]:
        """Return target groups by name, without those that do not exist."""
        found: dict[str, TargetGroup] = {}
        for batch in in_batches(names, TARGET_GROUPS):
            try:
                answer = self.client.call(
                    "describe_target_groups", f"read the target groups {', '.join(batch)}", Names=batch
                )
            except NotFound:
                # One unknown name fails the whole call, and AWS does not say which.
                if len(batch) > 1:
                    for name in batch:
                        found |= self.target_groups([name])
                continue
            found |= {each["TargetGroupName"]: _target_group_of(each) for each in answer["TargetGroups"]}
        return found

    def set_health_check_path(self, target_group_arn: str, path: str) -> None:
        """Set the path of a target group's health check. Its targets are judged by it at once."""
        purpose = f"set the health check of {target_group_arn} to {path}"
        self.client.call("modify_target_group", purpose, TargetGroupArn=target_group_arn, HealthCheckPath=path)

    def health(self, target_group_arn: str) -> tuple[TargetHealth, ...]:
        """Return the health of every target; nothing where the target group does not exist."""
        purpose = f"read the health of the targets of {target_group_arn}"
        try:
            answer = self.client.call("describe_target_health", purpose, TargetGroupArn=target_group_arn)
        except NotFound:
            return ()
        return tuple(_health_of(each) for each in answer["TargetHealthDescriptions"])


def _rule_of(found: Any, listener_arn: str) -> ListenerRule:
    return ListenerRule(
        arn=found["RuleArn"],
        listener=listener_arn,
        priority=found["Priority"],
        paths=tuple(
            path
            for condition in found.get("Conditions", [])
            if condition.get("Field") == "path-pattern"
            for path in condition.get("PathPatternConfig", {}).get("Values") or condition.get("Values", [])
        ),
        weights=weights_of(found.get("Actions", [])),
    )


def weights_of(actions: Any) -> dict[str, int]:
    """Return the weight of each target group. A forward names one group, or several with weights; for one, AWS may say
    both.
    """
    for action in actions:
        if action.get("Type") == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
            if groups:
                return {each["TargetGroupArn"]: each.get("Weight", 1) for each in groups}
            return {action["TargetGroupArn"]: 1}
    return {}


def _target_group_of(found: Any) -> TargetGroup:
    return TargetGroup(
        name=found["TargetGroupName"],
        arn=found["TargetGroupArn"],
        port=found.get("Port", 0),
        health_path=found.get("HealthCheckPath", ""),
        load_balancers=tuple(found.get("LoadBalancerArns", [])),
    )


def _health_of(found: Any) -> TargetHealth:
    health = found["TargetHealth"]
    return TargetHealth(
        address=found["Target"]["Id"],
        port=found["Target"].get("Port", 0),
        state=health["State"],
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
    )


# Application Auto Scaling.
# docs.aws.amazon.com/autoscaling/application/APIReference: the most resource ids in one DescribeScalableTargets.
TARGETS: Final = 50
# RegisterScalableTarget keeps what a call leaves out: the bounds, or what is suspended.
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
