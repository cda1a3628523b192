"""Application Auto Scaling: bounds, policies, and the suspension that a release asks for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.ecs.service import Ecs
from aws_simulator.service import Answer, Refused, Request, Service, page

PAGE_SIZE: Final = 50
BAD_TOKEN: Final = "InvalidNextTokenException"  # noqa: S105

SERVICE_ROLE: Final = (
    "aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
)

Key = tuple[str, str, str]

NOTHING_SUSPENDED: Final = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


@dataclass(slots=True, kw_only=True)
class ScalableTarget:
    arn: str
    resource_id: str
    minimum: int
    maximum: int
    role_arn: str
    created_at: datetime
    suspended: dict[str, bool] = field(default_factory=lambda: dict(NOTHING_SUSPENDED))


def key_of(request: Request) -> Key:
    return request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"]


class ApplicationAutoScaling(Service):
    NAME = "application-autoscaling"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.targets: dict[Key, ScalableTarget] = {}
        self.policies: dict[tuple[Key, str], dict[str, Any]] = {}
        self.scheduled: dict[tuple[Key, str], dict[str, Any]] = {}

    def scale(self, resource_id: str, desired: int, *, scheduled: bool = False) -> bool:
        """Set a desired count as a policy does, and return whether it changed.

        Args:
            resource_id: `service/<cluster>/<service>`.
        """
        target = self.targets["ecs", resource_id, "ecs:service:DesiredCount"]
        _, cluster, name = resource_id.split("/")
        service = self.account.service(Ecs).ecs_service(cluster, name)
        wanted = min(max(desired, target.minimum), target.maximum)
        direction = "DynamicScalingOutSuspended" if wanted > service.desired_count else "DynamicScalingInSuspended"
        if wanted == service.desired_count or target.suspended["ScheduledScalingSuspended" if scheduled else direction]:
            return False
        self.account.service(Ecs).scale(service, wanted)
        return True

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        if operation.startswith("Describe"):
            return ()
        found = [target.arn for key, target in self.targets.items() if key[1] == request.get("ResourceId")]
        return tuple(found)

    # Scalable targets

    def register_scalable_target(self, request: Request) -> Answer:
        """Register or change a target. Members that an update leaves out stay as they are."""
        key = key_of(request)
        target = self.targets.get(key)
        if target is None:
            target = self.targets[key] = self._new_target(request)
        target.minimum = request.get("MinCapacity", target.minimum)
        target.maximum = request.get("MaxCapacity", target.maximum)
        if target.minimum > target.maximum:
            raise Refused("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        target.suspended |= request.get("SuspendedState", {})
        return {"ScalableTargetARN": target.arn}

    def _new_target(self, request: Request) -> ScalableTarget:
        if "MinCapacity" not in request or "MaxCapacity" not in request:
            message = "MinCapacity and MaxCapacity must be specified for a new scalable target"
            raise Refused("ValidationException", message)
        if request["ServiceNamespace"] == "ecs":
            _, cluster, name = request["ResourceId"].split("/")
            try:
                self.account.service(Ecs).ecs_service(cluster, name)
            except Refused:
                message = f"ECS service doesn't exist: {request['ResourceId']}"
                raise Refused("ValidationException", message) from None
        return ScalableTarget(
            arn=self.account.arn(
                "application-autoscaling", f"scalable-target/{self.account.hexadecimal_id('scalable target', 24)}"
            ),
            resource_id=request["ResourceId"],
            minimum=request["MinCapacity"],
            maximum=request["MaxCapacity"],
            role_arn=self.account.arn("iam", f"role/{SERVICE_ROLE}", regional=False),
            created_at=self.account.now(),
        )

    def deregister_scalable_target(self, request: Request) -> Answer:
        del self.targets[self._known(key_of(request))]
        for stored in (self.policies, self.scheduled):
            for key in [key for key in stored if key[0] == key_of(request)]:
                del stored[key]
        return {}

    def describe_scalable_targets(self, request: Request) -> Answer:
        namespace, wanted = request["ServiceNamespace"], request.get("ResourceIds")
        dimension = request.get("ScalableDimension")
        found = [
            target_description(key, target)
            for key, target in self.targets.items()
            if key[0] == namespace and (wanted is None or key[1] in wanted) and dimension in (None, key[2])
        ]
        return self._page("ScalableTargets", found, request)

    def _known(self, key: Key) -> Key:
        if key not in self.targets:
            message = f"No scalable target found for service namespace: {key[0]}, resource ID: {key[1]}, "
            raise Refused("ObjectNotFoundException", f"{message}scalable dimension: {key[2]}")
        return key

    # Policies and scheduled actions

    def put_scaling_policy(self, request: Request) -> Answer:
        key = self._known(key_of(request))
        name = request["PolicyName"]
        known = self.policies.get((key, name))
        arn = known["PolicyARN"] if known else self._policy_arn(key, name)
        self.policies[key, name] = {
            "PolicyType": "StepScaling",
            **(known or {}),
            **request,
            "PolicyARN": arn,
            "CreationTime": known["CreationTime"] if known else self.account.now(),
        }
        return {"PolicyARN": arn, "Alarms": []}

    def _policy_arn(self, key: Key, name: str) -> str:
        identity = self.account.hexadecimal_id("scaling policy")
        resource = f"scalingPolicy:{identity}:resource/{key[0]}/{key[1]}:policyName/{name}"
        return self.account.arn("autoscaling", resource)

    def delete_scaling_policy(self, request: Request) -> Answer:
        key = (key_of(request), request["PolicyName"])
        if key not in self.policies:
            raise Refused("ObjectNotFoundException", f"No scaling policy found: {request['PolicyName']}")
        del self.policies[key]
        return {}

    def describe_scaling_policies(self, request: Request) -> Answer:
        names = request.get("PolicyNames")
        found = [
            policy
            for (key, name), policy in self.policies.items()
            if within(key, request) and (names is None or name in names)
        ]
        return self._page("ScalingPolicies", found, request)

    def put_scheduled_action(self, request: Request) -> Answer:
        key = self._known(key_of(request))
        name = request["ScheduledActionName"]
        known = self.scheduled.get((key, name), {})
        resource = f"scheduledAction:{self.account.hexadecimal_id('scheduled action')}:resource/{key[0]}/{key[1]}"
        arn = self.account.arn("autoscaling", f"{resource}:scheduledActionName/{name}")
        made = {"ScheduledActionARN": arn, "CreationTime": self.account.now()}
        self.scheduled[key, name] = {**made, **known, **request}
        return {}

    def delete_scheduled_action(self, request: Request) -> Answer:
        key = (key_of(request), request["ScheduledActionName"])
        if key not in self.scheduled:
            raise Refused("ObjectNotFoundException", f"No scheduled action found: {request['ScheduledActionName']}")
        del self.scheduled[key]
        return {}

    def describe_scheduled_actions(self, request: Request) -> Answer:
        names = request.get("ScheduledActionNames")
        found = [
            action
            for (key, name), action in self.scheduled.items()
            if within(key, request) and (names is None or name in names)
        ]
        return self._page("ScheduledActions", found, request)

    def describe_scaling_activities(self, request: Request) -> Answer:
        return {"ScalingActivities": []}

    def _page(self, member: str, found: list[dict[str, Any]], request: Request) -> Answer:
        size = request.get("MaxResults", PAGE_SIZE)
        shown, token = page(found, request.get("NextToken"), size, refused=BAD_TOKEN)
        return {member: shown} | ({"NextToken": token} if token else {})


def within(key: Key, request: Request) -> bool:
    return (
        key[0] == request["ServiceNamespace"]
        and request.get("ResourceId") in (None, key[1])
        and request.get("ScalableDimension") in (None, key[2])
    )


def target_description(key: Key, target: ScalableTarget) -> dict[str, Any]:
    return {
        "ServiceNamespace": key[0],
        "ResourceId": key[1],
        "ScalableDimension": key[2],
        "MinCapacity": target.minimum,
        "MaxCapacity": target.maximum,
        "RoleARN": target.role_arn,
        "CreationTime": target.created_at,
        "SuspendedState": dict(target.suspended),
        "ScalableTargetARN": target.arn,
    }
