"""Rules of ECS, CodeDeploy and Lambda."""

from typing import Final

from aws_simulator.documented.rule import between, matching

ECS_NAME: Final = r"[a-zA-Z0-9_-]{1,255}"
UP_TO_255: Final = "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed."
TASK: Final = "AWS::ECS::TaskDefinition"

TASKS: Final = (
    matching(ECS_NAME, "ecs.CreateClusterRequest.clusterName", UP_TO_255, "AWS::ECS::Cluster/ClusterName"),
    matching(ECS_NAME, "ecs.CreateServiceRequest.serviceName", UP_TO_255, "AWS::ECS::Service/ServiceName"),
    matching(ECS_NAME, "ecs.RegisterTaskDefinitionRequest.family", UP_TO_255, f"{TASK}/Family"),
    matching(ECS_NAME, "ecs.ContainerDefinition.name", UP_TO_255, f"{TASK}/ContainerDefinitions/Name"),
    matching(
        r"(?=.{1,255}(@|$))[a-zA-Z0-9_.:/#-]+(@sha256:[A-Fa-f0-9]{64})?",
        "ecs.ContainerDefinition.image",
        "up to 255 characters total are allowed, including letters (uppercase and lowercase), numbers, hyphens, "
        "underscores, colons, periods, forward slashes, and number signs (#).",
        f"{TASK}/ContainerDefinitions/Image",
    ),
    matching(
        "[A-Z_]+",
        "ecs.KernelCapabilities.drop",
        'Valid values: "ALL" | "AUDIT_CONTROL"',
        f"{TASK}/ContainerDefinitions/LinuxParameters/Capabilities/Drop",
    ),
    matching(
        "enhanced|enabled|disabled",
        "ecs.ClusterSetting.value",
        "The supported values are enhanced , enabled , and disabled .",
        "AWS::ECS::Cluster/ClusterSettings/Value",
    ),
    between(
        0,
        2880,
        "codedeploy.BlueInstanceTerminationOption.terminationWaitTimeInMinutes",
        "The maximum setting is 2880 minutes (2 days).",
        "AWS::CodeDeploy::DeploymentGroup/BlueGreenDeploymentConfiguration/TerminateBlueInstancesOnDeploymentSuccess/"
        "TerminationWaitTimeInMinutes",
    ),
    matching(
        r".{1,255}",
        "codedeploy.Alarm.name",
        "Maximum length is 255 characters.",
        "AWS::CodeDeploy::DeploymentGroup/AlarmConfiguration/Alarms/Name",
    ),
    between(
        1,
        900,
        "lambda.CreateFunctionRequest.Timeout",
        "the maximum allowed value is 900 seconds.",
        "AWS::Lambda::Function/Timeout",
    ),
)
