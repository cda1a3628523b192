"""What a request to ECS is about, as IAM names it (service-authorization: list_amazonelasticcontainerservice)."""

from collections.abc import Callable, Mapping
from typing import Final

from aws_simulator.ecs.task_definitions import name_in
from aws_simulator.service import Request

Arn = Callable[[str], str]
"""From what follows the account in it."""

NAMED: Final[Mapping[str, str]] = {
    "DescribeServiceDeployments": "serviceDeploymentArns",
    "DescribeServiceRevisions": "serviceRevisionArns",
    "StopServiceDeployment": "serviceDeploymentArn",
    "TagResource": "resourceArn",
    "UntagResource": "resourceArn",
    "ListTagsForResource": "resourceArn",
}
"""Operations whose requests name their resources by ARN, and the member that does."""

OF_A_SERVICE: Final[Mapping[str, str]] = {
    "UpdateService": "service",
    "DeleteService": "service",
    "ListServiceDeployments": "service",
    "CreateService": "serviceName",
}


def concerned(operation: str, request: Request, arn: Arn) -> tuple[str, ...]:
    if operation in NAMED:
        named = request[NAMED[operation]]
        arns = (named,) if isinstance(named, str) else tuple(named)
        return tuple(one for arn_of_part in arns for one in (*services_of(arn_of_part), arn_of_part))
    cluster = name_in(request.get("cluster", "default"))
    if operation in OF_A_SERVICE:
        return (arn(f"service/{cluster}/{name_in(request[OF_A_SERVICE[operation]])}"),)
    match operation:
        case "DescribeServices":
            return tuple(arn(f"service/{cluster}/{name_in(name)}") for name in request["services"])
        case "DescribeTaskSets":
            return (arn(f"task-set/{cluster}/{name_in(request['service'])}/*"),)
        case "RunTask":
            return (arn(f"task-definition/{any_revision(name_in(request['taskDefinition']))}"),)
        case "RegisterTaskDefinition":
            return (arn(f"task-definition/{request['family']}:*"),)
        case "DescribeTasks":
            return tuple(arn(f"task/{cluster}/{name_in(task)}") for task in request["tasks"])
        case "StopTask":
            return (arn(f"task/{cluster}/{name_in(request['task'])}"),)
        case "DescribeClusters":
            return tuple(arn(f"cluster/{name_in(one)}") for one in request.get("clusters", []))
        case _:
            return ()


def services_of(arn_of_part: str) -> tuple[str, ...]:
    """IAM wants the service to be allowed, too, where a deployment or revision of it is asked about."""
    for part in (":service-deployment/", ":service-revision/"):
        if part in arn_of_part:
            return (arn_of_part.replace(part, ":service/").rpartition("/")[0],)
    return ()


def any_revision(name: str) -> str:
    return name if ":" in name else f"{name}:*"
