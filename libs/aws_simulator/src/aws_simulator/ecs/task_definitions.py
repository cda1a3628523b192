"""Task definitions, and the clusters and tags that all of ECS shares."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from aws_simulator.account import Account
from aws_simulator.ecs.state import Cluster, TaskDefinition
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse, without_none

# Checks of RegisterTaskDefinition that the API model does not express, in AWS's words.

MAX_BYTES: Final = 65_536
MAX_CONTAINERS: Final = 10
MAX_TAGS: Final = 50

Json = Mapping[str, Any]
T = TypeVar("T")

FARGATE: Final[Mapping[str, Sequence[int]]] = {
    "256": (512, 1024, 2048),
    "512": tuple(range(1024, 4097, 1024)),
    "1024": tuple(range(2048, 8193, 1024)),
    "2048": tuple(range(4096, 16385, 1024)),
    "4096": tuple(range(8192, 30721, 1024)),
    "8192": tuple(range(16384, 61441, 4096)),
    "16384": tuple(range(32768, 122881, 8192)),
    "32768": (61440, 122880, 249856),
}
"""CPU units to MiB of memory:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"""


def violations_in(document: Json) -> Iterator[str]:
    """Yield what RegisterTaskDefinition would complain about.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
    """
    size = len(json.dumps(document, separators=(",", ":"), default=str).encode())
    if size > MAX_BYTES:
        yield f"Actual length: '{size}'. Max allowed length is '{MAX_BYTES}' bytes."
    containers = document["containerDefinitions"]
    if not 0 < len(containers) <= MAX_CONTAINERS:
        yield f"Number of containers should be between 1 and {MAX_CONTAINERS}."
    if len(document.get("tags", [])) > MAX_TAGS:
        yield f"Too many tags: a resource has at most {MAX_TAGS}."
    names = [container.get("name") for container in containers]
    if len(set(names)) < len(names):
        yield "Duplicate container names are not allowed."
    if not any(container.get("essential", True) for container in containers):
        yield "A task definition must contain at least one essential container."
    for container in containers:
        yield from violations_in_container(container, containers, document)
    if "FARGATE" in document.get("requiresCompatibilities", []):
        yield from violations_on_fargate(document)


def violations_in_container(container: Json, containers: Sequence[Json], document: Json) -> Iterator[str]:
    """Yield what is invalid in one of the containers."""
    name = container.get("name")
    for member in ("name", "image"):
        if not container.get(member):
            yield f"Container.{member} should not be null or empty."
    for dependency in container.get("dependsOn", []):
        yield from violations_in_dependency(str(name), dependency, containers)
    variables = [one.get("name") for one in (*container.get("environment", []), *container.get("secrets", []))]
    twice = sorted({str(variable) for variable in variables if variables.count(variable) > 1})
    if twice:
        yield (
            "The secret name must be unique and not shared with any new or existing environment variables set on the "
            f"container, such as '{twice[0]}'."
        )
    volumes = [volume.get("name") for volume in document.get("volumes", [])]
    for mount in container.get("mountPoints", []):
        if mount.get("sourceVolume") not in volumes:
            yield f"Unknown volume '{mount.get('sourceVolume')}'."
    hard, soft = container.get("memory"), container.get("memoryReservation")
    if hard is not None and soft is not None and soft >= hard:
        yield "Invalid setting for container. The memory reservation must be less than the memory."


def violations_in_dependency(name: str, dependency: Json, containers: Sequence[Json]) -> Iterator[str]:
    """Yield what is invalid in a container's dependency on another one."""
    other = next((one for one in containers if one.get("name") == dependency["containerName"]), None)
    if other is None or other.get("name") == name:
        yield f"Container '{name}' depends on unknown container '{dependency['containerName']}'."
    elif dependency["condition"] == "HEALTHY" and "healthCheck" not in other:
        yield f"Container '{other['name']}' has no health check, so no container can depend on its being HEALTHY."
    elif dependency["condition"] in ("COMPLETE", "SUCCESS") and other.get("essential", True):
        yield f"Container '{other['name']}' is essential: no container can depend on its {dependency['condition']}."


def violations_on_fargate(document: Json) -> Iterator[str]:
    """Yield what Fargate does not run."""
    if document.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode 'awsvpc'."
    cpu, memory = str(document.get("cpu", "")), str(document.get("memory", ""))
    if not cpu or not memory:
        yield "Fargate requires that 'cpu' and 'memory' be defined at the task level."
    elif not memory.isdigit() or int(memory) not in FARGATE.get(cpu, ()):
        yield "No Fargate configuration exists for given values."
    needs_role = any(
        container.get("secrets") or container.get("logConfiguration", {}).get("logDriver") == "awslogs"
        for container in document["containerDefinitions"]
    )
    if needs_role and not document.get("executionRoleArn"):
        yield "Fargate requires task definition to have execution role ARN to support log driver awslogs."
    containers = document["containerDefinitions"]
    if sum(container.get("cpu", 0) for container in containers) > int(cpu or 0):
        yield "The sum of the containers' cpu must not exceed the task's cpu."
    memory_mib = sum(one.get("memoryReservation", one.get("memory", 0)) for one in containers)
    if memory.isdigit() and memory_mib > int(memory):
        yield "Invalid setting for container. At least one of 'memory' or 'memoryReservation' exceeds the task's."


STILL_ACTIVE: Final = (
    "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
)
UNKNOWN_REVISION: Final = (
    "The specified task definition does not exist. Specify a valid account, family, revision and try again."
)
DELETED_AFTER: Final = timedelta(hours=1)
"""How long a revision is at least in the state DELETE_IN_PROGRESS. ECS names no time."""

PAGE_SIZE: Final = 100
PAGES: Final = Paging(
    marker="nextToken", next_marker="nextToken", size="maxResults", invalid="InvalidParameterException"
)


class TaskDefinitions(Service):
    """Clusters, and the revisions of task definitions. A revision never changes; it can become inactive."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.clusters: dict[str, Cluster] = {}
        self.definitions: dict[str, TaskDefinition] = {}
        self.revisions: dict[str, int] = {}

    # Clusters

    def create_cluster(self, request: Request) -> Answer:
        name = request.get("clusterName", "default")
        arn = self.account.arn("ecs", f"cluster/{name}")
        cluster = self.clusters.setdefault(name, Cluster(arn=arn, name=name, request=dict(request)))
        return {"cluster": self._cluster_description(cluster)}

    def delete_cluster(self, request: Request) -> Answer:
        cluster = self.cluster(request["cluster"])
        description = self._cluster_description(cluster) | {"status": "INACTIVE"}
        del self.clusters[cluster.name]
        return {"cluster": description}

    def describe_clusters(self, request: Request) -> Answer:
        names = [name_in(name) for name in request.get("clusters", ["default"])]
        by_arn = {self.account.arn("ecs", f"cluster/{name}"): self.clusters.get(name) for name in names}
        return found_and_missing("clusters", by_arn, self._cluster_description)

    def cluster(self, name_or_arn: str | None) -> Cluster:
        """Return a cluster; `default` without a name. Raises Refused: ClusterNotFoundException."""
        name = name_in(name_or_arn or "default")
        return find_or_refuse(self.clusters, name, "ClusterNotFoundException", "Cluster not found.")

    def _cluster_description(self, cluster: Cluster) -> dict[str, Any]:
        return {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "statistics": [],
            "settings": list(cluster.request.get("settings", [])),
            "capacityProviders": list(cluster.request.get("capacityProviders", [])),
            "defaultCapacityProviderStrategy": list(cluster.request.get("defaultCapacityProviderStrategy", [])),
        }

    # Task definitions

    def definition(self, name: str) -> TaskDefinition:
        """Return a definition by ARN, `family:revision`, or family, which is its newest active revision.

        Raises:
            Refused: ClientException.
        """
        self._forget_deleted_revisions()
        short = name_in(name)
        family, _, revision = short.partition(":")
        if revision:
            found = self.definitions.get(short)
        else:
            active = [one for one in self.definitions.values() if one.family == family and one.status == "ACTIVE"]
            found = active[-1] if active else None
        if found is None:
            raise Refused("ClientException", "Unable to describe task definition.")
        return found

    def register_task_definition(self, request: Request) -> Answer:
        """Register a revision. Identical content makes a new revision, too."""
        for violation in violations_in(request):
            raise Refused("ClientException", violation)
        family = request["family"]
        self.revisions[family] = self.revisions.get(family, 0) + 1
        revision = self.revisions[family]
        definition = TaskDefinition(
            arn=self.account.arn("ecs", f"task-definition/{family}:{revision}"),
            family=family,
            revision=revision,
            document=with_defaults(request),
            tags=list(request.get("tags", [])),
            registered_at=self.account.now(),
        )
        self.definitions[f"{family}:{revision}"] = definition
        return {"taskDefinition": self._definition_description(definition), "tags": definition.tags}

    def starts(self, definition: TaskDefinition) -> bool:
        """Return whether something new may start from a revision: an active one, or one that was deregistered just
        now. "There may be up to a 10-minute window following deregistration":
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
        """
        if definition.status != "INACTIVE" or definition.deregistered_at is None:
            return definition.status == "ACTIVE"
        window = timedelta(seconds=self.account.conditions.deregistered_starts_seconds)
        return self.account.now() < definition.deregistered_at + window

    def deregister_task_definition(self, request: Request) -> Answer:
        """Make a revision INACTIVE: what runs goes on and scales, but nothing new starts from it.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
        """
        name = request["taskDefinition"]
        if ":" not in name_in(name):
            raise Refused("ClientException", f"Revision is missing: {name}")
        definition = self.definition(name)
        if definition.status == "DELETE_IN_PROGRESS":
            message = "The task definition could not be deregistered because it is in the process of being deleted."
            raise Refused("ClientException", message)
        definition.status = "INACTIVE"
        definition.deregistered_at = definition.deregistered_at or self.account.now()
        return {"taskDefinition": self._definition_description(definition)}

    def delete_task_definitions(self, request: Request) -> Answer:
        """Delete inactive revisions. Each is DELETE_IN_PROGRESS for as long as a service or a task uses it.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html
        """
        deleted, failures = [], []
        for name in request["taskDefinitions"]:
            found = self.definitions.get(name_in(name))
            if found is None or found.status == "ACTIVE":
                failures.append({"arn": name, "reason": UNKNOWN_REVISION if found is None else STILL_ACTIVE})
                continue
            found.status = "DELETE_IN_PROGRESS"
            found.delete_requested_at = found.delete_requested_at or self.account.now()
            deleted.append(self._definition_description(found))
        return {"taskDefinitions": deleted, "failures": failures}

    def _forget_deleted_revisions(self) -> None:
        now = self.account.now()
        for key, one in list(self.definitions.items()):
            due = one.delete_requested_at is not None and now - one.delete_requested_at >= DELETED_AFTER
            if due and not self.uses(one):
                del self.definitions[key]

    def uses(self, definition: TaskDefinition) -> bool:
        """Return whether a service or a task that has not stopped uses the revision."""
        return False

    def describe_task_definition(self, request: Request) -> Answer:
        definition = self.definition(request["taskDefinition"])
        tags = {"tags": definition.tags} if "TAGS" in request.get("include", []) else {}
        return {"taskDefinition": self._definition_description(definition)} | tags

    def list_task_definitions(self, request: Request) -> Answer:
        """List one family exactly: `familyPrefix` is the full name.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
        """
        self._forget_deleted_revisions()
        family, status = request.get("familyPrefix"), request.get("status", "ACTIVE")
        found = [one for one in self.definitions.values() if one.status == status and family in (None, one.family)]
        found.sort(key=lambda one: (one.family, one.revision), reverse=request.get("sort") == "DESC")
        return PAGES.answer("taskDefinitionArns", [one.arn for one in found], request, PAGE_SIZE)

    def _definition_description(self, definition: TaskDefinition) -> dict[str, Any]:
        facts = {
            **definition.document,
            "taskDefinitionArn": definition.arn,
            "family": definition.family,
            "revision": definition.revision,
            "status": definition.status,
            "compatibilities": ["EC2", "FARGATE"],
            "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
            "registeredAt": definition.registered_at,
            "registeredBy": self.account.arn("sts", "assumed-role/release/session", regional=False),
            "deregisteredAt": definition.deregistered_at,
            "deleteRequestedAt": definition.delete_requested_at,
        }
        return without_none(facts)


def with_defaults(request: Request) -> dict[str, Any]:
    """Return the document as DescribeTaskDefinition does: ECS fills in what was left out."""
    members = {key: value for key, value in request.items() if key != "tags"}
    return {
        "placementConstraints": [],
        **members,
        "containerDefinitions": [container_with_defaults(one) for one in request["containerDefinitions"]],
        "volumes": [{"host": {}, **volume} for volume in request.get("volumes", [])],
    }


def container_with_defaults(container: Json) -> dict[str, Any]:
    """Return a container definition with what ECS fills in."""
    ports = container.get("portMappings", [])
    return {
        "cpu": 0,
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
        "portMappings": [{"hostPort": port["containerPort"], "protocol": "tcp", **port} for port in ports],
    }


def name_in(name_or_arn: str) -> str:
    """Return what follows the last slash of an ARN; a name is returned as it is."""
    return name_or_arn.rpartition("/")[2]


def found_and_missing(member: str, by_arn: Mapping[str, T | None], describe: Callable[[T], object]) -> Answer:
    """Return the answer of a Describe operation: what exists under `member`, other ARNs as failures.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
    """
    return {
        member: [describe(one) for one in by_arn.values() if one is not None],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn, one in by_arn.items() if one is None],
    }
