"""CodeDeploy: deployment groups and deployments."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from platform_sdk.deploy.aws import AwsCallFailed, Client, DeploymentRunning, NotFound, in_batches, utc
from platform_sdk.deploy.state import (
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentTarget,
    Json,
    LifecycleEvent,
    TaskSetProgress,
)


def _deployment_of(found: Any) -> Deployment:
    rollback = found.get("rollbackInfo", {})
    error = found.get("errorInformation", {})
    return Deployment(
        id=found["deploymentId"],
        status=found["status"],
        creator=found.get("creator", ""),
        description=found.get("description", ""),
        application=found.get("applicationName", ""),
        group=found.get("deploymentGroupName", ""),
        configuration=found.get("deploymentConfigName", ""),
        created_at=utc(found["createTime"]),
        started_at=utc(found.get("startTime")),
        completed_at=utc(found.get("completeTime")),
        error_code=error.get("code", ""),
        error_message=error.get("message", ""),
        rolled_back_by=rollback.get("rollbackDeploymentId", ""),
        rolls_back=rollback.get("rollbackTriggeringDeploymentId", ""),
        rollback_message=rollback.get("rollbackMessage", ""),
        bake_minutes=_bake_minutes_of(found),
    )


def _bake_minutes_of(found: Any) -> int:
    ending = found.get("blueGreenDeploymentConfiguration", {}).get("terminateBlueInstancesOnDeploymentSuccess", {})
    return int(ending.get("terminationWaitTimeInMinutes", 0))


def group_of(found: Any) -> DeploymentGroup:
    """Convert a deployment group. Each of ours has one service and one pair of target groups."""
    service: Any = next(iter(found.get("ecsServices", [])), {})
    pair: Any = next(iter(found.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", [])), {})
    alarms = found.get("alarmConfiguration", {})
    rollback = found.get("autoRollbackConfiguration", {})
    return DeploymentGroup(
        name=found["deploymentGroupName"],
        application=found["applicationName"],
        role_arn=found.get("serviceRoleArn", ""),
        configuration=found.get("deploymentConfigName", ""),
        cluster=service.get("clusterName", ""),
        service=service.get("serviceName", ""),
        target_groups=tuple(each["name"] for each in pair.get("targetGroups", [])),
        production_listener=_listener_of(pair.get("prodTrafficRoute", {})),
        test_listener=_listener_of(pair.get("testTrafficRoute", {})),
        alarms=tuple(each["name"] for each in alarms.get("alarms", [])),
        alarms_enabled=alarms.get("enabled", False),
        rollback_events=tuple(rollback.get("events", [])),
        rollback_enabled=rollback.get("enabled", False),
        bake_minutes=_bake_minutes_of(found),
    )


def _listener_of(route: Any) -> str:
    return next(iter(route.get("listenerArns", [])), "")


def configuration_of(found: Any) -> DeploymentConfiguration:
    """Convert a deployment configuration. One without traffic routing shifts everything at once."""
    name, routing = found["deploymentConfigName"], found.get("trafficRoutingConfig", {})
    match routing.get("type"):
        case "TimeBasedCanary":
            shift = routing["timeBasedCanary"]
            return DeploymentConfiguration(
                name=name, type="canary", percent=shift["canaryPercentage"], interval_minutes=shift["canaryInterval"]
            )
        case "TimeBasedLinear":
            shift = routing["timeBasedLinear"]
            return DeploymentConfiguration(
                name=name, type="linear", percent=shift["linearPercentage"], interval_minutes=shift["linearInterval"]
            )
        case _:
            return DeploymentConfiguration(name=name, type="all_at_once", percent=100, interval_minutes=0)


def _target_of(found: Any) -> DeploymentTarget:
    return DeploymentTarget(
        status=found.get("status", "Unknown"),
        lifecycle=tuple(_event_of(each) for each in found.get("lifecycleEvents", [])),
        task_sets=tuple(progresses_of(found.get("taskSetsInfo", []))),
    )


def _event_of(found: Any) -> LifecycleEvent:
    diagnostics = found.get("diagnostics", {})
    failed = found["status"] == "Failed"
    words = (diagnostics.get("message", ""), diagnostics.get("logTail", ""), diagnostics.get("errorCode", ""))
    return LifecycleEvent(
        name=found["lifecycleEventName"],
        status=found["status"],
        started_at=utc(found.get("startTime")),
        ended_at=utc(found.get("endTime")),
        message=next(filter(None, words), "") if failed else "",
    )


def progresses_of(found: Any) -> Iterator[TaskSetProgress]:
    """Yield task sets. `identifer` is AWS's spelling. Its documents write labels in capitals, its model does not."""
    for each in found:
        yield TaskSetProgress(
            label=each["taskSetLabel"].capitalize(),
            id=each.get("identifer", ""),
            status=each.get("status", ""),
            target_group=each.get("targetGroup", {}).get("name", ""),
            traffic_percent=float(each.get("trafficWeight", 0)),
            desired=each.get("desiredCount", 0),
            running=each.get("runningCount", 0),
            pending=each.get("pendingCount", 0),
        )


# docs.aws.amazon.com/codedeploy/latest/APIReference: the most that BatchGetDeployments describes.
DEPLOYMENTS: Final = 25

PERIODS: Final = (timedelta(days=30), None)
"""How far back to look for the newest deployments: of each period, all are read."""

DEPLOYMENT_ID: Final = re.compile(r"\bd-[A-Z0-9]{9,}\b")


class CodeDeploy:
    """The calls of CodeDeploy. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def group(self, application: str, name: str) -> DeploymentGroup | None:
        """Return None where the group or its application does not exist."""
        try:
            answer = self.client.call(
                "get_deployment_group",
                f"read the deployment group {name}",
                applicationName=application,
                deploymentGroupName=name,
            )
        except NotFound:
            return None
        return group_of(answer["deploymentGroupInfo"])

    def configuration(self, name: str) -> DeploymentConfiguration:
        """Return a deployment configuration. Raises NotFound if it does not exist."""
        purpose = f"read the deployment configuration {name}"
        answer = self.client.call("get_deployment_config", purpose, deploymentConfigName=name)
        return configuration_of(answer["deploymentConfigInfo"])

    def create(self, request: Json) -> str:
        """Create a deployment and return its id. Never retried. `request` is as CreateDeployment takes it.

        Raises:
            DeploymentRunning: the group has one deployment at a time.
        """
        group = request.get("deploymentGroupName")
        try:
            answer = self.client.call_once("create_deployment", f"create a deployment of {group}", **request)
        except AwsCallFailed as error:
            if error.code != "DeploymentLimitExceededException":
                raise
            raise running(error) from error
        return str(answer["deploymentId"])

    def deployment(self, id: str) -> Deployment | None:
        """Return a deployment; None where there is none with this id."""
        found = self.information(id)
        return None if found is None else _deployment_of(found)

    def information(self, id: str) -> Any:
        """Return AWS's description; None where there is no such deployment, or there cannot be."""
        try:
            return self.client.call("get_deployment", f"read the deployment {id}", deploymentId=id)["deploymentInfo"]
        except NotFound:
            return None
        except AwsCallFailed as error:
            if error.code == "InvalidDeploymentIdException":
                return None
            raise

    def deployments(
        self,
        application: str,
        group: str,
        *,
        most: int = 25,
        statuses: Collection[str] = (),
        since: datetime | None = None,
    ) -> tuple[Deployment, ...]:
        """Return deployments, newest first; none where the group does not exist.

        AWS lists them in no documented order, so all that match are read, whatever `most` is.

        Args:
            statuses: of `state.DeploymentStatus`; all if none is given.
            since: leaves out those that were created earlier.
        """
        purpose = f"list the deployments of {group}"
        only: Json = {"includeOnlyStatuses": sorted(statuses)} if statuses else {}
        if since is not None:
            only["createTimeRange"] = {"start": since}
        listed = self.client.pages(
            "list_deployments", purpose, applicationName=application, deploymentGroupName=group, **only
        )
        try:
            ids = [id for page in listed for id in page["deployments"]]
        except NotFound:
            return ()
        found = [
            _deployment_of(each)
            for batch in in_batches(ids, DEPLOYMENTS)
            for each in self.client.call("batch_get_deployments", purpose, deploymentIds=batch)["deploymentsInfo"]
        ]
        return tuple(sorted(found, key=lambda each: each.created_at, reverse=True)[:most])

    def newest(self, name: str, now: datetime, *, most: int, statuses: Collection[str] = ()) -> tuple[Deployment, ...]:
        """Return the newest deployments, the newest first. `name` is the application's and its deployment group's."""
        found: tuple[Deployment, ...] = ()
        for period in PERIODS:
            since = None if period is None else now - period
            found = self.deployments(name, name, most=most, statuses=statuses, since=since)
            if len(found) == most:
                break
        return found

    def target(self, deployment_id: str, cluster: str, service: str) -> DeploymentTarget | None:
        """Return the progress of a deployment to an ECS service; None before it starts."""
        try:
            answer = self.client.call(
                "get_deployment_target",
                f"read the progress of the deployment {deployment_id}",
                deploymentId=deployment_id,
                targetId=f"{cluster}:{service}",
            )
        except AwsCallFailed as error:
            if error.code in ("DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"):
                return None
            raise
        return _target_of(answer["deploymentTarget"]["ecsTarget"])

    def stop(self, id: str, *, roll_back: bool) -> None:
        """Start stopping a deployment. One that has ended already is no error."""
        try:
            purpose = f"stop the deployment {id}"
            self.client.call("stop_deployment", purpose, deploymentId=id, autoRollbackEnabled=roll_back)
        except AwsCallFailed as error:
            if error.code != "DeploymentAlreadyCompletedException":
                raise

    def end_bake(self, id: str) -> None:
        """End the wait before the original tasks are stopped. A deployment that has ended already is no error."""
        try:
            purpose = f"end the bake time of the deployment {id}"
            self.client.call("continue_deployment", purpose, deploymentId=id, deploymentWaitType="TERMINATION_WAIT")
        except AwsCallFailed as error:
            if error.code != "DeploymentAlreadyCompletedException":
                raise

    def appspec_of(self, id: str) -> str | None:
        """Return the text of a deployment's AppSpec; None where AWS does not keep it."""
        found = self.information(id) or {}
        revision = found.get("revision", {})
        for key in ("appSpecContent", "string"):
            content = revision.get(key, {}).get("content")
            if content:
                return str(content)
        # With the hash alone, the application keeps the text (GetApplicationRevision).
        if "sha256" not in revision.get("appSpecContent", {}):
            return None
        try:
            kept = self.client.call(
                "get_application_revision",
                f"read the AppSpec of the deployment {id}",
                applicationName=found["applicationName"],
                revision=revision,
            )
        except NotFound:
            return None
        content = kept["revision"].get("appSpecContent", {}).get("content")
        return str(content) if content else None


def running(error: AwsCallFailed) -> DeploymentRunning:
    """Return the error with the running deployment, which AWS names only in a message whose form has changed before."""
    refusal = DeploymentRunning(
        error.what,
        because=error.because,
        hint=error.hint,
        service=error.service,
        operation=error.operation,
        code=error.code,
        may_have_happened=error.may_have_happened,
    )
    found = DEPLOYMENT_ID.search(error.because or "")
    refusal.deployment_id = found.group() if found else ""
    return refusal


# Lambda, for the hooks of a deployment.


class Lambdas:
    """Raises AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def exists(self, function: str) -> bool:
        """Return whether a function exists, by name or ARN."""
        try:
            self.client.call("get_function", f"look for the function {function}", FunctionName=function)
        except NotFound:
            return False
        return True
