"""Elastic Container Service as boto3 knows it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aws_simulator.ecs.deployments import Deployments
from aws_simulator.ecs.state import ServiceDeployment, ServiceRevision, counts
from aws_simulator.ecs.task_definitions import PAGES, found_and_missing, name_in
from aws_simulator.ecs.task_life import breaker_threshold
from aws_simulator.service import Answer, Refused, Request, find_or_refuse, without_none

# The resources of a request, as IAM names them:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html

NAMED: Final[Mapping[str, str]] = {
    "DescribeServiceDeployments": "serviceDeploymentArns",
    "DescribeServiceRevisions": "serviceRevisionArns",
    "StopServiceDeployment": "serviceDeploymentArn",
    "TagResource": "resourceArn",
    "UntagResource": "resourceArn",
    "ListTagsForResource": "resourceArn",
}
"""Operations whose requests name their resources by ARN, and that member."""

RESOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "CreateService": ("serviceName", "service/{cluster}/{name}"),
    "UpdateService": ("service", "service/{cluster}/{name}"),
    "DeleteService": ("service", "service/{cluster}/{name}"),
    "DescribeServices": ("services", "service/{cluster}/{name}"),
    "ListServiceDeployments": ("service", "service/{cluster}/{name}"),
    "DescribeTaskSets": ("service", "task-set/{cluster}/{name}/*"),
    "RegisterTaskDefinition": ("family", "task-definition/{name}:*"),
    "RunTask": ("taskDefinition", "task-definition/{name}"),
    "DescribeTasks": ("tasks", "task/{cluster}/{name}"),
    "StopTask": ("task", "task/{cluster}/{name}"),
    "DescribeClusters": ("clusters", "cluster/{name}"),
}
"""Other operations: the member with the name or names, and the form of their ARNs after the account."""


def services_of(arn_of_part: str) -> tuple[str, ...]:
    """Return the service of a deployment or revision: IAM checks it, too, where either of these is read."""
    for part in (":service-deployment/", ":service-revision/"):
        if part in arn_of_part:
            return (arn_of_part.replace(part, ":service/").rpartition("/")[0],)
    return ()


# Records of rolling deployments: ListServiceDeployments and similar operations.

ROLLING_BACK: Final = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")

PAGE_SIZE = 20
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


class Ecs(Deployments):
    """Elastic Container Service: rolling deployments are listed, described and stopped, and resources are tagged."""

    def list_service_deployments(self, request: Request) -> Answer:
        """List deployments, the newest first."""
        service = self.ecs_service(request.get("cluster"), request["service"])
        wanted = request.get("status")
        times = request.get("createdAt", {})
        found = [
            brief(record)
            for record in reversed(self.service_deployments.values())
            if record.service is service
            and (not wanted or record.status in wanted)
            and times.get("after", BEGINNING) <= record.created_at <= times.get("before", END)
        ]
        return PAGES.answer("serviceDeployments", found, request, PAGE_SIZE)

    def describe_service_deployments(self, request: Request) -> Answer:
        by_arn = {arn: self.service_deployments.get(arn) for arn in request["serviceDeploymentArns"]}
        return found_and_missing("serviceDeployments", by_arn, self._record_description)

    def _record_description(self, record: ServiceDeployment) -> dict[str, Any]:
        service, configuration = record.service, record.service.configuration
        running = record.status in ("IN_PROGRESS", "ROLLBACK_REQUESTED")
        breaker = configuration["deploymentCircuitBreaker"]["enable"]
        counted = sum(one.failed_tasks for one in service.sets if one.id == record.set_id)
        alarms = self._alarms(service)
        fired = alarms if "alarm" in record.reason else []
        facts: dict[str, Any] = {
            **brief(record),
            "updatedAt": record.updated_at,
            "stoppedAt": record.finished_at if record.status == "STOPPED" else None,
            "sourceServiceRevisions": [self._revision_in_deployment(revision) for revision in record.sources],
            "targetServiceRevision": self._revision_in_deployment(record.target),
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
        return without_none(facts)

    def _revision_in_deployment(self, revision: ServiceRevision) -> dict[str, Any]:
        sets = [one for one in revision.service.sets if one.definition is revision.definition]
        pending, running = counts([task for one in sets for task in self.tasks_of(one)])
        return {
            "arn": revision.arn,
            "requestedTaskCount": sum(one.desired_count for one in sets),
            "runningTaskCount": running,
            "pendingTaskCount": pending,
        }

    def describe_service_revisions(self, request: Request) -> Answer:
        by_arn = {arn: self.service_revisions.get(arn) for arn in request["serviceRevisionArns"]}
        return found_and_missing("serviceRevisions", by_arn, self._revision_description)

    def _revision_description(self, revision: ServiceRevision) -> dict[str, Any]:
        service, containers = revision.service, revision.definition.containers
        return {
            "serviceRevisionArn": revision.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "taskDefinition": revision.definition.arn,
            "launchType": "FARGATE",
            "platformVersion": service.request.get("platformVersion", "1.4.0"),
            "platformFamily": "Linux",
            "networkConfiguration": service.request.get("networkConfiguration", {}),
            "containerImages": [{"containerName": one["name"], "image": one["image"]} for one in containers],
            "createdAt": revision.created_at,
        }

    def stop_service_deployment(self, request: Request) -> Answer:
        """Stop a deployment. With ROLLBACK, the default, the service returns to the revision before.

        A rollback that was requested, or is in progress, goes on.
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
        """
        arn = request["serviceDeploymentArn"]
        code = "ServiceDeploymentNotFoundException"
        record = find_or_refuse(self.service_deployments, arn, code, "Service deployment not found.")
        if record.status in ROLLING_BACK:
            return {"serviceDeploymentArn": arn}
        in_progress = next((one for one in record.service.sets if one.id == record.set_id), None)
        if in_progress is None or record.status != "IN_PROGRESS":
            message = f"The service deployment is in the state {record.status} and cannot be stopped."
            raise Refused("ConflictException", message)
        self.request_rollback(record, in_progress)
        return {"serviceDeploymentArn": arn}

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
        """Return the ARNs that IAM checks for a request; none where the permission is for all resources or nothing."""
        member, form = RESOURCES.get(operation, (NAMED.get(operation, ""), ""))
        given = request.get(member, [])
        names = [given] if isinstance(given, str) else given
        if operation in NAMED:
            return tuple(one for arn in names for one in (*services_of(arn), arn))
        cluster = name_in(request.get("cluster", "default"))
        resources = [form.format(cluster=cluster, name=name_in(name)) for name in names]
        if operation == "RunTask" and ":" not in resources[0]:
            # A family runs its newest revision, so IAM checks all of them.
            resources[0] += ":*"
        return tuple(self.account.arn("ecs", resource) for resource in resources)


def brief(record: ServiceDeployment) -> dict[str, Any]:
    """Return a deployment as ListServiceDeployments does."""
    facts = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": record.service.arn,
        "clusterArn": record.service.cluster.arn,
        "createdAt": record.created_at,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "targetServiceRevisionArn": record.target.arn,
        "status": record.status,
        "statusReason": record.reason or None,
    }
    return without_none(facts)


def watching(enabled: bool, triggered: bool, running: bool) -> str:
    """Return the status of a deployment's circuit breaker, or of its alarms."""
    if not enabled:
        return "DISABLED"
    if triggered:
        return "TRIGGERED"
    return "MONITORING" if running else "MONITORING_COMPLETE"
