"""Checks of what the service's stack creates: whether it exists and is as rendered. A release changes none of it."""

from dataclasses import dataclass

from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.config_errors import counted, listed
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import canonical_template
from platform_sdk.deploy.plan.effects import is_stale, template_to_apply
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import CheckStatus, ExistingRevisions, Release, ReleaseOptions
from platform_sdk.deploy.release.recovery import restore_command
from platform_sdk.deploy.render.names import COLOURS, log_group, stack_name, target_group_name
from platform_sdk.deploy.render.task_definition import served_path
from platform_sdk.deploy.state import Deployment, ListenerRule, ServiceState, Suspended, TaskSet, given_reason

# The input of a check, and its three answers.


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightContext:
    """What checks read. `state` is what was observed; a check calls AWS only for the rest."""

    release_context: ReleaseContext
    state: ServiceState

    @property
    def aws(self) -> Aws:
        return self.release_context.aws

    @property
    def spec(self) -> ServiceSpec:
        return self.release_context.spec

    @property
    def environment(self) -> Environment:
        return self.release_context.environment

    @property
    def options(self) -> ReleaseOptions:
        return self.release_context.options

    @property
    def release(self) -> Release:
        return self.release_context.release

    @property
    def apply_command(self) -> str:
        return f"`platform apply {self.spec.name} --env {self.environment.name}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of a check. `remedy` is a command or an action, and empty unless it failed."""

    status: CheckStatus
    reason: str
    remedy: str = ""


def ok(reason: str) -> Answer:
    """Return a passed check; `reason` says what was found."""
    return Answer(status="OK", reason=reason)


def skip(reason: str) -> Answer:
    """Return a check that does not apply or cannot be made."""
    return Answer(status="SKIP", reason=reason)


def fail(reason: str, remedy: str) -> Answer:
    """Return a failed check, which stops the release before its first write."""
    return Answer(status="FAIL", reason=reason, remedy=remedy)


# Whether anything else is working on the service.


def no_deployment(context: PreflightContext) -> Answer:
    """Check that CodeDeploy has no other deployment of the service in progress: a group takes one at a time."""
    running = context.state.running_deployment
    if running is None:
        return ok("none is in progress")
    if is_of_this_version(context.release, running):
        return ok(f"{running.id} is of this version: it will be followed")
    if context.options.if_busy == "supersede":
        return ok(f"{running.id} will be superseded")
    description = parse_description(running.description)
    what = f"{description.version} by {description.by}" if description else running.description or running.creator
    return fail(
        f"{running.id} is in progress ({running.status}): {what}",
        f"`platform wait {running.id} --env {context.environment.name}`, or use --if-busy wait or supersede",
    )


def is_of_this_version(release: Release, deployment: Deployment) -> bool:
    """Return whether the deployment has this release's version and kind, so that it can be followed."""
    description = parse_description(deployment.description)
    return description is not None and (description.version, description.kind) == (release.version, release.kind)


def scaling(context: PreflightContext) -> Answer:
    """Check that scaling is not suspended: a service that cannot scale fails when its load grows."""
    targets = [each for each in (context.state.scaling, context.state.worker_scaling) if each is not None]
    if not targets:
        return skip("nothing scales the service")
    held = [each for each in targets if each.suspended.any]
    if held and context.release_context.lock.scaling is not None:
        return ok("suspended by the running release")
    kind = context.release.kind
    if held and kind != "release":
        return skip(f"the scaling of {held[0].resource} is suspended, and stays so: it does not block a {kind}")
    if held:
        return fail(
            f"the scaling of {held[0].resource} is suspended, and not by a release",
            restore_command(held[0].resource, Suspended()),
        )
    return ok(", ".join(f"{each.resource.rsplit('/', 1)[-1]} {each.min_tasks} to {each.max_tasks}" for each in targets))


NO_STACK = "there is no stack of the service yet"


def stack(context: PreflightContext) -> Answer:
    """Check that the service's stack is as platform.toml says. For a rollback, a difference does not count."""
    state, name = context.state, stack_name(context.spec, context.environment)
    if state.stack is None or state.template is None or state.api is None:
        return fail(f"the stack {name} does not exist", f"{context.apply_command} creates it")
    if state.stack.status.endswith(("_IN_PROGRESS", "_FAILED")):
        return fail(f"the stack {name} is in {state.stack.status}", f"wait for its end, then {context.apply_command}")
    rendered = canonical_template(template_to_apply(context.spec, context.environment, state))["Resources"]
    deployed = canonical_template(state.template)["Resources"]
    assert isinstance(rendered, dict), "resources are a mapping"
    assert isinstance(deployed, dict), "resources are a mapping"
    differing = sorted(
        each
        for each in rendered | deployed
        if rendered.get(each) != deployed.get(each) and not is_stale(each, rendered.get(each), deployed.get(each))
    )
    if differing:
        reason = f"the stack {name} differs from platform.toml in {listed(differing)}"
        if context.release.kind != "release":
            return skip(f"{reason}; a {context.release.kind} does not change it")
        return fail(reason, f"`platform plan {context.spec.name}` shows how; {context.apply_command} updates it")
    return ok(f"{name} is as platform.toml says")


def log_groups(context: PreflightContext) -> Answer:
    """Check that the log groups exist, because tasks do not create them."""
    names = [log_group(context.spec, context.environment, suffix) for suffix in ("", "/sidecars")]
    missing = sorted(set(names) - context.aws.logs.groups(names))
    if missing:
        return fail(
            f"the log groups {listed(missing)} do not exist, and tasks do not create them", context.apply_command
        )
    return ok(listed(names))


def target_groups(context: PreflightContext) -> Answer:
    """Check that both target groups exist."""
    if context.state.api is None:
        return skip(NO_STACK)
    names = [target_group_name(context.environment.name, context.spec.name, colour) for colour in COLOURS]
    missing = sorted(set(names) - {group.name for group in context.state.target_groups})
    if missing:
        return fail(f"the target groups {listed(missing)} do not exist", context.apply_command)
    return ok(listed(names))


def deployment_group(context: PreflightContext) -> Answer:
    """Check the deployment group, by which CodeDeploy finds what it shifts."""
    group, release_context = context.state.deployment_group, context.release_context
    if context.state.api is None:
        return skip(NO_STACK)
    if group is None:
        return fail(f"CodeDeploy has no deployment group {release_context.api}", context.apply_command)
    rule = context.state.production_rule
    wrong = [
        f"{what} {found or 'nothing'} instead of {wanted}"
        for what, found, wanted in (
            ("cluster", group.cluster, release_context.cluster),
            ("service", group.service, release_context.api),
            ("target groups", listed(sorted(group.target_groups)), listed(_pair(context))),
            ("production listener", group.production_listener, rule.listener if rule else group.production_listener),
        )
        if found != wanted
    ]
    if not group.rollback_enabled or "DEPLOYMENT_FAILURE" not in group.rollback_events:
        wrong.append("no rollback of deployments that fail")
    if wrong:
        return fail(f"the deployment group {group.name} has {listed(wrong)}", context.apply_command)
    return ok(f"{group.name} deploys {group.service} by {group.configuration}")


def _pair(context: PreflightContext) -> list[str]:
    return sorted(target_group_name(context.environment.name, context.spec.name, colour) for colour in COLOURS)


def traffic(context: PreflightContext) -> Answer:
    """Check that the primary task set is behind the listener, or CodeDeploy refuses the service. A rule that sends all
    users to the other target group is an outage already. Users who are divided end with the release.
    """
    rule, service = context.state.production_rule, context.state.api
    if service is None:
        return skip(NO_STACK)
    if rule is None:
        return fail(f"no rule of the production listener leads to {context.spec.path}", context.apply_command)
    arns = {group.arn for group in context.state.target_groups}
    strange = sorted(set(rule.weights) - arns)
    if strange:
        return fail(
            f"the rule of {context.spec.path} forwards to {listed(strange)} besides the service's two target groups",
            "remove that from the rule: CodeDeploy does not support it",
        )
    if service.desired == 0:
        remedy = f"`platform scale {context.spec.name}` adds tasks"
        return fail(f"{service.name} has no tasks: any version would pass", remedy)
    primary = service.primary
    if primary is None:
        return fail(
            f"{service.name} has no primary task set",
            f"inspect it; {context.apply_command} creates it again if it is gone",
        )
    if not rule.weights.get(primary.target_group):
        live = (rule.live_target_group or "none").rsplit(":", 1)[-1]
        return fail(
            f"users are sent to {live}, but the running tasks are in {primary.target_group.rsplit(':', 1)[-1]}",
            f"set the weights of the rule {rule.arn} to the target group with the tasks",
        )
    unrouted = unrouted_path(context, rule)
    if unrouted is not None:
        return fail(
            f"the version serves {unrouted}, and the rule forwards {listed(sorted(rule.paths))}: users would get 404",
            f'set service.path = "{unrouted}" in platform.toml, {context.apply_command}, and run this command again',
        )
    return health_of_tasks(context, primary)


def unrouted_path(context: PreflightContext, rule: ListenerRule) -> str | None:
    """Return the path of a revision that is released again, if the rule does not forward it (decision 0024)."""
    match context.release.target:
        case ExistingRevisions(api=api):
            revision = context.aws.ecs.revision(api)
            path = served_path(revision.document) if revision is not None else None
            return path if path not in (None, *rule.paths) else None
    return None


def health_of_tasks(context: PreflightContext, primary: TaskSet) -> Answer:
    """Check that users get answers now. A rollback, or a fix with --ignore-alarms, is not refused: it helps them."""
    behind = f"{counted(primary.running, 'task')} of {primary.task_definition.rsplit('/', 1)[-1]} behind the listener"
    found = [each for each in context.aws.load_balancing.health(primary.target_group) if each.state != "draining"]
    unhealthy = [each for each in found if each.state == "unhealthy"]
    if not unhealthy:
        return ok(behind)
    reason = f"{len(unhealthy)} of {behind} unhealthy: {unhealthy[0].description or unhealthy[0].reason}"
    if any(each.state == "healthy" for each in found) or context.options.ignore_alarms:
        return skip(f"{reason}; it does not block {'a rollback' if context.release.kind == 'rollback' else 'a fix'}")
    at = f"{context.spec.name} --env {context.environment.name}"
    return fail(
        f"{reason}; no task is healthy, and users may get 502 or 503",
        f"`platform plan {at}` names a health check that was changed; otherwise use `platform rollback {at}`, "
        "or release a fix with --ignore-alarms",
    )


def alarms(context: PreflightContext) -> Answer:
    """Check that no alarm fires: it would roll any deployment back at once."""
    if context.state.deployment_group is None:
        return skip(NO_STACK)
    found = {alarm.name: alarm for alarm in context.state.alarms}
    names = context.state.deployment_group.alarms
    missing = sorted(set(names) - set(found))
    if missing:
        return fail(f"the alarms {listed(missing)} do not exist", context.apply_command)
    firing = [found[name] for name in names if found[name].state == "ALARM"]
    if not firing:
        return ok(f"{listed(names)} are quiet" if names else "no alarm rolls a release back")
    reason = f"{listed([alarm.name for alarm in firing])} in ALARM: {given_reason(firing[0].reason)}"
    if context.options.ignore_alarms:
        return skip(f"{reason}; this deployment ignores its alarms")
    return fail(reason, "wait until it is OK, use `platform rollback`, or release a fix with --ignore-alarms")


def hooks(context: PreflightContext) -> Answer:
    """Check that the Lambda functions of `[hooks]` exist, which CodeDeploy would report only in mid-deployment."""
    names = sorted(set(context.release_context.appspec.hooks.values()))
    if not names:
        return ok("no hooks")
    missing = [name for name in names if not context.aws.lambdas.exists(name)]
    if missing:
        return fail(
            f"the functions {listed(missing)} do not exist, and CodeDeploy would fail at the hook",
            f"create them, or remove them from [hooks] and {context.apply_command}",
        )
    return ok(listed(names))
