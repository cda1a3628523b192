"""The cost of a change: an estimate of what is deployed, and one of the plan.

What is deployed is first turned into a manifest, so that the same arithmetic counts both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from platform_sdk.deploy.cost.comparison import OVERLAP
from platform_sdk.deploy.cost.lines import CostDifference, Estimate, Line, cost_difference
from platform_sdk.deploy.cost.prices import Assumptions, PriceTable, average_tasks, task_groups
from platform_sdk.deploy.cost.service_costs import numbers_of, service_lines
from platform_sdk.deploy.manifest.releases import TrafficShift, TrafficShiftType
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.manifest.scaling import ScheduledScaling, Worker
from platform_sdk.deploy.manifest.tasks import ARCHITECTURES, Architecture, StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.decisions import CostPlan
from platform_sdk.deploy.plan.stack import Deployed
from platform_sdk.deploy.render.codedeploy import PREDEFINED
from platform_sdk.deploy.render.task_definition import APP
from platform_sdk.deploy.state import ServiceState, TaskDefinition

Json = dict[str, object]

SHIFTS: Final[Mapping[str, TrafficShiftType]] = {"TimeBasedCanary": "canary", "TimeBasedLinear": "linear"}
SECRET: Final = re.compile(r":secret:platform/[^/]+/[^/]+/(?P<name>[^:]+)")
"""The name of a secret of Secrets Manager, in the reference of a task definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBasis:
    """What an estimate needs besides manifests. `assumptions` may be outside the bounds of scaling."""

    assumptions: Assumptions
    prices: PriceTable


def plan_cost(spec: ServiceSpec, rendered: Json, state: ServiceState, basis: CostBasis) -> CostPlan:
    """Return the cost of the plan, compared with what is deployed.

    Raises:
        UnknownPrice: the price table lacks a price.
    """
    sides: list[tuple[ServiceSpec, Json]] = [(spec, rendered)]
    if state.template is not None:
        sides.insert(0, (deployed_spec(spec, state, Deployed(state.template)), state.template))
    average = [_estimate_of(each, template, basis) for each, template in sides]
    most = [_estimate_of(each, template, at_most(basis, each)) for each, template in sides]
    after = average[-1]
    return CostPlan(
        difference=difference(average),
        overlap_usd_per_month=sum(
            (line.usd_per_month for line in after.lines if line.name.endswith(OVERLAP)), Decimal(0)
        ),
        at_most=difference(most),
    )


def difference(estimates: list[Estimate]) -> CostDifference:
    """Return the difference of two estimates, or of one and nothing for a service that does not exist yet."""
    *before, after = estimates
    return cost_difference(before[0] if before else replace(after, lines=()), after)


def _estimate_of(spec: ServiceSpec, template: Mapping[str, Any], basis: CostBasis) -> Estimate:
    lines: tuple[Line, ...] = tuple(service_lines(spec, numbers_of(template), basis.assumptions, basis.prices))
    return Estimate(
        environment="",
        region=basis.prices.region,
        compiled=basis.prices.compiled,
        average_tasks=sum((average_tasks(group, basis.assumptions) for group in task_groups(spec)), Decimal(0)),
        lines=lines,
    )


def at_most(basis: CostBasis, spec: ServiceSpec) -> CostBasis:
    """Return the basis with the maximum number of tasks all month. Standalone tasks have no maximum."""
    standalone = {f"{spec.name}-{task.name}" for task in spec.tasks}
    most = {group.name: Decimal(group.max_tasks) for group in task_groups(spec) if group.name not in standalone}
    average = {**basis.assumptions.average_tasks, **most}
    return replace(basis, assumptions=replace(basis.assumptions, average_tasks=average))


def deployed_spec(spec: ServiceSpec, state: ServiceState, deployed: Deployed) -> ServiceSpec:
    """Return `spec` with everything that is billed as the deployed stack and revisions have it."""
    api = state.api_revision
    low, high = deployed.bounds("ScalableTarget")[0]
    task, scaling = spec.task, spec.scaling
    if api is not None:
        cpu, memory_mib = size_of(api)
        task = replace(task, cpu=cpu, memory_mib=memory_mib, architecture=_architecture_of(api, task.architecture))
    return replace(
        spec,
        task=task,
        scaling=replace(scaling, min_tasks=low, max_tasks=high, scheduled=scheduled(deployed, "ScalableTarget")),
        worker=_deployed_worker(spec, state, deployed),
        tasks=tuple(_deployed_tasks(state)),
        traffic_shift=_deployed_shift(deployed),
        log_retention_days=_deployed_retention(spec, deployed),
        secrets=deployed_secrets(spec, api),
    )


def size_of(revision: TaskDefinition) -> tuple[int, int]:
    """Return CPU units and MiB of the task."""
    return int(str(revision.document["cpu"])), int(str(revision.document["memory"]))


def _architecture_of(revision: TaskDefinition, default: Architecture) -> Architecture:
    platform = revision.document.get("runtimePlatform")
    named = str(platform.get("cpuArchitecture", "")).lower() if isinstance(platform, Mapping) else ""
    return next((each for each in ARCHITECTURES if each == named), default)


def scheduled(deployed: Deployed, scalable_target: str) -> tuple[ScheduledScaling, ...]:
    """Return the bounds of scheduled changes; an estimate needs nothing else of them."""
    return tuple(
        ScheduledScaling(name="", schedule="", timezone="", min_tasks=low, max_tasks=high)
        for low, high in deployed.bounds(scalable_target)[1:]
    )


def _deployed_worker(spec: ServiceSpec, state: ServiceState, deployed: Deployed) -> Worker | None:
    bounds = deployed.bounds("WorkerScalableTarget")
    if not bounds or state.worker_revision is None:
        return None
    (low, high), *_ = bounds
    cpu, memory_mib = size_of(state.worker_revision)
    hours = scheduled(deployed, "WorkerScalableTarget")
    if spec.worker is not None:
        return replace(spec.worker, min_tasks=low, max_tasks=high, scheduled=hours, cpu=cpu, memory_mib=memory_mib)
    return Worker(
        command=(),
        min_tasks=low,
        max_tasks=high,
        backlog_per_task=1,
        scale_out_cooldown_seconds=0,
        scale_in_cooldown_seconds=0,
        scheduled=hours,
        cpu=cpu,
        memory_mib=memory_mib,
    )


def _deployed_tasks(state: ServiceState) -> Iterator[StandaloneTask]:
    for name, revision in state.standalone_revisions.items():
        cpu, memory_mib = size_of(revision)
        yield StandaloneTask(name=name, command=(), schedule=None, timezone="", cpu=cpu, memory_mib=memory_mib)


def _deployed_shift(deployed: Deployed) -> TrafficShift:
    bake = deployed.bake_minutes()
    own = deployed.properties("DeploymentConfiguration")
    if own is not None:
        routing = own["TrafficRoutingConfig"]
        steps = {key.lower(): value for key, value in routing[routing["Type"]].items()}
        kind = SHIFTS[routing["Type"]]
        return TrafficShift(
            type=kind, percent=steps[f"{kind}percentage"], interval_minutes=steps[f"{kind}interval"], bake_minutes=bake
        )
    named = {name: shift for shift, name in PREDEFINED.items()}
    type_, percent, minutes = named[deployed.deployment_configuration()]
    return TrafficShift(type=type_, percent=percent, interval_minutes=minutes, bake_minutes=bake)


def _deployed_retention(spec: ServiceSpec, deployed: Deployed) -> int:
    days = (group["RetentionInDays"] for group in deployed.of_type("AWS::Logs::LogGroup"))
    return next(days, spec.log_retention_days)


def deployed_secrets(spec: ServiceSpec, revision: TaskDefinition | None) -> Mapping[str, SecretReference]:
    """Return the secrets of the service without those of database and cache, which are counted separately."""
    containers: Any = revision.document["containerDefinitions"] if revision is not None else []
    places = [secret["valueFrom"] for each in containers if each["name"] == APP for secret in each.get("secrets", [])]
    names = {found["name"] for place in places if (found := SECRET.search(place))}
    return {
        name: SecretReference(store=SecretStore.SECRETS_MANAGER, name=name)
        for name in sorted(names - {"database", "cache"})
    }
