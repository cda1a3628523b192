"""What an AppSpec for ECS says; reference-appspec-file-structure-resources and -hooks of the CodeDeploy user guide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml  # type: ignore[import-untyped] # no types are installed for it

HOOKABLE: Final = (
    "BeforeInstall",
    "AfterInstall",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)


class InvalidAppSpec(Exception):
    """What CodeDeploy finds wrong with it, as the message of INVALID_REVISION."""


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
    """YAML or JSON; the case of names does not matter.

    Raises:
        InvalidAppSpec: with CodeDeploy's message.
    """
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
    """Every key in lower case."""
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
