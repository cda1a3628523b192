"""One service behind a load balancer with two listeners, a worker, and what a release of them needs."""

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from aws_simulator import AwsSimulator, Behaviour, SteppedClock

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/production-orders-execution"
NAME = "production-orders"
CLUSTER = "platform-production"
LOGS = "/platform/production/orders"
HOOK = "platform-production-smoke-test"
ALARM = "production-orders-error-rate"
REPOSITORY = "111122223333.dkr.ecr.us-east-1.amazonaws.com/orders"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}

APPSPEC = """\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "{revision}"
        LoadBalancerInfo: {{ContainerName: app, ContainerPort: 8080}}
        PlatformVersion: "1.4.0"
Hooks: {hooks}
"""


def app_container(image: str) -> dict[str, Any]:
    return {
        "name": "app",
        "image": image,
        "portMappings": [{"containerPort": 8080}],
        "healthCheck": {"command": ["CMD", "true"], "interval": 15, "retries": 3, "startPeriod": 10},
        "logConfiguration": {
            "logDriver": "awsfirelens",
            "options": {"Name": "cloudwatch_logs", "log_group_name": LOGS, "log_stream_prefix": "api/"},
        },
    }


def document(image: str, family: str = NAME) -> dict[str, Any]:
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "containerDefinitions": [app_container(image)],
    }


@dataclass
class Stage:
    """A simulated account with one service that runs, and what tests do with it again and again."""

    simulator: AwsSimulator
    clock: SteppedClock
    production_listener: str
    test_listener: str

    def client(self, service: str) -> Any:
        return self.simulator.client(service)

    def image(self, version: str, **behaviour: Any) -> str:
        digest = "sha256:" + hashlib.sha256(version.encode()).hexdigest()
        self.simulator.images[digest] = Behaviour(**behaviour)
        return f"{REPOSITORY}@{digest}"

    def register(self, version: str, **behaviour: Any) -> str:
        """A new revision of the API whose image behaves so; its ARN."""
        image = self.image(version, **behaviour)
        answer = self.client("ecs").register_task_definition(**document(image))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def deploy(self, revision: str, *, hook: bool = False, **request: Any) -> str:
        """A deployment of it; its id."""
        content = APPSPEC.format(revision=revision, hooks=[{"AfterAllowTestTraffic": HOOK}] if hook else [])
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        answer = self.client("codedeploy").create_deployment(
            applicationName=NAME,
            deploymentGroupName=NAME,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": sha256}},
            **request,
        )
        return str(answer["deploymentId"])

    def info(self, deployment: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]
        return found

    def target(self, deployment: str) -> dict[str, Any]:
        answer = self.client("codedeploy").get_deployment_target(deploymentId=deployment, targetId=f"{CLUSTER}:{NAME}")
        found: dict[str, Any] = answer["deploymentTarget"]["ecsTarget"]
        return found

    def weights(self) -> dict[str, float]:
        """Target group's name to its share of the production traffic."""
        rule = self.client("elbv2").describe_rules(ListenerArn=self.production_listener)["Rules"][0]
        groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {group["TargetGroupArn"].split("/")[1]: group["Weight"] for group in groups}

    def service(self, name: str = NAME) -> dict[str, Any]:
        answer = self.client("ecs").describe_services(cluster=CLUSTER, services=[name])
        found: dict[str, Any] = answer["services"][0]
        return found

    def live_revision(self) -> str:
        """Of the primary task set."""
        return str(next(one["taskDefinition"] for one in self.service()["taskSets"] if one["status"] == "PRIMARY"))

    def wait(self, ended: Callable[[], bool], *, minutes: int, every_seconds: int = 5) -> None:
        for _ in range(minutes * 60 // every_seconds):
            if ended():
                return
            self.clock.sleep(every_seconds)
        raise AssertionError(f"nothing of the kind within {minutes} minutes")

    def ended(self, deployment: str, *, minutes: int = 90) -> dict[str, Any]:
        end = ("Succeeded", "Failed", "Stopped")
        self.wait(lambda: self.info(deployment)["status"] in end, minutes=minutes, every_seconds=20)
        return self.info(deployment)

    def rollback_of(self, deployment: str, *, minutes: int = 90) -> dict[str, Any]:
        """The rollback deployment, when it has ended."""
        return self.ended(self.info(deployment)["rollbackInfo"]["rollbackDeploymentId"], minutes=minutes)

    def stopped_tasks(self) -> list[dict[str, Any]]:
        arns = self.client("ecs").list_tasks(cluster=CLUSTER, desiredStatus="STOPPED")["taskArns"]
        if not arns:
            return []
        tasks: list[dict[str, Any]] = self.client("ecs").describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
        return tasks


@pytest.fixture
def stage() -> Stage:
    made: Stage = pickle.loads(built())
    return made


@cache
def built() -> bytes:
    """Once for all tests: to be copied, not used."""
    clock = SteppedClock(START)
    simulator = AwsSimulator(clock=clock)
    simulator.set_hook(HOOK)
    simulator.client("logs").create_log_group(logGroupName=LOGS)
    simulator.client("ecs").create_cluster(clusterName=CLUSTER)
    listeners = load_balancing(simulator)
    made = Stage(simulator=simulator, clock=clock, production_listener=listeners[0], test_listener=listeners[1])
    api(made)
    clock.sleep(60)
    return pickle.dumps(made)


def load_balancing(simulator: AwsSimulator) -> list[str]:
    elbv2 = simulator.client("elbv2")
    balancer = elbv2.create_load_balancer(Name="platform-production")["LoadBalancers"][0]["LoadBalancerArn"]
    groups = [
        elbv2.create_target_group(
            Name=f"{NAME}-{colour}",
            Protocol="HTTP",
            Port=8080,
            VpcId="vpc-1",
            TargetType="ip",
            HealthCheckPath="/orders/health/ready",
            HealthCheckIntervalSeconds=10,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        for colour in ("blue", "green")
    ]
    forward = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (100, 0), strict=True)]
    listeners = []
    for port in (443, 8443):
        listener = elbv2.create_listener(
            LoadBalancerArn=balancer,
            Port=port,
            Protocol="HTTPS",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        elbv2.create_rule(
            ListenerArn=listener,
            Priority=110,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/orders", "/orders/*"]}}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
        )
        listeners.append(listener)
    return listeners


def api(stage: Stage) -> None:
    groups = stage.client("elbv2").describe_target_groups()["TargetGroups"]
    blue = next(group["TargetGroupArn"] for group in groups if group["TargetGroupName"].endswith("blue"))
    stage.client("ecs").create_service(
        cluster=CLUSTER,
        serviceName=NAME,
        taskDefinition=stage.register("1"),
        desiredCount=2,
        networkConfiguration=NETWORK,
        healthCheckGracePeriodSeconds=30,
        deploymentController={"type": "CODE_DEPLOY"},
        loadBalancers=[{"targetGroupArn": blue, "containerName": "app", "containerPort": 8080}],
    )
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM,
        EvaluationPeriods=2,
        Threshold=5.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Metrics=[error_metric(group["TargetGroupArn"], number) for number, group in enumerate(groups)],
    )
    stage.client("codedeploy").create_application(applicationName=NAME, computePlatform="ECS")
    stage.client("codedeploy").create_deployment_group(**deployment_group(stage))


def error_metric(arn: str, number: int) -> dict[str, Any]:
    dimensions = [{"Name": "TargetGroup", "Value": arn.rpartition(":")[2]}]
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": dimensions,
    }
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}


def deployment_group(stage: Stage) -> dict[str, Any]:
    return {
        "applicationName": NAME,
        "deploymentGroupName": NAME,
        "serviceRoleArn": "arn:aws:iam::111122223333:role/production-orders-deploy",
        "deploymentConfigName": "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "blueGreenDeploymentConfiguration": {
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5},
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
        },
        "ecsServices": [{"serviceName": NAME, "clusterName": CLUSTER}],
        "loadBalancerInfo": {
            "targetGroupPairInfoList": [
                {
                    "targetGroups": [{"name": f"{NAME}-{colour}"} for colour in ("blue", "green")],
                    "prodTrafficRoute": {"listenerArns": [stage.production_listener]},
                    "testTrafficRoute": {"listenerArns": [stage.test_listener]},
                }
            ]
        },
        "autoRollbackConfiguration": {
            "enabled": True,
            "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
        },
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": ALARM}]},
    }
