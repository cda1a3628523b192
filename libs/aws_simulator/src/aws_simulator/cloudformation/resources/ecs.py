"""Clusters, task definitions and services."""

from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call
from aws_simulator.refused import Refused

UNCHANGEABLE: Final = ("serviceName", "launchType", "role", "schedulingStrategy", "deploymentController", "tags")
"""Of a service's properties, those that UpdateService does not take; tags have an operation of their own."""


class Cluster(Handler):
    def create(self, wanted: Wanted) -> Made:
        made = call(wanted.account, "ecs", "CreateCluster", wanted.properties)["cluster"]
        return Made(physical_id=made["clusterName"], attributes={"Arn": made["clusterArn"]})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, "ecs", "UpdateCluster", {"cluster": made.physical_id, **api_form(wanted.properties)})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ecs", "DeleteCluster", {"cluster": made.physical_id})


class TaskDefinition(Handler):
    """Never updated: every property that matters makes another revision."""

    def create(self, wanted: Wanted) -> Made:
        made = call(wanted.account, "ecs", "RegisterTaskDefinition", wanted.properties)["taskDefinition"]
        arn = made["taskDefinitionArn"]
        return Made(physical_id=arn, attributes={"TaskDefinitionArn": arn})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ecs", "DeregisterTaskDefinition", {"taskDefinition": made.physical_id})


class Service(Handler):
    """Complete when it is steady. Under CODE_DEPLOY an update sends everything again, and ECS refuses that; otherwise
    what has another text.
    """

    SECONDS: ClassVar[int] = 5

    def create(self, wanted: Wanted) -> Made:
        made = call(wanted.account, "ecs", "CreateService", wanted.properties)["service"]
        attributes = {"Name": made["serviceName"], "ServiceArn": made["serviceArn"]}
        return Made(physical_id=made["serviceArn"], attributes=attributes)

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        former = api_form(before)
        everything = former.get("deploymentController") == {"Type": "CODE_DEPLOY"}
        values = {
            key: value
            for key, value in api_form(wanted.properties).items()
            if key == "cluster" or (key not in UNCHANGEABLE and (everything or value != former.get(key)))
        }
        call(wanted.account, "ecs", "UpdateService", {"service": made.physical_id, **values})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ecs", "DeleteService", {"service": made.physical_id, "force": True, **cluster_of(properties)})

    def is_stable(self, account: Account, made: Made) -> bool:
        """Raises `Refused` where the deployment has failed."""
        cluster = made.physical_id.rpartition(":service/")[2].partition("/")[0]
        request = {"cluster": cluster, "services": [made.physical_id]}
        (service,) = call(account, "ecs", "DescribeServices", request)["services"]
        if "taskSets" in service and service.get("deploymentController", {}).get("type") == "CODE_DEPLOY":
            return all(one["stabilityStatus"] == "STEADY_STATE" for one in service["taskSets"])
        states = [deployment.get("rolloutState") for deployment in service["deployments"]]
        if "FAILED" in states:
            raise Refused(
                "GeneralServiceException",
                "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.",
            )
        return states == ["COMPLETED"]


def cluster_of(properties: Json) -> Json:
    return {"cluster": properties["Cluster"]} if "Cluster" in properties else {}


def api_form(properties: Json) -> Json:
    """Names of the highest level as ECS spells them."""
    return {key[0].lower() + key[1:]: value for key, value in properties.items()}
