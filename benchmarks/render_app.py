"""Write the documents of every service to files. bench_cdk.py compares this with the CDK program.

`python -m benchmarks.render_app REPOSITORY FOLDER` writes, for each service, its task definitions and its stack.
"""

import json
import sys
from pathlib import Path

from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import to_yaml
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_task_definition

ROLES: tuple[Role, ...] = ("api", "worker")


def main(repository: Path, folder: Path) -> None:
    environment = load_environment(repository, "local")
    for spec in load_services(repository, "local"):
        write(spec, environment, folder)


def write(spec: ServiceSpec, environment: Environment, folder: Path) -> None:
    for role in ROLES:
        document = render_task_definition(spec, environment, image=f"{spec.name}:dev", role=role)
        (folder / f"{spec.name}-{role}.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    (folder / f"{spec.name}.yaml").write_text(to_yaml(render_service_stack(spec, environment)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
