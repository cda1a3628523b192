"""Autoscaling: the bounds of each ECS service, the metrics that it follows, and scheduled changes of the bounds."""

from collections.abc import Iterator, Sequence

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.scaling import Scaling, ScheduledScaling, Worker
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import backlog_per_task, requests_per_task
from platform_sdk.deploy.render.cloudformation import Json, allow, checkov_skip, get, ref, resource, sub
from platform_sdk.deploy.render.names import PLATFORM_VERSION, arn, logical, network, schedule_name
from platform_sdk.deploy.render.roles import attached, pass_roles, role


def autoscaling(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the scalable targets of the API and the worker, with a policy for each metric that has a target."""
    resources = {"ScalableTarget": scalable_target("Service", spec.scaling)}
    for name, target, metric in tracked_metrics(spec.scaling):
        resources[f"ScalingBy{name}"] = _policy_of("ScalableTarget", name, target, metric, spec.scaling)
    if spec.worker is not None:
        resources["WorkerScalableTarget"] = scalable_target("WorkerService", spec.worker)
        if spec.queues:
            metrics: Json = {"CustomizedMetricSpecification": {"Metrics": backlog_per_task(spec, environment)}}
            resources["WorkerScalingByBacklog"] = _policy_of(
                "WorkerScalableTarget", "Backlog", spec.worker.backlog_per_task, metrics, spec.worker
            )
    return resources


def scalable_target(service: str, bounds: Scaling | Worker) -> Json:
    """Leave out the suspended state: a release suspends scaling while traffic shifts, and no update must end that."""
    properties: Json = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": sub(f"service/${{ClusterName}}/${{{service}.Name}}"),
        "MinCapacity": bounds.min_tasks,
        "MaxCapacity": bounds.max_tasks,
    }
    if bounds.scheduled:
        properties["ScheduledActions"] = _scheduled_actions(bounds.scheduled)
    return resource("AWS::ApplicationAutoScaling::ScalableTarget", properties)


def _scheduled_actions(scheduled: Sequence[ScheduledScaling]) -> list[Json]:
    return [
        {
            "ScheduledActionName": change.name,
            "Schedule": change.schedule,
            "Timezone": change.timezone,
            "ScalableTargetAction": {"MinCapacity": change.min_tasks, "MaxCapacity": change.max_tasks},
        }
        for change in scheduled
    ]


def tracked_metrics(scaling: Scaling) -> Iterator[tuple[str, int, Json]]:
    """Yield name, target and metric. The policy that needs the most tasks wins."""
    if scaling.target_cpu_percent is not None:
        yield "Cpu", scaling.target_cpu_percent, _predefined("ECSServiceAverageCPUUtilization")
    if scaling.target_memory_percent is not None:
        yield "Memory", scaling.target_memory_percent, _predefined("ECSServiceAverageMemoryUtilization")
    if scaling.target_requests_per_task is not None:
        # The predefined metric covers one target group only, and CodeDeploy switches between two.
        metrics: Json = {"CustomizedMetricSpecification": {"Metrics": requests_per_task()}}
        yield "Requests", scaling.target_requests_per_task, metrics


def _predefined(metric: str) -> Json:
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}}


def _policy_of(scalable: str, name: str, target: int, metric: Json, cooldowns: Scaling | Worker) -> Json:
    properties: Json = {
        "PolicyName": name.lower(),
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": ref(scalable),
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": target,
            **metric,
            "ScaleOutCooldown": cooldowns.scale_out_cooldown_seconds,
            "ScaleInCooldown": cooldowns.scale_in_cooldown_seconds,
        },
    }
    return resource("AWS::ApplicationAutoScaling::ScalingPolicy", properties)


# Tasks that run on a schedule (EventBridge Scheduler), with the role that starts them.


def schedules(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the EventBridge schedules of standalone tasks, with the role that may run them. Empty without one."""
    scheduled = [task for task in spec.tasks if task.schedule is not None]
    if not scheduled:
        return {}
    families = [family_arn(task, spec, environment) for task in scheduled]
    run = allow(
        ["ecs:RunTask"],
        [resource for family in families for resource in (family, f"{family}:*")],
        ArnEquals={"ecs:cluster": ref("ClusterArn")},
    )
    return {
        "SchedulerRole": role(spec, environment, "scheduler", "scheduler.amazonaws.com"),
        "SchedulerPolicy": attached("Scheduler", iter([run, pass_roles(spec, environment)])),
        **{logical(task.name, "schedule"): _schedule_of(task, spec, environment) for task in scheduled},
    }


def family_arn(task: StandaloneTask, spec: ServiceSpec, environment: Environment) -> str:
    """Name no revision: the schedule starts the latest, which the last release registered."""
    return arn(environment, "ecs", f"task-definition/{schedule_name(environment.name, spec.name, task.name)}")


def _schedule_of(task: StandaloneTask, spec: ServiceSpec, environment: Environment) -> Json:
    target: Json = {
        "Arn": ref("ClusterArn"),
        "RoleArn": get("SchedulerRole", "Arn"),
        "EcsParameters": {
            "TaskDefinitionArn": family_arn(task, spec, environment),
            "LaunchType": "FARGATE",
            "PlatformVersion": PLATFORM_VERSION,
            "TaskCount": 1,
            "NetworkConfiguration": network(),
            "EnableECSManagedTags": True,
            "PropagateTags": "TASK_DEFINITION",
        },
        # After an hour, the run is left to the next one.
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10},
    }
    reason = "A schedule holds no data of users."
    properties: Json = {
        "Name": schedule_name(environment.name, spec.name, task.name),
        "ScheduleExpression": task.schedule,
        "ScheduleExpressionTimezone": task.timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    return resource(
        "AWS::Scheduler::Schedule",
        properties,
        DependsOn=["SchedulerPolicy"],
        Metadata=checkov_skip("CKV_AWS_297", reason),
    )
