"""What `platform plan` says, in every form, compared with the files that were reviewed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from platform_sdk.deploy.cost.prices import load_assumptions, load_prices
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.output.plan import as_markdown, as_text
from platform_sdk.deploy.output.records import as_document
from platform_sdk.deploy.plan import plan_service, plan_shared
from platform_sdk.deploy.plan.cost import CostBasis
from platform_sdk.deploy.plan.decisions import Plan, SharedPlan
from platform_sdk.deploy.shared import load_shared_stacks
from platform_sdk.deploy.state import DeployedStack, ServiceState, Suspended
from tests.support.deployed_services import NOTHING, created, image_of, released, stack
from tests.support.goldens import agree, no_stale_goldens
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SERVICES = {spec.name: spec for spec in load_services(FIXTURES, "production")}
ORDERS = SERVICES["orders"]
COST = CostBasis(
    assumptions=load_assumptions(FIXTURES, "production", tuple(SERVICES.values())),
    prices=load_prices(FIXTURES, "us-east-1"),
)


def planned(spec: ServiceSpec, state: ServiceState, tag: str | None = None) -> Plan:
    image = image_of(spec, PRODUCTION, tag) if tag else None
    return plan_service(spec, PRODUCTION, state, image=image, cost=COST)


def nothing_to_do(spec: ServiceSpec) -> Plan:
    return planned(spec, released(spec, PRODUCTION))


def new_image(spec: ServiceSpec) -> Plan:
    return planned(spec, released(spec, PRODUCTION), tag="1.5.0")


def new_variable(spec: ServiceSpec) -> Plan:
    wanted = replace(spec, environment={**spec.environment, "GREETING": "hello", "LOG_LEVEL": "debug"})
    return planned(wanted, released(spec, PRODUCTION))


def first_creation(spec: ServiceSpec) -> Plan:
    return planned(spec, NOTHING)


def first_release(spec: ServiceSpec) -> Plan:
    return planned(spec, created(spec, PRODUCTION), tag="1.4.2")


def scaling_alone(spec: ServiceSpec) -> Plan:
    assert spec.worker is not None
    wanted = replace(
        spec,
        scaling=replace(spec.scaling, min_tasks=4, max_tasks=12, target_cpu_percent=50),
        worker=replace(spec.worker, max_tasks=8),
    )
    return planned(wanted, released(spec, PRODUCTION))


def queue_removed(spec: ServiceSpec) -> Plan:
    alarms = tuple(alarm for alarm in spec.alarms if alarm.queue is None)
    return planned(replace(spec, queues=(), worker=None, alarms=alarms), released(spec, PRODUCTION))


def other_path(spec: ServiceSpec) -> Plan:
    return planned(replace(spec, path="/purchases"), released(spec, PRODUCTION))


def made_in_the_console(spec: ServiceSpec) -> Plan:
    state = released(spec, PRODUCTION)
    assert state.scaling is not None
    assert state.production_rule is not None
    assert state.deployment_group is not None
    assert state.api_revision is not None
    assert state.worker_revision is not None
    older = {**state.worker_revision.tags, "platform:version": "1.4.1"}
    blue, green = state.target_groups
    return planned(
        spec,
        replace(
            state,
            scaling=replace(state.scaling, max_tasks=20, suspended=Suspended(scale_in=True)),
            production_rule=replace(state.production_rule, weights={green.arn: 50, blue.arn: 50}),
            test_rule=replace(state.production_rule, paths=("/orders",)),
            target_groups=(blue, replace(green, health_path="/orders/livez")),
            deployment_group=replace(
                state.deployment_group, alarms=(), configuration="CodeDeployDefault.ECSAllAtOnce", bake_minutes=0
            ),
            api_revision=replace(state.api_revision, tags={"platform:version": "1.4.2"}),
            worker_revision=replace(state.worker_revision, tags=older),
            alarms=state.alarms[1:],
        ),
    )


EVERY_SERVICE: Mapping[str, Callable[[ServiceSpec], Plan]] = {
    "nothing-to-do": nothing_to_do,
    "new-image": new_image,
    "new-variable": new_variable,
    "first-creation": first_creation,
}
ORDERS_ALONE: Mapping[str, Callable[[ServiceSpec], Plan]] = {
    "first-release": first_release,
    "scaling-alone": scaling_alone,
    "queue-removed": queue_removed,
    "other-path": other_path,
    "made-in-the-console": made_in_the_console,
}
TAGS = {"new-image": "1.5.0", "first-release": "1.4.2"}


def shared() -> SharedPlan:
    """The cluster's stack was given another address for alarms, the edge's another template; one is not there."""
    stacks = load_shared_stacks(FIXTURES, PRODUCTION, tuple(SERVICES.values()))
    templates = {stack.name: (FIXTURES / stack.template).read_text(encoding="utf-8") for stack in stacks}
    deployed = {
        each.name: DeployedStack(
            stack=replace(stack(ORDERS, PRODUCTION), name=each.name, parameters=each.parameters),
            template=templates[each.name],
        )
        for each in stacks
        if each.name != "platform-production-pipeline-users"
    }
    cluster, edge = deployed["platform-production-cluster"], deployed["platform-production-edge"]
    parameters = {**cluster.stack.parameters, "AlarmEmail": "somebody@example.com"}
    deployed["platform-production-cluster"] = replace(cluster, stack=replace(cluster.stack, parameters=parameters))
    assert isinstance(edge.template, str)
    changed = edge.template.replace("Description: ", "Description: Former ", 1)
    deployed["platform-production-edge"] = replace(edge, template=changed)
    return plan_shared("production", stacks, templates, deployed)


def reported() -> Iterator[tuple[str, str]]:
    """Return each golden's name, and what belongs there."""
    for name, case in {**EVERY_SERVICE, **ORDERS_ALONE}.items():
        specs = list(SERVICES.values()) if name in EVERY_SERVICE else [ORDERS]
        yield from forms(f"plans/{name}", [case(spec) for spec in specs], None, TAGS.get(name))
    yield from forms("plans/shared", [], shared(), None)


def forms(name: str, plans: list[Plan], shared_plan: SharedPlan | None, tag: str | None) -> Iterator[tuple[str, str]]:
    yield f"{name}.txt", as_text(plans, shared_plan, tag=tag)
    yield f"{name}.md", as_markdown(plans, shared_plan, tag=tag)
    document = as_document("production", plans, shared_plan, tag=tag)
    yield f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"


REPORTED = list(reported())


@pytest.mark.parametrize(("golden", "text"), REPORTED, ids=[golden for golden, _ in REPORTED])
def test_plan_is_reported_as_reviewed(golden: str, text: str) -> None:
    agree(golden, text)


def test_no_plan_is_stale() -> None:
    no_stale_goldens("plans", [golden for golden, _ in REPORTED])
