"""The services as the local stack runs them: each platform.toml, rendered to task definitions, read as containers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from local_aws.load_balancer.envoy import Rule, TargetGroup
from local_aws.tasks.process import AppContainer, app_container
from local_aws.tasks.scheduling import Role, Slot
from platform_sdk.contract import READINESS_PATH
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.task_definition import render_task_definition

IMAGE_TAG = "dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalService:
    """A service and, for each of its roles, the container that its task definition describes."""

    spec: ServiceSpec
    containers: Mapping[Role, AppContainer]

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def directory(self) -> Path:
        return self.spec.directory

    @property
    def health_path(self) -> str:
        return f"{self.spec.path}{READINESS_PATH}"

    @property
    def target_group(self) -> TargetGroup:
        return TargetGroup(name=f"{self.name}-blue", path=self.spec.path)

    @property
    def rule(self) -> Rule:
        return Rule(path=self.spec.path, target_group=self.target_group.name)

    def slots(self) -> Iterator[Slot]:
        """Yield the slots of the minimum number of tasks."""
        yield from (Slot(self.name, "api", number) for number in _numbers(self.spec.scaling.min_tasks))
        if self.spec.worker is not None:
            yield from (Slot(self.name, "worker", number) for number in _numbers(self.spec.worker.min_tasks))


def load_local_services(root: Path, environment: Environment) -> Mapping[str, LocalService]:
    """Return all services of the repository by name. Raises InvalidSpec with every fault."""
    specs = load_services(root, environment.name)
    return MappingProxyType({spec.name: _local_service(spec, environment) for spec in specs})


def _local_service(spec: ServiceSpec, environment: Environment) -> LocalService:
    roles: tuple[Role, ...] = ("api", "worker") if spec.worker is not None else ("api",)
    image = f"{spec.name}:{IMAGE_TAG}"
    containers = {
        role: app_container(render_task_definition(spec, environment, image=image, role=role)) for role in roles
    }
    return LocalService(spec=spec, containers=MappingProxyType(containers))


def _numbers(count: int) -> range:
    return range(1, count + 1)
