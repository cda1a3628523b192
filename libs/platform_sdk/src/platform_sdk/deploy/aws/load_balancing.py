"""Elastic Load Balancing: the rules that say which target group has the traffic, and the health of its targets."""

from collections.abc import Sequence
from typing import Any, Final

from platform_sdk.deploy.aws import Client, NotFound, in_batches
from platform_sdk.deploy.state import ListenerRule, TargetGroup, TargetHealth

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
