"""Names and ARNs by which the resources of a service's stack, and what acts on them, find each other."""

from collections.abc import Iterator
from typing import Final, Literal

from platform_sdk.contract import dead_letter_queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import SMOKE_TEST
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, get, ref

# What things are called on AWS, where more than one part of the deploy half has to know, and how long names may be.

Role = Literal["api", "worker"]
Colour = Literal["blue", "green"]
COLOURS: Final[tuple[Colour, ...]] = ("blue", "green")


def family_of(spec: ServiceSpec, environment: Environment, role: Role = "api") -> str:
    """`<environment>-<service>` and `<environment>-<service>-worker`; ECS adds the revision."""
    family = f"{environment.name}-{spec.name}"
    return family if role == "api" else f"{family}-{role}"


def target_group_name(environment: str, service: str, colour: Colour) -> str:
    """`production-orders-blue`. Which of the two is live changes with every release."""
    return f"{environment}-{service}-{colour}"


def role_name(environment: str, service: str, purpose: str) -> str:
    """`production-orders-execution`."""
    return f"{environment}-{service}-{purpose}"


def schedule_name(environment: str, service: str, task: str) -> str:
    """`production-orders-close-the-books`; also the family of the task's task definition."""
    return f"{environment}-{service}-{task}"


def limited_names(spec: ServiceSpec, environment: str) -> Iterator[tuple[str, str, int, tuple[str | int, ...]]]:
    """Kind, name, the most characters that AWS takes, and the key of platform.toml that it comes from."""
    longest = max((target_group_name(environment, spec.name, colour) for colour in COLOURS), key=len)
    yield "target group", longest, 32, ("service", "name")
    yield "role", role_name(environment, spec.name, "execution"), 64, ("service", "name")
    for queue in spec.queues:
        yield "queue", dead_letter_queue_name(environment, queue.name), 80, ("queues", queue.name)
    for index, task in enumerate(spec.tasks):
        yield "schedule", schedule_name(environment, spec.name, task.name), 64, ("tasks", index, "name")


# Fargate's platform version, said in the service and again in every AppSpec.
PLATFORM_VERSION: Final = "1.4.0"


def arn(environment: Environment, service: str, resource: str, *, regional: bool = True) -> str:
    """`resource` is what follows the account: `role/staging-orders-task`."""
    region = environment.region if regional else ""
    return f"arn:{environment.partition}:{service}:{region}:{environment.account_id}:{resource}"


def cluster_name(environment: Environment) -> str:
    return f"platform-{environment.name}"


def stack_name(spec: ServiceSpec, environment: Environment) -> str:
    """Of the stack that is the service's own, beside the shared ones of shared.py."""
    return f"platform-{environment.name}-{spec.name}"


def log_group(spec: ServiceSpec, environment: Environment, suffix: str = "") -> str:
    return f"/platform/{environment.name}/{spec.name}{suffix}"


def log_stream(spec: ServiceSpec, role: str, container: str, task_id: str) -> str:
    """In which a container of a task writes: FireLens tags its lines `<container>-firelens-<task>`, and Fluent Bit puts
    the prefix before the tag; the awslogs driver parts prefix, container and task by slashes.
    """
    if spec.sidecars.log_router.enabled:
        return f"{role}/{container}-firelens-{task_id}"
    return f"{role}/{container}/{task_id}"


def service_name(spec: ServiceSpec, environment: Environment) -> str:
    """Of the ECS service that answers requests, of its CodeDeploy application and of its deployment group."""
    return family_of(spec, environment)


def worker_service_name(spec: ServiceSpec, environment: Environment) -> str:
    return family_of(spec, environment, "worker")


def hook_function_name(environment: Environment, hook: str) -> str:
    """Of a team's own function as it is written; the platform's is one for all services of an environment."""
    return f"platform-{environment.name}-smoke-test" if hook == SMOKE_TEST else hook


def target_group(colour: Colour) -> str:
    """The logical name."""
    return f"{colour.capitalize()}TargetGroup"


def of_target_group(colour: Colour) -> dict[str, object]:
    """Dimensions of its metrics."""
    return {
        "LoadBalancer": ref("LoadBalancerFullName"),
        "TargetGroup": get(target_group(colour), "TargetGroupFullName"),
    }


def of_service(name: str) -> dict[str, object]:
    """Dimensions of an ECS service's metrics."""
    return {"ClusterName": ref("ClusterName"), "ServiceName": name}


def logical(*words: str) -> str:
    """A logical name of letters and digits only: `("dead_letters", "price-changes")` to `DeadLettersPriceChanges`."""
    return "".join(part.capitalize() for word in words for part in word.replace("-", "_").split("_"))


def network() -> Json:
    return {
        "AwsvpcConfiguration": {
            "Subnets": ref("PrivateSubnetIds"),
            "SecurityGroups": [ref("TaskSecurityGroupId")],
            "AssignPublicIp": "DISABLED",
        }
    }


def repository_address(environment: Environment, service: str) -> str:
    """Of the service's images in ECR, without a tag (docs.aws.amazon.com/AmazonECR, "Private registry")."""
    suffix = "amazonaws.com.cn" if environment.partition == "aws-cn" else "amazonaws.com"
    return f"{environment.account_id}.dkr.ecr.{environment.region}.{suffix}/{service}"
