"""Whether anybody or anything else is at work on the service."""

from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.release.guard import by_hand
from platform_sdk.deploy.release.preflight.asked import Answer, Asked, fail, ok, skip
from platform_sdk.deploy.state import Deployment, Suspended


def no_deployment(asked: Asked) -> Answer:
    running = asked.state.running_deployment
    if running is None:
        return ok("none is in progress")
    if is_of_this_version(asked, running):
        return ok(f"{running.id} is of this version: it will be followed")
    if asked.order.if_busy == "supersede":
        return ok(f"{running.id} will be superseded")
    told = parse_description(running.description)
    what = f"{told.version} by {told.by}" if told else running.description or running.creator
    return fail(
        f"{running.id} is in progress ({running.status}): {what}",
        f"`platform wait {running.id} --env {asked.environment.name}`, or say --if-busy wait or supersede",
    )


def is_of_this_version(asked: Asked, running: Deployment) -> bool:
    told = parse_description(running.description)
    return told is not None and told.version == asked.release.version and told.kind == asked.release.kind


def scaling(asked: Asked) -> Answer:
    """Of a service that nobody scales back, the load of the next hour decides how it ends."""
    targets = [each for each in (asked.state.scaling, asked.state.worker_scaling) if each is not None]
    if not targets:
        return skip("nothing scales the service")
    held = [each for each in targets if each.suspended.any]
    if held and asked.releasing.lock.scaling is not None:
        return ok("held by the release that is under way")
    if held and asked.release.kind == "rollback":
        return skip(
            f"the scaling of {held[0].resource} is suspended, and stays as it is: a rollback does not wait for it"
        )
    if held:
        return fail(
            f"the scaling of {held[0].resource} is suspended, and no release has left it so",
            by_hand(held[0].resource, Suspended()),
        )
    return ok(", ".join(f"{each.resource.rsplit('/', 1)[-1]} {each.min_tasks} to {each.max_tasks}" for each in targets))
