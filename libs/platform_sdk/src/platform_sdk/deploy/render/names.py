"""Names and ARNs of what belongs to a service on AWS, for templates and for the code that acts on them."""

from collections.abc import Iterator
from typing import Final, Literal

from platform_sdk.contract import dead_letter_queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import SMOKE_TEST
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, get, ref

Role = Literal["api", "worker"]
Colour = Literal["blue", "green"]
COLOURS: Final[tuple[Colour, ...]] = ("blue", "green")


def family_of(spec: ServiceSpec, environment: Environment, role: Role = "api") -> str:
    """Return the family of a task definition: `production-orders` or `production-orders-worker`."""
    family = f"{environment.name}-{spec.name}"
    return family if role == "api" else f"{family}-{role}"


def target_group_name(environment: str, service: str, colour: Colour) -> str:
    """Return a name such as `production-orders-blue`. Every release changes which of the two is live."""
    return f"{environment}-{service}-{colour}"


def role_name(environment: str, service: str, purpose: str) -> str:
    """Return a name such as `production-orders-execution`."""
    return f"{environment}-{service}-{purpose}"


def schedule_name(environment: str, service: str, task: str) -> str:
    """Return a name such as `production-orders-close-the-books`, also the family of the task definition."""
    return f"{environment}-{service}-{task}"


def limited_names(spec: ServiceSpec, environment: str) -> Iterator[tuple[str, str, int, tuple[str | int, ...]]]:
    """Yield kind, name, the maximum length on AWS in characters, and the key of platform.toml behind the name."""
    longest = max((target_group_name(environment, spec.name, colour) for colour in COLOURS), key=len)
    yield "target group", longest, 32, ("service", "name")
    yield "role", role_name(environment, spec.name, "execution"), 64, ("service", "name")
    for queue in spec.queues:
        yield "queue", dead_letter_queue_name(environment, queue.name), 80, ("queues", queue.name)
    for index, task in enumerate(spec.tasks):
        yield "schedule", schedule_name(environment, spec.name, task.name), 64, ("tasks", index, "name")


PLATFORM_VERSION: Final = "1.4.0"
"""The platform version of Fargate, in the ECS service and in every AppSpec."""


def arn(environment: Environment, service: str, resource: str, *, regional: bool = True) -> str:
    """Return an ARN. `resource` is the part after the account, such as `role/staging-orders-task`."""
    region = environment.region if regional else ""
    return f"arn:{environment.partition}:{service}:{region}:{environment.account_id}:{resource}"


def cluster_name(environment: Environment) -> str:
    """Return the name of the one ECS cluster of an environment."""
    return f"platform-{environment.name}"


def stack_name(spec: ServiceSpec, environment: Environment) -> str:
    """Return the name of the service's own stack. shared.py has the names of shared stacks."""
    return f"platform-{environment.name}-{spec.name}"


def log_group(spec: ServiceSpec, environment: Environment, suffix: str = "") -> str:
    """Return the log group of the app; with the suffix `/sidecars` that of the other containers."""
    return f"/platform/{environment.name}/{spec.name}{suffix}"


def log_stream(spec: ServiceSpec, role: str, container: str, task_id: str) -> str:
    """Return the log stream of a container.

    FireLens tags lines with `<container>-firelens-<task>`, and Fluent Bit puts the prefix before the tag. The awslogs
    driver joins prefix, container and task with slashes.
    """
    if spec.sidecars.log_router.enabled:
        return f"{role}/{container}-firelens-{task_id}"
    return f"{role}/{container}/{task_id}"


def service_name(spec: ServiceSpec, environment: Environment) -> str:
    """Return the name of the API's ECS service, of its CodeDeploy application and of its deployment group."""
    return family_of(spec, environment)


def worker_service_name(spec: ServiceSpec, environment: Environment) -> str:
    """Return the name of the worker's ECS service, which is also the family of its task definition."""
    return family_of(spec, environment, "worker")


def hook_function_name(environment: Environment, hook: str) -> str:
    """Return the name of a hook's function. All services of an environment share the smoke test."""
    return f"platform-{environment.name}-smoke-test" if hook == SMOKE_TEST else hook


def target_group(colour: Colour) -> str:
    """Return the logical name of a target group."""
    return f"{colour.capitalize()}TargetGroup"


def health_check_parameter(colour: Colour) -> str:
    """Return the name of the parameter with the path of a target group's health check."""
    return f"{colour.capitalize()}HealthCheckPath"


def health_check_path(spec: ServiceSpec) -> str:
    """Return the path that the load balancer asks tasks of this version for, such as `/orders/readyz`."""
    return f"{spec.path}{spec.health_check.path}"


def of_target_group(colour: Colour) -> dict[str, object]:
    """Return the dimensions of a target group's metrics."""
    return {
        "LoadBalancer": ref("LoadBalancerFullName"),
        "TargetGroup": get(target_group(colour), "TargetGroupFullName"),
    }


def of_service(name: str) -> dict[str, object]:
    """Return the dimensions of an ECS service's metrics."""
    return {"ClusterName": ref("ClusterName"), "ServiceName": name}


def logical(*words: str) -> str:
    """Return a logical name: `("dead_letters", "price-changes")` becomes `DeadLettersPriceChanges`."""
    return "".join(part.capitalize() for word in words for part in word.replace("-", "_").split("_"))


def network() -> Json:
    """Return the network of every task: private subnets, no public address."""
    return {
        "AwsvpcConfiguration": {
            "Subnets": ref("PrivateSubnetIds"),
            "SecurityGroups": [ref("TaskSecurityGroupId")],
            "AssignPublicIp": "DISABLED",
        }
    }


def repository_address(environment: Environment, service: str) -> str:
    """Return the address of a service's repository (docs.aws.amazon.com/AmazonECR, "Private registry")."""
    suffix = "amazonaws.com.cn" if environment.partition == "aws-cn" else "amazonaws.com"
    return f"{environment.account_id}.dkr.ecr.{environment.region}.{suffix}/{service}"
