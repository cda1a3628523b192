"""Deployments: creating, following, stopping and continuing them."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.clock import NEVER
from aws_simulator.codedeploy import machine
from aws_simulator.codedeploy.engine import Engine
from aws_simulator.codedeploy.groups import NONE_GIVEN, Groups, description_of, revision_of, target_description
from aws_simulator.codedeploy.machine import Action, Ended, Observation
from aws_simulator.codedeploy.state import (
    LIFECYCLE,
    AppSpec,
    Deployment,
    Group,
    InvalidAppSpec,
    LifecycleEvent,
    Trigger,
    parse,
)
from aws_simulator.service import Answer, Paging, Refused, Request, find_or_refuse

PAGE_SIZE: Final = 100
MAX_BATCH: Final = 25
MAX_DESCRIPTION: Final = 256
PAGES: Final = Paging(
    marker="nextToken", next_marker="nextToken", size="maxResults", invalid="InvalidNextTokenException"
)
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)


class CodeDeploy(Groups):
    """CodeDeploy for ECS. A test may set the engine's `rollbacks_fail` and `reports_baking`.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-ecs.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.engine = Engine(account)

    # Time

    @property
    def quiet_until(self) -> datetime:
        active = [one for one in self.deployments.values() if one.is_active]
        return min((machine.quiet_until(one, self.engine.observe(one)) for one in active), default=NEVER)

    def step(self) -> None:
        for deployment in [one for one in self.deployments.values() if one.is_active]:
            self.engine.read_hook(deployment)
            seen = self.engine.observe(deployment)
            self._do(deployment, machine.advance(deployment, seen))

    def _do(self, deployment: Deployment, actions: list[Action]) -> None:
        for action in actions:
            self.engine.do(deployment, action)
            if isinstance(action, Ended):
                self._ended(deployment, action.trigger)

    def _ended(self, deployment: Deployment, trigger: Trigger | None) -> None:
        if trigger is None:
            deployment.group.last_successful = deployment.id
        elif machine.is_rolled_back(deployment, trigger):
            self._roll_back(deployment)

    def _roll_back(self, failed: Deployment) -> None:
        """Create a rollback deployment: the original task set becomes its replacement."""
        last_good = self.deployments.get(str(failed.group.last_successful))
        appspec, content = (last_good.appspec, last_good.content) if last_good else (None, None)
        request = {"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"}
        made = self._new(failed.group, appspec, content, f"Rollback of {failed.id}", request)
        made.creator, made.rolls_back = "codeDeployRollback", failed.id
        made.auto_rollback, made.previous = {"enabled": False, "events": []}, failed.sha256
        made.original, made.replacement = failed.replacement, failed.original
        made.task_sets = failed.task_sets
        for event in made.events:
            event.hook = None
        failed.rollback_info = {
            "rollbackDeploymentId": made.id,
            "rollbackMessage": f"Deployment {made.id} rolls this deployment back.",
        }
        made.rollback_info = {
            "rollbackTriggeringDeploymentId": failed.id,
            "rollbackMessage": f"This deployment rolls deployment {failed.id} back.",
        }

    def stop_manually(self, deployment_id: str, *, roll_back: bool = True) -> None:
        """Stop a deployment as a person does in the console. Raises Refused: DeploymentAlreadyCompletedException."""
        self.stop_deployment({"deploymentId": deployment_id, "autoRollbackEnabled": roll_back})

    # Creating

    def create_deployment(self, request: Request) -> Answer:
        if "deploymentGroupName" not in request:
            raise Refused("DeploymentGroupNameRequiredException", "The deployment group name was not specified.")
        group = self._requested_group(request)
        refuse_request(request)
        self.configuration(self._configuration_name(request, group))
        content, appspec, error = content_of(request)
        active = next((one.id for one in self.deployments.values() if one.group is group and one.is_active), None)
        if active is not None:
            message = f"The Deployment Group '{group.name}' already has an active Deployment '{active}'"
            raise Refused("DeploymentLimitExceededException", message)
        made = self._new(group, appspec, content, request.get("description", ""), request)
        if error is not None:
            made.error = ("INVALID_REVISION", error)
        self.application(group.application).revisions.setdefault(str(made.sha256), (content, self.account.now()))
        return {"deploymentId": made.id}

    def _configuration_name(self, request: Request, group: Group) -> str:
        return str(request.get("deploymentConfigName") or group.request.get("deploymentConfigName", NONE_GIVEN))

    def _new(
        self, group: Group, appspec: AppSpec | None, content: str | None, description: str, request: Request
    ) -> Deployment:
        now = self.account.now()
        last_good = self.deployments.get(str(group.last_successful))
        names = [name for name in LIFECYCLE if "Test" not in name or group.listeners("testTrafficRoute")]
        made = Deployment(
            id=f"d-{self.account.hexadecimal_id('deployment', 9).upper()}",
            application=group.application,
            group=group,
            configuration=self.configuration(self._configuration_name(request, group)),
            appspec=appspec,
            content=content,
            sha256=hashlib.sha256(content.encode()).hexdigest() if content is not None else None,
            description=description,
            created_at=now,
            updated_at=now,
            auto_rollback=request.get("autoRollbackConfiguration")
            or group.request.get("autoRollbackConfiguration", {"enabled": False}),
            alarms=request.get("overrideAlarmConfiguration") or group.request.get("alarmConfiguration", {}),
            overrides_alarms="overrideAlarmConfiguration" in request,
            events=[LifecycleEvent(name=name, hook=appspec.hooks.get(name) if appspec else None) for name in names],
            previous=last_good.sha256 if last_good else None,
        )
        self.deployments[made.id] = made
        group.last_attempted = made.id
        return made

    # Following

    def deployment(self, deployment_id: str) -> Deployment:
        """Return a deployment. Raises Refused: DeploymentDoesNotExistException."""
        message = f"The deployment {deployment_id} could not be found"
        return find_or_refuse(self.deployments, deployment_id, "DeploymentDoesNotExistException", message)

    def get_deployment(self, request: Request) -> Answer:
        return {"deploymentInfo": description_of(self.deployment(request["deploymentId"]))}

    def batch_get_deployments(self, request: Request) -> Answer:
        if len(request["deploymentIds"]) > MAX_BATCH:
            message = f"The maximum number of deployments that can be returned is {MAX_BATCH}"
            raise Refused("BatchLimitExceededException", message)
        known = [self.deployments.get(identity) for identity in request["deploymentIds"]]
        return {"deploymentsInfo": [description_of(deployment) for deployment in known if deployment is not None]}

    def list_deployments(self, request: Request) -> Answer:
        """List deployments, in no order: the API reference promises none."""
        if ("applicationName" in request) != ("deploymentGroupName" in request):
            required = "ApplicationName" if "deploymentGroupName" in request else "DeploymentGroupName"
            raise Refused(f"{required}RequiredException", "Application and deployment group are given together or not.")
        group = self._requested_group(request) if "applicationName" in request else None
        wanted, times = request.get("includeOnlyStatuses"), request.get("createTimeRange", {})
        found = sorted(
            deployment.id
            for deployment in self.deployments.values()
            if group in (None, deployment.group)
            and (not wanted or deployment.status in wanted)
            and times.get("start", BEGINNING) <= deployment.created_at <= times.get("end", END)
        )
        return PAGES.answer("deployments", found, request, PAGE_SIZE)

    def list_deployment_targets(self, request: Request) -> Answer:
        return {"targetIds": [self._target_id(self._started(request))]}

    def get_deployment_target(self, request: Request) -> Answer:
        deployment = self._started(request)
        if request["targetId"] != self._target_id(deployment):
            message = f"The deployment target {request['targetId']} could not be found"
            raise Refused("DeploymentTargetDoesNotExistException", message)
        return {"deploymentTarget": self._target_description(deployment)}

    def batch_get_deployment_targets(self, request: Request) -> Answer:
        deployment = self._started(request)
        return {"deploymentTargets": [self._target_description(deployment)]}

    def _target_description(self, deployment: Deployment) -> dict[str, Any]:
        arn = self.account.arn("ecs", f"service/{deployment.group.cluster}/{deployment.group.service}")
        if deployment.is_active:
            self.engine.note_task_sets(deployment)
        return target_description(deployment, self._target_id(deployment), arn)

    def _started(self, request: Request) -> Deployment:
        deployment = self.deployment(request["deploymentId"])
        if deployment.status in ("Created", "Queued"):
            message = f"The specified deployment has not started: {deployment.id}"
            raise Refused("DeploymentNotStartedException", message)
        return deployment

    def _target_id(self, deployment: Deployment) -> str:
        return f"{deployment.group.cluster}:{deployment.group.service}"

    # Acting on a running deployment

    def _active(self, request: Request) -> Deployment:
        deployment = self.deployment(request["deploymentId"])
        if not deployment.is_active:
            message = f"The deployment {deployment.id} has already completed."
            raise Refused("DeploymentAlreadyCompletedException", message)
        return deployment

    def stop_deployment(self, request: Request) -> Answer:
        """Stop a deployment, at once or later, as the account's conditions say.

        The rollback settings of the request come before the group's. A stop that is pending can be requested again.
        """
        deployment = self._active(request)
        if "autoRollbackEnabled" in request:
            enabled = request["autoRollbackEnabled"]
            deployment.auto_rollback = {"enabled": enabled, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}
        now = self.account.now()
        due = now + timedelta(seconds=self.account.conditions.stop_seconds)
        deployment.stops_at = deployment.stops_at or due
        if deployment.stops_at > now:
            return {"status": "Pending", "statusMessage": "No more events will be scheduled for this deployment."}
        self._do(deployment, machine.stop(deployment, Observation(now=now), machine.STOPPED_BY_USER))
        return {"status": "Succeeded", "statusMessage": f"Deployment {deployment.id} was stopped."}

    def continue_deployment(self, request: Request) -> Answer:
        deployment = self._active(request)
        if request.get("deploymentWaitType", "READY_WAIT") == "TERMINATION_WAIT":
            if deployment.baking_since is None:
                message = "The deployment does not wait for the termination of the original task set."
                raise Refused("InvalidDeploymentStatusException", message)
            deployment.terminate_requested = True
        else:
            if deployment.status != "Ready":
                raise Refused("DeploymentIsNotInReadyStateException", "The deployment does not have a status of Ready.")
            deployment.is_continued = True
        return {}

    def put_lifecycle_event_hook_execution_status(self, request: Request) -> Answer:
        deployment = self.deployment(str(request.get("deploymentId")))
        identity = request.get("lifecycleEventHookExecutionId")
        event = next((one for one in deployment.events if one.execution_id == identity), None)
        if event is None:
            message = "The lifecycle event hook execution ID is not valid"
            raise Refused("InvalidLifecycleEventHookExecutionIdException", message)
        if event.answer is not None or event.status != "InProgress":
            message = "The lifecycle event hook has already completed"
            raise Refused("LifecycleEventAlreadyCompletedException", message)
        event.answer = "Succeeded" if request["status"] == "Succeeded" else "Failed"
        return {"lifecycleEventHookExecutionId": str(identity)}

    # Revisions

    def get_application_revision(self, request: Request) -> Answer:
        application = self.application(request["applicationName"])
        sha256 = request["revision"].get("appSpecContent", {}).get("sha256")
        if sha256 not in application.revisions:
            raise Refused("RevisionDoesNotExistException", "No revision found for the given location")
        content, registered_at = application.revisions[sha256]
        revision = revision_of(sha256)
        revision["appSpecContent"]["content"] = content
        users = [one for one in self.deployments.values() if one.sha256 == sha256]
        return {
            "applicationName": application.name,
            "revision": revision,
            "revisionInfo": {
                "registerTime": registered_at,
                "firstUsedTime": users[0].created_at,
                "lastUsedTime": users[-1].created_at,
                "deploymentGroups": list(dict.fromkeys(one.group.name for one in users)),
            },
        }


def refuse_request(request: Request) -> None:
    """Raise Refused for a request that CodeDeploy would not accept for ECS."""
    if len(request.get("description", "")) > MAX_DESCRIPTION:
        message = f"The description exceeds the limit of {MAX_DESCRIPTION} characters"
        raise Refused("DescriptionTooLongException", message)
    if "fileExistsBehavior" in request:
        message = "fileExistsBehavior is not supported for the ECS compute platform"
        raise Refused("InvalidFileExistsBehaviorException", message)
    if "revision" not in request:
        raise Refused("RevisionRequiredException", "The revision ID was not specified.")


def content_of(request: Request) -> tuple[str, AppSpec | None, str | None]:
    """Return the content, the parsed AppSpec, and what is wrong with it.

    Raises:
        Refused: InvalidRevisionException: no AppSpec, or another hash.
    """
    revision = request["revision"]
    given = revision.get("appSpecContent", {})
    if revision.get("revisionType") != "AppSpecContent" or not given.get("content"):
        raise Refused("InvalidRevisionException", "The revision must be AppSpecContent with its content")
    content = str(given["content"])
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    if given.get("sha256", sha256) != sha256:
        message = "The SHA256 hash value of the AppSpec content does not match the one that was given"
        raise Refused("InvalidRevisionException", message)
    try:
        return content, parse(content), None
    except InvalidAppSpec as invalid:
        return content, None, str(invalid)
