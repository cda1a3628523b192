"""Applications, deployment groups and deployment configurations."""

from datetime import UTC, datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.codedeploy.state import Application, Configuration, Deployment, Group, Kind, LifecycleEvent
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.service import Answer, Refused, Request, Service, find_or_refuse, without_none

LONG_AGO: Final = datetime(2018, 11, 27, tzinfo=UTC)
NONE_GIVEN: Final = "CodeDeployDefault.OneAtATime"
"""CodeDeploy's default where neither deployment nor group names a configuration; it is for EC2."""


WITHOUT_RESOURCE: Final = (
    "ContinueDeployment",
    "StopDeployment",
    "GetDeploymentTarget",
    "BatchGetDeploymentTargets",
    "ListDeploymentTargets",
    "PutLifecycleEventHookExecutionStatus",
)
"""Operations that IAM allows on everything or not at all (service-authorization: list_awscodedeploy)."""


def predefined(name: str, kind: Kind = "AllAtOnce", percent: int = 100, interval_minutes: int = 0) -> Configuration:
    """Return a configuration of CodeDeploy's own; its id is made up."""
    return Configuration(
        name=f"CodeDeployDefault.{name}",
        type=kind,
        percent=percent,
        interval_minutes=interval_minutes,
        id=f"00000000-0000-0000-0000-{percent:06d}{interval_minutes:06d}",
        created_at=LONG_AGO,
    )


PREDEFINED: Final = (
    predefined("ECSAllAtOnce"),
    predefined("ECSLinear10PercentEvery1Minutes", "TimeBasedLinear", 10, 1),
    predefined("ECSLinear10PercentEvery3Minutes", "TimeBasedLinear", 10, 3),
    predefined("ECSCanary10Percent5Minutes", "TimeBasedCanary", 10, 5),
    predefined("ECSCanary10Percent15Minutes", "TimeBasedCanary", 10, 15),
)
"""The configurations that every account has:
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html"""


class Groups(Service):
    """Applications, deployment groups and deployment configurations, with the deployments that they refer to."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.applications: dict[str, Application] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.configurations = {configuration.name: configuration for configuration in PREDEFINED}
        self.deployments: dict[str, Deployment] = {}

    def uuid(self, kind: str) -> str:
        digits = self.account.hexadecimal_id(kind)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        if operation in WITHOUT_RESOURCE:
            return ()
        if "deploymentConfigName" in request and operation.endswith("DeploymentConfig"):
            return (self.account.arn("codedeploy", f"deploymentconfig:{request['deploymentConfigName']}"),)
        identities = request.get("deploymentIds") or [request.get("deploymentId")]
        known = [self.deployments[identity].group for identity in identities if identity in self.deployments]
        if known:
            return tuple(dict.fromkeys(self._arn(group.application, group.name) for group in known))
        application, name = request.get("applicationName"), request.get("deploymentGroupName")
        return (self._arn(application, name),) if application else ()

    def _arn(self, application: str, name: str | None) -> str:
        resource = f"deploymentgroup:{application}/{name}" if name else f"application:{application}"
        return self.account.arn("codedeploy", resource)

    # Applications

    def create_application(self, request: Request) -> Answer:
        name = request["applicationName"]
        if name in self.applications:
            raise Refused("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        made = Application(id=self.uuid("application"), name=name, created_at=self.account.now())
        self.applications[name] = made
        return {"applicationId": made.id}

    def delete_application(self, request: Request) -> Answer:
        name = request["applicationName"]
        self.applications.pop(name, None)
        self.groups = {key: group for key, group in self.groups.items() if key[0] != name}
        return {}

    def application(self, name: str) -> Application:
        """Return an application. Raises Refused: ApplicationDoesNotExistException."""
        message = f"No application found for name: {name}"
        return find_or_refuse(self.applications, name, "ApplicationDoesNotExistException", message)

    def get_application(self, request: Request) -> Answer:
        application = self.application(request["applicationName"])
        return {
            "application": {
                "applicationId": application.id,
                "applicationName": application.name,
                "createTime": application.created_at,
                "linkedToGitHub": False,
                "computePlatform": "ECS",
            }
        }

    def list_applications(self, request: Request) -> Answer:
        return {"applications": sorted(self.applications)}

    # Deployment groups

    def create_deployment_group(self, request: Request) -> Answer:
        key = (self.application(request["applicationName"]).name, request["deploymentGroupName"])
        if key in self.groups:
            message = f"Deployment group already exists: {key[1]}"
            raise Refused("DeploymentGroupAlreadyExistsException", message)
        self.configuration(request.get("deploymentConfigName", NONE_GIVEN))
        group = Group(id=self.uuid("deployment group"), application=key[0], name=key[1], request=dict(request))
        self.groups[key] = group
        self._mark_test_listeners(group)
        return {"deploymentGroupId": group.id}

    def update_deployment_group(self, request: Request) -> Answer:
        group = self.group(request["applicationName"], request["currentDeploymentGroupName"])
        names = ("applicationName", "currentDeploymentGroupName", "newDeploymentGroupName")
        if "deploymentConfigName" in request:
            self.configuration(request["deploymentConfigName"])
        group.request |= {key: value for key, value in request.items() if key not in names}
        if "newDeploymentGroupName" in request:
            del self.groups[group.application, group.name]
            group.name = request["newDeploymentGroupName"]
            self.groups[group.application, group.name] = group
        self._mark_test_listeners(group)
        return {"hooksNotCleanedUp": []}

    def _mark_test_listeners(self, group: Group) -> None:
        """Mark test listeners: errors of the smoke test are no user's errors."""
        for arn in group.listeners("testTrafficRoute"):
            if arn in self.account.service(ElbV2).listeners:
                self.account.service(ElbV2).listeners[arn].tests_only = True

    def delete_deployment_group(self, request: Request) -> Answer:
        self.groups.pop((request["applicationName"], request["deploymentGroupName"]), None)
        return {"hooksNotCleanedUp": []}

    def group(self, application: str, name: str) -> Group:
        """Return a deployment group.

        Raises:
            Refused: ApplicationDoesNotExistException or DeploymentGroupDoesNotExistException.
        """
        key = (self.application(application).name, name)
        message = f"No Deployment Group found for name: {name}"
        return find_or_refuse(self.groups, key, "DeploymentGroupDoesNotExistException", message)

    def get_deployment_group(self, request: Request) -> Answer:
        return {"deploymentGroupInfo": self._group_description(self._requested_group(request))}

    def _requested_group(self, request: Request) -> Group:
        return self.group(request["applicationName"], request["deploymentGroupName"])

    def _group_description(self, group: Group) -> dict[str, Any]:
        request = {key: value for key, value in group.request.items() if key != "tags"}
        facts: dict[str, Any] = {
            "ec2TagFilters": [],
            "onPremisesInstanceTagFilters": [],
            "autoScalingGroups": [],
            "triggerConfigurations": [],
            "outdatedInstancesStrategy": "UPDATE",
            "deploymentConfigName": NONE_GIVEN,
            **request,
            "deploymentGroupId": group.id,
            "deploymentGroupName": group.name,
            "computePlatform": "ECS",
            "terminationHookEnabled": False,
        }
        good = self.deployments.get(str(group.last_successful))
        attempted = self.deployments.get(str(group.last_attempted))
        facts["targetRevision"] = revision_of(good.sha256) if good and good.sha256 else None
        facts["lastSuccessfulDeployment"] = last_of(good) if good else None
        facts["lastAttemptedDeployment"] = last_of(attempted) if attempted else None
        return without_none(facts)

    # Deployment configurations

    def configuration(self, name: str) -> Configuration:
        """Return a deployment configuration.

        Raises:
            Refused: DeploymentConfigDoesNotExistException, or InvalidComputePlatformException for one of EC2's.
        """
        if name == NONE_GIVEN:
            message = f"The compute platform of {name} is Server, and that of the deployment group is ECS"
            raise Refused("InvalidDeploymentConfigNameException", message)
        message = f"No Deployment Configuration found for name: {name}"
        return find_or_refuse(self.configurations, name, "DeploymentConfigDoesNotExistException", message)

    def create_deployment_config(self, request: Request) -> Answer:
        name = request["deploymentConfigName"]
        if name.startswith("CodeDeployDefault."):
            message = "Deployment configuration names cannot start with CodeDeployDefault."
            raise Refused("InvalidDeploymentConfigNameException", message)
        if name in self.configurations:
            raise Refused("DeploymentConfigAlreadyExistsException", f"Deployment Configuration already exists: {name}")
        routing = request.get("trafficRoutingConfig", {"type": "AllAtOnce"})
        steps = routing.get("timeBasedCanary") or routing.get("timeBasedLinear") or {}
        self.configurations[name] = Configuration(
            name=name,
            type=routing["type"],
            percent=steps.get("canaryPercentage") or steps.get("linearPercentage") or 100,
            interval_minutes=steps.get("canaryInterval") or steps.get("linearInterval") or 0,
            id=self.uuid("deployment configuration"),
            created_at=self.account.now(),
        )
        return {"deploymentConfigId": self.configurations[name].id}

    def delete_deployment_config(self, request: Request) -> Answer:
        name = request["deploymentConfigName"]
        if any(group.request.get("deploymentConfigName") == name for group in self.groups.values()):
            raise Refused("DeploymentConfigInUseException", f"The deployment configuration {name} is in use")
        self.configurations.pop(name, None)
        return {}

    def get_deployment_config(self, request: Request) -> Answer:
        return {"deploymentConfigInfo": configuration_description(self.configuration(request["deploymentConfigName"]))}


def revision_of(sha256: str) -> dict[str, Any]:
    """Describe a revision without its content, which only GetApplicationRevision returns (API_GetDeployment)."""
    return {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": sha256}}


def last_of(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment as GetDeploymentGroup does (LastDeploymentInfo)."""
    return without_none(
        {
            "deploymentId": deployment.id,
            "status": deployment.status,
            "createTime": deployment.created_at,
            "endTime": deployment.completed_at,
        }
    )


def configuration_description(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration as GetDeploymentConfig does."""
    routing: dict[str, Any] = {"type": configuration.type}
    kind = configuration.type.removeprefix("TimeBased").lower()
    if configuration.interval_minutes:
        routing[f"timeBased{kind.title()}"] = {
            f"{kind}Percentage": configuration.percent,
            f"{kind}Interval": configuration.interval_minutes,
        }
    return {
        "deploymentConfigId": configuration.id,
        "deploymentConfigName": configuration.name,
        "createTime": configuration.created_at,
        "computePlatform": "ECS",
        "trafficRoutingConfig": routing,
    }


# Answers of GetDeployment and GetDeploymentTarget.

TARGET_STATUS = {
    "InProgress": "InProgress",
    "Baking": "InProgress",
    "Ready": "Ready",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Stopped": "Failed",
}


def description_of(deployment: Deployment) -> dict[str, Any]:
    """Return DeploymentInfo."""
    group = deployment.group.request
    error = deployment.error
    done = not deployment.is_active
    facts: dict[str, Any] = {
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group.name,
        "deploymentConfigName": deployment.configuration.name,
        "deploymentId": deployment.id,
        "previousRevision": revision_of(deployment.previous) if deployment.previous else None,
        "revision": revision_of(deployment.sha256) if deployment.sha256 else None,
        "status": deployment.status,
        "errorInformation": {"code": error[0], "message": error[1]} if error and done else None,
        "createTime": deployment.created_at,
        "startTime": deployment.started_at,
        "completeTime": deployment.completed_at,
        "deploymentOverview": overview(deployment) if deployment.started_at else None,
        "description": deployment.description or None,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": deployment.auto_rollback,
        "updateOutdatedInstancesOnly": False,
        "rollbackInfo": deployment.rollback_info or None,
        "deploymentStyle": group.get("deploymentStyle"),
        "instanceTerminationWaitTimeStarted": deployment.baking_since is not None,
        "blueGreenDeploymentConfiguration": group.get("blueGreenDeploymentConfiguration"),
        "loadBalancerInfo": group.get("loadBalancerInfo"),
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "ECS",
        "overrideAlarmConfiguration": deployment.alarms if deployment.overrides_alarms else None,
    }
    return without_none(facts)


def overview(deployment: Deployment) -> dict[str, int]:
    """Return the count of targets by status. A deployment to ECS has one target, its service."""
    counted = dict.fromkeys(("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"), 0)
    counted[TARGET_STATUS[deployment.status]] = 1
    return counted


def target_description(deployment: Deployment, target_id: str, arn: str) -> dict[str, Any]:
    """Return DeploymentTarget. `identifer` is the API's spelling."""
    return {
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": deployment.id,
            "targetId": target_id,
            "targetArn": arn,
            "lastUpdatedAt": deployment.updated_at,
            "lifecycleEvents": [event_description(event) for event in deployment.events],
            "status": TARGET_STATUS[deployment.status],
            "taskSetsInfo": deployment.task_sets,
        },
    }


def event_description(event: LifecycleEvent) -> dict[str, Any]:
    """Return a lifecycle event as GetDeploymentTarget does."""
    failed = event.status == "Failed"
    diagnostics = {
        "errorCode": "UnknownError" if failed else "Success",
        "scriptName": event.hook or "",
        "message": event.message,
        "logTail": "",
    }
    facts = {
        "lifecycleEventName": event.name,
        "diagnostics": diagnostics if failed or event.status == "Succeeded" else None,
        "startTime": event.started_at,
        "endTime": event.ended_at,
        "status": event.status,
    }
    return without_none(facts)
