"""Application Auto Scaling: bounds, policies with their target tracking, and the suspension that a release asks for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.clock import NEVER
from aws_simulator.cloudwatch import CloudWatch
from aws_simulator.ecs.service import Ecs
from aws_simulator.ecs.state import EcsService, counts
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse
from aws_simulator.target_tracking import Activity, Tracking, is_deploying, minute_of, wanted_count

PAGE_SIZE: Final = 50
PAGES: Final = Paging(
    marker="NextToken", next_marker="NextToken", size="MaxResults", invalid="InvalidNextTokenException"
)

SERVICE_ROLE: Final = (
    "aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
)

Key = tuple[str, str, str]
"""What identifies a scalable target: namespace, resource id, dimension."""

NOTHING_SUSPENDED: Final = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


@dataclass(slots=True, kw_only=True)
class ScalableTarget:
    """What a service may be scaled to: its bounds, and the kinds of scaling that are suspended.

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ScalableTarget.html
    """

    arn: str
    minimum: int
    maximum: int
    role_arn: str
    created_at: datetime
    suspended: dict[str, bool] = field(default_factory=lambda: dict(NOTHING_SUSPENDED))
    tracking: dict[str, Tracking] = field(default_factory=dict)
    """Its policies of target tracking, by name."""
    activity: Activity = field(default_factory=Activity)


def key_of(request: Request) -> Key:
    """Return the key of the target that a request names."""
    return request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"]


class Attachments:
    """The policies or the scheduled actions of all targets, in the form in which they are described.

    Args:
        kind: as messages name them: `scaling policy`.
        member: as requests name one: `Policy` for `PolicyName` and `PolicyNames`.
        arn: as their ARNs begin: `scalingPolicy`.
    """

    def __init__(self, account: Account, *, kind: str, member: str, arn: str) -> None:
        self._account = account
        self._kind = kind
        self._member = member
        self._arn = arn
        self._kept: dict[tuple[Key, str], dict[str, Any]] = {}

    def put(self, request: Request, defaults: Answer) -> str:
        """Create or change one; members that a change leaves out stay as they are. Return its ARN."""
        key, name = key_of(request), request[f"{self._member}Name"]
        known = self._kept.get((key, name)) or self._new(key, name) | defaults
        self._kept[key, name] = {**known, **request}
        return str(known[f"{self._member}ARN"])

    def _new(self, key: Key, name: str) -> Answer:
        resource = f"{self._arn}:{self._account.hexadecimal_id(self._kind)}:resource/{key[0]}/{key[1]}"
        member = self._member[0].lower() + self._member[1:]
        arn = self._account.arn("autoscaling", f"{resource}:{member}Name/{name}")
        return {f"{self._member}ARN": arn, "CreationTime": self._account.now()}

    def delete(self, request: Request) -> None:
        """Delete one. Raises Refused: ObjectNotFoundException."""
        key, name = key_of(request), request[f"{self._member}Name"]
        find_or_refuse(self._kept, (key, name), "ObjectNotFoundException", f"No {self._kind} found: {name}")
        del self._kept[key, name]

    def delete_all(self, target: Key) -> None:
        """Delete those of one target."""
        self._kept = {key: one for key, one in self._kept.items() if key[0] != target}

    def matching(self, request: Request) -> list[dict[str, Any]]:
        """Return those that a Describe operation asks for."""
        names = request.get(f"{self._member}Names")
        return [
            one for (key, name), one in self._kept.items() if within(key, request) and (names is None or name in names)
        ]


class ApplicationAutoScaling(Service):
    """Scalable targets with their policies and scheduled actions.

    Policies of target tracking act by the loads in the account's conditions. Scheduled actions do not act by
    themselves: a test calls `scale`.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.targets: dict[Key, ScalableTarget] = {}
        self._policies = Attachments(account, kind="scaling policy", member="Policy", arn="scalingPolicy")
        self._scheduled_actions = Attachments(
            account, kind="scheduled action", member="ScheduledAction", arn="scheduledAction"
        )
        self._tracked_until = minute_of(account.now())

    # Time: once a minute, for the targets of ECS services that carry a load, or did.

    @property
    def quiet_until(self) -> datetime:
        """The end of the minute in which a policy has data; otherwise nothing happens."""
        if not any(self._has_data(key, target) for key, target in self.targets.items()):
            return NEVER
        return datetime.fromtimestamp((minute_of(self.account.now()) + 1) * 60, UTC)

    def _has_data(self, key: Key, target: ScalableTarget) -> bool:
        tracking = target.tracking
        return bool(tracking) and (key[1] in self.account.conditions.loads or any(t.points for t in tracking.values()))

    def step(self) -> None:
        minute = minute_of(self.account.now())
        if minute == self._tracked_until:
            return
        self._tracked_until = minute
        for key, target in self.targets.items():
            if self._has_data(key, target):
                self._track(key, target, minute - 1)

    def _track(self, key: Key, target: ScalableTarget, minute: int) -> None:
        """Note the minute that has ended, set the alarms by the data that have arrived, and scale."""
        service = self._active_service(key)
        if service is None:
            return
        now, cloudwatch, ecs = self.account.now(), self.account.service(CloudWatch), self.account.service(Ecs)
        loads = self.account.conditions.loads.get(key[1], {})
        _, running = counts([task for one in service.sets for task in ecs.tasks_of(one)])
        newest = minute_of(now - timedelta(seconds=self.account.conditions.metric_delay_seconds)) - 1
        for name, each in target.tracking.items():
            each.note(minute, loads.get(name), running)
            each.evaluate(cloudwatch, newest)
        before = service.desired_count
        wanted = wanted_count(
            target.tracking.values(),
            target.activity,
            cloudwatch,
            desired=before,
            newest=newest,
            now=now,
            is_deploying=is_deploying(service),
        )
        if wanted != before and self.scale(key[1], wanted):
            target.activity.scaled(now, before, service.desired_count)

    def scale(self, resource_id: str, desired: int, *, scheduled: bool = False) -> bool:
        """Set a desired count as a policy does, and return whether it changed.

        Args:
            resource_id: `service/<cluster>/<service>`.
        """
        key = ("ecs", resource_id, "ecs:service:DesiredCount")
        target, service = self.targets[key], self._active_service(key)
        if service is None:
            return False
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
        """Register or change a target, and move the capacity of its resource into the bounds.

        Members that an update leaves out stay as they are. The capacity moves whatever the request names and whatever
        is suspended, unless the service is not active.
        https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
        """
        key = key_of(request)
        target = self.targets.get(key)
        if target is None:
            target = self._new_target(request)
        minimum, maximum = request.get("MinCapacity", target.minimum), request.get("MaxCapacity", target.maximum)
        if minimum > maximum:
            raise Refused("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        target.minimum, target.maximum = minimum, maximum
        target.suspended |= request.get("SuspendedState", {})
        self.targets[key] = target
        self._move_into_bounds(key, target)
        return {"ScalableTargetARN": target.arn}

    def _move_into_bounds(self, key: Key, target: ScalableTarget) -> None:
        service = self._active_service(key)
        if service is None:
            return
        bounded = max(target.minimum, min(target.maximum, service.desired_count))
        if bounded != service.desired_count:
            self.account.service(Ecs).scale(service, bounded)

    def _active_service(self, key: Key) -> EcsService | None:
        """Return the ECS service behind a target; None where it is another resource, or is not active."""
        if key[0] != "ecs":
            return None
        _, cluster, name = key[1].split("/")
        try:
            service = self.account.service(Ecs).ecs_service(cluster, name)
        except Refused:
            return None
        return service if service.status == "ACTIVE" else None

    def _new_target(self, request: Request) -> ScalableTarget:
        if "MinCapacity" not in request or "MaxCapacity" not in request:
            message = "MinCapacity and MaxCapacity must be specified for a new scalable target"
            raise Refused("ValidationException", message)
        if request["ServiceNamespace"] == "ecs" and self._active_service(key_of(request)) is None:
            raise Refused("ValidationException", f"ECS service doesn't exist: {request['ResourceId']}")
        return ScalableTarget(
            arn=self.account.arn(
                "application-autoscaling", f"scalable-target/{self.account.hexadecimal_id('scalable target', 24)}"
            ),
            minimum=request["MinCapacity"],
            maximum=request["MaxCapacity"],
            role_arn=self.account.arn("iam", f"role/{SERVICE_ROLE}", regional=False),
            created_at=self.account.now(),
        )

    def deregister_scalable_target(self, request: Request) -> Answer:
        key = self._known(key_of(request))
        for tracking in self.targets[key].tracking.values():
            self._delete_alarms(tracking)
        del self.targets[key]
        self._policies.delete_all(key)
        self._scheduled_actions.delete_all(key)
        return {}

    def describe_scalable_targets(self, request: Request) -> Answer:
        wanted = request.get("ResourceIds")
        found = [
            target_description(key, target)
            for key, target in self.targets.items()
            if within(key, request) and (wanted is None or key[1] in wanted)
        ]
        return PAGES.answer("ScalableTargets", found, request, PAGE_SIZE)

    def _known(self, key: Key) -> Key:
        if key not in self.targets:
            message = f"No scalable target found for service namespace: {key[0]}, resource ID: {key[1]}, "
            raise Refused("ObjectNotFoundException", f"{message}scalable dimension: {key[2]}")
        return key

    # Policies and scheduled actions

    def put_scaling_policy(self, request: Request) -> Answer:
        """Create or change a policy. One of target tracking gets its two alarms, which carry its name."""
        key, name = self._known(key_of(request)), request["PolicyName"]
        arn = self._policies.put(request, {"PolicyType": "StepScaling"})
        configuration = request.get("TargetTrackingScalingPolicyConfiguration")
        if configuration is None:
            return {"PolicyARN": arn, "Alarms": []}
        tracking = self.targets[key].tracking.setdefault(name, self._new_tracking(key))
        tracking.configuration = dict(configuration)
        cloudwatch = self.account.service(CloudWatch)
        for alarm in tracking.alarm_requests(key[1]):
            cloudwatch.put_metric_alarm(alarm)
            cloudwatch.set_alarm(alarm["AlarmName"], cloudwatch.alarms[alarm["AlarmName"]].state)
        alarms = [
            {"AlarmName": alarm, "AlarmARN": cloudwatch.alarms[alarm].arn} for alarm in (tracking.high, tracking.low)
        ]
        return {"PolicyARN": arn, "Alarms": alarms}

    def _new_tracking(self, key: Key) -> Tracking:
        identity = self.account.hexadecimal_id("target tracking")
        names = [f"TargetTracking-{key[1]}-Alarm{side}-{identity}" for side in ("High", "Low")]
        return Tracking(configuration={}, high=names[0], low=names[1])

    def _delete_alarms(self, tracking: Tracking) -> None:
        self.account.service(CloudWatch).delete_alarms({"AlarmNames": [tracking.high, tracking.low]})

    def delete_scaling_policy(self, request: Request) -> Answer:
        self._policies.delete(request)
        tracking = self.targets[key_of(request)].tracking.pop(request["PolicyName"], None)
        if tracking is not None:
            self._delete_alarms(tracking)
        return {}

    def describe_scaling_policies(self, request: Request) -> Answer:
        return PAGES.answer("ScalingPolicies", self._policies.matching(request), request, PAGE_SIZE)

    def put_scheduled_action(self, request: Request) -> Answer:
        self._known(key_of(request))
        self._scheduled_actions.put(request, {})
        return {}

    def delete_scheduled_action(self, request: Request) -> Answer:
        self._scheduled_actions.delete(request)
        return {}

    def describe_scheduled_actions(self, request: Request) -> Answer:
        return PAGES.answer("ScheduledActions", self._scheduled_actions.matching(request), request, PAGE_SIZE)


def within(key: Key, request: Request) -> bool:
    """Return whether a Describe operation asks for the target. What the request leaves out does not restrict it."""
    return (
        key[0] == request["ServiceNamespace"]
        and request.get("ResourceId") in (None, key[1])
        and request.get("ScalableDimension") in (None, key[2])
    )


def target_description(key: Key, target: ScalableTarget) -> dict[str, Any]:
    """Return a target as DescribeScalableTargets does."""
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
