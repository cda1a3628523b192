"""What becomes of the stack of a service."""

from collections.abc import Iterator, Mapping
from typing import Any

from platform_sdk.deploy.canonical import canonical_template
from platform_sdk.deploy.diff import Change, diff
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.names import Colour
from platform_sdk.deploy.plan.decisions import ResourcePlan, StackAction, StackPlan
from platform_sdk.deploy.plan.replacement import STATEFUL, create_only_changes, is_kept
from platform_sdk.deploy.render.stack_names import stack_name
from platform_sdk.deploy.render.stack_update import Live, StackUpdate, stack_updates
from platform_sdk.deploy.state import ListenerRule, ServiceState, TargetGroup
from platform_sdk.deploy.state.stacks import FAILED

Json = dict[str, object]


def plan_stack(spec: ServiceSpec, environment: Environment, state: ServiceState, rendered: Json) -> StackPlan:
    """Raises:
    FrozenService: the ECS service under CodeDeploy would change, which ECS refuses.
    """
    before = canonical_template(state.template) if state.template is not None else canonical_template({"Resources": {}})
    after = canonical_template(rendered)
    resources = tuple(planned_resources(before["Resources"], after["Resources"]))
    others = tuple(other_changes(before, after)) if state.template is not None else ()
    changed = bool(resources or others)
    return StackPlan(
        name=stack_name(spec, environment),
        action=action_of(state, changed),
        status=state.stack.status if state.stack is not None else None,
        resources=resources,
        others=others,
        updates=tuple(updates_of(state, rendered, changed)),
    )


def action_of(state: ServiceState, changed: bool) -> StackAction:
    if state.template is None:
        return "create"
    is_stuck = state.stack is not None and state.stack.is_stuck
    return "update" if changed else "repair" if is_stuck else "unchanged"


def updates_of(state: ServiceState, rendered: Json, changed: bool) -> Iterator[StackUpdate]:
    """A new stack takes the defaults of its parameters. One that is as it shall be is only synchronised, if it is left
    as an update failed.
    """
    if state.template is None:
        yield StackUpdate(why="change", template=rendered, parameters=())
        return
    has_failed = state.stack is not None and state.stack.status == FAILED
    if changed or has_failed:
        updates = stack_updates(state.template, rendered, live_of(state), has_failed=has_failed)
        yield from (update for update in updates if changed or update.why == "synchronise")


def live_of(state: ServiceState) -> Live:
    """What releases have made of the service: the target group with the traffic, and the worker's revision.

    Before the first release of the worker it runs the placeholder, which the template names by itself.
    """
    worker = state.worker_revision
    released = worker is not None and not is_placeholder(worker.family)
    return Live(
        target_group=live_colour(state.production_rule, state.target_groups),
        worker_task_definition=worker.arn if worker is not None and released else None,
    )


def is_placeholder(family: str) -> bool:
    return family.endswith("-placeholder")


def live_colour(rule: ListenerRule | None, groups: tuple[TargetGroup, ...]) -> Colour:
    """Blue, where no traffic has ever been shifted."""
    live = rule.live_target_group if rule is not None else None
    name = next((group.name for group in groups if group.arn == live), "")
    return "green" if name.endswith("-green") else "blue"


def planned_resources(before: Any, after: Any) -> Iterator[ResourcePlan]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield planned(name, before.get(name), after.get(name))


def planned(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> ResourcePlan:
    if after is None:
        assert before is not None, "a resource that differs is on one side at least"
        return resource_plan("keep" if is_kept(before) else "remove", name, before)
    if before is None:
        return resource_plan("add", name, after)
    changed = diff(before["Properties"], after["Properties"])
    names = frozenset(
        key
        for key in {*before["Properties"], *after["Properties"]}
        if before["Properties"].get(key) != after["Properties"].get(key)
    )
    create_only = ("Type",) if before["Type"] != after["Type"] else create_only_changes(after["Type"], names)
    around = diff(without_properties(before), without_properties(after))
    return resource_plan("replace" if create_only else "change", name, after, (*changed, *around), create_only)


def without_properties(body: Mapping[str, Any]) -> Json:
    return {key: value for key, value in body.items() if key != "Properties"}


def resource_plan(
    action: Any, name: str, body: Mapping[str, Any], changes: tuple[Change, ...] = (), create_only: tuple[str, ...] = ()
) -> ResourcePlan:
    return ResourcePlan(
        action=action,
        logical_id=name,
        type=body["Type"],
        changes=changes,
        create_only=create_only,
        is_stateful=body["Type"] in STATEFUL,
    )


def other_changes(before: Json, after: Json) -> Iterator[Change]:
    """What is new or gone here matters by the resources that name it, and they are told."""
    for part in ("Parameters", "Conditions"):
        yield from (change for change in diff(before[part], after[part], part) if change.kind == "change")
