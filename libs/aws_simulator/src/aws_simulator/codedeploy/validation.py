"""Why a deployment fails before its first event: what CodeDeploy checks of service, revision and load balancer."""

from collections.abc import Iterator

from aws_simulator.account import Account
from aws_simulator.codedeploy.appspec import AppSpec
from aws_simulator.codedeploy.state import Deployment
from aws_simulator.ecs.service import Ecs
from aws_simulator.ecs.state import EcsService
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.elbv2.state import weights_of
from aws_simulator.refused import Refused

Problem = tuple[str, str]
"""errorInformation: its code, and the message."""


def why_invalid(account: Account, deployment: Deployment) -> Problem | None:
    return next(problems(account, deployment), None)


def problems(account: Account, deployment: Deployment) -> Iterator[Problem]:
    group, appspec = deployment.group, deployment.appspec
    if appspec is None:
        yield deployment.error or ("INVALID_REVISION", "The AppSpec file is not valid.")
        return
    try:
        service = account.service(Ecs).ecs_service(group.cluster, group.service)
    except Refused as refused:
        yield "INVALID_ECS_SERVICE", f"The ECS service {group.service} cannot be found: {refused.message}"
        return
    if service.controller != "CODE_DEPLOY":
        message = "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller."
        yield "INVALID_ECS_SERVICE", message
        return
    yield from problems_of_revision(account, appspec)
    yield from problems_of_routes(account, deployment, service)


def problems_of_revision(account: Account, appspec: AppSpec) -> Iterator[Problem]:
    try:
        definition = account.service(Ecs).definition(appspec.task_definition)
    except Refused:
        yield "INVALID_REVISION", f"The task definition {appspec.task_definition} cannot be found."
        return
    if definition.status != "ACTIVE":
        yield "ECS_UPDATE_ERROR", "The ECS service could not be updated: TaskDefinition is inactive"
    ports = {
        container["name"]: [mapping["containerPort"] for mapping in container["portMappings"]]
        for container in definition.containers
    }
    if appspec.container_name not in ports:
        message = f"The container {appspec.container_name} does not exist in the task definition."
        yield "INVALID_REVISION", f"The ECS service could not be updated: {message}"
    elif appspec.container_port not in ports[appspec.container_name]:
        message = (
            f"The container {appspec.container_name} did not have a container port {appspec.container_port} defined."
        )
        yield "ECS_UPDATE_ERROR", f"The ECS service could not be updated due to the following error: {message}"


def problems_of_routes(account: Account, deployment: Deployment, service: EcsService) -> Iterator[Problem]:
    balancing = account.service(ElbV2)
    try:
        pair = [balancing.target_group(name).arn for name in deployment.group.target_groups]
    except Refused as refused:
        yield "ELASTIC_LOAD_BALANCING_INVALID", f"The ELB could not be updated: {refused.message}"
        return
    live = service.primary.load_balancers[0]["targetGroupArn"]
    if live not in pair:
        message = f"The primary task set's target group {live} is none of the deployment group's pair."
        yield "ELASTIC_LOAD_BALANCING_INVALID", message
    for listener_arn in deployment.group.listeners("prodTrafficRoute"):
        listener = balancing.listeners.get(listener_arn)
        if listener is None:
            yield "ELASTIC_LOAD_BALANCING_INVALID", f"The listener {listener_arn} cannot be found."
            continue
        routed = [listener.default_actions, *(rule.actions for rule in balancing.rules_of(listener_arn))]
        if not any(weights_of(actions).get(live) for actions in routed):
            message = "Primary taskset target group must be behind listener"
            yield (
                "ELASTIC_LOAD_BALANCING_INVALID",
                f"The ELB could not be updated due to the following error: {message} {listener_arn}",
            )
