"""What ECS answers, as our values."""

from typing import Any, Final

from platform_sdk.deploy.aws.calls import utc
from platform_sdk.deploy.state import (
    ContainerState,
    EcsService,
    RollingDeployment,
    ServiceEvent,
    Task,
    TaskDefinition,
    TaskSet,
)

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
    """`answer` is that of DescribeTaskDefinition or RegisterTaskDefinition."""
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
    """Under CodeDeploy the revision, network and platform version are those of the primary task set; what the service
    itself has is how it was created.
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
        task_sets=tuple(task_set_of(each) for each in found.get("taskSets", [])),
        deployments=tuple(rolling_of(each) for each in found.get("deployments", [])),
        events=tuple(
            ServiceEvent(at=utc(each["createdAt"]), message=each["message"]) for each in found.get("events", [])
        ),
    )


def task_set_of(found: Any) -> TaskSet:
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


def rolling_of(found: Any) -> RollingDeployment:
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
    )


def task_of(found: Any) -> Task:
    return Task(
        arn=found["taskArn"],
        task_definition=found["taskDefinitionArn"],
        last_status=found["lastStatus"],
        desired_status=found.get("desiredStatus", ""),
        started_by=found.get("startedBy", ""),
        stop_code=found.get("stopCode", ""),
        stopped_reason=found.get("stoppedReason", ""),
        health=found.get("healthStatus", "UNKNOWN"),
        containers=tuple(container_of(each) for each in found.get("containers", [])),
        private_address=private_address_of(found),
        created_at=utc(found.get("createdAt")),
        stopped_at=utc(found.get("stoppedAt")),
    )


def container_of(found: Any) -> ContainerState:
    return ContainerState(
        name=found["name"],
        last_status=found.get("lastStatus", ""),
        exit_code=found.get("exitCode"),
        reason=found.get("reason", ""),
        health=found.get("healthStatus", "UNKNOWN"),
        image_digest=found.get("imageDigest", ""),
    )


def private_address_of(found: Any) -> str:
    """Of the task's network interface; a stopped task has none any more, and its containers may still name it."""
    for attachment in found.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail.get("name") == "privateIPv4Address":
                return str(detail["value"])
    for container in found.get("containers", []):
        for interface in container.get("networkInterfaces", []):
            if "privateIpv4Address" in interface:
                return str(interface["privateIpv4Address"])
    return ""
