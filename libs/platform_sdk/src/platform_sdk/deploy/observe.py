"""Read AWS into values, and write nothing. Plan, preflight and apply see AWS through these values.

    gateways ─▶ observe ─▶ ServiceState, DeployedStack ─▶ plan

What AWS can describe in batches is read for all services together: otherwise `platform plan` of a hundred services
would need more than a thousand calls.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from platform_sdk.deploy.aws import AccessDenied
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import SecretReference
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
from platform_sdk.deploy.render.variables import secret_name, secrets_of
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
    Task,
    TaskDefinition,
    UsedSecret,
)
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.cloudformation import Stacks
    from platform_sdk.deploy.aws.codedeploy import CodeDeploy
    from platform_sdk.deploy.aws.ecs import Ecs
    from platform_sdk.deploy.aws.session import Aws


Subject = TypeVar("Subject")
Result = TypeVar("Result")

CONNECTIONS: Final = 8
"""At the same time; boto3 keeps ten for each client."""


class UnreadableTemplate(PlatformError):
    """The template of a service's stack was not written by this tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is read for all services at once, by the names and ARNs of AWS."""

    stacks: Mapping[str, Stack]
    templates: Mapping[str, Json]
    services: Mapping[str, EcsService]
    target_groups: Mapping[str, TargetGroup]
    scaling: Mapping[str, ScalableTarget]
    alarms: Mapping[str, Alarm]
    production_rules: Sequence[ListenerRule]
    test_rules: Sequence[ListenerRule]


def observe_service(spec: ServiceSpec, environment: Environment, aws: "Aws") -> ServiceState:
    """Return the state of one service. What does not exist is None or empty.

    Raises:
        AwsCallFailed: AWS refused, or did not answer.
        UnreadableTemplate
    """
    return observe_services([spec], environment, aws)[spec.name]


def observe_services(specs: Sequence[ServiceSpec], environment: Environment, aws: "Aws") -> Mapping[str, ServiceState]:
    """Return the states of several services, by name. Raises as `observe_service` does."""
    batch = _observe_batch(specs, environment, aws)
    states = in_parallel(lambda spec: _state_of(spec, environment, batch, aws.ecs, aws.codedeploy), specs)
    return {spec.name: state for spec, state in zip(specs, states, strict=True)}


def in_parallel(read: Callable[[Subject], Result], subjects: Sequence[Subject]) -> list[Result]:
    """Return the results in order. Each call waits for the network most of the time."""
    if len(subjects) == 1:
        return [read(subjects[0])]
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        return list(pool.map(read, subjects))


def _observe_batch(specs: Sequence[ServiceSpec], environment: Environment, aws: "Aws") -> Batch:
    stacks = in_parallel(lambda spec: stack_of(spec, environment, aws.stacks), specs)
    found = {spec.name: stack for spec, (stack, _) in zip(specs, stacks, strict=True) if stack is not None}
    templates = {spec.name: given for spec, (_, given) in zip(specs, stacks, strict=True) if given is not None}
    cluster = cluster_name(environment)
    services = [name for spec in specs for name in ecs_services(spec, environment)]
    # One unknown name fails the whole batch, which then takes a call for each name.
    known = [spec for spec in specs if spec.name in templates]
    groups = [target_group_name(environment.name, spec.name, colour) for spec in known for colour in COLOURS]
    production, test = listeners(environment, aws)
    return Batch(
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
    """Return the stack, with its template if it can be updated."""
    stack = gateway.stack(stack_name(spec, environment))
    return stack, template_of(stack, gateway) if stack is not None and stack.is_created else None


def template_of(stack: Stack, gateway: "Stacks") -> Json:
    """Parse a template: JSON from `platform apply`, or YAML from somebody who used `platform render`."""
    template = gateway.template(stack.name)
    if not isinstance(template, str):
        return template
    from platform_sdk.deploy.render.cloudformation import from_yaml

    try:
        parsed = from_yaml(template)
    except ValueError as error:
        raise UnreadableTemplate(
            f"the template of the stack {stack.name} cannot be read",
            because=f"it was changed outside this tool: {error}",
            hint="update the stack with the output of `platform render --document stack`, then plan again",
        ) from error
    assert isinstance(parsed, dict), "a template that CloudFormation accepted is a mapping"
    return parsed


def ecs_services(spec: ServiceSpec, environment: Environment) -> list[str]:
    """Return the names of the ECS services, the worker included: it may still exist after it was removed from
    platform.toml.
    """
    return [service_name(spec, environment), worker_service_name(spec, environment)]


def listeners(environment: Environment, aws: "Aws") -> tuple[str | None, str | None]:
    """Return the ARNs of the production and the test listener, if the edge stack has stored them."""
    production = shared_parameter(environment, SharedParameter.PRODUCTION_LISTENER_ARN)
    test = shared_parameter(environment, SharedParameter.TEST_LISTENER_ARN)
    values = aws.parameters.values([production, test])
    return values.get(production), values.get(test)


def _state_of(
    spec: ServiceSpec, environment: Environment, batch: Batch, ecs: "Ecs", codedeploy: "CodeDeploy"
) -> ServiceState:
    api_name, worker_name = ecs_services(spec, environment)
    api, worker = batch.services.get(api_name), batch.services.get(worker_name)
    names = [target_group_name(environment.name, spec.name, colour) for colour in COLOURS]
    groups = tuple(batch.target_groups[name] for name in names if name in batch.target_groups)
    template = batch.templates.get(spec.name)
    revisions = {"api": revisions_of(api, ecs), "worker": revisions_of(worker, ecs)}
    resource = f"service/{cluster_name(environment)}"
    return ServiceState(
        stack=batch.stacks.get(spec.name),
        template=template,
        api=api,
        worker=worker,
        api_revision=revisions["api"][0],
        worker_revision=revisions["worker"][0],
        newer_revisions={role: newer for role, (_, newer) in revisions.items() if newer is not None},
        standalone_revisions=_standalone_revisions(spec, environment, ecs) if template is not None else {},
        production_rule=rule_of(spec, groups, batch.production_rules),
        test_rule=rule_of(spec, groups, batch.test_rules),
        target_groups=groups,
        scaling=batch.scaling.get(f"{resource}/{api_name}"),
        worker_scaling=batch.scaling.get(f"{resource}/{worker_name}"),
        deployment_group=codedeploy.group(api_name, api_name) if api is not None else None,
        running_deployment=_running_deployment(api_name, codedeploy) if api is not None else None,
        alarms=_alarms_of(template, batch.alarms),
    )


def _alarms_of(template: Json | None, alarms: Mapping[str, Alarm]) -> tuple[Alarm, ...]:
    names = Deployed(template).alarm_names() if template is not None else ()
    return tuple(alarms[name] for name in names if name in alarms)


def revisions_of(service: EcsService | None, ecs: "Ecs") -> tuple[TaskDefinition | None, TaskDefinition | None]:
    """Return the live revision, and the newest of the service's family if that is another one."""
    if service is None:
        return None, None
    newest = ecs.revision(service.name)
    if newest is not None and newest.arn == service.task_definition:
        return newest, None
    return ecs.revision(service.task_definition), newest


def _standalone_revisions(spec: ServiceSpec, environment: Environment, ecs: "Ecs") -> dict[str, TaskDefinition]:
    families = {task.name: schedule_name(environment.name, spec.name, task.name) for task in spec.tasks}
    found = {name: ecs.revision(family) for name, family in families.items()}
    return {name: revision for name, revision in found.items() if revision is not None}


def rule_of(spec: ServiceSpec, groups: Sequence[TargetGroup], rules: Sequence[ListenerRule]) -> ListenerRule | None:
    """Find the rule by a target group of the pair, as CodeDeploy does; if its targets were changed, by its path."""
    arns = {group.arn for group in groups}
    by_group = (rule for rule in rules if arns & set(rule.weights))
    by_path = (rule for rule in rules if spec.path in rule.paths)
    return next(by_group, None) or next(by_path, None)


def _running_deployment(name: str, gateway: "CodeDeploy") -> Deployment | None:
    return next(iter(gateway.deployments(name, name, most=1, statuses=RUNNING)), None)


class UnknownImage(PlatformError):
    """The registry does not have the tag."""


def observe_image(service: str, tag: str, environment: Environment, aws: "Aws") -> str:
    """Return the image of a tag as a task definition names it: the digest decides, the tag is for readers.

    Raises:
        UnknownImage
        NoRegistry: the environment is on this machine.
        AwsCallFailed: AWS refused, or did not answer.
    """
    address = repository_address(environment, service)
    image = aws.images.image(service, tag)
    if image is None:
        raise UnknownImage(
            f"there is no image {service}:{tag} in the registry of {environment.name}",
            hint=f"`platform build {service} --env {environment.name} --push` builds the files here and prints the tag",
        )
    return f"{address}:{tag}@{image.digest}"


def observe_shared(stacks: Sequence[SharedStack], aws: "Aws") -> Mapping[str, DeployedStack]:
    """Return the deployed shared stacks by name, without those that do not exist or whose creation failed.

    Raises:
        AwsCallFailed: AWS refused, or did not answer.
    """
    found = {stack.name: aws.stacks.stack(stack.name) for stack in stacks}
    return {
        name: DeployedStack(stack=stack, template=aws.stacks.template(name))
        for name, stack in found.items()
        if stack is not None and stack.is_created
    }


# Secrets, and whether tasks run that have read an earlier value.

ROTATING: Final = "platform-rotating"
"""The staging label of a value whose rotation has not ended: the value before is still accepted."""


def observe_secrets(spec: ServiceSpec, environment: Environment, aws: "Aws") -> tuple[UsedSecret, ...]:
    """Return the secrets of a service, by name. No value is read. What the caller may not look at has no time.

    Raises:
        AwsCallFailed
    """
    named: dict[SecretReference, list[str]] = {}
    for variable, secret in secrets_of(spec, environment):
        named.setdefault(SecretReference(store=secret.store, name=secret.name), []).append(variable)
    if not named:
        return ()
    tasks = _tasks_with_secrets(spec, environment, aws)
    found = (_used_secret(spec, environment, secret, tuple(named[secret]), tasks, aws) for secret in named)
    return tuple(sorted(found, key=lambda each: each.name))


def _tasks_with_secrets(spec: ServiceSpec, environment: Environment, aws: "Aws") -> tuple[Task, ...]:
    """Return all tasks that run: of the API, the worker and `[[tasks]]`."""
    cluster = cluster_name(environment)
    names = [service_name(spec, environment)] + ([worker_service_name(spec, environment)] if spec.worker else [])
    served = [task for name in names for task in aws.ecs.tasks(cluster, service=name, stopped=False)]
    families = [schedule_name(environment.name, spec.name, task.name) for task in spec.tasks]
    return (*served, *(task for family in families for task in aws.ecs.tasks_of_family(cluster, family)))


def _used_secret(
    spec: ServiceSpec,
    environment: Environment,
    secret: SecretReference,
    variables: tuple[str, ...],
    tasks: Sequence[Task],
    aws: "Aws",
) -> UsedSecret:
    name = secret_name(secret, spec, environment)
    try:
        changed_at, is_rotating = _changed(name, aws)
    except AccessDenied:
        changed_at, is_rotating = None, False
    # A task reads its secrets after it was created. One that was created before may have read the new value already.
    older = [task for task in tasks if changed_at and (task.created_at is None or task.created_at < changed_at)]
    return UsedSecret(
        service=spec.name,
        name=name,
        variables=variables,
        changed_at=changed_at,
        is_rotating=is_rotating,
        tasks=len(tasks),
        older=len(older),
    )


def _changed(name: str, aws: "Aws") -> tuple[datetime | None, bool]:
    """Return when a secret or parameter got its value, and whether a rotation of it has begun."""
    if name.startswith("/"):
        return aws.parameters.changed_at([name]).get(name), False
    version = aws.secrets.current(name)
    return (None, False) if version is None else (version.created_at, ROTATING in version.labels)
