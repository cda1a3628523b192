"""The options of Docker's log drivers that ECS makes of the `logConfiguration` of a container in a task definition."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def app_of(task_definition: Mapping[str, Any]) -> dict[str, Any]:
    return container_of(task_definition, "app")


def container_of(task_definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in task_definition["containerDefinitions"] if one["name"] == name)
    return found


def firelens_tag(container: str, task_id: str) -> str:
    """docs.aws.amazon.com/AmazonECS, "Example Amazon ECS task definition: Route logs to FireLens"."""
    return f"{container}-firelens-{task_id}"


def fluentd_options(app: Mapping[str, Any], *, task_id: str, socket: Path) -> list[str]:
    """`awsfirelens` is Docker's fluentd driver, connected to the log router's socket without waiting for it.

    As the ECS agent sets it up (github.com/aws/amazon-ecs-agent, agent/engine/docker_task_engine.go).
    """
    assert app["logConfiguration"]["logDriver"] == "awsfirelens"
    options = {
        "tag": firelens_tag(app["name"], task_id),
        "fluentd-address": f"unix://{socket}",
        "fluentd-async": "true",
        "fluentd-sub-second-precision": "true",
        "fluentd-buffer-limit": app["logConfiguration"]["options"]["log-driver-buffer-limit"],
    }
    return arguments("fluentd", options.items())


def awslogs_options(container: Mapping[str, Any], *, task_id: str, endpoint_url: str) -> list[str]:
    """ECS turns the prefix into a stream `prefix/container/task id`, and hands on all the rest."""
    assert container["logConfiguration"]["logDriver"] == "awslogs"
    options = dict(container["logConfiguration"]["options"])
    prefix = options.pop("awslogs-stream-prefix")
    options["awslogs-stream"] = f"{prefix}/{container['name']}/{task_id}"
    options["awslogs-endpoint"] = endpoint_url
    return arguments("awslogs", options.items())


def arguments(driver: str, options: Iterable[tuple[str, str]]) -> list[str]:
    """For `docker run`."""
    return ["--log-driver", driver, *(word for name, value in options for word in ("--log-opt", f"{name}={value}"))]
