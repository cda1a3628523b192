"""ECS: services, task definitions, tasks, and ECS's own rolling updates."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from platform_sdk.deploy.aws import AwsCallFailed, Client, NotFound, NotPlaced, in_batches, utc
from platform_sdk.deploy.state import (
    ContainerState,
    EcsService,
    Json,
    RollingDeployment,
    ServiceDeployment,
    ServiceEvent,
    Task,
    TaskDefinition,
    TaskSet,
    given_reason,
)

# What ECS answers, as our values.

READ_ONLY: Final = frozenset(
    {
        "compatibilities",
        "deleteRequestedAt",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
)
"""Keys that DescribeTaskDefinition adds, and RegisterTaskDefinition refuses."""


def task_definition_of(answer: Any) -> TaskDefinition:
    """Convert the answer of DescribeTaskDefinition or RegisterTaskDefinition."""
    found = answer["taskDefinition"]
    return TaskDefinition(
        arn=found["taskDefinitionArn"],
        family=found["family"],
        revision=found["revision"],
        document={key: value for key, value in found.items() if key not in READ_ONLY},
        tags={each["key"]: each.get("value", "") for each in answer.get("tags", [])},
        active=found.get("status", "ACTIVE") == "ACTIVE",
    )


def service_of(found: Any) -> EcsService:
    """Convert an ECS service. Under CodeDeploy the revision, network and platform version are the primary task set's;
    what the service itself has is how it was created.
    """
    primary: Any = next((each for each in found.get("taskSets", []) if each["status"] == "PRIMARY"), {})
    network = (primary.get("networkConfiguration") or found.get("networkConfiguration") or {}).get(
        "awsvpcConfiguration", {}
    )
    return EcsService(
        name=found["serviceName"],
        arn=found["serviceArn"],
        status=found["status"],
        controller=found.get("deploymentController", {}).get("type", "ECS"),
        task_definition=primary.get("taskDefinition") or found.get("taskDefinition", ""),
        desired=found.get("desiredCount", 0),
        running=found.get("runningCount", 0),
        pending=found.get("pendingCount", 0),
        platform_version=primary.get("platformVersion") or found.get("platformVersion", ""),
        subnets=tuple(network.get("subnets", ())),
        security_groups=tuple(network.get("securityGroups", ())),
        grace_period_seconds=found.get("healthCheckGracePeriodSeconds", 0),
        task_sets=tuple(_task_set_of(each) for each in found.get("taskSets", [])),
        deployments=tuple(_rolling_of(each) for each in found.get("deployments", [])),
        events=tuple(
            ServiceEvent(at=utc(each["createdAt"]), message=each["message"]) for each in found.get("events", [])
        ),
    )


def _task_set_of(found: Any) -> TaskSet:
    balancers = found.get("loadBalancers", [])
    return TaskSet(
        id=found["id"],
        status=found["status"],
        task_definition=found["taskDefinition"],
        target_group=balancers[0].get("targetGroupArn", "") if balancers else "",
        desired=found.get("computedDesiredCount", 0),
        running=found.get("runningCount", 0),
        pending=found.get("pendingCount", 0),
        steady=found.get("stabilityStatus") == "STEADY_STATE",
    )


def _rolling_of(found: Any) -> RollingDeployment:
    return RollingDeployment(
        id=found["id"],
        status=found["status"],
        task_definition=found["taskDefinition"],
        desired=found.get("desiredCount", 0),
        running=found.get("runningCount", 0),
        pending=found.get("pendingCount", 0),
        failed=found.get("failedTasks", 0),
        rollout_state=found.get("rolloutState", "COMPLETED"),
        rollout_reason=found.get("rolloutStateReason", ""),
        created_at=utc(found["createdAt"]),
    )


def _task_of(found: Any) -> Task:
    return Task(
        arn=found["taskArn"],
        task_definition=found["taskDefinitionArn"],
        last_status=found["lastStatus"],
        desired_status=found.get("desiredStatus", ""),
        started_by=found.get("startedBy", ""),
        stop_code=found.get("stopCode", ""),
        stopped_reason=found.get("stoppedReason", ""),
        health=found.get("healthStatus", "UNKNOWN"),
        containers=tuple(_container_of(each) for each in found.get("containers", [])),
        private_address=private_address_of(found),
        created_at=utc(found.get("createdAt")),
        stopped_at=utc(found.get("stoppedAt")),
    )


def _container_of(found: Any) -> ContainerState:
    return ContainerState(
        name=found["name"],
        last_status=found.get("lastStatus", ""),
        exit_code=found.get("exitCode"),
        reason=found.get("reason", ""),
        health=found.get("healthStatus", "UNKNOWN"),
        image_digest=found.get("imageDigest", ""),
    )


def private_address_of(found: Any) -> str:
    """Return the address of the task's network interface. A stopped task has none, but its containers may name it."""
    for attachment in found.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail.get("name") == "privateIPv4Address":
                return str(detail["value"])
    for container in found.get("containers", []):
        for interface in container.get("networkInterfaces", []):
            if "privateIpv4Address" in interface:
                return str(interface["privateIpv4Address"])
    return ""


# docs.aws.amazon.com/AmazonECS/latest/APIReference: the most that one call describes.
SERVICES: Final = 10
TASKS: Final = 100
DEPLOYMENTS: Final = 20

GONE: Final = ("MISSING", "INACTIVE")


class Ecs:
    """The calls of ECS. `cluster` is a name or ARN, and so is `service`. All raise AwsCallFailed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def service(self, cluster: str, name: str) -> EcsService | None:
        """Return None where there is none, or it was deleted."""
        return self.services(cluster, [name]).get(name)

    def services(self, cluster: str, names: Sequence[str]) -> dict[str, EcsService]:
        """Return services by name, without those that do not exist; none where the cluster does not."""
        found: dict[str, EcsService] = {}
        for batch in in_batches(names, SERVICES):
            purpose = f"read the service{'s' if len(batch) > 1 else ''} {', '.join(batch)}"
            try:
                answer = self.client.call("describe_services", purpose, cluster=cluster, services=batch)
            except NotFound:
                return {}
            self.refuse_failures(answer, purpose, "DescribeServices")
            for each in map(service_of, answer["services"]):
                if each.status not in GONE:
                    found[each.name] = each
        return found

    def revision(self, name: str) -> TaskDefinition | None:
        """Return a revision by ARN or `family:revision`, or a family's newest active one; None where there is none."""
        try:
            answer = self.client.call(
                "describe_task_definition", f"read the task definition {name}", taskDefinition=name, include=["TAGS"]
            )
        except AwsCallFailed as error:
            # ECS has no code of its own for this: ClientException, "Unable to describe task definition."
            if error.code == "ClientException" and "Unable to describe" in (error.because or ""):
                return None
            raise
        return task_definition_of(answer)

    def register(self, document: Json, tags: Mapping[str, str]) -> TaskDefinition:
        """Register a new revision each time, also of a document that is registered already. Never retried."""
        answer = self.client.call_once(
            "register_task_definition",
            f"register the task definition {document.get('family')}",
            **document | ({"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}),
        )
        return task_definition_of(answer)

    def roll(self, cluster: str, service: str, *, task_definition: str, anew: bool = False) -> RollingDeployment:
        """Start a rolling update and return its deployment. Never retried.

        Args:
            anew: replace the tasks also if they run this revision.
        """
        force = {"forceNewDeployment": True} if anew else {}
        answer = self.client.call_once(
            "update_service",
            f"update the service {service}",
            cluster=cluster,
            service=service,
            taskDefinition=task_definition,
            **force,
        )
        deployments = answer["service"]["deployments"]
        return _rolling_of(next(each for each in deployments if each["status"] == "PRIMARY"))

    def set_grace_period(self, cluster: str, service: str, seconds: int) -> None:
        """Set the grace period: one of the few settings that CodeDeploy lets others change."""
        self.client.call(
            "update_service",
            f"change the grace period of the service {service}",
            cluster=cluster,
            service=service,
            healthCheckGracePeriodSeconds=seconds,
        )

    def run(
        self,
        cluster: str,
        *,
        task_definition: str,
        container: str,
        command: Sequence[str],
        like: EcsService,
        started_by: str,
        client_token: str,
    ) -> Task | None:
        """Start one task with the network of a service. With the same `client_token` (of up to 64 characters) it is
        started once only, and the answer is the one that runs, or None where that has stopped long ago.

        Raises:
            NotPlaced: nothing was started (docs.aws.amazon.com/AmazonECS, "Amazon ECS API failure reasons").
        """
        purpose = f"start a task of {task_definition}"
        platform = {"platformVersion": like.platform_version} if like.platform_version else {}
        answer = self.client.call(
            "run_task",
            purpose,
            cluster=cluster,
            taskDefinition=task_definition,
            count=1,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(like.subnets),
                    "securityGroups": list(like.security_groups),
                    "assignPublicIp": "DISABLED",
                }
            },
            overrides={"containerOverrides": [{"name": container, "command": list(command)}]},
            enableECSManagedTags=True,
            propagateTags="TASK_DEFINITION",
            startedBy=started_by[:128],
            clientToken=client_token,
            **platform,
        )
        self.refuse_failures(answer, purpose, "RunTask", NotPlaced)
        return next(map(_task_of, answer["tasks"]), None)

    def task(self, cluster: str, arn: str) -> Task | None:
        """Return None about an hour after the task stopped: ECS has forgotten it."""
        return next(self.described(cluster, [arn]), None)

    def tasks_of_family(self, cluster: str, family: str) -> tuple[Task, ...]:
        """Return the tasks of a family that run or start, by anyone."""
        purpose = f"list the tasks of the family {family}"
        try:
            pages = [*self.client.pages("list_tasks", purpose, cluster=cluster, family=family)]
        except NotFound:
            return ()
        return tuple(self.described(cluster, [arn for page in pages for arn in page["taskArns"]]))

    def tasks(self, cluster: str, *, service: str, stopped: bool) -> tuple[Task, ...]:
        """Return a service's tasks that run or start, or those that stopped within about the last hour."""
        wanted = "STOPPED" if stopped else "RUNNING"
        purpose = f"list the tasks of the service {service}"
        try:
            arns = [
                arn
                for page in self.client.pages(
                    "list_tasks", purpose, cluster=cluster, serviceName=service, desiredStatus=wanted
                )
                for arn in page["taskArns"]
            ]
        except NotFound:
            return ()
        return tuple(self.described(cluster, arns))

    def described(self, cluster: str, arns: Sequence[str]) -> Iterator[Task]:
        """Yield the tasks that exist, 100 a call. ECS lists a stopped task for at least an hour (DescribeTasks)."""
        for batch in in_batches(arns, TASKS):
            purpose = f"read {len(batch)} tasks" if len(batch) > 1 else f"read the task {batch[0]}"
            answer = self.client.call("describe_tasks", purpose, cluster=cluster, tasks=batch)
            self.refuse_failures(answer, purpose, "DescribeTasks")
            yield from map(_task_of, answer["tasks"])

    def service_deployments(self, cluster: str, service: str, *, most: int) -> tuple[ServiceDeployment, ...]:
        """Return a service's rolling updates, newest first; none where the service does not exist.

        ECS keeps those of the last 90 days, and lists them in no documented order, so all of them are read.
        """
        purpose = f"list the deployments of the service {service}"
        try:
            listed = list(self.listed_deployments(cluster, service, purpose))
        except NotFound:
            return ()
        listed.sort(key=lambda each: each["createdAt"], reverse=True)
        arns = [each["serviceDeploymentArn"] for each in listed][:most]
        found = [each for batch in in_batches(arns, DEPLOYMENTS) for each in self.described_deployments(batch, purpose)]
        return tuple(sorted(found, key=lambda each: arns.index(each.arn)))

    def listed_deployments(self, cluster: str, service: str, purpose: str) -> Iterator[Any]:
        """Yield what ListServiceDeployments lists. boto3 has no paginator for it."""
        more: dict[str, str] = {}
        while True:
            answer = self.client.call(
                "list_service_deployments", purpose, cluster=cluster, service=service, maxResults=100, **more
            )
            yield from answer["serviceDeployments"]
            if not answer.get("nextToken"):
                return
            more = {"nextToken": answer["nextToken"]}

    def described_deployments(self, arns: Sequence[str], purpose: str) -> list[ServiceDeployment]:
        """Return rolling updates by ARN, each with the task definition that it rolls out."""
        answer = self.client.call("describe_service_deployments", purpose, serviceDeploymentArns=arns)
        deployments = answer["serviceDeployments"]
        revisions = {each["targetServiceRevision"]["arn"] for each in deployments if "targetServiceRevision" in each}
        runs = self.task_definitions_of(sorted(revisions), purpose)
        return [
            ServiceDeployment(
                arn=each["serviceDeploymentArn"],
                status=each["status"],
                reason=each.get("statusReason", ""),
                target_revision=runs.get(each.get("targetServiceRevision", {}).get("arn", ""), ""),
                started_at=utc(each.get("startedAt")),
                finished_at=utc(each.get("finishedAt") or each.get("stoppedAt")),
            )
            for each in deployments
        ]

    def task_definitions_of(self, revisions: Sequence[str], purpose: str) -> dict[str, str]:
        """Return the task definition's ARN of each of ECS's service revisions."""
        return {
            each["serviceRevisionArn"]: each["taskDefinition"]
            for batch in in_batches(revisions, DEPLOYMENTS)
            for each in self.client.call("describe_service_revisions", purpose, serviceRevisionArns=batch)[
                "serviceRevisions"
            ]
        }

    def stop_service_deployment(self, arn: str) -> None:
        """Stop a rolling update and roll it back."""
        kind: Literal["ROLLBACK"] = "ROLLBACK"
        purpose = f"roll back the deployment {arn}"
        self.client.call("stop_service_deployment", purpose, serviceDeploymentArn=arn, stopType=kind)

    def refuse_failures(
        self, answer: Any, purpose: str, operation: str, kind: type[AwsCallFailed] = AwsCallFailed
    ) -> None:
        """Raise for failures that ECS lists in an answer with status 200. A missing resource is no failure here."""
        failures = [each for each in answer.get("failures", []) if each.get("reason") != "MISSING"]
        if failures:
            raise kind(
                f"could not {purpose}",
                because="; ".join(map(failure_text, failures)),
                service="ecs",
                operation=operation,
                code=failures[0].get("reason", ""),
            )


def failure_text(failure: Any) -> str:
    """Return the reason of a failure, with what it is about. ECS leaves out any of its members."""
    words = (failure.get("reason"), failure.get("detail") or failure.get("arn"))
    return given_reason(": ".join(filter(None, words)))
