"""Elastic Load Balancing v2 as boto3 knows it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.elbv2.listeners import PAGE_SIZE, PAGES, Listeners, pairs, write_attributes
from aws_simulator.elbv2.state import (
    NOT_REGISTERED,
    Health,
    Listening,
    Target,
    TargetGroup,
    answers_of,
    health_of,
    weights_of,
)
from aws_simulator.service import Answer, Refused, Request
from aws_simulator.world import Behaviour

# Target groups, their targets and the targets' health.

DEFAULTS: Final[Mapping[str, Any]] = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "HealthCheckPath": "/",
    "Matcher": {"HttpCode": "200"},
    "ProtocolVersion": "HTTP1",
    "TargetType": "instance",
    "IpAddressType": "ipv4",
}

ATTRIBUTES: Final[Mapping[str, str]] = {
    "deregistration_delay.timeout_seconds": "300",
    "slow_start.duration_seconds": "0",
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
}

FIXED: Final = ("ProtocolVersion", "TargetType", "IpAddressType")
"""Those members that ModifyTargetGroup does not take."""


class ElbV2(Listeners):
    """Elastic Load Balancing: target groups with their targets, and the tags of all resources."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.target_groups: dict[str, TargetGroup] = {}

    # What ECS, CodeDeploy and CloudWatch ask and do.

    def target_group(self, name_or_arn: str) -> TargetGroup:
        """Return a target group. Raises Refused: TargetGroupNotFound."""
        for group in self.target_groups.values():
            if name_or_arn in (group.arn, group.name):
                return group
        raise Refused("TargetGroupNotFound", f"One or more target groups not found: {name_or_arn}")

    def register(
        self, arn: str, address: str, port: int, listening: Listening, behaviour: Behaviour, ready_at: datetime
    ) -> None:
        self.target_group(arn).targets[address, port] = Target(
            id=address,
            port=port,
            registered_at=self.account.now(),
            ready_at=ready_at,
            behaviour=behaviour,
            listening=listening,
        )

    def deregister(self, arn: str, address: str, port: int) -> None:
        target = self.target_group(arn).targets.get((address, port))
        if target is not None and target.deregistered_at is None:
            target.deregistered_at = self.account.now()

    def vanish(self, arn: str, address: str, port: int) -> None:
        """Stop listening at the address."""
        target = self.target_group(arn).targets.get((address, port))
        if target is not None and target.gone_at is None:
            target.gone_at = self.account.now()

    def health(self, arn: str, address: str, port: int) -> Health:
        group = self.target_group(arn)
        target = group.targets.get((address, port))
        return NOT_REGISTERED if target is None else self._health(group, target)

    def targets(self, group: TargetGroup) -> list[tuple[Target, Health]]:
        """Return targets that are registered, or still draining."""
        drained = timedelta(seconds=group.deregistration_delay_seconds)
        now = self.account.now()
        group.targets = {
            key: target
            for key, target in group.targets.items()
            if target.deregistered_at is None or now - target.deregistered_at < drained
        }
        return [(target, self._health(group, target)) for target in group.targets.values()]

    def _health(self, group: TargetGroup, target: Target) -> Health:
        return health_of(target, group, in_use=self.is_forwarded_to(group.arn), now=self.account.now())

    def answers(self, listener_arn: str, path: str) -> set[int]:
        """Return the statuses that requests to a path get: one, or several while they differ by task."""
        actions = self.actions_for(listener_arn, path)
        fixed = next((action.get("FixedResponseConfig") for action in actions), None)
        if fixed:
            return {int(fixed["StatusCode"])}
        groups = [self.target_group(arn) for arn, weight in weights_of(actions).items() if weight > 0]
        now = self.account.now()
        return {status for group in groups for status in answers_of(self.targets(group), path, now)} or {503}

    def refuses_users(self, load_balancer_arn: str) -> bool:
        """Return whether a load balancer answers requests of users itself, as no target of a group with traffic does.

        Its metric HTTPCode_ELB_5XX_Count counts them, by load balancer and not by target group.
        """
        now = self.account.now()
        return any(
            not answers_of(self.targets(group), "/", now).isdisjoint({502, 503})
            for group in self.target_groups.values()
            if self.weight_of(group.arn) and load_balancer_arn in self.load_balancers_of(group.arn)
        )

    # Time: targets that were there before a change of the checks become healthy or unhealthy by it.

    @property
    def quiet(self) -> bool:
        now = self.account.now()
        return all(
            group.checks_changed_at is None or now > group.checks_settle_at for group in self.target_groups.values()
        )

    def step(self) -> None:
        """Do nothing: health follows from the time. Other services look at it as long as this one is not quiet."""

    # Operations

    def create_target_group(self, request: Request) -> Answer:
        name = request["Name"]
        if any(group.name == name for group in self.target_groups.values()):
            message = f"A target group with the same name '{name}' exists, but with different settings"
            raise Refused("DuplicateTargetGroupName", message)
        identity = self.account.hexadecimal_id("target group", 16)
        group = TargetGroup(
            arn=self.account.arn("elasticloadbalancing", f"targetgroup/{name}/{identity}"),
            name=name,
            request={**DEFAULTS, **{key: value for key, value in request.items() if key != "Tags"}},
            attributes=dict(ATTRIBUTES),
        )
        self.target_groups[group.arn] = group
        self.tag(group.arn, request)
        return {"TargetGroups": [self._description(group)]}

    def modify_target_group(self, request: Request) -> Answer:
        group = self.target_group(request["TargetGroupArn"])
        changed = {key: value for key, value in request.items() if key in DEFAULTS and key not in FIXED}
        group.change_checks(changed, self.account.now())
        return {"TargetGroups": [self._description(group)]}

    def modify_target_group_attributes(self, request: Request) -> Answer:
        return write_attributes(self.target_group(request["TargetGroupArn"]).attributes, request)

    def describe_target_group_attributes(self, request: Request) -> Answer:
        return write_attributes(self.target_group(request["TargetGroupArn"]).attributes, request)

    def delete_target_group(self, request: Request) -> Answer:
        arn = request["TargetGroupArn"]
        if self.is_forwarded_to(arn):
            raise Refused("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        self.target_groups.pop(arn, None)
        return {}

    def describe_target_groups(self, request: Request) -> Answer:
        load_balancer = request.get("LoadBalancerArn")
        named = request.get("TargetGroupArns") or request.get("Names")
        found = [self.target_group(one) for one in named] if named else list(self.target_groups.values())
        if load_balancer is not None:
            found = [group for group in found if load_balancer in self.load_balancers_of(group.arn)]
        return PAGES.answer("TargetGroups", found, request, PAGE_SIZE, self._description)

    def describe_target_health(self, request: Request) -> Answer:
        group = self.target_group(request["TargetGroupArn"])
        found = [health_description(target.id, target.port, health) for target, health in self.targets(group)]
        by_address = {(one["Target"]["Id"], one["Target"]["Port"]): one for one in found}
        wanted = [(target["Id"], target.get("Port")) for target in request.get("Targets", [])]
        shown = [by_address.get(one) or health_description(*one, NOT_REGISTERED) for one in wanted or by_address]
        return {"TargetHealthDescriptions": shown}

    def _description(self, group: TargetGroup) -> dict[str, Any]:
        return {
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            **{key: value for key, value in group.request.items() if key != "Name"},
            "LoadBalancerArns": self.load_balancers_of(group.arn),
        }

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        """Return the ARNs. Reading is allowed on everything or not at all.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
        """
        return () if operation.startswith("Describe") else super().iam_resources(operation, request)

    def add_tags(self, request: Request) -> Answer:
        for arn in request["ResourceArns"]:
            self.tag(arn, request)
        return {}

    def remove_tags(self, request: Request) -> Answer:
        for arn in request["ResourceArns"]:
            for key in request["TagKeys"]:
                self.tags.get(arn, {}).pop(key, None)
        return {}

    def describe_tags(self, request: Request) -> Answer:
        tags = {arn: pairs(self.tags.get(arn, {})) for arn in request["ResourceArns"]}
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": pairs} for arn, pairs in tags.items()]}


def health_description(address: str, port: int | None, health: Health) -> dict[str, Any]:
    """Return a target as DescribeTargetHealth does."""
    target = {"Id": address} | ({"Port": port} if port else {})
    checked = {"HealthCheckPort": str(port)} if port else {}
    return {"Target": target, **checked, "TargetHealth": health.answer}
