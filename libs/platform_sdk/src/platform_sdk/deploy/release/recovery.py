"""What a release has left that was killed, or did not wait for the end of its deployment.

Put right by whoever holds the lock next, before anything else.
"""

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.autoscaling import restore
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.release.history import Description, parse_description
from platform_sdk.deploy.release.worker import return_worker
from platform_sdk.deploy.render.names import arn, worker_service_name


def put_right(releasing: Releasing) -> None:
    """Scaling that is suspended, and a worker that stayed on the version that the API was taken back from."""
    before = releasing.lock.scaling
    if before is not None:
        restore(releasing, f"service/{releasing.cluster}/{releasing.api}", before)
    if releasing.lock.before is None:
        return
    told = newest_failure(releasing)
    if told is not None and told.worker is not None and told.worker_before is not None:
        take_worker_back(releasing, told, told.worker, told.worker_before)


def newest_failure(releasing: Releasing) -> Description | None:
    """Of the newest release, if it failed. The lock may not know its deployment: its holder may have died between
    the two.
    """
    newest = releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=5)
    for deployment in newest:
        told = parse_description(deployment.description)
        if told is not None:
            return told if deployment.status in ("Failed", "Stopped") else None
    return None


def take_worker_back(releasing: Releasing, told: Description, worker: int, before: int) -> None:
    """Only where it is still so: somebody may have released since."""
    spec, environment, journal = releasing.spec, releasing.environment, releasing.journal
    names = [releasing.api, releasing.worker]
    services = releasing.aws.ecs.services(releasing.cluster, names)
    running = {name: service.task_definition.rsplit("/", 1)[-1] for name, service in services.items()}
    if running.get(releasing.worker) == f"{releasing.worker}:{worker}" and running.get(releasing.api) != told.revision:
        journal.worker_before, journal.worker_rolled = worker_revision(before, spec, environment), True
        return_worker(releasing)
        journal.worker_before, journal.worker_rolled = "", False


def worker_revision(number: int, spec: ServiceSpec, environment: Environment) -> str:
    return arn(environment, "ecs", f"task-definition/{worker_service_name(spec, environment)}:{number}")
