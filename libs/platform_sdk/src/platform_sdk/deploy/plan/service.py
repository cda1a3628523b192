"""Decides what shall become of one service."""

from platform_sdk.deploy.cost.service_lines import shift_minutes
from platform_sdk.deploy.diff import Change
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.cost import CostBasis, plan_cost
from platform_sdk.deploy.plan.decisions import Plan, RevisionPlan, TrafficPlan
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.plan.revisions import plan_role, plan_standalone
from platform_sdk.deploy.plan.scaling import scaling_changes
from platform_sdk.deploy.plan.stack import plan_stack
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.state import ServiceState


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
