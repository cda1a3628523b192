"""What the deployed template of a service says, with names in place of references."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A view of the template."""

    template: Mapping[str, Any]

    def properties(self, name: str) -> Mapping[str, Any] | None:
        """Of a resource, by its logical name."""
        body = self.template["Resources"].get(name)
        found: Mapping[str, Any] | None = body["Properties"] if body is not None else None
        return found

    def of_type(self, kind: str) -> Iterator[Mapping[str, Any]]:
        return (body["Properties"] for body in self.template["Resources"].values() if body["Type"] == kind)

    def bounds(self, scalable_target: str) -> tuple[tuple[int, int], ...]:
        """Fewest and most tasks: at first those of always, then those of each scheduled change."""
        found = self.properties(scalable_target)
        if found is None:
            return ()
        actions = [action["ScalableTargetAction"] for action in found.get("ScheduledActions", [])]
        return tuple((each["MinCapacity"], each["MaxCapacity"]) for each in (found, *actions))

    def alarm_names(self) -> tuple[str, ...]:
        return tuple(alarm["AlarmName"] for alarm in self.of_type("AWS::CloudWatch::Alarm"))

    def rollback_alarms(self) -> frozenset[str]:
        """Names of the alarms that take back what CodeDeploy deploys."""
        group = self.properties("DeploymentGroup") or {}
        watched = group.get("AlarmConfiguration", {}).get("Alarms", [])
        return frozenset(self.name_of(alarm["Name"], "AlarmName") for alarm in watched)

    def deployment_configuration(self) -> str:
        group = self.properties("DeploymentGroup") or {}
        return self.name_of(group.get("DeploymentConfigName", ""), "DeploymentConfigName")

    def rollback_events(self) -> frozenset[str]:
        group = self.properties("DeploymentGroup") or {}
        return frozenset(group.get("AutoRollbackConfiguration", {}).get("Events", []))

    def bake_minutes(self) -> int:
        group = self.properties("DeploymentGroup") or {}
        ended = group.get("BlueGreenDeploymentConfiguration", {}).get("TerminateBlueInstancesOnDeploymentSuccess", {})
        return int(ended.get("TerminationWaitTimeInMinutes", 0))

    def paths(self, rule: str) -> frozenset[str]:
        found = self.properties(rule) or {}
        conditions = found.get("Conditions", [])
        return frozenset(path for each in conditions for path in each.get("PathPatternConfig", {}).get("Values", []))

    def name_of(self, value: Any, property_: str) -> str:
        """A text, or what a reference to a resource of the same template stands for."""
        match value:
            case {"Ref": name}:
                return str((self.properties(name) or {}).get(property_, ""))
        return str(value)
