"""Set up a whole account for a test: the stacks of an environment and of its services, from our own templates.

The simulator's CloudFormation creates them, so names, ARNs and roles are those of the environment. The secrets that
people create by hand on AWS are created here, too. None of these calls is in `AwsSimulator.calls`. Copying a pickled
account is much faster than building another.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.codedeploy.deployments import CodeDeploy
from aws_simulator.ecr import Ecr
from aws_simulator.ecs.service import Ecs
from aws_simulator.secrets_and_parameters import SecretsManager, Ssm
from aws_simulator.world import GOOD, Behaviour
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import COMMIT_TAG, COMMITTED_AT_TAG, DOCUMENT_TAG, VERSION_TAG, document_digest
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, load_appspec_template, render_appspec
from platform_sdk.deploy.render.names import cluster_name, stack_name, worker_service_name
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_standalone_task, render_task_definition
from platform_sdk.deploy.render.variables import secrets_of
from platform_sdk.deploy.shared import SharedStack, load_shared_stacks

CAPABILITIES: Final = ("CAPABILITY_NAMED_IAM",)
ALL_AT_ONCE: Final = "CodeDeployDefault.ECSAllAtOnce"
MAX_WAIT: Final = timedelta(hours=3)
"""In the simulator's time. Anything that takes longer is stuck."""


class SetupFailed(AssertionError):
    """A stack or a release of the setup failed."""


def build_account(account: Account, root: Path, environment: Environment, services: Sequence[ServiceSpec]) -> None:
    """Create every stack in order and wait until all are steady. Stacks of single services are created side by side.

    Raises:
        SetupFailed: with the resources that failed, and why.
    """
    of_all, of_each = by_reach(load_shared_stacks(root, environment, services), services)
    for stack in of_all:
        create(account, {stack.name: (template_text(root / stack.template), stack.parameters)})
    create(account, {stack.name: (template_text(root / stack.template), stack.parameters) for stack in of_each})
    for spec in services:
        create_secrets(account, spec, environment)
    templates = {stack_name(spec, environment): render_service_stack(spec, environment) for spec in services}
    create(account, {name: (json.dumps(template), {}) for name, template in templates.items()})


def by_reach(
    stacks: Iterable[SharedStack], services: Sequence[ServiceSpec]
) -> tuple[list[SharedStack], list[SharedStack]]:
    """Split stacks into those of the environment and those that each service has."""
    endings = tuple(f"-{spec.name}" for spec in services)
    of_all: list[SharedStack] = []
    of_each: list[SharedStack] = []
    for stack in stacks:
        (of_each if stack.name.endswith(endings) else of_all).append(stack)
    return of_all, of_each


@cache
def template_text(path: Path) -> str:
    """Return a template's text, read once for all accounts."""
    return path.read_text(encoding="utf-8")


def create(account: Account, stacks: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
    """Create stacks side by side, from their names, templates and parameters."""
    cloudformation = account.service(CloudFormation)
    for name, (template, parameters) in stacks.items():
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        request = {"StackName": name, "TemplateBody": template, "Parameters": given, "Capabilities": CAPABILITIES}
        cloudformation.create_stack(request)
    wait(account, lambda: not any(cloudformation.find(name).busy for name in stacks), f"the stacks {', '.join(stacks)}")
    for name in stacks:
        refuse_failed(cloudformation, name)


def refuse_failed(cloudformation: CloudFormation, name: str) -> None:
    stack = cloudformation.find(name)
    if stack.status != "CREATE_COMPLETE":
        failed = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in stack.events
            if event["ResourceStatus"] == "CREATE_FAILED"
        ]
        raise SetupFailed(f"{name} is {stack.status}; {'; '.join(failed)}")


def wait(account: Account, done: Callable[[], bool], what: str) -> None:
    """Let the simulator's time pass until it is done. Raises SetupFailed: after three hours."""
    deadline = account.now() + MAX_WAIT
    while not done():
        if account.now() > deadline:
            raise SetupFailed(f"{what} did not come to an end")
        account.clock.sleep(1)


def create_secrets(account: Account, spec: ServiceSpec, environment: Environment) -> None:
    """Create the secrets that tasks read and no stack creates. Values of one JSON secret are created together."""
    wanted: dict[SecretReference, set[str]] = {}
    for _, secret in secrets_of(spec, environment):
        whole = SecretReference(store=secret.store, name=secret.name)
        wanted.setdefault(whole, set()).update({secret.json_key} if secret.json_key else ())
    for secret, keys in wanted.items():
        name = f"platform/{environment.name}/{spec.name}/{secret.name}"
        value = json.dumps({key: "value" for key in sorted(keys)}) if keys else "value"
        if secret.store is SecretStore.PARAMETER_STORE:
            account.service(Ssm).put(f"/{name}", value, "SecureString")
        elif name not in account.service(SecretsManager).secrets:
            account.service(SecretsManager).put(name, value)


def released(
    account: Account,
    root: Path,
    environment: Environment,
    spec: ServiceSpec,
    tag: str,
    behaviour: Behaviour = GOOD,
    *,
    commit: str = "0" * 40,
) -> str:
    """Bring a service into the state after a good release of an image, and return the image's URI.

    The image is pushed if it is not there.

    Raises:
        SetupFailed: CodeDeploy or ECS did not end well.
    """
    image = account.service(Ecr).push(spec.name, tag, behaviour, architecture=spec.task.architecture)
    tags = {
        VERSION_TAG: tag,
        COMMIT_TAG: commit,
        COMMITTED_AT_TAG: account.now().isoformat(),
    }
    for task in spec.tasks:
        register(account, render_standalone_task(spec, environment, task, image=image), tags)
    if spec.worker is not None:
        worker = render_task_definition(spec, environment, image=image, role="worker")
        roll_out(account, spec, environment, register(account, worker, tags))
    revision = register(account, render_task_definition(spec, environment, image=image), tags)
    appspec = render_appspec(load_appspec_template(root), appspec_of(spec, environment), revision)
    deploy(account, deployment_request(appspec, spec, environment, f"{tag} {commit[:12]} {revision} by setup"))
    return image


def register(account: Account, document: dict[str, object], tags: Mapping[str, str]) -> str:
    """Register a revision and return its ARN."""
    own: Any = document["tags"]
    written = {**tags, DOCUMENT_TAG: document_digest(document)}
    request = {**document, "tags": [*own, *({"key": key, "value": value} for key, value in written.items())]}
    answer = account.service(Ecs).register_task_definition(request)
    arn: str = answer["taskDefinition"]["taskDefinitionArn"]
    return arn


def roll_out(account: Account, spec: ServiceSpec, environment: Environment, revision: str) -> None:
    ecs = account.service(Ecs)
    where = {"cluster": cluster_name(environment), "service": worker_service_name(spec, environment)}
    ecs.update_service({**where, "taskDefinition": revision})

    def done() -> bool:
        (service,) = ecs.describe_services({"cluster": where["cluster"], "services": [where["service"]]})["services"]
        return [one["rolloutState"] for one in service["deployments"]] == ["COMPLETED"]

    wait(account, done, f"the rolling update of {where['service']}")


def deploy(account: Account, request: Mapping[str, Any]) -> None:
    """Deploy all at once and without bake time: the result is the same, and sooner."""
    codedeploy = account.service(CodeDeploy)
    made = codedeploy.create_deployment({**request, "deploymentConfigName": ALL_AT_ONCE})["deploymentId"]
    codedeploy.deployments[made].terminate_requested = True

    def status() -> str:
        return str(codedeploy.get_deployment({"deploymentId": made})["deploymentInfo"]["status"])

    wait(account, lambda: status() in ("Succeeded", "Failed", "Stopped"), f"deployment {made}")
    if status() != "Succeeded":
        raise SetupFailed(f"deployment {made} is {status()}")
