"""Drift: what was changed on AWS outside this tool, most often in the console.

CloudFormation does not detect it: it compares templates with each other, not a template with the resources. What
releases change by design is no drift: the live target group, the number of tasks, the revision. While a deployment
runs, the weights of rules and suspended scaling are no drift either.
"""

from collections.abc import Iterator
from typing import Final

from platform_sdk.deploy.plan.decisions import Drift
from platform_sdk.deploy.plan.diff import DOCUMENT_TAG, VERSION_TAG
from platform_sdk.deploy.plan.stack import Deployed, is_placeholder
from platform_sdk.deploy.render.task_definition import checked_path
from platform_sdk.deploy.state import ListenerRule, ScalableTarget, ServiceState, TaskDefinition

RESTORE: Final = "CloudFormation does not detect it: restore the expected value where it was changed"


def drift_of(state: ServiceState) -> tuple[Drift, ...]:
    """Return the drift of a service. Empty if the service does not exist yet, or while its stack is being changed."""
    if state.template is None or (state.stack is not None and state.stack.status.endswith("_IN_PROGRESS")):
        return ()
    deployed = Deployed(state.template)
    return (
        *_missing(state, deployed),
        *_scaling_drift(state, deployed),
        *_rule_drift(state, deployed),
        *traffic_drift(state),
        *health_check_drift(state),
        *_deployment_group_drift(state, deployed),
        *_alarm_drift(state, deployed),
        *_revision_drift(state),
        *version_drift(state),
    )


def _missing(state: ServiceState, deployed: Deployed) -> Iterator[Drift]:
    names = {group.name for group in state.target_groups}
    there = {
        "Service": state.api is not None,
        "WorkerService": state.worker is not None,
        "DeploymentGroup": state.deployment_group is not None,
        "ProductionRule": state.production_rule is not None,
        "TestRule": state.test_rule is not None,
        "ScalableTarget": state.scaling is not None,
        "WorkerScalableTarget": state.worker_scaling is not None,
        **{
            f"{colour}TargetGroup": (deployed.properties(f"{colour}TargetGroup") or {}).get("Name") in names
            for colour in ("Blue", "Green")
        },
    }
    for name, is_there in there.items():
        if deployed.properties(name) is not None and not is_there:
            remedy = f"the stack still lists it as {name}: create it again with the same name, or recreate the stack"
            yield Drift(what=f"{name} is missing", expected="present", live=None, remedy=remedy)


def _scaling_drift(state: ServiceState, deployed: Deployed) -> Iterator[Drift]:
    for table, resource, live in (
        ("scaling", "ScalableTarget", state.scaling),
        ("worker", "WorkerScalableTarget", state.worker_scaling),
    ):
        bounds = deployed.bounds(resource)
        if live is not None and bounds:
            yield from bounds_drift(table, live, bounds)
            if state.running_deployment is None:
                yield from suspension_drift(table, live)


def bounds_drift(table: str, live: ScalableTarget, bounds: tuple[tuple[int, int], ...]) -> Iterator[Drift]:
    """Accept the bounds of every schedule: at its hours, they are the expected ones."""
    if (live.min_tasks, live.max_tasks) in bounds:
        return
    (low, high), *_ = bounds
    remedy = f"to keep it, write it into platform.toml and apply; to restore it: {register(live)} --min-capacity {low} "
    for key, expected, found in (("min_tasks", low, live.min_tasks), ("max_tasks", high, live.max_tasks)):
        if expected != found:
            yield Drift(what=f"{table}.{key}", expected=expected, live=found, remedy=f"{remedy}--max-capacity {high}")


def suspension_drift(table: str, live: ScalableTarget) -> Iterator[Drift]:
    """Report scaling that a killed release or a person left suspended."""
    kinds = {"in": live.suspended.scale_in, "out": live.suspended.scale_out, "scheduled": live.suspended.scheduled}
    suspended = [kind for kind, is_suspended in kinds.items() if is_suspended]
    if suspended:
        keys = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        resumed = ",".join(f"{key}=false" for key in keys)
        yield Drift(
            what=f"suspended {table}",
            expected=[],
            live=suspended,
            remedy=f"no deployment needs it; to resume scaling: {register(live)} --suspended-state {resumed}",
        )


def register(target: ScalableTarget) -> str:
    """Return the command of the AWS CLI that sets a scalable target. The caller appends what to set."""
    return (
        "aws application-autoscaling register-scalable-target --service-namespace ecs "
        f"--scalable-dimension ecs:service:DesiredCount --resource-id {target.resource}"
    )


def _rule_drift(state: ServiceState, deployed: Deployed) -> Iterator[Drift]:
    names = {group.arn: group.name for group in state.target_groups}
    for name, logical, rule in (
        ("production rule", "ProductionRule", state.production_rule),
        ("test rule", "TestRule", state.test_rule),
    ):
        if rule is None:
            continue
        expected = deployed.paths(logical)
        if frozenset(rule.paths) != expected:
            yield Drift(what=f"paths of the {name}", expected=sorted(expected), live=sorted(rule.paths), remedy=RESTORE)
        if state.running_deployment is None:
            yield from weight_drift(name, rule, names)


def weight_drift(name: str, rule: ListenerRule, names: dict[str, str]) -> Iterator[Drift]:
    """Expect all weight on one target group of the pair, either one. The other has weight 0 or is not in the rule."""
    shares = {names.get(arn, arn): weight for arn, weight in sorted(rule.weights.items())}
    strangers = [arn for arn in rule.weights if arn not in names]
    if len([weight for weight in shares.values() if weight > 0]) != 1 or strangers:
        yield Drift(
            what=f"weights of the {name}",
            expected="all to one target group of the pair",
            live=shares,
            remedy="no deployment runs: give one group all the weight with `aws elbv2 modify-rule`, or release again",
        )


def traffic_drift(state: ServiceState) -> Iterator[Drift]:
    """Report production traffic that goes to another target group than that of the primary task set."""
    rule, api = state.production_rule, state.api
    if rule is None or api is None or api.primary is None or state.running_deployment is not None:
        return
    names = {group.arn: group.name for group in state.target_groups}
    used, primary = [arn for arn, weight in rule.weights.items() if weight > 0], api.primary.target_group
    if used and primary not in used:
        live = used[0]
        yield Drift(
            what="target group with the traffic",
            expected=names.get(primary, primary),
            live=names.get(live, live),
            remedy="the primary task set is in the other target group: give it the weight with `aws elbv2 modify-rule`",
        )


def health_check_drift(state: ServiceState) -> Iterator[Drift]:
    """Expect the live target group to ask for the path of the running version. Releases set it (decision 0024)."""
    rule, revision = state.production_rule, state.api_revision
    expected = checked_path(revision.document) if revision is not None and not is_placeholder(revision.family) else None
    for group in state.target_groups:
        is_live = rule is not None and rule.live_target_group == group.arn
        if is_live and expected is not None and group.health_path != expected and state.running_deployment is None:
            what = f"health check path of {group.name}"
            yield Drift(what=what, expected=expected, live=group.health_path, remedy=RESTORE)


def _deployment_group_drift(state: ServiceState, deployed: Deployed) -> Iterator[Drift]:
    group = state.deployment_group
    if group is None:
        return
    alarms = deployed.rollback_alarms()
    compared: tuple[tuple[str, object, object], ...] = (
        ("configuration", deployed.deployment_configuration(), group.configuration),
        ("rollback alarms", sorted(alarms), sorted(group.alarms)),
        ("rollback alarms are enabled", bool(alarms), group.alarms_enabled),
        ("rollback events", sorted(deployed.rollback_events()), sorted(group.rollback_events)),
        ("rollback is enabled", True, group.rollback_enabled),
        ("bake minutes", deployed.bake_minutes(), group.bake_minutes),
    )
    for what, expected, live in compared:
        if expected != live:
            yield Drift(what=f"deployment group: {what}", expected=expected, live=live, remedy=RESTORE)


def _alarm_drift(state: ServiceState, deployed: Deployed) -> Iterator[Drift]:
    there = {alarm.name for alarm in state.alarms}
    for name in deployed.alarm_names():
        if name not in there:
            remedy = "it notifies nobody and rolls nothing back: create it again from the output of `platform render`"
            yield Drift(what=f"alarm {name} is missing", expected="present", live=None, remedy=remedy)


def _revision_drift(state: ServiceState) -> Iterator[Drift]:
    for role, live in (("api", state.api_revision), ("worker", state.worker_revision)):
        if live is not None and not is_placeholder(live.family) and DOCUMENT_TAG not in live.tags:
            yield _unregistered(role, live)
        if live is not None and not live.active:
            yield deregistered(role, live)


def _unregistered(role: str, live: TaskDefinition) -> Drift:
    return Drift(
        what=f"revision of the {role}",
        expected="one that a release registered",
        live=f"{live.family}:{live.revision}",
        remedy="its version is unknown: release a version",
    )


def deregistered(role: str, live: TaskDefinition) -> Drift:
    """Return the drift of a deregistered revision: its tasks run on, but no release or rollback returns to it."""
    version = live.tags.get(VERSION_TAG, "VERSION")
    return Drift(
        what=f"revision of the {role}",
        expected="one that is registered",
        live=f"{live.family}:{live.revision}, which was deregistered",
        remedy=f"`platform deploy --image {version} --allow-older` registers the same document again",
    )


def version_drift(state: ServiceState) -> Iterator[Drift]:
    """Report API and worker on different versions, which is expected only during a release."""
    api, worker = state.api_revision, state.worker_revision
    if api is None or worker is None or state.running_deployment is not None:
        return
    expected, live = api.tags.get(VERSION_TAG), worker.tags.get(VERSION_TAG)
    if expected is not None and live is not None and expected != live:
        yield Drift(
            what="version of the worker",
            expected=expected,
            live=live,
            remedy="the API runs another version: run `platform deploy` or `platform rollback` to bring both to one",
        )
