"""Application Auto Scaling: scalable targets with their scheduled actions, and policies."""

from collections.abc import Sequence
from typing import Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call

SERVICE: Final = "application-autoscaling"


class ScalableTarget(Handler):
    """Its id holds the three parts by which policies name it. What a release has suspended stays so."""

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
    """The target's three parts, from its id."""
    if "ScalingTargetId" not in properties:
        return {}
    resource, dimension, namespace = str(properties["ScalingTargetId"]).split("|")
    return {"ResourceId": resource, "ScalableDimension": dimension, "ServiceNamespace": namespace}
