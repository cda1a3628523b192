"""The ECS services of API and worker, the placeholder that they run until the first release, and the target groups and
listener rules in front of them.

CloudFormation creates them. Updates leave alone what releases change: see decisions 0014 and 0024.
"""

from typing import Final

from platform_sdk.contract import CONTAINER_PORT
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import alarm_id
from platform_sdk.deploy.render.cloudformation import Json, checkov_skip, ref, resource, tags
from platform_sdk.deploy.render.names import (
    COLOURS,
    PLATFORM_VERSION,
    Colour,
    health_check_parameter,
    log_group,
    network,
    service_name,
    target_group,
    target_group_name,
    worker_service_name,
)
from platform_sdk.deploy.render.task_definition import APP, APP_USER, role_arn

LISTENERS: Final = {"ProductionRule": "ProductionListenerArn", "TestRule": "TestListenerArn"}
LIVE_IS_GREEN: Final = "LiveIsGreen"
HAS_WORKER_REVISION: Final = "HasWorkerRevision"

PLACEHOLDER_IMAGE: Final = "public.ecr.aws/docker/library/python:3.13-slim"

# It answers the health checks of the load balancer with 200 on any path, and everybody else with 503.
PLACEHOLDER_PROGRAM: Final = """\
import http.server, os
class Placeholder(http.server.BaseHTTPRequestHandler):
    def answer(self):
        check = self.headers.get("user-agent", "").startswith("ELB-HealthChecker")
        self.send_response(200 if check else 503)
        self.send_header("content-length", "0")
        self.end_headers()
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Placeholder).serve_forever()
"""


def ecs_services(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the ECS services of API and worker, and the task definition that the API's service is created with."""
    resources = {"Placeholder": placeholder(spec, environment), "Service": api_service(spec, environment)}
    if spec.worker is not None:
        resources["WorkerService"] = worker_service(spec, environment)
    return resources


def placeholder(spec: ServiceSpec, environment: Environment) -> Json:
    """Return the task definition that runs until the first release. It needs no image, secret or database.

    Nothing in it may depend on platform.toml: a change would update the ECS service, which ECS refuses.
    """
    properties: Json = {
        "Family": f"{service_name(spec, environment)}-placeholder",
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": "256",
        "Memory": "512",
        "ExecutionRoleArn": role_arn(spec, environment, "execution"),
        "ContainerDefinitions": [_placeholder_container(spec, environment)],
    }
    reason = "It calls nothing on AWS, so it has no role."
    return resource(
        "AWS::ECS::TaskDefinition",
        properties,
        DependsOn=["ExecutionRole", "ExecutionPolicy", "SidecarLogs"],
        Metadata=checkov_skip("CKV_AWS_249", reason),
    )


def _placeholder_container(spec: ServiceSpec, environment: Environment) -> Json:
    return {
        "Name": APP,
        "Image": PLACEHOLDER_IMAGE,
        "Essential": True,
        "User": APP_USER,
        "ReadonlyRootFilesystem": True,
        "LinuxParameters": {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}},
        "Command": ["python", "-c", PLACEHOLDER_PROGRAM],
        "PortMappings": [{"ContainerPort": ref("ContainerPort"), "Protocol": "tcp"}],
        "Environment": [{"Name": "PORT", "Value": ref("ContainerPort")}],
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": log_group(spec, environment, "/sidecars"),
                "awslogs-region": environment.region,
                "awslogs-stream-prefix": "placeholder",
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        },
    }


def api_service(spec: ServiceSpec, environment: Environment) -> Json:
    """Return the service of the API. Its text does not depend on platform.toml, as ECS refuses updates of it.

    An update would set the first revision and target group again. Both parameters keep their value from creation.
    """
    properties: Json = {
        **common(spec, environment, "api"),
        "ServiceName": service_name(spec, environment),
        "DeploymentController": {"Type": "CODE_DEPLOY"},
        "TaskDefinition": ref("Placeholder"),
        "LoadBalancers": [
            {
                "TargetGroupArn": ref(target_group("blue")),
                "ContainerName": APP,
                "ContainerPort": ref("ContainerPort"),
            }
        ],
        "HealthCheckGracePeriodSeconds": ref("HealthCheckGracePeriodSeconds"),
    }
    # ECS refuses a target group without a listener.
    return resource("AWS::ECS::Service", properties, DependsOn=list(LISTENERS))


def worker_service(spec: ServiceSpec, environment: Environment) -> Json:
    """Return the service of the worker. It has no load balancer: ECS replaces its tasks and rolls back by itself."""
    alarms = [ref(name) for name in sorted(rolling_back(spec))]
    deployment: Json = {
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
    }
    if alarms:
        deployment["Alarms"] = {"AlarmNames": alarms, "Enable": True, "Rollback": True}
    properties: Json = {
        **common(spec, environment, "worker"),
        "ServiceName": worker_service_name(spec, environment),
        "DeploymentController": {"Type": "ECS"},
        "DeploymentConfiguration": deployment,
        "TaskDefinition": {"Fn::If": [HAS_WORKER_REVISION, ref("WorkerTaskDefinition"), ref("Placeholder")]},
    }
    return resource("AWS::ECS::Service", properties)


def rolling_back(spec: ServiceSpec) -> list[str]:
    """Return the logical names of the alarms that roll back the worker: those of its queues."""
    return [alarm_id(alarm) for alarm in spec.alarms if alarm.roll_back and alarm.queue is not None]


def common(spec: ServiceSpec, environment: Environment, role: str) -> Json:
    """Leave out the desired count: autoscaling owns it, and an update of the stack would reset it."""
    values = {"environment": environment.name, "service": spec.name, "role": role}
    return {
        "Cluster": ref("ClusterName"),
        "LaunchType": "FARGATE",
        "PlatformVersion": PLATFORM_VERSION,
        "NetworkConfiguration": network(),
        "EnableECSManagedTags": True,
        "PropagateTags": "TASK_DEFINITION",
        "Tags": tags({f"platform:{key}": value for key, value in values.items()}),
    }


# The target groups and the listener rules.


def load_balancing(spec: ServiceSpec, environment: Environment, also_routed: str | None) -> dict[str, Json]:
    """Return two target groups, and on both listeners a rule that forwards the paths of the service to them."""
    groups = {target_group(colour): _target_group_of(spec, environment, colour) for colour in COLOURS}
    return groups | {name: _rule(spec, listener, also_routed) for name, listener in LISTENERS.items()}


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
        # Each release sets that of the group for its tasks: decision 0024.
        "HealthCheckPath": ref(health_check_parameter(colour)),
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


def _rule(spec: ServiceSpec, listener: str, also_routed: str | None) -> Json:
    paths = [spec.path, *([also_routed] if also_routed else [])]
    # The pattern /orders/* does not match /orders.
    patterns = [pattern for path in paths for pattern in (path, f"{path}/*")]
    properties: Json = {
        "ListenerArn": ref(listener),
        "Priority": spec.priority,
        "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": patterns}}],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [_weighted(colour) for colour in COLOURS]}}],
    }
    return resource("AWS::ElasticLoadBalancingV2::ListenerRule", properties)


def _weighted(colour: Colour) -> Json:
    """Use the form that CodeDeploy leaves: both target groups, one of them with all the weight."""
    green, blue = (100, 0) if colour == "green" else (0, 100)
    return {"TargetGroupArn": ref(target_group(colour)), "Weight": {"Fn::If": [LIVE_IS_GREEN, green, blue]}}
