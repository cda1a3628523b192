"""Applications, deployment groups, configurations and deployments, as this account has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import yaml

# AppSpec files for ECS: reference-appspec-file-structure-resources and -hooks of the CodeDeploy user guide.

HOOKABLE: Final = (
    "BeforeInstall",
    "AfterInstall",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)


class InvalidAppSpec(Exception):
    """The message of INVALID_REVISION."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    task_definition: str
    container_name: str
    container_port: int
    platform_version: str | None
    network: Mapping[str, Any] | None
    """awsvpcConfiguration as ECS takes it."""
    hooks: Mapping[str, str]
    """Lifecycle event to function."""


def parse(content: str) -> AppSpec:
    """Parse YAML or JSON; the case of names does not matter. Raises InvalidAppSpec: with CodeDeploy's message."""
    try:
        document = lowered(yaml.safe_load(content))
    except yaml.YAMLError as error:
        raise InvalidAppSpec(f"The AppSpec file cannot be parsed: {error}") from None
    if not isinstance(document, Mapping) or str(document.get("version")) != "0.0":
        raise InvalidAppSpec("The deployment specification has an unsupported version; it must be 0.0")
    try:
        service = document["resources"][0]["targetservice"]
        properties = service["properties"]
        balancer = properties["loadbalancerinfo"]
        assert service["type"] == "AWS::ECS::Service"
        return AppSpec(
            task_definition=properties["taskdefinition"],
            container_name=balancer["containername"],
            container_port=int(balancer["containerport"]),
            platform_version=properties.get("platformversion"),
            network=network_of(properties.get("networkconfiguration")),
            hooks=hooks_of(document.get("hooks") or []),
        )
    except (KeyError, IndexError, TypeError, AssertionError) as error:
        raise InvalidAppSpec(f"The AppSpec file is missing required content: {error}") from None


def lowered(value: Any) -> Any:
    """Return the value with every key in lower case."""
    if isinstance(value, Mapping):
        return {str(key).lower(): lowered(member) for key, member in value.items()}
    return [lowered(member) for member in value] if isinstance(value, list) else value


def network_of(given: Any) -> dict[str, Any] | None:
    if not given:
        return None
    configuration = given["awsvpcconfiguration"]
    return {
        "subnets": configuration["subnets"],
        "securityGroups": configuration["securitygroups"],
        "assignPublicIp": configuration["assignpublicip"],
    }


def hooks_of(given: Any) -> dict[str, str]:
    names = {name.lower(): name for name in HOOKABLE}
    found: dict[str, str] = {}
    for entry in given:
        for key, function in entry.items():
            if key not in names:
                raise InvalidAppSpec(f"The AppSpec file names an unknown lifecycle event hook: {key}")
            if names[key] in found:
                raise InvalidAppSpec(f"The AppSpec file names the lifecycle event hook {names[key]} twice")
            found[names[key]] = function
    return found


Status = Literal["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"]
EventStatus = Literal["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown"]
Trigger = Literal["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]

Kind = Literal["TimeBasedCanary", "TimeBasedLinear", "AllAtOnce"]
"""Of a traffic shift."""

ACTIVE: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")

LIFECYCLE: Final = (
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """How production traffic shifts: `percent` at a time, each `interval_minutes`."""

    name: str
    type: Kind
    percent: int = 100
    interval_minutes: int = 0
    id: str
    created_at: datetime

    def percent_after(self, seconds: float) -> int:
        """Return the replacement's percentage of production traffic so long after the first shift."""
        intervals = int(seconds // (60 * self.interval_minutes)) if self.interval_minutes else 0
        match self.type:
            case "AllAtOnce":
                return 100
            case "TimeBasedCanary":
                return 100 if intervals else self.percent
            case "TimeBasedLinear":
                return min(100, self.percent * (intervals + 1))

    def next_shift_after(self, seconds: float) -> int:
        """Return the seconds from the first shift to the next one."""
        interval = 60 * self.interval_minutes
        return (int(seconds // interval) + 1) * interval if interval else 0


@dataclass(slots=True, kw_only=True)
class Application:
    id: str
    name: str
    created_at: datetime
    revisions: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """SHA-256 to content and time of registration."""


@dataclass(slots=True, kw_only=True)
class Group:
    id: str
    application: str
    name: str
    request: dict[str, Any]
    last_attempted: str | None = None
    last_successful: str | None = None

    @property
    def cluster(self) -> str:
        return str(self.request["ecsServices"][0]["clusterName"])

    @property
    def service(self) -> str:
        return str(self.request["ecsServices"][0]["serviceName"])

    @property
    def target_groups(self) -> list[str]:
        """The names of the two target groups."""
        return [group["name"] for group in self._pair["targetGroups"]]

    def listeners(self, route: Literal["prodTrafficRoute", "testTrafficRoute"]) -> list[str]:
        return list(self._pair.get(route, {}).get("listenerArns", []))

    @property
    def _pair(self) -> dict[str, Any]:
        pair: dict[str, Any] = self.request["loadBalancerInfo"]["targetGroupPairInfoList"][0]
        return pair

    @property
    def bake_seconds(self) -> int:
        return 60 * int(
            self._blue_green.get("terminateBlueInstancesOnDeploymentSuccess", {}).get("terminationWaitTimeInMinutes", 0)
        )

    @property
    def keeps_original(self) -> bool:
        option = self._blue_green.get("terminateBlueInstancesOnDeploymentSuccess", {})
        return bool(option.get("action") == "KEEP_ALIVE")

    @property
    def ready_wait_seconds(self) -> int:
        """How long somebody has to continue; 0 where nobody is asked."""
        option = self._blue_green.get("deploymentReadyOption", {})
        return 60 * int(option.get("waitTimeInMinutes", 0)) if option.get("actionOnTimeout") == "STOP_DEPLOYMENT" else 0

    @property
    def _blue_green(self) -> dict[str, Any]:
        return dict(self.request.get("blueGreenDeploymentConfiguration", {}))


@dataclass(slots=True, kw_only=True)
class LifecycleEvent:
    """Args:
    hook: name or ARN of its function.
    answer: the function's answer; `Missing` if the function does not exist.
    """

    name: str
    hook: str | None = None
    status: EventStatus = "Pending"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    message: str = ""
    execution_id: str | None = None
    answers_at: datetime | None = None
    answer: Literal["Succeeded", "Failed", "Missing"] | None = None


@dataclass(slots=True, kw_only=True)
class Deployment:
    """Args:
    original, replacement: ids of the task sets, once they are known.
    rolls_back: the id of the deployment that this one rolls back.
    percent: of the production traffic that the replacement has.
    """

    id: str
    application: str
    group: Group
    configuration: Configuration
    appspec: AppSpec | None
    content: str | None
    sha256: str | None
    description: str
    created_at: datetime
    creator: Literal["user", "codeDeployRollback"] = "user"
    auto_rollback: dict[str, Any]
    alarms: dict[str, Any]
    overrides_alarms: bool = False
    status: Status = "Created"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    events: list[LifecycleEvent] = field(default_factory=list)
    original: str | None = None
    replacement: str | None = None
    rolls_back: str | None = None
    percent: int = 0
    ready_since: datetime | None = None
    is_continued: bool = False
    baking_since: datetime | None = None
    terminate_requested: bool = False
    unsteady_since: datetime | None = None
    stops_at: datetime | None = None
    """When a stop that is pending takes effect."""
    error: tuple[str, str] | None = None
    rollback_info: dict[str, str] = field(default_factory=dict)
    previous: str | None = None
    """SHA-256 of the revision that was live before."""
    task_sets: list[dict[str, Any]] = field(default_factory=list)
    """taskSetsInfo as it was last seen."""
    updated_at: datetime

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def watched(self) -> list[str]:
        """Names of the alarms that stop it. Alarms do not stop a rollback."""
        if self.rolls_back is not None or not self.alarms.get("enabled"):
            return []
        return [alarm["name"] for alarm in self.alarms.get("alarms", [])]
