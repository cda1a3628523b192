"""Two target groups, and on both listeners a rule that forwards the paths of a service to them."""

from typing import Final

from platform_sdk.contract import CONTAINER_PORT
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, ref, resource
from platform_sdk.deploy.render.names import COLOURS, Colour, target_group, target_group_name

LISTENERS: Final = {"ProductionRule": "ProductionListenerArn", "TestRule": "TestListenerArn"}
LIVE_IS_GREEN: Final = "LiveIsGreen"


def load_balancing(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return two target groups, and a rule on each of the production and the test listener."""
    groups = {target_group(colour): _target_group_of(spec, environment, colour) for colour in COLOURS}
    return groups | {name: _rule(spec, listener) for name, listener in LISTENERS.items()}


def _target_group_of(spec: ServiceSpec, environment: Environment, colour: Colour) -> Json:
    check = spec.health_check
    properties: Json = {
        "Name": target_group_name(environment.name, spec.name, colour),
        "VpcId": ref("VpcId"),
        "TargetType": "ip",
        "Protocol": "HTTP",
        # Only the default: ECS registers each task with its own port. A change would replace the target group.
        "Port": CONTAINER_PORT,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": f"{spec.path}{check.path}",
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "Matcher": {"HttpCode": "200"},
        "TargetGroupAttributes": [
            {"Key": "deregistration_delay.timeout_seconds", "Value": str(spec.task.deregistration_delay_seconds)}
        ],
    }
    reason = "TLS ends at the load balancer; the way to the task is inside the VPC, between two security groups."
    return resource(
        "AWS::ElasticLoadBalancingV2::TargetGroup", properties, Metadata=checkov_skip("CKV_AWS_378", reason)
    )


def _rule(spec: ServiceSpec, listener: str) -> Json:
    properties: Json = {
        "ListenerArn": ref(listener),
        "Priority": spec.priority,
        # The pattern /orders/* does not match /orders.
        "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": [spec.path, f"{spec.path}/*"]}}],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [weighted(colour) for colour in COLOURS]}}],
    }
    return resource("AWS::ElasticLoadBalancingV2::ListenerRule", properties)


def weighted(colour: Colour) -> Json:
    """Use the form that CodeDeploy leaves: both target groups, one of them with all the weight."""
    green, blue = (100, 0) if colour == "green" else (0, 100)
    return {"TargetGroupArn": ref(target_group(colour)), "Weight": {"Fn::If": [LIVE_IS_GREEN, green, blue]}}
