"""Clusters, task definitions and services."""

from collections.abc import Sequence
from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call
from aws_simulator.service import Refused

UNCHANGEABLE: Final = ("serviceName", "launchType", "role", "schedulingStrategy", "deploymentController", "tags")
"""Properties of a service that UpdateService does not take; tags have an operation of their own."""


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
    """Never updated: every property that matters creates another revision."""

    def create(self, wanted: Wanted) -> Made:
        made = call(wanted.account, "ecs", "RegisterTaskDefinition", wanted.properties)["taskDefinition"]
        arn = made["taskDefinitionArn"]
        return Made(physical_id=arn, attributes={"TaskDefinitionArn": arn})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ecs", "DeregisterTaskDefinition", {"taskDefinition": made.physical_id})


class Service(Handler):
    """Complete when it is steady. Under CODE_DEPLOY an update sends all properties, which ECS refuses; otherwise
    those with another text."""

    SECONDS: ClassVar[int] = 5

    def create(self, wanted: Wanted) -> Made:
        made = call(wanted.account, "ecs", "CreateService", wanted.properties)["service"]
        attributes = {"Name": made["serviceName"], "ServiceArn": made["serviceArn"]}
        return Made(physical_id=made["serviceArn"], attributes=attributes)

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        current = api_form(before)
        everything = current.get("deploymentController") == {"Type": "CODE_DEPLOY"}
        values = {
            key: value
            for key, value in api_form(wanted.properties).items()
            if key == "cluster" or (key not in UNCHANGEABLE and (everything or value != current.get(key)))
        }
        call(wanted.account, "ecs", "UpdateService", {"service": made.physical_id, **values})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "ecs", "DeleteService", {"service": made.physical_id, "force": True, **cluster_of(properties)})

    def is_stable(self, account: Account, made: Made) -> bool:
        """Return whether the service is steady.

        Raises:
            Refused: the deployment has failed.
        """
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
    """Spell top-level names as ECS does."""
    return {key[0].lower() + key[1:]: value for key, value in properties.items()}


# CodeDeploy's applications, deployment configurations and deployment groups.


class Application(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("ApplicationName")
        call(wanted.account, "codedeploy", "CreateApplication", {**wanted.properties, "applicationName": name})
        return Made(physical_id=name, attributes={})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "codedeploy", "DeleteApplication", {"applicationName": made.physical_id})


class DeploymentConfig(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("DeploymentConfigName")
        values = {**wanted.properties, "deploymentConfigName": name}
        call(wanted.account, "codedeploy", "CreateDeploymentConfig", values)
        return Made(physical_id=name, attributes={})

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "codedeploy", "DeleteDeploymentConfig", {"deploymentConfigName": made.physical_id})


class DeploymentGroup(Handler):
    def create(self, wanted: Wanted) -> Made:
        name = wanted.name("DeploymentGroupName")
        call(wanted.account, "codedeploy", "CreateDeploymentGroup", {**wanted.properties, "deploymentGroupName": name})
        return Made(physical_id=name, attributes={})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = {"currentDeploymentGroupName": made.physical_id, **wanted.properties}
        call(wanted.account, "codedeploy", "UpdateDeploymentGroup", values)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        values = {"applicationName": properties["ApplicationName"], "deploymentGroupName": made.physical_id}
        call(account, "codedeploy", "DeleteDeploymentGroup", values)


# Load balancers, listeners, rules and target groups.


class LoadBalancer(Handler):
    def create(self, wanted: Wanted) -> Made:
        (made,) = call(wanted.account, "elbv2", "CreateLoadBalancer", wanted.properties)["LoadBalancers"]
        arn = made["LoadBalancerArn"]
        self._set_attributes(wanted, arn)
        attributes = {
            "LoadBalancerArn": arn,
            "LoadBalancerName": made["LoadBalancerName"],
            "LoadBalancerFullName": arn.partition(":loadbalancer/")[2],
            "DNSName": made["DNSName"],
            "CanonicalHostedZoneID": made["CanonicalHostedZoneId"],
        }
        return Made(physical_id=arn, attributes=attributes)

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self._set_attributes(wanted, made.physical_id)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "elbv2", "DeleteLoadBalancer", {"LoadBalancerArn": made.physical_id})

    def _set_attributes(self, wanted: Wanted, arn: str) -> None:
        values = {"LoadBalancerArn": arn, "Attributes": wanted.properties.get("LoadBalancerAttributes", [])}
        call(wanted.account, "elbv2", "ModifyLoadBalancerAttributes", values)


class Listener(Handler):
    def create(self, wanted: Wanted) -> Made:
        (made,) = call(wanted.account, "elbv2", "CreateListener", wanted.properties)["Listeners"]
        return Made(physical_id=made["ListenerArn"], attributes={"ListenerArn": made["ListenerArn"]})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, "elbv2", "ModifyListener", {"ListenerArn": made.physical_id, **wanted.properties})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "elbv2", "DeleteListener", {"ListenerArn": made.physical_id})


class ListenerRule(Handler):
    """An update writes the whole rule, so it resets the weights to those of the template."""

    def create(self, wanted: Wanted) -> Made:
        (made,) = call(wanted.account, "elbv2", "CreateRule", wanted.properties)["Rules"]
        return Made(physical_id=made["RuleArn"], attributes={"RuleArn": made["RuleArn"]})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        arn = {"RuleArn": made.physical_id}
        call(wanted.account, "elbv2", "ModifyRule", {**arn, **wanted.properties})
        if wanted.properties["Priority"] != before["Priority"]:
            priorities = [{**arn, "Priority": wanted.properties["Priority"]}]
            call(wanted.account, "elbv2", "SetRulePriorities", {"RulePriorities": priorities})
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "elbv2", "DeleteRule", {"RuleArn": made.physical_id})


class TargetGroup(Handler):
    def create(self, wanted: Wanted) -> Made:
        (made,) = call(wanted.account, "elbv2", "CreateTargetGroup", wanted.properties)["TargetGroups"]
        arn = made["TargetGroupArn"]
        self._set_attributes(wanted, arn)
        attributes = {
            "TargetGroupArn": arn,
            "TargetGroupName": made["TargetGroupName"],
            "TargetGroupFullName": arn.rpartition(":")[2],
        }
        return Made(physical_id=arn, attributes=attributes)

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, "elbv2", "ModifyTargetGroup", {"TargetGroupArn": made.physical_id, **wanted.properties})
        self._set_attributes(wanted, made.physical_id)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, "elbv2", "DeleteTargetGroup", {"TargetGroupArn": made.physical_id})

    def _set_attributes(self, wanted: Wanted, arn: str) -> None:
        attributes = wanted.properties.get("TargetGroupAttributes", [])
        if attributes:
            values = {"TargetGroupArn": arn, "Attributes": attributes}
            call(wanted.account, "elbv2", "ModifyTargetGroupAttributes", values)


# Application Auto Scaling: scalable targets with their scheduled actions, and policies.

SERVICE: Final = "application-autoscaling"


class ScalableTarget(Handler):
    """Its id holds the three parts by which policies name it. Suspensions by a release stay."""

    def create(self, wanted: Wanted) -> Made:
        values = wanted.properties
        call(wanted.account, SERVICE, "RegisterScalableTarget", values)
        self._schedule(wanted, ())
        identity = f"{values['ResourceId']}|{values['ScalableDimension']}|{values['ServiceNamespace']}"
        return Made(physical_id=identity, attributes={"Id": identity})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        call(wanted.account, SERVICE, "RegisterScalableTarget", wanted.properties)
        self._schedule(wanted, before.get("ScheduledActions", ()))
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, SERVICE, "DeregisterScalableTarget", properties)

    def _schedule(self, wanted: Wanted, before: Sequence[Json]) -> None:
        actions = wanted.properties.get("ScheduledActions", [])
        for action in actions:
            call(wanted.account, SERVICE, "PutScheduledAction", {**wanted.properties, **action})
        kept = {action["ScheduledActionName"] for action in actions}
        for action in before:
            if action["ScheduledActionName"] not in kept:
                call(wanted.account, SERVICE, "DeleteScheduledAction", {**wanted.properties, **action})


class ScalingPolicy(Handler):
    def create(self, wanted: Wanted) -> Made:
        answer = call(wanted.account, SERVICE, "PutScalingPolicy", {**named(wanted.properties), **wanted.properties})
        return Made(physical_id=answer["PolicyARN"], attributes={"Arn": answer["PolicyARN"]})

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        self.create(wanted)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        call(account, SERVICE, "DeleteScalingPolicy", {**named(properties), **properties})


def named(properties: Json) -> Json:
    """Return the target's three parts, from its id."""
    if "ScalingTargetId" not in properties:
        return {}
    resource, dimension, namespace = str(properties["ScalingTargetId"]).split("|")
    return {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
