"""Spec and observed state to a plan: what shall be, and how that differs from what is. Pure.

    spec, environment ─▶ documents ┐
    ServiceState ──────────────────┼─▶ plan_service ─▶ Plan ─▶ report
    [cost], prices ────────────────┘

A plan decides; it does not say how. `apply` brings the stack about, a release the revisions, and both ask again what is
there before they write.
"""

import difflib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from platform_sdk.deploy.cost.service_costs import shift_minutes
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.cost import CostBasis, plan_cost
from platform_sdk.deploy.plan.decisions import (
    FORMAT_VERSION,
    CostPlan,
    Drift,
    ExistingRevision,
    NewRevision,
    Plan,
    ResourcePlan,
    RevisionPlan,
    ScalingChange,
    SharedPlan,
    SharedStackPlan,
    StackPlan,
    Target,
    TrafficPlan,
    is_of_scaling,
)
from platform_sdk.deploy.plan.diff import Change, diff, diff_task_definitions, document_digest
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.plan.stack import is_placeholder, live_of, plan_stack, scaling_changes
from platform_sdk.deploy.render.names import Role, family_of, schedule_name
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import APP, render_standalone_task, render_task_definition
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import DeployedStack, ServiceState, TaskDefinition

# Decides what shall become of one service.

# Which revisions the tasks of a service shall run.

Json = dict[str, object]


def plan_role(
    spec: ServiceSpec, environment: Environment, state: ServiceState, role: Role, image: str | None
) -> RevisionPlan:
    """Of the API or the worker. Without an image, the one that runs is kept; before a release there is none."""
    live = released(state.api_revision if role == "api" else state.worker_revision)
    return revision_plan(
        role,
        family_of(spec, environment, role),
        live,
        state.newer_revisions.get(role),
        image or image_of(live) or image_of(released(state.api_revision)),
        lambda known: render_task_definition(spec, environment, image=known, role=role),
    )


def plan_standalone(
    spec: ServiceSpec, environment: Environment, state: ServiceState, image: str | None
) -> Iterator[RevisionPlan]:
    """Of each `[[tasks]]`: the next start takes the newest revision of the family."""
    for task in spec.tasks:
        live = state.standalone_revisions.get(task.name)
        yield revision_plan(
            task.name,
            schedule_name(environment.name, spec.name, task.name),
            live,
            None,
            image or image_of(live) or image_of(released(state.api_revision)),
            lambda known, task=task: render_standalone_task(spec, environment, task, image=known),  # type: ignore[misc]
        )


def revision_plan(
    role: str,
    family: str,
    live: TaskDefinition | None,
    newer: TaskDefinition | None,
    image: str | None,
    render: Callable[[str], Json],
) -> RevisionPlan:
    document = render(image) if image is not None else None
    target = target_of(document, live, newer) if document is not None else None
    return RevisionPlan(
        role=role,
        family=family,
        live=live.arn if live is not None else None,
        image=image,
        target=target,
        changes=diff_task_definitions(role, live.document, document) if live is not None and target is not None else (),
    )


def target_of(document: Json, live: TaskDefinition | None, newer: TaskDefinition | None) -> Target | None:
    digest = document_digest(document)
    if live is not None and document_digest(live.document) == digest:
        return None
    if newer is not None and document_digest(newer.document) == digest:
        return ExistingRevision(arn=newer.arn)
    return NewRevision(document=document)


def released(revision: TaskDefinition | None) -> TaskDefinition | None:
    """The placeholder with which a service is created is nobody's version."""
    return None if revision is None or is_placeholder(revision.family) else revision


def image_of(revision: TaskDefinition | None) -> str | None:
    """Of the app, as its revision names it."""
    containers = revision.document["containerDefinitions"] if revision is not None else []
    assert isinstance(containers, list), "containers are a list"
    return next((str(container["image"]) for container in containers if container["name"] == APP), None)


def plan_service(
    spec: ServiceSpec,
    environment: Environment,
    state: ServiceState,
    *,
    image: str | None = None,
    cost: CostBasis | None = None,
) -> Plan:
    """What platform.toml asks for, beside what is on AWS. Pure: the same values make the same plan.

    Args:
        image: of the new version, best with its digest; without one, every role keeps the image that it runs.
        cost: without it, the plan says nothing about money.

    Raises:
        FrozenService: the ECS service under CodeDeploy would change, which ECS refuses.
        StopTimeoutTooShort, TaskDefinitionTooLarge, StackTooLarge: a document cannot be.
        UnknownPrice
    """
    rendered = render_service_stack(spec, environment)
    api = plan_role(spec, environment, state, "api", image)
    return Plan(
        service=spec.name,
        environment=environment.name,
        stack=plan_stack(spec, environment, state, rendered),
        api=api,
        worker=plan_role(spec, environment, state, "worker", image) if spec.worker is not None else None,
        standalone=tuple(plan_standalone(spec, environment, state, image)),
        scaling=tuple(scaling_changes(state.template, rendered, state)),
        grace_period=grace_period(spec, state),
        traffic=traffic(spec, api),
        drift=drift_of(state),
        cost=plan_cost(spec, rendered, state, cost) if cost is not None else None,
        running_deployment=state.running_deployment.id if state.running_deployment is not None else None,
    )


def grace_period(spec: ServiceSpec, state: ServiceState) -> Change | None:
    """Seconds for which ECS does not ask a new task for its health: the stack gives them at creation only."""
    before, after = state.api.grace_period_seconds if state.api else None, spec.health_check.grace_period_seconds
    if before is None or before == after:
        return None
    return Change(path="health_check.grace_period_seconds", kind="change", before=before, after=after)


def traffic(spec: ServiceSpec, api: RevisionPlan) -> TrafficPlan | None:
    """Only the API's revision moves traffic; the worker's replaces task by task."""
    if api.target is None:
        return None
    shift = spec.traffic_shift
    return TrafficPlan(shift=shift, minutes=shift_minutes(shift) + shift.bake_minutes)


# What becomes of the stacks that all services share: their templates are text, and compared as text.

CONTEXT_LINES: Final = 2


def plan_shared(
    environment: str,
    stacks: Sequence[SharedStack],
    templates: Mapping[str, str],
    deployed: Mapping[str, DeployedStack],
) -> SharedPlan:
    """In the order in which the stacks are created.

    Args:
        templates: the text of each stack's template, by the stack's name.
        deployed: by the stack's name; one that is not there does not exist yet.
    """
    return SharedPlan(
        environment=environment,
        stacks=tuple(plan_shared_stack(stack, templates[stack.name], deployed.get(stack.name)) for stack in stacks),
    )


def plan_shared_stack(stack: SharedStack, template: str, deployed: DeployedStack | None) -> SharedStackPlan:
    if deployed is None:
        parameters = diff({}, dict(stack.parameters))
        return SharedStackPlan(name=stack.name, action="create", status=None, parameters=parameters, template=())
    parameters = tuple(parameter_changes(deployed.stack.parameters, stack.parameters))
    lines = tuple(template_lines(deployed.template, template))
    return SharedStackPlan(
        name=stack.name,
        action="update" if parameters or lines else "repair" if deployed.stack.is_stuck else "unchanged",
        status=deployed.stack.status,
        parameters=parameters,
        template=lines,
    )


def parameter_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Of those that the repository gives; any other has its default, and the template's difference tells that."""
    known = {name: value for name, value in before.items() if name in after}
    return iter(diff(known, dict(after)))


def template_lines(before: object, after: str) -> Iterator[str]:
    """The hunks of a unified diff, without its file names. What only ends differently is the same."""
    old = before if isinstance(before, str) else json.dumps(before, indent=2)
    lines = difflib.unified_diff(lines_of(old), lines_of(after), n=CONTEXT_LINES, lineterm="")
    return itertools.islice(lines, 2, None)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


__all__ = [
    "FORMAT_VERSION",
    "CostBasis",
    "CostPlan",
    "Drift",
    "ExistingRevision",
    "NewRevision",
    "Plan",
    "ResourcePlan",
    "RevisionPlan",
    "ScalingChange",
    "SharedPlan",
    "SharedStackPlan",
    "StackPlan",
    "Target",
    "TrafficPlan",
    "drift_of",
    "is_of_scaling",
    "live_of",
    "plan_service",
    "plan_shared",
]
