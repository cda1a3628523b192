"""Elastic Container Service as boto3 knows it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aws_simulator.ecs.deployments import Deployments
from aws_simulator.ecs.state import EcsService, ServiceDeployment, ServiceRevision, configuration_of, counts
from aws_simulator.ecs.task_definitions import BAD_TOKEN, name_in, next_token
from aws_simulator.ecs.task_life import breaker_threshold
from aws_simulator.service import Answer, Refused, Request, page

# The resources of a request, as IAM names them (service-authorization: list_amazonelasticcontainerservice).

Arn = Callable[[str], str]
"""Return the ARN for a path after the account."""

NAMED: Final[Mapping[str, str]] = {
    "DescribeServiceDeployments": "serviceDeploymentArns",
    "DescribeServiceRevisions": "serviceRevisionArns",
    "StopServiceDeployment": "serviceDeploymentArn",
    "TagResource": "resourceArn",
    "UntagResource": "resourceArn",
    "ListTagsForResource": "resourceArn",
}
"""Operations whose requests name their resources by ARN, and that member."""

OF_A_SERVICE: Final[Mapping[str, str]] = {
    "UpdateService": "service",
    "DeleteService": "service",
    "ListServiceDeployments": "service",
    "CreateService": "serviceName",
}


def iam_resources(operation: str, request: Request, arn: Arn) -> tuple[str, ...]:
    if operation in NAMED:
        named = request[NAMED[operation]]
        arns = (named,) if isinstance(named, str) else tuple(named)
        return tuple(one for arn_of_part in arns for one in (*services_of(arn_of_part), arn_of_part))
    cluster = name_in(request.get("cluster", "default"))
    if operation in OF_A_SERVICE:
        return (arn(f"service/{cluster}/{name_in(request[OF_A_SERVICE[operation]])}"),)
    match operation:
        case "DescribeServices":
            return tuple(arn(f"service/{cluster}/{name_in(name)}") for name in request["services"])
        case "DescribeTaskSets":
            return (arn(f"task-set/{cluster}/{name_in(request['service'])}/*"),)
        case "RunTask":
            return (arn(f"task-definition/{any_revision(name_in(request['taskDefinition']))}"),)
        case "RegisterTaskDefinition":
            return (arn(f"task-definition/{request['family']}:*"),)
        case "DescribeTasks":
            return tuple(arn(f"task/{cluster}/{name_in(task)}") for task in request["tasks"])
        case "StopTask":
            return (arn(f"task/{cluster}/{name_in(request['task'])}"),)
        case "DescribeClusters":
            return tuple(arn(f"cluster/{name_in(one)}") for one in request.get("clusters", []))
        case _:
            return ()


def services_of(arn_of_part: str) -> tuple[str, ...]:
    """Add the service: IAM checks it, too, where its deployments or revisions are read."""
    for part in (":service-deployment/", ":service-revision/"):
        if part in arn_of_part:
            return (arn_of_part.replace(part, ":service/").rpartition("/")[0],)
    return ()


def any_revision(name: str) -> str:
    return name if ":" in name else f"{name}:*"


# Records of rolling deployments: ListServiceDeployments and similar operations.

PAGE_SIZE = 20
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


class ServiceDeployments(Deployments):
    def list_service_deployments(self, request: Request) -> Answer:
        """List deployments, the newest first."""
        service = self.ecs_service(request.get("cluster"), request["service"])
        wanted = request.get("status")
        times = request.get("createdAt", {})
        found = [
            brief(record, service)
            for record in reversed(self.service_deployments.values())
            if record.service_arn == service.arn
            and (not wanted or record.status in wanted)
            and times.get("after", BEGINNING) <= record.created_at <= times.get("before", END)
        ]
        size = request.get("maxResults", PAGE_SIZE)
        shown, token = page(found, request.get("nextToken"), size, refused=BAD_TOKEN)
        return {"serviceDeployments": shown} | next_token(token)

    def describe_service_deployments(self, request: Request) -> Answer:
        known = [self.service_deployments.get(arn) for arn in request["serviceDeploymentArns"]]
        return {
            "serviceDeployments": [self._record_description(record) for record in known if record is not None],
            "failures": [
                {"arn": arn, "reason": "MISSING"}
                for arn, record in zip(request["serviceDeploymentArns"], known, strict=True)
                if record is None
            ],
        }

    def _record_description(self, record: ServiceDeployment) -> dict[str, Any]:
        service = next(one for one in self.ecs_services.values() if one.arn == record.service_arn)
        configuration = configuration_of(service)
        running = record.status == "IN_PROGRESS"
        breaker = configuration["deploymentCircuitBreaker"]["enable"]
        counted = sum(one.failed_tasks for one in service.sets if one.id == record.set_id)
        alarms = self._alarms(service)
        fired = self._fired(record, alarms)
        facts: dict[str, Any] = {
            **brief(record, service),
            "updatedAt": record.updated_at,
            "stoppedAt": record.finished_at if record.status == "STOPPED" else None,
            "sourceServiceRevisions": [self._revision_in(service, revision) for revision in record.sources],
            "targetServiceRevision": self._revision_in(service, record.target),
            "deploymentConfiguration": configuration,
            "rollback": record.rollback,
            "deploymentCircuitBreaker": {
                "status": watching(breaker, record.breaker_tripped, running),
                "failureCount": record.failed_tasks or (counted if running else 0),
                "threshold": breaker_threshold(service.desired_count, configuration),
            },
            "alarms": {
                "status": watching(bool(alarms), bool(fired), running),
                "alarmNames": alarms,
                "triggeredAlarmNames": fired,
            },
        }
        facts["deploymentConfiguration"].pop("strategy", None)
        del facts["targetServiceRevisionArn"]
        return {key: value for key, value in facts.items() if value is not None}

    def _fired(self, record: ServiceDeployment, alarms: list[str]) -> list[str]:
        by_alarm = "alarm" in record.reason
        return alarms if by_alarm else []

    def _revision_in(self, service: EcsService, revision: ServiceRevision) -> dict[str, Any]:
        sets = [one for one in service.sets if one.definition is revision.definition]
        pending, running = counts([task for one in sets for task in self.tasks_of(one)])
        return {
            "arn": revision.arn,
            "requestedTaskCount": sum(one.desired_count for one in sets),
            "runningTaskCount": running,
            "pendingTaskCount": pending,
        }

    def describe_service_revisions(self, request: Request) -> Answer:
        found, failures = [], []
        for arn in request["serviceRevisionArns"]:
            revision = self.service_revisions.get(arn)
            if revision is None:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            cluster, name = arn.split("/")[1:3]
            service = self.ecs_service(cluster, name)
            found.append(
                {
                    "serviceRevisionArn": arn,
                    "serviceArn": service.arn,
                    "clusterArn": service.cluster.arn,
                    "taskDefinition": revision.definition.arn,
                    "launchType": "FARGATE",
                    "platformVersion": service.request.get("platformVersion", "1.4.0"),
                    "platformFamily": "Linux",
                    "networkConfiguration": service.request.get("networkConfiguration", {}),
                    "containerImages": [
                        {"containerName": one["name"], "image": one["image"]} for one in revision.definition.containers
                    ],
                    "createdAt": revision.created_at,
                }
            )
        return {"serviceRevisions": found, "failures": failures}

    def stop_service_deployment(self, request: Request) -> Answer:
        """Stop a deployment. With ROLLBACK, the default, the service returns to the revision before."""
        arn = request["serviceDeploymentArn"]
        record = self.service_deployments.get(arn)
        if record is None:
            raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
        service = next(one for one in self.ecs_services.values() if one.arn == record.service_arn)
        in_progress = next((one for one in service.sets if one.id == record.set_id), None)
        if in_progress is None or record.status != "IN_PROGRESS":
            message = f"The service deployment is in the state {record.status} and cannot be stopped."
            raise Refused("ConflictException", message)
        self._fail(service, in_progress, "request")
        return {"serviceDeploymentArn": arn}


def brief(record: ServiceDeployment, service: EcsService) -> dict[str, Any]:
    facts = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": record.service_arn,
        "clusterArn": service.cluster.arn,
        "createdAt": record.created_at,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "targetServiceRevisionArn": record.target.arn,
        "status": record.status,
        "statusReason": record.reason or None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def watching(enabled: bool, triggered: bool, running: bool) -> str:
    if not enabled:
        return "DISABLED"
    if triggered:
        return "TRIGGERED"
    return "MONITORING" if running else "MONITORING_COMPLETE"


class Ecs(ServiceDeployments):
    NAME = "ecs"

    def tag_resource(self, request: Request) -> Answer:
        tags = self._tags(request["resourceArn"])
        given = {tag["key"] for tag in request["tags"]}
        tags[:] = [*(tag for tag in tags if tag["key"] not in given), *request["tags"]]
        return {}

    def untag_resource(self, request: Request) -> Answer:
        tags = self._tags(request["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in request["tagKeys"]]
        return {}

    def list_tags_for_resource(self, request: Request) -> Answer:
        return {"tags": list(self._tags(request["resourceArn"]))}

    def _tags(self, arn: str) -> list[dict[str, str]]:
        short = name_in(arn)
        if ":task-definition/" in arn and short in self.definitions:
            return self.definitions[short].tags
        if ":task/" in arn and short in self.tasks:
            return self.tasks[short].tags
        for service in self.ecs_services.values():
            if service.arn == arn:
                return service.tags
        raise Refused("InvalidParameterException", "The specified resource ARN was not found.")

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        return iam_resources(operation, request, lambda resource: self.account.arn("ecs", resource))
