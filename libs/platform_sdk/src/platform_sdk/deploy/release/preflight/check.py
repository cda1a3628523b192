"""What checks are asked about, and the three answers that they give."""

from dataclasses import dataclass

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.autoscaling import by_hand
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.options import Order, Release
from platform_sdk.deploy.release.outcome import CheckStatus
from platform_sdk.deploy.state import Deployment, ServiceState, Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`state` is what was observed; only what it does not hold is asked of AWS."""

    releasing: Releasing
    state: ServiceState

    @property
    def spec(self) -> ServiceSpec:
        return self.releasing.spec

    @property
    def environment(self) -> Environment:
        return self.releasing.environment

    @property
    def order(self) -> Order:
        return self.releasing.order

    @property
    def release(self) -> Release:
        return self.releasing.release

    @property
    def apply(self) -> str:
        return f"`platform apply {self.spec.name} --env {self.environment.name}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: CheckStatus
    reason: str
    remedy: str = ""


def ok(reason: str) -> Answer:
    return Answer(status="OK", reason=reason)


def skip(reason: str) -> Answer:
    return Answer(status="SKIP", reason=reason)


def fail(reason: str, remedy: str) -> Answer:
    return Answer(status="FAIL", reason=reason, remedy=remedy)


# Whether anybody or anything else is at work on the service.


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
