"""Task definitions, and the clusters and tags that all of ECS shares."""

from typing import Any

from aws_simulator.account import Account
from aws_simulator.ecs.documents import refuse
from aws_simulator.ecs.state import Cluster, TaskDefinition
from aws_simulator.pages import page
from aws_simulator.refused import Refused
from aws_simulator.service import Answer, Request, Service

PAGE_SIZE = 100
BAD_TOKEN = "InvalidParameterException"  # noqa: S105


class TaskDefinitions(Service):
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
        return {"cluster": self._described_cluster(cluster)}

    def delete_cluster(self, request: Request) -> Answer:
        cluster = self.cluster(request["cluster"])
        described = self._described_cluster(cluster) | {"status": "INACTIVE"}
        del self.clusters[cluster.name]
        return {"cluster": described}

    def describe_clusters(self, request: Request) -> Answer:
        names = [name_in(name) for name in request.get("clusters", ["default"])]
        return {
            "clusters": [self._described_cluster(self.clusters[name]) for name in names if name in self.clusters],
            "failures": [
                {"arn": self.account.arn("ecs", f"cluster/{name}"), "reason": "MISSING"}
                for name in names
                if name not in self.clusters
            ],
        }

    def cluster(self, name_or_arn: str | None) -> Cluster:
        """Raises:
        Refused: ClusterNotFoundException.
        """
        name = name_in(name_or_arn or "default")
        if name not in self.clusters:
            raise Refused("ClusterNotFoundException", "Cluster not found.")
        return self.clusters[name]

    def _described_cluster(self, cluster: Cluster) -> dict[str, Any]:
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
        """By ARN, `family:revision`, or family, which is its newest active revision.

        Raises:
            Refused: ClientException.
        """
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
        """Identical content makes a new revision, too."""
        refuse(request)
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
        return {"taskDefinition": self._described_definition(definition), "tags": definition.tags}

    def deregister_task_definition(self, request: Request) -> Answer:
        definition = self.definition(request["taskDefinition"])
        definition.status = "INACTIVE"
        return {"taskDefinition": self._described_definition(definition)}

    def describe_task_definition(self, request: Request) -> Answer:
        definition = self.definition(request["taskDefinition"])
        tags = {"tags": definition.tags} if "TAGS" in request.get("include", []) else {}
        return {"taskDefinition": self._described_definition(definition)} | tags

    def list_task_definitions(self, request: Request) -> Answer:
        """Of one family exactly: `familyPrefix` is the full name (API_ListTaskDefinitions)."""
        family, status = request.get("familyPrefix"), request.get("status", "ACTIVE")
        found = [one for one in self.definitions.values() if one.status == status and family in (None, one.family)]
        found.sort(key=lambda one: (one.family, one.revision), reverse=request.get("sort") == "DESC")
        size = request.get("maxResults", PAGE_SIZE)
        shown, token = page([one.arn for one in found], request.get("nextToken"), size, refused=BAD_TOKEN)
        return {"taskDefinitionArns": shown} | next_token(token)

    def list_task_definition_families(self, request: Request) -> Answer:
        families = sorted({one.family for one in self.definitions.values() if one.status == "ACTIVE"})
        found = [family for family in families if family.startswith(request.get("familyPrefix", ""))]
        size = request.get("maxResults", PAGE_SIZE)
        shown, token = page(found, request.get("nextToken"), size, refused=BAD_TOKEN)
        return {"families": shown} | next_token(token)

    def _described_definition(self, definition: TaskDefinition) -> dict[str, Any]:
        return {
            **definition.document,
            "taskDefinitionArn": definition.arn,
            "family": definition.family,
            "revision": definition.revision,
            "status": definition.status,
            "compatibilities": ["EC2", "FARGATE"],
            "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
            "registeredAt": definition.registered_at,
            "registeredBy": self.account.arn("sts", "assumed-role/release/session", regional=False),
        }


def with_defaults(request: Request) -> dict[str, Any]:
    """The document as DescribeTaskDefinition returns it: ECS fills in what was left out."""
    document = {"volumes": [], "placementConstraints": [], **request}
    document.pop("tags", None)
    document["containerDefinitions"] = [
        {
            "cpu": 0,
            "portMappings": [],
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
            **container,
        }
        for container in request["containerDefinitions"]
    ]
    for container in document["containerDefinitions"]:
        container["portMappings"] = [
            {"hostPort": mapping["containerPort"], "protocol": "tcp", **mapping}
            for mapping in container["portMappings"]
        ]
    document["volumes"] = [{"host": {}, **volume} for volume in document["volumes"]]
    return document


def name_in(name_or_arn: str) -> str:
    """What follows the last slash of an ARN; a name is itself."""
    return name_or_arn.rpartition("/")[2]


def next_token(token: str | None) -> dict[str, str]:
    return {"nextToken": token} if token else {}
