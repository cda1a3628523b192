"""Define the services of bench_cdk.py with the AWS CDK: its L2 constructs, a stack per service.

Run by the Python of .venv-cdk: `cdk_app.py SERVICES.json FOLDER` synthesises into FOLDER. What all services share is
imported, so that nothing is looked up. The `cdk` command would start Node.js once more on top of this.
"""

import json
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

ACCOUNT, REGION = "111122223333", "us-east-1"
DIGEST = f"sha256:{'0' * 64}"
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/platform/0123456789abcdef"

Service = dict[str, Any]


def main(services: Path, folder: Path) -> None:
    app = App(outdir=str(folder), analytics_reporting=False)
    for service in json.loads(services.read_text(encoding="utf-8")):
        stack_of(service, app)
    app.synth()


def stack_of(service: Service, app: Any) -> None:
    stack = Stack(app, service["name"], env=Environment(account=ACCOUNT, region=REGION))
    cluster = shared_cluster(stack)
    queue, dead_letters = queues(service, stack)
    blue, green = (target_group(service, colour, cluster.vpc, stack) for colour in ("Blue", "Green"))
    production, test = (listener(name, stack) for name in ("Production", "Test"))
    for name, shared in (("Production", production), ("Test", test)):
        listener_rule(service, name, shared, blue, stack)
    log_group = logs.LogGroup(stack, "AppLogs", retention=logs.RetentionDays.ONE_YEAR)
    sidecar_logs = logs.LogGroup(stack, "SidecarLogs", retention=logs.RetentionDays.ONE_YEAR)
    api = fargate_service(
        service, "Api", cluster, task_definition(service, "Api", log_group, sidecar_logs, stack), stack
    )
    worker = fargate_service(
        service, "Worker", cluster, task_definition(service, "Worker", log_group, sidecar_logs, stack), stack
    )
    api.attach_to_application_target_group(blue)
    queue.grant_consume_messages(worker.task_definition.task_role)
    scale_api(service, api, blue)
    scale_worker(service, worker, queue)
    stopping = release_alarms(blue, queue, dead_letters, stack)
    operational_alarms("Api", api, stack)
    operational_alarms("Worker", worker, stack)
    dashboard(blue, queue, api, stack)
    deployment_group(api, blue, green, production, test, stopping, stack)


def shared_cluster(stack: Any) -> Any:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=[f"{REGION}a", f"{REGION}b"],
        private_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    )
    return ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="platform", vpc=vpc)


def security_group(name: str, stack: Any) -> Any:
    return ec2.SecurityGroup.from_security_group_id(stack, name, "sg-0123456789abcdef0", mutable=False)


def queues(service: Service, stack: Any) -> tuple[Any, Any]:
    dead_letters = sqs.Queue(
        stack,
        "DeadLetters",
        queue_name=f"platform-{service['name']}-dead-letter",
        retention_period=Duration.days(14),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    queue = sqs.Queue(
        stack,
        "Queue",
        queue_name=f"platform-{service['name']}",
        visibility_timeout=Duration.seconds(60),
        receive_message_wait_time=Duration.seconds(20),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    return queue, dead_letters


def target_group(service: Service, colour: str, vpc: Any, stack: Any) -> Any:
    return elb.ApplicationTargetGroup(
        stack,
        f"{colour}TargetGroup",
        target_group_name=f"{service['name']}-{colour.lower()}",
        vpc=vpc,
        target_type=elb.TargetType.IP,
        protocol=elb.ApplicationProtocol.HTTP,
        port=service["port"],
        deregistration_delay=Duration.seconds(30),
        health_check=elb.HealthCheck(
            path=f"{service['path']}/readyz",
            interval=Duration.seconds(10),
            timeout=Duration.seconds(5),
            healthy_threshold_count=2,
            unhealthy_threshold_count=3,
        ),
    )


def listener(name: str, stack: Any) -> Any:
    return elb.ApplicationListener.from_application_listener_attributes(
        stack,
        f"{name}Listener",
        listener_arn=f"{BALANCER}/{name.lower():0>16}",
        security_group=security_group(f"{name}ListenerSecurityGroup", stack),
    )


def listener_rule(service: Service, name: str, listener: Any, group: Any, stack: Any) -> None:
    elb.ApplicationListenerRule(
        stack,
        f"{name}Rule",
        listener=listener,
        priority=service["priority"],
        conditions=[elb.ListenerCondition.path_patterns([service["path"], f"{service['path']}/*"])],
        action=elb.ListenerAction.forward([group]),
    )


def task_definition(service: Service, role: str, log_group: Any, sidecar_logs: Any, stack: Any) -> Any:
    definition = ecs.FargateTaskDefinition(
        stack,
        f"{role}TaskDefinition",
        family=f"{service['name']}-{role.lower()}",
        cpu=service["cpu"],
        memory_limit_mib=service["memory_mib"],
        volumes=[ecs.Volume(name="tmp")],
    )
    definition.task_role.add_to_principal_policy(
        iam.PolicyStatement(actions=["s3:GetObject"], resources=["arn:aws:s3:::receipts/*"])
    )
    sidecar_driver = ecs.LogDrivers.aws_logs(stream_prefix=role.lower(), log_group=sidecar_logs)
    app = app_container(service, role, definition, log_group, stack)
    agent = definition.add_container(
        "cloudwatch-agent",
        image=ecs.ContainerImage.from_registry(f"public.ecr.aws/cloudwatch-agent/cloudwatch-agent@{DIGEST}"),
        essential=False,
        cpu=32,
        memory_limit_mib=128,
        environment={"CW_CONFIG_CONTENT": "{}"},
        logging=sidecar_driver,
    )
    router = definition.add_firelens_log_router(
        "log-router",
        image=ecs.ContainerImage.from_registry(f"public.ecr.aws/aws-observability/aws-for-fluent-bit@{DIGEST}"),
        firelens_config=ecs.FirelensConfig(type=ecs.FirelensLogRouterType.FLUENTBIT),
        essential=True,
        cpu=32,
        memory_limit_mib=64,
        health_check=ecs.HealthCheck(command=["CMD-SHELL", "curl -f http://127.0.0.1:2020/api/v1/health"]),
        logging=sidecar_driver,
    )
    app.add_container_dependencies(
        ecs.ContainerDependency(container=agent, condition=ecs.ContainerDependencyCondition.START),
        ecs.ContainerDependency(container=router, condition=ecs.ContainerDependencyCondition.HEALTHY),
    )
    return definition


def app_container(service: Service, role: str, definition: Any, log_group: Any, stack: Any) -> Any:
    repository = ecr.Repository.from_repository_name(stack, f"{role}Repository", service["name"])
    log_group.grant_write(definition.task_role)
    container = definition.add_container(
        "app",
        image=ecs.ContainerImage.from_ecr_repository(repository, DIGEST),
        command=["python", "-m", f"service.{role.lower()}"],
        user="10001:10001",
        readonly_root_filesystem=True,
        stop_timeout=Duration.seconds(60),
        environment=service["environment"],
        secrets={name: secret(name, place, role, stack) for name, place in service["secrets"].items()},
        linux_parameters=ecs.LinuxParameters(stack, f"{role}LinuxParameters", init_process_enabled=True),
        health_check=ecs.HealthCheck(command=["CMD", "python", "-m", "service.health"]) if role == "Api" else None,
        port_mappings=[ecs.PortMapping(container_port=service["port"])] if role == "Api" else None,
        logging=ecs.LogDrivers.firelens(
            options={
                "Name": "cloudwatch_logs",
                "region": REGION,
                "log_group_name": log_group.log_group_name,
                "log_stream_prefix": f"{role.lower()}/",
            }
        ),
    )
    container.add_mount_points(ecs.MountPoint(source_volume="tmp", container_path="/tmp", read_only=False))
    return container


def secret(name: str, place: str, role: str, stack: Any) -> Any:
    found = secretsmanager.Secret.from_secret_name_v2(stack, f"{role}{name}", place)
    return ecs.Secret.from_secrets_manager(found)


def fargate_service(service: Service, role: str, cluster: Any, definition: Any, stack: Any) -> Any:
    kind = ecs.DeploymentControllerType.CODE_DEPLOY if role == "Api" else ecs.DeploymentControllerType.ECS
    return ecs.FargateService(
        stack,
        f"{role}Service",
        service_name=f"{service['name']}-{role.lower()}",
        cluster=cluster,
        task_definition=definition,
        deployment_controller=ecs.DeploymentController(type=kind),
        circuit_breaker=None if role == "Api" else ecs.DeploymentCircuitBreaker(rollback=True),
        min_healthy_percent=100,
        max_healthy_percent=200,
        health_check_grace_period=Duration.seconds(60) if role == "Api" else None,
        security_groups=[security_group(f"{role}SecurityGroup", stack)],
        propagate_tags=ecs.PropagatedTagSource.TASK_DEFINITION,
        enable_ecs_managed_tags=True,
    )


def scale_api(service: Service, api: Any, group: Any) -> None:
    tasks = api.auto_scale_task_count(min_capacity=service["min_tasks"], max_capacity=service["max_tasks"])
    tasks.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)
    tasks.scale_on_memory_utilization("Memory", target_utilization_percent=75)
    tasks.scale_on_request_count("Requests", requests_per_target=3000, target_group=group)
    tasks.scale_on_schedule(
        "Morning",
        schedule=scaling.Schedule.cron(minute="0", hour="6", week_day="MON-FRI"),
        min_capacity=4,
        max_capacity=50,
    )


def scale_worker(service: Service, worker: Any, queue: Any) -> None:
    tasks = worker.auto_scale_task_count(min_capacity=1, max_capacity=service["worker_max_tasks"])
    tasks.scale_to_track_custom_metric(
        "Backlog", metric=queue.metric_approximate_number_of_messages_visible(), target_value=100
    )


def release_alarms(group: Any, queue: Any, dead_letters: Any, stack: Any) -> list[Any]:
    """Return the alarms that roll back a release."""
    rate = cloudwatch.MathExpression(
        expression="100 * FILL(failed, 0) / FILL(all, 1)",
        using_metrics={
            "all": group.metrics.request_count(),
            "failed": group.metrics.http_code_target(elb.HttpCodeTarget.TARGET_5XX_COUNT),
        },
    )
    watched = {
        "ErrorRate": (rate, 5),
        "LatencyP99": (group.metrics.target_response_time(statistic="p99"), 1),
        "UnhealthyTasks": (group.metrics.unhealthy_host_count(), 1),
        "DeadLetters": (dead_letters.metric_approximate_number_of_messages_visible(), 1),
        "QueueAge": (queue.metric_approximate_age_of_oldest_message(), 300),
    }
    return [alarm(name, metric, threshold, 2, stack) for name, (metric, threshold) in watched.items()]


def operational_alarms(role: str, service: Any, stack: Any) -> None:
    alarm(f"{role}HighCpu", service.metric_cpu_utilization(), 90, 15, stack)
    alarm(f"{role}HighMemory", service.metric_memory_utilization(), 90, 15, stack)
    few = cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name="RunningTaskCount",
        dimensions_map={"ClusterName": "platform", "ServiceName": service.service_name},
    )
    below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
    few.create_alarm(stack, f"{role}FewTasks", threshold=1, evaluation_periods=5, comparison_operator=below)


def alarm(name: str, metric: Any, threshold: int, minutes: int, stack: Any) -> Any:
    return metric.create_alarm(
        stack,
        f"{name}Alarm",
        threshold=threshold,
        evaluation_periods=minutes,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def dashboard(group: Any, queue: Any, api: Any, stack: Any) -> None:
    metrics = {
        "Requests": group.metrics.request_count(),
        "Latency": group.metrics.target_response_time(),
        "CPU": api.metric_cpu_utilization(),
        "Queue": queue.metric_approximate_number_of_messages_visible(),
    }
    widgets = [cloudwatch.GraphWidget(title=title, left=[metric]) for title, metric in metrics.items()]
    cloudwatch.Dashboard(stack, "Dashboard", widgets=[widgets])


def deployment_group(
    service: Any, blue: Any, green: Any, production: Any, test: Any, alarms: list[Any], stack: Any
) -> None:
    codedeploy.EcsDeploymentGroup(
        stack,
        "DeploymentGroup",
        application=codedeploy.EcsApplication(stack, "Application"),
        service=service,
        blue_green_deployment_config=codedeploy.EcsBlueGreenDeploymentConfig(
            blue_target_group=blue,
            green_target_group=green,
            listener=production,
            test_listener=test,
            termination_wait_time=Duration.minutes(60),
        ),
        deployment_config=codedeploy.EcsDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
        alarms=alarms,
        auto_rollback=codedeploy.AutoRollbackConfig(failed_deployment=True, deployment_in_alarm=True),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
