"""The configuration file that FireLens writes for Fluent Bit, from a task definition.

As the ECS agent generates it (github.com/aws/amazon-ecs-agent, agent/taskresource/firelens/firelensconfig_unix.go),
with the file of the router's image that it includes written out in its place.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

HTTP_PORT: Final = 2020
GRACE_SECONDS: Final = 30

INCLUDED: Final = {
    # github.com/aws/aws-for-fluent-bit, configs/output-metrics-healthcheck.conf
    "/fluent-bit/configs/output-metrics-healthcheck.conf": (
        "SERVICE",
        {
            "HTTP_Server": "On",
            "HTTP_Listen": "0.0.0.0",
            "HTTP_PORT": str(HTTP_PORT),
            "Health_Check": "On",
            "HC_Errors_Count": "5",
            "HC_Retry_Failure_Count": "5",
            "HC_Period": "5",
            "Grace": str(GRACE_SECONDS),
            "Flush": "1",
        },
    ),
}

FOR_THE_DRIVER: Final = frozenset({"log-driver-buffer-limit"})
"""Of the options beside a container's output, what is not Fluent Bit's."""

Section = tuple[str, Mapping[str, str]]


def output_options(container: Mapping[str, Any]) -> dict[str, str]:
    """What of a container's log options reaches Fluent Bit, the plugin's name included."""
    options: dict[str, str] = container["logConfiguration"]["options"]
    return {name: value for name, value in options.items() if name not in FOR_THE_DRIVER}


def tag_pattern(container: str) -> str:
    """What the output of a container matches."""
    return f"{container}-firelens*"


def sections(task_definition: Mapping[str, Any]) -> Iterator[Section]:
    containers = task_definition["containerDefinitions"]
    router = next(one for one in containers if "firelensConfiguration" in one)
    yield "INPUT", {"Name": "forward", "unix_path": "/var/run/fluent.sock"}
    yield "INPUT", {"Name": "forward", "Listen": "127.0.0.1", "Port": "24224"}
    yield "INPUT", {"Name": "tcp", "Tag": "firelens-healthcheck", "Listen": "127.0.0.1", "Port": "8877"}
    for member in ("ecs_cluster", "ecs_task_arn", "ecs_task_definition"):
        yield "FILTER", {"Name": "record_modifier", "Match": "*", "Record": f"{member} {member.upper()}"}
    yield INCLUDED[router["firelensConfiguration"]["options"]["config-file-value"]]
    yield "OUTPUT", {"Name": "null", "Match": "firelens-healthcheck"}
    for container in containers:
        if container["logConfiguration"]["logDriver"] == "awsfirelens":
            options = output_options(container)
            name = options.pop("Name")
            yield "OUTPUT", {"Name": name, "Match": tag_pattern(container["name"]), **dict(sorted(options.items()))}


def configuration_file(task_definition: Mapping[str, Any]) -> str:
    """In Fluent Bit's classic format."""
    written = []
    for title, options in sections(task_definition):
        written.append("\n".join([f"[{title}]", *(f"    {name} {value}" for name, value in options.items())]))
    return "\n\n".join(written) + "\n"
