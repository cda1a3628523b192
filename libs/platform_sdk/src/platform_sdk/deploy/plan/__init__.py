"""From a manifest and the observed state to a plan: what should run, and how it differs from what runs. Pure.

    spec, environment ─▶ documents ┐
    ServiceState ──────────────────┼─▶ plan_service ─▶ Plan ─▶ output
    [cost], prices ────────────────┘

A plan records decisions, not steps. `apply` updates the stack and a release the revisions; both read AWS again before
they write.
"""

import difflib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from platform_sdk.deploy.cost.service_costs import shift_minutes
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.cost import CostBasis, plan_cost
from platform_sdk.deploy.plan.decisions import (
    ExistingRevision,
    NewRevision,
    Plan,
    RevisionPlan,
    SharedPlan,
    SharedStackPlan,
    Target,
    TrafficPlan,
)
from platform_sdk.deploy.plan.diff import Change, diff, diff_task_definitions, document_digest
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.plan.effects import released, template_to_apply, version_moves
from platform_sdk.deploy.plan.stack import plan_stack, scaling_changes
from platform_sdk.deploy.render.names import Role, family_of, schedule_name
from platform_sdk.deploy.render.task_definition import APP, render_standalone_task, render_task_definition
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import DeployedStack, ServiceState, TaskDefinition, UsedSecret

Json = dict[str, object]

CONTEXT_LINES: Final = 2


def plan_service(
    spec: ServiceSpec,
    environment: Environment,
    state: ServiceState,
    *,
    image: str | None = None,
    cost: CostBasis | None = None,
    secrets: Sequence[UsedSecret] = (),
) -> Plan:
    """Return the plan of one service: what platform.toml says, compared with what is on AWS.

    Args:
        image: the image of the new version, best with its digest; without one, every role keeps its image.
        cost: what to estimate costs with; without it, the plan has no costs.
        secrets: those that the service's tasks read.

    Raises:
        FrozenService: the ECS service under CodeDeploy would change, which ECS refuses.
        StopTimeoutTooShort, TaskDefinitionTooLarge, StackTooLarge: AWS would refuse a document.
        UnknownPrice: the price table lacks a price.
    """
    rendered = template_to_apply(spec, environment, state)
    stack = plan_stack(spec, environment, state, rendered)
    api = plan_role(spec, environment, state, "api", image)
    return Plan(
        service=spec.name,
        environment=environment.name,
        stack=stack,
        api=api,
        worker=plan_role(spec, environment, state, "worker", image) if spec.worker is not None else None,
        standalone=tuple(plan_standalone(spec, environment, state, image)),
        scaling=tuple(scaling_changes(state.template, rendered, state)),
        grace_period=grace_period(spec, state),
        traffic=traffic(spec, api),
        moves=tuple(version_moves(spec, environment, state, rendered, stack.resources)),
        drift=drift_of(state),
        cost=plan_cost(spec, rendered, state, cost) if cost is not None else None,
        running_deployment=state.running_deployment.id if state.running_deployment is not None else None,
        stale_secrets=tuple(secret for secret in secrets if secret.older or secret.is_rotating),
    )


def grace_period(spec: ServiceSpec, state: ServiceState) -> Change | None:
    """Return a change of the grace period in seconds, which the stack sets only when it is created."""
    before, after = state.api.grace_period_seconds if state.api else None, spec.health_check.grace_period_seconds
    if before is None or before == after:
        return None
    return Change(path="health_check.grace_period_seconds", kind="change", before=before, after=after)


def traffic(spec: ServiceSpec, api: RevisionPlan) -> TrafficPlan | None:
    """Return how traffic shifts. Only a new revision of the API shifts it; ECS replaces workers task by task."""
    if api.target is None:
        return None
    shift = spec.traffic_shift
    return TrafficPlan(shift=shift, minutes=shift_minutes(shift) + shift.bake_minutes)


# The revision of each role.


def plan_role(
    spec: ServiceSpec, environment: Environment, state: ServiceState, role: Role, image: str | None
) -> RevisionPlan:
    """Plan the API or the worker. Without an image it keeps its own; before the first release there is none."""
    live = released(state.api_revision if role == "api" else state.worker_revision)
    image = image or image_of(live) or image_of(released(state.api_revision))
    document = render_task_definition(spec, environment, image=image, role=role) if image else None
    family = family_of(spec, environment, role)
    return _revision_plan(role, family, image, document, live, newer=state.newer_revisions.get(role))


def plan_standalone(
    spec: ServiceSpec, environment: Environment, state: ServiceState, image: str | None
) -> Iterator[RevisionPlan]:
    """Plan each `[[tasks]]`. Its next start uses the newest revision of the family."""
    for task in spec.tasks:
        live = state.standalone_revisions.get(task.name)
        known = image or image_of(live) or image_of(released(state.api_revision))
        document = render_standalone_task(spec, environment, task, image=known) if known else None
        family = schedule_name(environment.name, spec.name, task.name)
        yield _revision_plan(task.name, family, known, document, live)


def _revision_plan(
    role: str,
    family: str,
    image: str | None,
    document: Json | None,
    live: TaskDefinition | None,
    newer: TaskDefinition | None = None,
) -> RevisionPlan:
    target = _target_of(document, live, newer) if document is not None else None
    return RevisionPlan(
        role=role,
        family=family,
        live=live.arn if live is not None else None,
        image=image,
        target=target,
        changes=diff_task_definitions(role, live.document, document) if live is not None and target is not None else (),
    )


def _target_of(document: Json, live: TaskDefinition | None, newer: TaskDefinition | None) -> Target | None:
    digest = document_digest(document)
    if live is not None and document_digest(live.document) == digest:
        return None
    if newer is not None and document_digest(newer.document) == digest:
        return ExistingRevision(arn=newer.arn)
    return NewRevision(document=document)


def image_of(revision: TaskDefinition | None) -> str | None:
    """Return the image of the app in a revision."""
    containers = revision.document["containerDefinitions"] if revision is not None else []
    assert isinstance(containers, list), "containers are a list"
    return next((str(container["image"]) for container in containers if container["name"] == APP), None)


# The shared stacks: their templates are text, and compared as text.


def plan_shared(
    environment: str,
    stacks: Sequence[SharedStack],
    templates: Mapping[str, str],
    deployed: Mapping[str, DeployedStack],
) -> SharedPlan:
    """Return the plan of the stacks that all services share, in the order in which they are created.

    Args:
        templates: the text of each template, by the name of its stack.
        deployed: the stacks that exist, by name.
    """
    return SharedPlan(
        environment=environment,
        stacks=tuple(_plan_shared_stack(stack, templates[stack.name], deployed.get(stack.name)) for stack in stacks),
    )


def _plan_shared_stack(stack: SharedStack, template: str, deployed: DeployedStack | None) -> SharedStackPlan:
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
    """Compare the parameters that the repository sets. The diff of the template shows defaults."""
    known = {name: value for name, value in before.items() if name in after}
    return iter(diff(known, dict(after)))


def template_lines(before: object, after: str) -> Iterator[str]:
    """Yield the hunks of a unified diff, without its file names. Ignore white space at the end of lines."""
    old = before if isinstance(before, str) else json.dumps(before, indent=2)
    lines = difflib.unified_diff(_lines_of(old), _lines_of(after), n=CONTEXT_LINES, lineterm="")
    return itertools.islice(lines, 2, None)


def _lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
