"""Tasks that run on a schedule (EventBridge Scheduler), with the role that starts them."""

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, allow, checkov_skip, get, ref, resource
from platform_sdk.deploy.render.names import PLATFORM_VERSION, arn, logical, network, schedule_name
from platform_sdk.deploy.render.roles import attached, pass_roles, role


def schedules(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
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
        **{logical(task.name, "schedule"): schedule_of(task, spec, environment) for task in scheduled},
    }


def family_arn(task: StandaloneTask, spec: ServiceSpec, environment: Environment) -> str:
    """Name no revision: the schedule starts the latest, which the last release registered."""
    return arn(environment, "ecs", f"task-definition/{schedule_name(environment.name, spec.name, task.name)}")


def schedule_of(task: StandaloneTask, spec: ServiceSpec, environment: Environment) -> Json:
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
