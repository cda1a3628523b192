"""A deployment that is in progress when a release begins: waited for, or brought to its end."""

from datetime import timedelta
from typing import Final

from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.release.events import RollingBack, Waiting
from platform_sdk.deploy.release.follow import Seen
from platform_sdk.deploy.release.journal import Ending
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.release.settle import rolled_back
from platform_sdk.deploy.state import RUNNING, Deployment, ServiceState

POLL_SECONDS: Final = 10
LONGEST: Final = timedelta(hours=2)
"""For a deployment that was told to end."""


def after_running(releasing: Releasing) -> None:
    """Returns when there is none, or one of this version, which will be followed.

    Raises:
        Ending: it takes longer than the order would wait.
    """
    minutes = releasing.order.lock_wait_minutes
    until = releasing.now() + timedelta(minutes=minutes)
    while (running := running_of_others(releasing)) is not None:
        if releasing.now() >= until:
            raise Ending(
                "locked",
                f"{running.id} is still in progress after {minutes} minutes",
                resume=f"platform wait {running.id} --env {releasing.environment.name}",
            )
        releasing.tell(Waiting(subject=subject_of(running), until=until))
        releasing.pause(POLL_SECONDS)


def running_of_others(releasing: Releasing) -> Deployment | None:
    deployments = releasing.patiently(
        lambda: releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=1, statuses=RUNNING)
    )
    return next((each for each in deployments if not is_of_this_version(releasing, each)), None)


def is_of_this_version(releasing: Releasing, deployment: Deployment) -> bool:
    told = parse_description(deployment.description)
    return told is not None and (told.version, told.kind) == (releasing.release.version, releasing.release.kind)


def subject_of(deployment: Deployment) -> str:
    told = parse_description(deployment.description)
    return f"{deployment.id} ({told.version} by {told.by})" if told else deployment.id


def superseded(releasing: Releasing, state: ServiceState) -> ServiceState:
    """Ends what is in progress: the bake time of one that has all the traffic, otherwise the deployment itself, which
    goes back. Answers the state after that.
    """
    running = state.running_deployment
    if running is None or is_of_this_version(releasing, running):
        return state
    id = running.id
    target = releasing.patiently(lambda: releasing.aws.codedeploy.target(id, releasing.cluster, releasing.api))
    if Seen(deployment=running, target=target).has_all_traffic:
        releasing.patiently(lambda: releasing.aws.codedeploy.end_bake(id))
    else:
        releasing.tell(RollingBack(deployment_id=id, because=f"superseded by {releasing.release.version}"))
        releasing.patiently(lambda: releasing.aws.codedeploy.stop(id, roll_back=True))
    ended = until_end(releasing, id)
    back = rolled_back(releasing, ended) if ended.status != "Succeeded" else None
    if back is not None:
        until_end(releasing, back.rolled_back_by)
    return releasing.observe()


def until_end(releasing: Releasing, id: str) -> Deployment:
    until = releasing.now() + LONGEST
    while True:
        deployment = releasing.patiently(lambda: releasing.aws.codedeploy.deployment(id))
        if deployment is None or releasing.now() > until:
            raise Ending("locked", f"the deployment {id} did not come to its end")
        if deployment.has_ended:
            return deployment
        releasing.tell(Waiting(subject=subject_of(deployment), until=until))
        releasing.pause(POLL_SECONDS)
