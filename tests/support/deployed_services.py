"""Services as they are on AWS after a release, made by hand: what `observe` would answer of them."""

import copy
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import document_digest
from platform_sdk.deploy.plan.stack import Deployed
from platform_sdk.deploy.render.names import COLOURS, arn, cluster_name, family_of, stack_name, target_group_name
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_standalone_task, render_task_definition
from platform_sdk.deploy.state import (
    Alarm,
    Deployment,
    DeploymentGroup,
    EcsService,
    ListenerRule,
    ScalableTarget,
    ServiceState,
    Stack,
    Suspended,
    TargetGroup,
    TaskDefinition,
    TaskSet,
)

NOTHING: Final = ServiceState(stack=None, template=None, api=None, worker=None, api_revision=None, worker_revision=None)
RELEASED_AT: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def image_of(spec: ServiceSpec, environment: Environment, tag: str) -> str:
    """As a release names it; the digest follows from the tag."""
    digest = hashlib.sha256(f"{spec.name}:{tag}".encode()).hexdigest()
    registry = f"{environment.account_id}.dkr.ecr.{environment.region}.amazonaws.com"
    return f"{registry}/{spec.name}:{tag}@sha256:{digest}"


def as_ecs_answers(document: Any) -> dict[str, Any]:
    """In another order, and with what ECS adds (from answers of DescribeTaskDefinition)."""
    answered = copy.deepcopy(document)
    answered.pop("tags", None)
    answered["placementConstraints"] = []
    answered["volumes"] = [{**volume, "host": {}} for volume in answered["volumes"]]
    for container in answered["containerDefinitions"]:
        container |= {"volumesFrom": [], "systemControls": []}
        for key in ("environment", "mountPoints", "portMappings"):
            container[key] = list(reversed(container.get(key, [])))
        for port in container["portMappings"]:
            port.setdefault("hostPort", port["containerPort"])
        container["secrets"] = list(reversed(container["secrets"])) if container.get("secrets") else []
    answered["containerDefinitions"].reverse()
    result: dict[str, Any] = answered
    return result


def registered(document: dict[str, object], environment: Environment, revision: int, tag: str) -> TaskDefinition:
    family = str(document["family"])
    return TaskDefinition(
        arn=arn(environment, "ecs", f"task-definition/{family}:{revision}"),
        family=family,
        revision=revision,
        document=as_ecs_answers(document),
        tags={"platform:version": tag, "platform:document": document_digest(document)},
    )


def released(spec: ServiceSpec, environment: Environment, *, tag: str = "1.4.2", revision: int = 7) -> ServiceState:
    """Everything as platform.toml says, at a version; green is live."""
    template = render_service_stack(spec, environment)
    image = image_of(spec, environment, tag)
    api = registered(render_task_definition(spec, environment, image=image), environment, revision, tag)
    worker = None
    if spec.worker is not None:
        document = render_task_definition(spec, environment, image=image, role="worker")
        worker = registered(document, environment, revision - 1, tag)
    standalone = {
        task.name: registered(render_standalone_task(spec, environment, task, image=image), environment, revision, tag)
        for task in spec.tasks
    }
    groups = tuple(target_group(spec, environment, colour) for colour in COLOURS)
    rules = [rule(spec, environment, name, groups) for name in ("production", "test")]
    return ServiceState(
        stack=stack(spec, environment),
        template=copy.deepcopy(template),
        api=service(spec, environment, api, groups[1], spec.scaling.min_tasks),
        worker=None
        if worker is None or spec.worker is None
        else service(spec, environment, worker, None, spec.worker.min_tasks),
        api_revision=api,
        worker_revision=worker,
        standalone_revisions=standalone,
        production_rule=rules[0],
        test_rule=rules[1],
        target_groups=groups,
        scaling=scalable(spec, environment, "api", spec.scaling.min_tasks, spec.scaling.max_tasks),
        worker_scaling=None
        if spec.worker is None
        else scalable(spec, environment, "worker", spec.worker.min_tasks, spec.worker.max_tasks),
        deployment_group=deployment_group(spec, environment, Deployed(template)),
        alarms=tuple(
            Alarm(name=name, state="OK", reason="", description="", updated_at=RELEASED_AT)
            for name in Deployed(template).alarm_names()
        ),
    )


def created(spec: ServiceSpec, environment: Environment) -> ServiceState:
    """Its stack is there, and nothing has been released: the placeholder answers."""
    state = released(spec, environment)
    family = f"{family_of(spec, environment)}-placeholder"
    document: dict[str, object] = {
        "family": family,
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "public.ecr.aws/docker/library/python:3.13-slim"}],
    }
    placeholder = TaskDefinition(
        arn=arn(environment, "ecs", f"task-definition/{family}:1"),
        family=family,
        revision=1,
        document=document,
        tags={},
    )
    assert state.api is not None
    return replace(
        state,
        api=replace(state.api, task_definition=placeholder.arn),
        api_revision=placeholder,
        worker=None if state.worker is None else replace(state.worker, task_definition=placeholder.arn),
        worker_revision=None if state.worker is None else placeholder,
        standalone_revisions={},
    )


def stack(spec: ServiceSpec, environment: Environment) -> Stack:
    name = stack_name(spec, environment)
    return Stack(
        name=name,
        id=arn(environment, "cloudformation", f"stack/{name}/0"),
        status="UPDATE_COMPLETE",
        status_reason="",
        parameters={"LiveTargetGroup": "blue"},
        outputs={},
        tags={},
        updated_at=RELEASED_AT,
    )


def target_group(spec: ServiceSpec, environment: Environment, colour: Any) -> TargetGroup:
    name = target_group_name(environment.name, spec.name, colour)
    balancer = arn(environment, "elasticloadbalancing", "loadbalancer/app/platform/0123456789abcdef")
    return TargetGroup(
        name=name,
        arn=arn(environment, "elasticloadbalancing", f"targetgroup/{name}/0123456789abcdef"),
        port=3000,
        health_path=f"{spec.path}{spec.health_check.path}",
        load_balancers=(balancer,),
    )


def rule(spec: ServiceSpec, environment: Environment, listener: str, groups: tuple[TargetGroup, ...]) -> ListenerRule:
    """CodeDeploy has shifted to green, and put it first."""
    blue, green = groups
    path = f"app/platform/0123456789abcdef/{listener}"
    return ListenerRule(
        arn=arn(environment, "elasticloadbalancing", f"listener-rule/{path}/{spec.name}"),
        listener=arn(environment, "elasticloadbalancing", f"listener/{path}"),
        priority=str(spec.priority),
        paths=(f"{spec.path}/*", spec.path),
        weights={green.arn: 100, blue.arn: 0},
    )


def service(
    spec: ServiceSpec, environment: Environment, revision: TaskDefinition, group: TargetGroup | None, tasks: int
) -> EcsService:
    cluster = cluster_name(environment)
    primary = TaskSet(
        id="ecs-svc/0000000000000000007",
        status="PRIMARY",
        task_definition=revision.arn,
        target_group=group.arn if group is not None else "",
        desired=tasks,
        running=tasks,
        pending=0,
        steady=True,
    )
    return EcsService(
        name=revision.family,
        arn=arn(environment, "ecs", f"service/{cluster}/{revision.family}"),
        status="ACTIVE",
        controller="ECS" if group is None else "CODE_DEPLOY",
        task_definition=revision.arn,
        desired=tasks,
        running=tasks,
        pending=0,
        platform_version="1.4.0",
        subnets=(),
        security_groups=(),
        grace_period_seconds=spec.health_check.grace_period_seconds,
        task_sets=() if group is None else (primary,),
        deployments=(),
        events=(),
    )


def scalable(spec: ServiceSpec, environment: Environment, role: Any, low: int, high: int) -> ScalableTarget:
    return ScalableTarget(
        resource=f"service/{cluster_name(environment)}/{family_of(spec, environment, role)}",
        min_tasks=low,
        max_tasks=high,
        suspended=Suspended(),
    )


def deployment_group(spec: ServiceSpec, environment: Environment, deployed: Deployed) -> DeploymentGroup:
    name = family_of(spec, environment)
    return DeploymentGroup(
        name=name,
        application=name,
        role_arn=arn(environment, "iam", f"role/{name}-deploy", regional=False),
        configuration=deployed.deployment_configuration(),
        cluster=cluster_name(environment),
        service=name,
        target_groups=tuple(target_group_name(environment.name, spec.name, colour) for colour in COLOURS),
        production_listener="",
        test_listener="",
        alarms=tuple(sorted(deployed.rollback_alarms(), reverse=True)),
        alarms_enabled=bool(deployed.rollback_alarms()),
        rollback_events=tuple(sorted(deployed.rollback_events(), reverse=True)),
        rollback_enabled=True,
        bake_minutes=deployed.bake_minutes(),
    )


def running_deployment() -> Deployment:
    """A release that shifts traffic."""
    return Deployment(
        id="d-ABCDEF123",
        status="InProgress",
        creator="user",
        description="",
        application="production-orders",
        group="production-orders",
        configuration="CodeDeployDefault.ECSCanary10Percent5Minutes",
        created_at=RELEASED_AT,
        started_at=RELEASED_AT,
        completed_at=None,
        error_code="",
        error_message="",
        rolled_back_by="",
        rolls_back="",
        rollback_message="",
        bake_minutes=15,
    )
