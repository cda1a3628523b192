"""The resources that a deployment is about: ECS, CodeDeploy, load balancing and Application Auto Scaling."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import ApiResource, Handler, Json, Made, Wanted, call
from aws_simulator.service import Refused

UNCHANGEABLE: Final = ("serviceName", "launchType", "role", "schedulingStrategy", "deploymentController", "tags")
"""Properties of a service that UpdateService does not take; tags have an operation of their own."""


class EcsService(ApiResource):
    """Complete when it is steady. Under CODE_DEPLOY an update sends all properties, which ECS refuses; otherwise
    those with another text."""

    SECONDS: ClassVar[int] = 5

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
        values = {**properties, "service": made.physical_id, "force": True}
        call(account, "ecs", "DeleteService", values)

    def is_stable(self, account: Account, made: Made) -> bool:
        """Return whether the service is steady. Raises Refused: the deployment has failed."""
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


def api_form(properties: Json) -> Json:
    """Spell top-level names as ECS does."""
    return {key[0].lower() + key[1:]: value for key, value in properties.items()}


class DeploymentGroup(ApiResource):
    """Named by another member in an update, which could rename it."""

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        values = {**wanted.properties, "currentDeploymentGroupName": made.physical_id}
        call(wanted.account, "codedeploy", "UpdateDeploymentGroup", values)
        return made


class Attributed(ApiResource):
    """A load balancer or a target group: an operation of its own sets its attributes, such as the idle timeout."""

    def create(self, wanted: Wanted) -> Made:
        made = super().create(wanted)
        # CloudWatch's dimensions take this part of the ARN: `app/<name>/<id>`, `targetgroup/<name>/<id>`.
        full_name = made.physical_id.rpartition(":")[2].removeprefix("loadbalancer/")
        return replace(made, attributes={**made.attributes, f"{self.noun}FullName": full_name})

    def _complete(self, wanted: Wanted, made: Made) -> None:
        attributes = wanted.properties.get(f"{self.noun}Attributes", [])
        if attributes:
            values = {self.identity: made.physical_id, "Attributes": attributes}
            call(wanted.account, "elbv2", f"Modify{self.noun}Attributes", values)


class ListenerRule(ApiResource):
    """An update writes the whole rule, so it resets the weights to those of the template."""

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        if wanted.properties["Priority"] != before["Priority"]:
            priorities = [{"RuleArn": made.physical_id, "Priority": wanted.properties["Priority"]}]
            call(wanted.account, "elbv2", "SetRulePriorities", {"RulePriorities": priorities})
        return super().update(wanted, made, before)


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
    """A policy. The same operation creates and updates it."""

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


HANDLERS: Final[Mapping[str, Handler]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ScalableTarget(),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ScalingPolicy(),
    "AWS::CodeDeploy::Application": ApiResource(service="codedeploy", noun="Application", name="ApplicationName"),
    "AWS::CodeDeploy::DeploymentConfig": ApiResource(
        service="codedeploy", noun="DeploymentConfig", name="DeploymentConfigName"
    ),
    "AWS::CodeDeploy::DeploymentGroup": DeploymentGroup(
        service="codedeploy", noun="DeploymentGroup", name="DeploymentGroupName"
    ),
    "AWS::ECS::Cluster": ApiResource(
        service="ecs", noun="Cluster", verbs=("Create", "Update", "Delete"), identity="cluster",
        answer="cluster", ref="clusterName", attributes={"Arn": "clusterArn"},
    ),
    "AWS::ECS::Service": EcsService(
        service="ecs", noun="Service", identity="service",
        answer="service", ref="serviceArn", attributes={"Name": "serviceName", "ServiceArn": "serviceArn"},
    ),
    # Never updated: every property that matters creates another revision.
    "AWS::ECS::TaskDefinition": ApiResource(
        service="ecs", noun="TaskDefinition", verbs=("Register", None, "Deregister"), identity="taskDefinition",
        answer="taskDefinition", ref="taskDefinitionArn", attributes={"TaskDefinitionArn": "taskDefinitionArn"},
    ),
    "AWS::ElasticLoadBalancingV2::Listener": ApiResource(
        service="elbv2", noun="Listener", verbs=("Create", "Modify", "Delete"), identity="ListenerArn",
        answer="Listeners", attributes={"ListenerArn": "ListenerArn"},
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ListenerRule(
        service="elbv2", noun="Rule", verbs=("Create", "Modify", "Delete"), identity="RuleArn",
        answer="Rules", attributes={"RuleArn": "RuleArn"},
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Attributed(
        service="elbv2", noun="LoadBalancer", identity="LoadBalancerArn", answer="LoadBalancers",
        attributes={
            "LoadBalancerArn": "LoadBalancerArn", "LoadBalancerName": "LoadBalancerName", "DNSName": "DNSName",
            "CanonicalHostedZoneID": "CanonicalHostedZoneId",
        },
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Attributed(
        service="elbv2", noun="TargetGroup", verbs=("Create", "Modify", "Delete"), identity="TargetGroupArn",
        answer="TargetGroups",
        attributes={"TargetGroupArn": "TargetGroupArn", "TargetGroupName": "TargetGroupName"},
    ),
}  # fmt: skip
