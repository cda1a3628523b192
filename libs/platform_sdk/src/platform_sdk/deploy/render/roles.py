"""IAM roles: for ECS to start tasks, for the tasks themselves, and for CodeDeploy to shift their traffic.

Each role grants only what platform.toml needs. A resource is `*` only for actions without resource-level permissions.
"""

from collections.abc import Iterator
from typing import Final

from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, allow, policy, ref, resource
from platform_sdk.deploy.render.ecs_services import LISTENERS
from platform_sdk.deploy.render.names import arn, cluster_name, hook_function_name, log_group, role_name, service_name
from platform_sdk.deploy.render.task_definition import CLOUDWATCH_AGENT
from platform_sdk.deploy.render.variables import secret_name, secrets_of

METRICS_NAMESPACE: Final = "Platform"
"""The namespace in deploy/cloudformation/cloudwatch-agent.json."""

SUFFIX: Final = "-??????"
"""Secrets Manager adds a hyphen and six characters to the name of a secret."""


def roles(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return three roles with their policies: ECS's for starting tasks, the app's own, and CodeDeploy's."""
    return {
        "ExecutionRole": role(spec, environment, "execution", "ecs-tasks.amazonaws.com"),
        "ExecutionPolicy": attached("Execution", execution(spec, environment)),
        "TaskRole": role(spec, environment, "task", "ecs-tasks.amazonaws.com"),
        "TaskPolicy": attached("Task", task(spec, environment)),
        "DeployRole": role(spec, environment, "deploy", "codedeploy.amazonaws.com"),
        "DeployPolicy": attached("Deploy", deploy(spec, environment)),
    }


def role(spec: ServiceSpec, environment: Environment, purpose: str, principal: str) -> Json:
    """Return a role that one AWS service may assume, for this account only where the service says for which it acts."""
    trust: Json = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    if principal != "codedeploy.amazonaws.com":
        # CodeDeploy does not document that it sends the source account.
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": environment.account_id}}
    properties: Json = {
        "RoleName": role_name(environment.name, spec.name, purpose),
        "AssumeRolePolicyDocument": policy([trust]),
    }
    return resource("AWS::IAM::Role", properties)


def attached(purpose: str, statements: Iterator[Json]) -> Json:
    """Return an inline policy of the role `<purpose>Role`."""
    properties: Json = {
        "PolicyName": purpose.lower(),
        "Roles": [ref(f"{purpose}Role")],
        "PolicyDocument": policy(list(statements)),
    }
    return resource("AWS::IAM::Policy", properties)


def execution(spec: ServiceSpec, environment: Environment) -> Iterator[Json]:
    """Yield what ECS needs to start a task: its image, its secrets, and the logs of sidecars."""
    # A token is for the registry: this action has no resource-level permissions.
    yield allow(["ecr:GetAuthorizationToken"], ["*"])
    yield allow(
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        [arn(environment, "ecr", f"repository/{spec.name}")],
    )
    groups = ["/sidecars"] if spec.sidecars.log_router.enabled else ["", "/sidecars"]
    yield _write_logs(environment, [log_group(spec, environment, suffix) for suffix in groups])
    secrets, parameters = places(spec, environment)
    if secrets:
        yield allow(["secretsmanager:GetSecretValue"], secrets)
    if parameters:
        yield allow(["ssm:GetParameters"], parameters)


def places(spec: ServiceSpec, environment: Environment) -> tuple[list[str], list[str]]:
    """Return the ARNs of the secrets and of the parameters that ECS passes to containers."""
    secrets, parameters = set(), set()
    for _, secret in secrets_of(spec, environment):
        name = secret_name(secret, spec, environment)
        if secret.store is SecretStore.SECRETS_MANAGER:
            secrets.add(arn(environment, "secretsmanager", f"secret:{name}{SUFFIX}"))
        else:
            parameters.add(arn(environment, "ssm", f"parameter{name}"))
    if spec.sidecars.cloudwatch_agent.enabled:
        parameters.add(arn(environment, "ssm", f"parameter/platform/{environment.name}/{CLOUDWATCH_AGENT}"))
    return sorted(secrets), sorted(parameters)


def _write_logs(environment: Environment, groups: list[str]) -> Json:
    resources = [arn(environment, "logs", f"log-group:{group}:*") for group in groups]
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], resources)


def task(spec: ServiceSpec, environment: Environment) -> Iterator[Json]:
    """Yield what the containers of a task need: the app and its sidecars."""
    yield from _messages(spec, environment)
    # The log router writes the logs of the app, and the agent writes embedded metrics.
    yield _write_logs(environment, [log_group(spec, environment)])
    if spec.sidecars.cloudwatch_agent.enabled:
        namespace: Json = {"cloudwatch:namespace": METRICS_NAMESPACE}
        yield allow(["cloudwatch:PutMetricData"], ["*"], StringEquals=namespace)
        yield allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"])
    for permission in spec.permissions:
        resources = permission.resources_in(
            environment=environment.name, region=environment.region, account_id=environment.account_id
        )
        yield allow(permission.actions, resources)


def _messages(spec: ServiceSpec, environment: Environment) -> Iterator[Json]:
    consumed = [queue_name(environment.name, queue.name) for queue in spec.queues]
    dead = [dead_letter_queue_name(environment.name, queue.name) for queue in spec.queues]
    if consumed:
        actions = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"]
        yield allow([f"sqs:{action}" for action in actions], [arn(environment, "sqs", name) for name in consumed])
    published = {queue_name(environment.name, queue) for to in spec.publishes.values() for queue in to}
    filled = sorted(published | set(dead))
    if filled:
        yield allow(["sqs:GetQueueUrl", "sqs:SendMessage"], [arn(environment, "sqs", name) for name in filled])


def deploy(spec: ServiceSpec, environment: Environment) -> Iterator[Json]:
    """Yield what CodeDeploy needs: the policy AWSCodeDeployRoleForECS of AWS, limited to this service."""
    name = service_name(spec, environment)
    service = arn(environment, "ecs", f"service/{cluster_name(environment)}/{name}")
    yield allow(["ecs:DescribeServices", "ecs:UpdateServicePrimaryTaskSet"], [service])
    yield allow(["ecs:DeleteTaskSet"], [arn(environment, "ecs", f"task-set/{cluster_name(environment)}/{name}/*")])
    # A task set that does not exist yet has no ARN; the condition limits it to the service.
    yield allow(["ecs:CreateTaskSet"], ["*"], ArnEquals={"ecs:service": service})
    describe = ("DescribeListeners", "DescribeRules", "DescribeTargetGroups")
    yield allow([f"elasticloadbalancing:{action}" for action in describe], ["*"])
    yield allow(["elasticloadbalancing:ModifyListener"], [ref(listener) for listener in LISTENERS.values()])
    yield allow(["elasticloadbalancing:ModifyRule"], [ref(rule) for rule in LISTENERS])
    # CodeDeploy reads several alarms in one call, which AWS allows or refuses as a whole.
    yield allow(["cloudwatch:DescribeAlarms"], [arn(environment, "cloudwatch", "alarm:*")])
    functions = sorted({hook_function_name(environment, hook) for hook in spec.hooks.values()})
    if functions:
        yield allow(
            ["lambda:InvokeFunction"], [arn(environment, "lambda", f"function:{function}") for function in functions]
        )
    yield pass_roles(spec, environment)


def pass_roles(spec: ServiceSpec, environment: Environment) -> Json:
    """Allow passing the roles of tasks, to ECS tasks only."""
    names = [role_name(environment.name, spec.name, purpose) for purpose in ("execution", "task")]
    return allow(
        ["iam:PassRole"],
        [arn(environment, "iam", f"role/{name}", regional=False) for name in names],
        StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"},
    )
