"""What a release left behind that was killed, or did not wait for the end of its deployment.

The next holder of the lock recovers it before anything else.
"""

from platform_sdk.deploy.release.autoscaling import restore
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.history import Description, parse_description, worker_revision
from platform_sdk.deploy.release.worker import return_worker


def recover_interrupted_release(context: ReleaseContext) -> None:
    """Restore scaling that is suspended, and return a worker that stayed on a version that the API was rolled back
    from.
    """
    before = context.lock.scaling
    if before is not None:
        restore(context, f"service/{context.cluster}/{context.api}", before)
    if context.lock.before is None:
        return
    failed = newest_failure(context)
    if failed is not None and failed.worker is not None and failed.worker_before is not None:
        return_worker_of(context, failed, failed.worker, failed.worker_before)


def newest_failure(context: ReleaseContext) -> Description | None:
    """Return the newest release, if it failed. The lock may not name its deployment: its holder may have died between
    creating the deployment and writing that down.
    """
    for deployment in context.aws.codedeploy.deployments(context.api, context.api, most=5):
        description = parse_description(deployment.description)
        if description is not None:
            return description if deployment.status in ("Failed", "Stopped") else None
    return None


def return_worker_of(context: ReleaseContext, failed: Description, worker: int, before: int) -> None:
    """Return the worker if nobody has released since."""
    journal = context.journal
    services = context.aws.ecs.services(context.cluster, [context.api, context.worker])
    running = {name: service.task_definition.rsplit("/", 1)[-1] for name, service in services.items()}
    if running.get(context.worker) == f"{context.worker}:{worker}" and running.get(context.api) != failed.revision:
        journal.worker_before = worker_revision(before, context.spec, context.environment)
        journal.worker_rolled = True
        return_worker(context)
        journal.worker_before, journal.worker_rolled = "", False
