"""Whether what the service's stack stands for is there and is as rendered: a release changes none of it."""

from dataclasses import dataclass

from platform_sdk.deploy.config_errors import counted, listed
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import canonical_template
from platform_sdk.deploy.release.autoscaling import by_hand
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.options import Order, Release
from platform_sdk.deploy.release.outcome import CheckStatus
from platform_sdk.deploy.render.names import COLOURS, hook_function_name, log_group, stack_name, target_group_name
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.state import Deployment, ServiceState, Suspended

# What checks are asked about, and the three answers that they give.


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`state` is what was observed; only what it does not hold is asked of AWS."""

    releasing: Releasing
    state: ServiceState

    @property
    def spec(self) -> ServiceSpec:
        return self.releasing.spec

    @property
    def environment(self) -> Environment:
        return self.releasing.environment

    @property
    def order(self) -> Order:
        return self.releasing.order

    @property
    def release(self) -> Release:
        return self.releasing.release

    @property
    def apply(self) -> str:
        return f"`platform apply {self.spec.name} --env {self.environment.name}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: CheckStatus
    reason: str
    remedy: str = ""


def ok(reason: str) -> Answer:
    return Answer(status="OK", reason=reason)


def skip(reason: str) -> Answer:
    return Answer(status="SKIP", reason=reason)


def fail(reason: str, remedy: str) -> Answer:
    return Answer(status="FAIL", reason=reason, remedy=remedy)


# Whether anybody or anything else is at work on the service.


def no_deployment(asked: Asked) -> Answer:
    running = asked.state.running_deployment
    if running is None:
        return ok("none is in progress")
    if is_of_this_version(asked, running):
        return ok(f"{running.id} is of this version: it will be followed")
    if asked.order.if_busy == "supersede":
        return ok(f"{running.id} will be superseded")
    told = parse_description(running.description)
    what = f"{told.version} by {told.by}" if told else running.description or running.creator
    return fail(
        f"{running.id} is in progress ({running.status}): {what}",
        f"`platform wait {running.id} --env {asked.environment.name}`, or say --if-busy wait or supersede",
    )


def is_of_this_version(asked: Asked, running: Deployment) -> bool:
    told = parse_description(running.description)
    return told is not None and told.version == asked.release.version and told.kind == asked.release.kind


def scaling(asked: Asked) -> Answer:
    """Of a service that nobody scales back, the load of the next hour decides how it ends."""
    targets = [each for each in (asked.state.scaling, asked.state.worker_scaling) if each is not None]
    if not targets:
        return skip("nothing scales the service")
    held = [each for each in targets if each.suspended.any]
    if held and asked.releasing.lock.scaling is not None:
        return ok("held by the release that is under way")
    if held and asked.release.kind == "rollback":
        return skip(
            f"the scaling of {held[0].resource} is suspended, and stays as it is: a rollback does not wait for it"
        )
    if held:
        return fail(
            f"the scaling of {held[0].resource} is suspended, and no release has left it so",
            by_hand(held[0].resource, Suspended()),
        )
    return ok(", ".join(f"{each.resource.rsplit('/', 1)[-1]} {each.min_tasks} to {each.max_tasks}" for each in targets))


NO_STACK = "there is no stack of the service yet"


def stack(asked: Asked) -> Answer:
    state, name = asked.state, stack_name(asked.spec, asked.environment)
    if state.stack is None or state.template is None or state.api is None:
        return fail(f"the stack {name} does not exist", f"{asked.apply} creates it")
    if state.stack.status.endswith(("_IN_PROGRESS", "_FAILED")):
        return fail(f"the stack {name} is in {state.stack.status}", f"wait for its end, then {asked.apply}")
    rendered = canonical_template(render_service_stack(asked.spec, asked.environment))["Resources"]
    deployed = canonical_template(state.template)["Resources"]
    assert isinstance(rendered, dict), "resources are a mapping"
    assert isinstance(deployed, dict), "resources are a mapping"
    differing = sorted(each for each in rendered | deployed if rendered.get(each) != deployed.get(each))
    if differing:
        reason = f"the stack {name} differs from platform.toml in {listed(differing)}"
        if asked.release.kind == "rollback":
            return skip(f"{reason}; a rollback brings nothing of it")
        return fail(reason, f"`platform plan {asked.spec.name}` tells how; {asked.apply} changes it")
    return ok(f"{name} is as platform.toml says")


def log_groups(asked: Asked) -> Answer:
    names = [log_group(asked.spec, asked.environment, suffix) for suffix in ("", "/sidecars")]
    missing = sorted(set(names) - asked.releasing.aws.logs.groups(names))
    if missing:
        return fail(f"the log groups {listed(missing)} do not exist, and tasks do not make them", asked.apply)
    return ok(listed(names))


def target_groups(asked: Asked) -> Answer:
    if asked.state.api is None:
        return skip(NO_STACK)
    names = [target_group_name(asked.environment.name, asked.spec.name, colour) for colour in COLOURS]
    missing = sorted(set(names) - {group.name for group in asked.state.target_groups})
    if missing:
        return fail(f"the target groups {listed(missing)} do not exist", asked.apply)
    return ok(listed(names))


def deployment_group(asked: Asked) -> Answer:
    """Everything by which CodeDeploy finds what it shifts."""
    group, releasing = asked.state.deployment_group, asked.releasing
    if asked.state.api is None:
        return skip(NO_STACK)
    if group is None:
        return fail(f"CodeDeploy has no deployment group {releasing.api}", asked.apply)
    rule = asked.state.production_rule
    wrong = [
        f"{what} {found or 'nothing'} instead of {wanted}"
        for what, found, wanted in (
            ("cluster", group.cluster, releasing.cluster),
            ("service", group.service, releasing.api),
            ("target groups", listed(sorted(group.target_groups)), listed(pair(asked))),
            ("production listener", group.production_listener, rule.listener if rule else group.production_listener),
        )
        if found != wanted
    ]
    if not group.rollback_enabled or "DEPLOYMENT_FAILURE" not in group.rollback_events:
        wrong.append("no rollback of deployments that fail")
    if wrong:
        return fail(f"the deployment group {group.name} has {listed(wrong)}", asked.apply)
    return ok(f"{group.name} deploys {group.service} by {group.configuration}")


def pair(asked: Asked) -> list[str]:
    return sorted(target_group_name(asked.environment.name, asked.spec.name, colour) for colour in COLOURS)


def traffic(asked: Asked) -> Answer:
    """CodeDeploy refuses a service whose primary task set is not behind the listener, and a rule that sends users to
    the other target group is an outage already.
    """
    rule, service = asked.state.production_rule, asked.state.api
    if service is None:
        return skip(NO_STACK)
    if rule is None:
        return fail(f"no rule of the production listener leads to {asked.spec.path}", asked.apply)
    arns = {group.arn for group in asked.state.target_groups}
    strange = sorted(set(rule.weights) - arns)
    if strange:
        return fail(
            f"the rule of {asked.spec.path} forwards to {listed(strange)} beside the service's two target groups",
            "take that out of the rule: CodeDeploy would not know what to do with it",
        )
    if service.desired == 0:
        remedy = f"`platform scale {asked.spec.name}` gives it tasks"
        return fail(f"{service.name} has no tasks: a release would be found good whatever it is", remedy)
    primary = service.primary
    if primary is None:
        return fail(f"{service.name} has no primary task set", f"look at it: {asked.apply} makes it anew if it is gone")
    if rule.live_target_group != primary.target_group:
        live = (rule.live_target_group or "none").rsplit(":", 1)[-1]
        return fail(
            f"users are sent to {live}, and the tasks that run are in {primary.target_group.rsplit(':', 1)[-1]}",
            f"set the weights of the rule {rule.arn} to the target group with the tasks",
        )
    return ok(f"{counted(primary.running, 'task')} of {primary.task_definition.rsplit('/', 1)[-1]} behind the listener")


def alarms(asked: Asked) -> Answer:
    """One that is firing takes any deployment back at once."""
    if asked.state.deployment_group is None:
        return skip(NO_STACK)
    found = {alarm.name: alarm for alarm in asked.state.alarms}
    names = asked.state.deployment_group.alarms
    missing = sorted(set(names) - set(found))
    if missing:
        return fail(f"the alarms {listed(missing)} do not exist", asked.apply)
    firing = [found[name] for name in names if found[name].state == "ALARM"]
    if not firing:
        return ok(f"{listed(names)} are quiet" if names else "no alarm takes a release back")
    reason = f"{listed([alarm.name for alarm in firing])} in ALARM: {firing[0].reason}"
    if asked.order.ignore_alarms:
        return skip(f"{reason}; CodeDeploy is told to ignore the alarms in this deployment")
    return fail(reason, "wait until it is OK, go back with `platform rollback`, or release the cure by --ignore-alarms")


def hooks(asked: Asked) -> Answer:
    names = sorted({hook_function_name(asked.environment, hook) for hook in asked.spec.hooks.values()})
    if not names:
        return ok("no hooks")
    missing = [name for name in names if not asked.releasing.aws.lambdas.exists(name)]
    if missing:
        return fail(
            f"the functions {listed(missing)} do not exist, and CodeDeploy would fail at the hook",
            f"create them, or take them out of [hooks] and {asked.apply}",
        )
    return ok(listed(names))
