"""Carry out what the machine decides on ECS and the load balancer, and observe the result."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from aws_simulator.account import Account
from aws_simulator.cloudwatch import CloudWatch
from aws_simulator.codedeploy.machine import Action, CallHook, Ended, Observation, Route, TaskSetAction
from aws_simulator.codedeploy.state import AppSpec, Deployment, Group, LifecycleEvent
from aws_simulator.ecs.service import Ecs
from aws_simulator.ecs.state import EcsService, TaskSet, counts
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.elbv2.state import forward, weights_of
from aws_simulator.service import Refused

# What CodeDeploy checks of service, revision and load balancer before a deployment's first event.

Problem = tuple[str, str]
"""The code and message of errorInformation."""


def problems(account: Account, deployment: Deployment) -> Iterator[Problem]:
    group, appspec = deployment.group, deployment.appspec
    if appspec is None:
        yield deployment.error or ("INVALID_REVISION", "The AppSpec file is not valid.")
        return
    try:
        service = account.service(Ecs).ecs_service(group.cluster, group.service)
    except Refused as refused:
        yield "INVALID_ECS_SERVICE", f"The ECS service {group.service} cannot be found: {refused.message}"
        return
    if service.status != "ACTIVE":
        yield "INVALID_ECS_SERVICE", f"The ECS service {group.service} is not active."
        return
    if service.controller != "CODE_DEPLOY":
        message = "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller."
        yield "INVALID_ECS_SERVICE", message
        return
    yield from problems_of_revision(account, appspec)
    yield from problems_of_routes(account, deployment, service)


def problems_of_revision(account: Account, appspec: AppSpec) -> Iterator[Problem]:
    try:
        definition = account.service(Ecs).definition(appspec.task_definition)
    except Refused:
        yield "INVALID_REVISION", f"The task definition {appspec.task_definition} cannot be found."
        return
    if not account.service(Ecs).starts(definition):
        yield "ECS_UPDATE_ERROR", "The ECS service could not be updated: TaskDefinition is inactive"
    ports = {
        container["name"]: [mapping["containerPort"] for mapping in container["portMappings"]]
        for container in definition.containers
    }
    if appspec.container_name not in ports:
        message = f"The container {appspec.container_name} does not exist in the task definition."
        yield "INVALID_REVISION", f"The ECS service could not be updated: {message}"
    elif appspec.container_port not in ports[appspec.container_name]:
        message = (
            f"The container {appspec.container_name} did not have a container port {appspec.container_port} defined."
        )
        yield "ECS_UPDATE_ERROR", f"The ECS service could not be updated due to the following error: {message}"


def problems_of_routes(account: Account, deployment: Deployment, service: EcsService) -> Iterator[Problem]:
    balancing = account.service(ElbV2)
    try:
        pair = [balancing.target_group(name).arn for name in deployment.group.target_groups]
    except Refused as refused:
        yield "ELASTIC_LOAD_BALANCING_INVALID", f"The ELB could not be updated: {refused.message}"
        return
    live = service.primary.load_balancers[0]["targetGroupArn"]
    if live not in pair:
        message = f"The primary task set's target group {live} is none of the deployment group's pair."
        yield "ELASTIC_LOAD_BALANCING_INVALID", message
    for listener_arn in deployment.group.listeners("prodTrafficRoute"):
        listener = balancing.listeners.get(listener_arn)
        if listener is None:
            yield "ELASTIC_LOAD_BALANCING_INVALID", f"The listener {listener_arn} cannot be found."
            continue
        routed = [listener.default_actions, *(rule.actions for rule in balancing.rules_of(listener_arn))]
        if not any(weights_of(actions).get(live) for actions in routed):
            message = "Primary taskset target group must be behind listener"
            error = f"The ELB could not be updated due to the following error: {message} {listener_arn}"
            yield "ELASTIC_LOAD_BALANCING_INVALID", error


class Engine:
    """Args:
    rollbacks_fail: whether every rollback fails, for a test to set.
    reports_baking: whether deployments have the status Baking in their bake time. The API has the value, but the user
        guide does not say when it is used; without it they are InProgress.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.rollbacks_fail = False
        self.reports_baking = False

    def observe(self, deployment: Deployment) -> Observation:
        starting = deployment.status == "Queued" and deployment.rolls_back is None
        return Observation(
            now=self.account.now(),
            steady=self._is_steady(deployment),
            firing=tuple(self.account.service(CloudWatch).in_alarm(deployment.watched)),
            invalid=next(problems(self.account, deployment), None) if starting else None,
            rollback_error=self._rollback_error(deployment),
            reports_baking=self.reports_baking,
        )

    def _is_steady(self, deployment: Deployment) -> bool:
        one = self.task_set(deployment.group, deployment.replacement)
        return one is not None and one.steady_at is not None

    def _rollback_error(self, deployment: Deployment) -> tuple[str, str] | None:
        begun = deployment.started_at is not None and self.account.now() - deployment.started_at > timedelta(seconds=5)
        if self.rollbacks_fail and begun:
            return "ECS_UPDATE_ERROR", "The ECS service could not be updated: traffic could not be rerouted."
        return None

    def service(self, group: Group) -> EcsService:
        return self.account.service(Ecs).ecs_service(group.cluster, group.service)

    def task_set(self, group: Group, set_id: str | None) -> TaskSet | None:
        return next((one for one in self.service(group).sets if one.id == set_id), None) if set_id else None

    def do(self, deployment: Deployment, action: Action) -> None:
        match action:
            case TaskSetAction.CREATE_REPLACEMENT:
                self._create_replacement(deployment)
            case Route(route, percent):
                self._route(deployment, deployment.group.listeners(route), percent)
            case CallHook(event):
                self._call(event)
            case TaskSetAction.MAKE_PRIMARY:
                self._make_primary(deployment)
            case TaskSetAction.DELETE_ORIGINAL:
                self._delete(deployment.group, deployment.original)
            case Ended():
                pass
        self.note_task_sets(deployment)

    def _create_replacement(self, deployment: Deployment) -> None:
        """Create the replacement. Task sets of a stopped deployment are removed, and their traffic goes back."""
        ecs, service, appspec = self.account.service(Ecs), self.service(deployment.group), deployment.appspec
        assert appspec is not None
        original = service.primary
        deployment.original = original.id
        for left in [one for one in service.sets if one is not original]:
            ecs.delete_set(service, left)
        live = original.load_balancers[0]["targetGroupArn"]
        pair = [self.account.service(ElbV2).target_group(name).arn for name in deployment.group.target_groups]
        balancer = {
            "targetGroupArn": next(arn for arn in pair if arn != live),
            "containerName": appspec.container_name,
            "containerPort": appspec.container_port,
        }
        network = {"awsvpcConfiguration": dict(appspec.network)} if appspec.network else original.network
        made = ecs.create_set(
            service,
            ecs.definition(appspec.task_definition),
            load_balancers=[balancer],
            network=network,
            platform_version=appspec.platform_version or original.platform_version,
            external_id=deployment.id,
            started_by="CODE_DEPLOY",
        )
        deployment.replacement = made.id
        for route in ("prodTrafficRoute", "testTrafficRoute"):
            self._route(deployment, deployment.group.listeners(route), 0)

    def _route(self, deployment: Deployment, listeners: list[str], percent: int) -> None:
        """Change all rules that forward to one of the pair; other rules of the listener stay."""
        replacement = self._target_group_of(deployment, deployment.replacement)
        original = self._target_group_of(deployment, deployment.original)
        if replacement is None or original is None:
            return
        balancing = self.account.service(ElbV2)
        action = forward({replacement: percent, original: 100 - percent})
        balancing.routes_changed()
        for arn in listeners:
            listener = balancing.listeners[arn]
            if {replacement, original} & set(weights_of(listener.default_actions)):
                listener.default_actions = [action]
            for rule in balancing.rules_of(arn):
                if {replacement, original} & set(weights_of(rule.actions)):
                    rule.actions = [action]

    def _target_group_of(self, deployment: Deployment, set_id: str | None) -> str | None:
        one = self.task_set(deployment.group, set_id)
        if one is not None:
            return str(one.load_balancers[0]["targetGroupArn"])
        # A task set that is gone already had the other group of the pair.
        known = next((info for info in deployment.task_sets if info["identifer"] == set_id), None)
        return self.account.service(ElbV2).target_group(known["targetGroup"]["name"]).arn if known else None

    def _call(self, event: LifecycleEvent) -> None:
        hook = self.account.hook(str(event.hook))
        event.execution_id = f"eyJ{self.account.hexadecimal_id('hook execution', 48)}"
        if hook is None:
            event.answer = "Missing"
        elif hook.verdict != "silent":
            event.answers_at = self.account.now() + timedelta(seconds=hook.after_seconds)

    def read_hook(self, deployment: Deployment) -> None:
        """Read what the hook's function has answered by now."""
        for event in deployment.events:
            due = event.answers_at is not None and event.answers_at <= self.account.now()
            if event.status == "InProgress" and due and event.answer is None:
                hook = self.account.hook(str(event.hook))
                event.answer = "Failed" if hook is None or hook.verdict == "Failed" else "Succeeded"

    def _make_primary(self, deployment: Deployment) -> None:
        service = self.service(deployment.group)
        for one in service.sets:
            if one.id == deployment.replacement:
                one.status, service.definition = "PRIMARY", one.definition
            elif one.status == "PRIMARY":
                one.status = "ACTIVE"

    def _delete(self, group: Group, set_id: str | None) -> None:
        one = self.task_set(group, set_id)
        if one is not None and one.status != "PRIMARY":
            self.account.service(Ecs).delete_set(self.service(group), one)

    def note_task_sets(self, deployment: Deployment) -> None:
        """Keep the task sets in the deployment: it can be described when they are gone."""
        infos = [
            self._info(deployment, set_id, label)
            for set_id, label in ((deployment.original, "Blue"), (deployment.replacement, "Green"))
        ]
        deployment.task_sets = [info for info in infos if info is not None]

    def _info(self, deployment: Deployment, set_id: str | None, label: str) -> dict[str, Any] | None:
        one = self.task_set(deployment.group, set_id)
        if one is None:
            known = next((info for info in deployment.task_sets if info["identifer"] == set_id), None)
            return known and {**known, "runningCount": 0, "pendingCount": 0, "desiredCount": 0, "status": "DRAINING"}
        ecs = self.account.service(Ecs)
        group = one.load_balancers[0]["targetGroupArn"]
        pending, running = counts(ecs.tasks_of(one))
        production = self.account.service(ElbV2)
        return {
            "identifer": one.id,
            "desiredCount": one.desired_count,
            "pendingCount": pending,
            "runningCount": running,
            "status": one.status,
            "trafficWeight": float(production.weight_of(group)),
            "targetGroup": {"name": production.target_group(group).name},
            "taskSetLabel": label,
        }
