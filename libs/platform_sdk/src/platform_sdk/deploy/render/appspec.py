"""What CodeDeploy deploys: the repository's appspec.yaml, filled in for a service and a task definition revision."""

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import LIFECYCLE_EVENTS
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json
from platform_sdk.deploy.render.names import PLATFORM_VERSION, hook_function_name, service_name
from platform_sdk.deploy.render.task_definition import APP

AT_ONCE: Final = "CodeDeployDefault.ECSAllAtOnce"
"""Predefined by AWS: all traffic shifts in one step."""
TEMPLATE: Final = Path("appspec.yaml")


def load_appspec_template(root: Path) -> str:
    return (root / TEMPLATE).read_text(encoding="utf-8")


def render_appspec(template: str, spec: ServiceSpec, environment: Environment, task_definition_arn: str) -> str:
    """Return the AppSpec as YAML. `task_definition_arn` is the ARN of the revision to run."""
    return Template(template).substitute(
        task_definition=json.dumps(task_definition_arn),
        container_name=json.dumps(APP),
        container_port=spec.port,
        platform_version=json.dumps(PLATFORM_VERSION),
        hooks=json.dumps(hooks(spec, environment)),
    )


def hooks(spec: ServiceSpec, environment: Environment) -> list[dict[str, str]]:
    """Return the hooks in the order in which CodeDeploy calls them, each as a mapping with one key."""
    return [
        {event: hook_function_name(environment, spec.hooks[event])}
        for event in LIFECYCLE_EVENTS.values()
        if event in spec.hooks
    ]


def deployment_request(
    appspec: str, spec: ServiceSpec, environment: Environment, description: str, *, at_once: bool = False
) -> Json:
    """Return the parameters of codedeploy:CreateDeployment. The deployment group holds all other settings.

    Args:
        at_once: shift all traffic in one step instead of as the deployment group says.
    """
    digest = hashlib.sha256(appspec.encode()).hexdigest()
    return {
        "applicationName": service_name(spec, environment),
        "deploymentGroupName": service_name(spec, environment),
        "description": description,
        "revision": {
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": appspec, "sha256": digest},
        },
        **({"deploymentConfigName": AT_ONCE} if at_once else {}),
    }
