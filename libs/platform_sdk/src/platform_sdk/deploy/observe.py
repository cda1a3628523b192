"""Reads AWS into values, and writes nothing: the only way from the gateways to plan, preflight and apply.

    gateways ─▶ observe ─▶ ServiceState, DeployedStack ─▶ plan

Whatever can be asked for many at once is asked for all services together; `platform plan` of a hundred services would
otherwise wait for more than a thousand answers.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.stack import Deployed
from platform_sdk.deploy.render.names import (
    COLOURS,
    cluster_name,
    repository_address,
    schedule_name,
    service_name,
    stack_name,
    target_group_name,
    worker_service_name,
)
from platform_sdk.deploy.shared import SharedParameter, SharedStack, shared_parameter
from platform_sdk.deploy.state import (
    RUNNING,
    Alarm,
    DeployedStack,
    Deployment,
    EcsService,
    Json,
    ListenerRule,
    ScalableTarget,
    ServiceState,
    Stack,
    TargetGroup,
    TaskDefinition,
)
from platform_sdk.errors import PlatformError

# All that a service has on AWS.

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.cloudformation import Stacks
    from platform_sdk.deploy.aws.codedeploy import CodeDeploy
    from platform_sdk.deploy.aws.ecs import Ecs
    from platform_sdk.deploy.aws.session import Aws


Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

CONNECTIONS: Final = 8
"""At a time; boto3 keeps ten for each client."""


class UnreadableTemplate(PlatformError):
    """A service's stack was given a template that this tool has not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What is asked for all services at once, by the names and ARNs of AWS."""

    stacks: Mapping[str, Stack]
    templates: Mapping[str, Json]
    services: Mapping[str, EcsService]
    target_groups: Mapping[str, TargetGroup]
    scaling: Mapping[str, ScalableTarget]
    alarms: Mapping[str, Alarm]
    production_rules: Sequence[ListenerRule]
    test_rules: Sequence[ListenerRule]


def observe_service(spec: ServiceSpec, environment: Environment, aws: "Aws") -> ServiceState:
    """One service. What is not there is None or empty.

    Raises:
        AwsCallFailed: AWS did not answer, or refused to.
        UnreadableTemplate
    """
    return observe_services([spec], environment, aws)[spec.name]


def observe_services(specs: Sequence[ServiceSpec], environment: Environment, aws: "Aws") -> Mapping[str, ServiceState]:
    """By the name of the service; as `observe_service`."""
    together = observe_together(specs, environment, aws)
    # Taken before the threads start: a session of boto3 makes one client at a time.
    ecs, codedeploy = aws.ecs, aws.codedeploy
    states = side_by_side(lambda spec: state_of(spec, environment, together, ecs, codedeploy), specs)
    return {spec.name: state for spec, state in zip(specs, states, strict=True)}


def side_by_side(ask: Callable[[Asked], Answered], about: Sequence[Asked]) -> list[Answered]:
    """The answers in the order of what is asked; each asking waits for the network most of the time."""
    if len(about) == 1:
        return [ask(about[0])]
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        return list(pool.map(ask, about))


def observe_together(specs: Sequence[ServiceSpec], environment: Environment, aws: "Aws") -> Together:
    gateway = aws.stacks
    stacks = side_by_side(lambda spec: stack_of(spec, environment, gateway), specs)
    found = {spec.name: stack for spec, (stack, _) in zip(specs, stacks, strict=True) if stack is not None}
    templates = {spec.name: given for spec, (_, given) in zip(specs, stacks, strict=True) if given is not None}
    cluster = cluster_name(environment)
    services = [name for spec in specs for name in ecs_services(spec, environment)]
    # One name that AWS does not know fails the whole batch, which then takes a call for each.
    known = [spec for spec in specs if spec.name in templates]
    groups = [target_group_name(environment.name, spec.name, colour) for spec in known for colour in COLOURS]
    production, test = listeners(environment, aws)
    return Together(
        stacks=found,
        templates=templates,
        services=aws.ecs.services(cluster, services),
        target_groups=aws.load_balancing.target_groups(groups),
        scaling=aws.scaling.targets([f"service/{cluster}/{service}" for service in services]),
        alarms=aws.alarms.alarms(
            [name for template in templates.values() for name in Deployed(template).alarm_names()]
        ),
        production_rules=aws.load_balancing.rules(production) if production else (),
        test_rules=aws.load_balancing.rules(test) if test else (),
    )


def stack_of(spec: ServiceSpec, environment: Environment, gateway: "Stacks") -> tuple[Stack | None, Json | None]:
    """With its template, where it may be updated."""
    stack = gateway.stack(stack_name(spec, environment))
    return stack, template_of(stack, gateway) if stack is not None and stack.is_created else None


def template_of(stack: Stack, gateway: "Stacks") -> Json:
    """JSON from `platform apply`, or YAML from whoever used the output of `platform render`."""
    template = gateway.template(stack.name)
    if not isinstance(template, str):
        return template
    from platform_sdk.deploy.render.yaml import from_yaml

    try:
        parsed = from_yaml(template)
    except ValueError as error:
        raise UnreadableTemplate(
            f"the template of the stack {stack.name} cannot be read",
            because=f"it was changed outside this tool: {error}",
            hint="update the stack with the output of `platform render --document stack`, then plan again",
        ) from error
    assert isinstance(parsed, dict), "a template that CloudFormation took is a mapping"
    return parsed


def ecs_services(spec: ServiceSpec, environment: Environment) -> list[str]:
    """A worker may still be there that platform.toml no longer has."""
    return [service_name(spec, environment), worker_service_name(spec, environment)]


def listeners(environment: Environment, aws: "Aws") -> tuple[str | None, str | None]:
    """ARNs of the production and the test listener, where the edge stack has written them."""
    production = shared_parameter(environment, SharedParameter.PRODUCTION_LISTENER_ARN)
    test = shared_parameter(environment, SharedParameter.TEST_LISTENER_ARN)
    values = aws.parameters.values([production, test])
    return values.get(production), values.get(test)


def state_of(
    spec: ServiceSpec, environment: Environment, together: Together, ecs: "Ecs", codedeploy: "CodeDeploy"
) -> ServiceState:
    api_name, worker_name = ecs_services(spec, environment)
    api, worker = together.services.get(api_name), together.services.get(worker_name)
    names = [target_group_name(environment.name, spec.name, colour) for colour in COLOURS]
    groups = tuple(together.target_groups[name] for name in names if name in together.target_groups)
    template = together.templates.get(spec.name)
    revisions = {"api": revisions_of(api, ecs), "worker": revisions_of(worker, ecs)}
    resource = f"service/{cluster_name(environment)}"
    return ServiceState(
        stack=together.stacks.get(spec.name),
        template=template,
        api=api,
        worker=worker,
        api_revision=revisions["api"][0],
        worker_revision=revisions["worker"][0],
        newer_revisions={role: newer for role, (_, newer) in revisions.items() if newer is not None},
        standalone_revisions=standalone_revisions(spec, environment, ecs) if template is not None else {},
        production_rule=rule_of(spec, groups, together.production_rules),
        test_rule=rule_of(spec, groups, together.test_rules),
        target_groups=groups,
        scaling=together.scaling.get(f"{resource}/{api_name}"),
        worker_scaling=together.scaling.get(f"{resource}/{worker_name}"),
        deployment_group=codedeploy.group(api_name, api_name) if api is not None else None,
        running_deployment=running_deployment(api_name, codedeploy) if api is not None else None,
        alarms=alarms_of(template, together.alarms),
    )


def alarms_of(template: Json | None, alarms: Mapping[str, Alarm]) -> tuple[Alarm, ...]:
    names = Deployed(template).alarm_names() if template is not None else ()
    return tuple(alarms[name] for name in names if name in alarms)


def revisions_of(service: EcsService | None, ecs: "Ecs") -> tuple[TaskDefinition | None, TaskDefinition | None]:
    """The live one, and the newest of the family of releases where that is another one."""
    if service is None:
        return None, None
    newest = ecs.revision(service.name)
    if newest is not None and newest.arn == service.task_definition:
        return newest, None
    return ecs.revision(service.task_definition), newest


def standalone_revisions(spec: ServiceSpec, environment: Environment, ecs: "Ecs") -> dict[str, TaskDefinition]:
    families = {task.name: schedule_name(environment.name, spec.name, task.name) for task in spec.tasks}
    found = {name: ecs.revision(family) for name, family in families.items()}
    return {name: revision for name, revision in found.items() if revision is not None}


def rule_of(spec: ServiceSpec, groups: Sequence[TargetGroup], rules: Sequence[ListenerRule]) -> ListenerRule | None:
    """As CodeDeploy finds it: by a target group of the pair. Else by its path, which somebody has sent elsewhere."""
    arns = {group.arn for group in groups}
    by_group = (rule for rule in rules if arns & set(rule.weights))
    by_path = (rule for rule in rules if spec.path in rule.paths)
    return next(by_group, None) or next(by_path, None)


def running_deployment(name: str, gateway: "CodeDeploy") -> Deployment | None:
    return next(iter(gateway.deployments(name, name, most=1, statuses=RUNNING)), None)


# An image by its tag.

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws


class UnknownImage(PlatformError):
    """The registry does not hold the tag."""


def observe_image(service: str, tag: str, environment: Environment, aws: "Aws") -> str:
    """As a task definition names it: the digest decides, the tag is for who reads it.

    Raises:
        UnknownImage
        NoRegistry: the environment is on this machine.
        AwsCallFailed: AWS did not answer, or refused to.
    """
    address = repository_address(environment, service)
    image = aws.images.image(service, tag)
    if image is None:
        raise UnknownImage(
            f"there is no image {service}:{tag} in the registry of {environment.name}",
            hint=f"`platform build {service} --env {environment.name} --push` builds what is here, and prints its tag",
        )
    return f"{address}:{tag}@{image.digest}"


# The stacks that all services share, as they are deployed.

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws


def observe_shared(stacks: Sequence[SharedStack], aws: "Aws") -> Mapping[str, DeployedStack]:
    """By the name of the stack; those that do not exist, or whose creation failed, are not in it.

    Raises:
        AwsCallFailed: AWS did not answer, or refused to.
    """
    found = {stack.name: aws.stacks.stack(stack.name) for stack in stacks}
    return {
        name: DeployedStack(stack=stack, template=aws.stacks.template(name))
        for name, stack in found.items()
        if stack is not None and stack.is_created
    }


__all__ = [
    "UnknownImage",
    "UnreadableTemplate",
    "observe_image",
    "observe_service",
    "observe_services",
    "observe_shared",
]
