"""Load balancers, listeners, rules and target groups."""

from aws_simulator.account import Account
from aws_simulator.cloudformation.resources.handler import Handler, Json, Made, Wanted, call


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
    """Written whole: an update of anything in it sets the weights to what the template says."""

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
