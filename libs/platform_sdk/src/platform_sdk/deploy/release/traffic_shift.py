"""Brings the API's traffic to a revision by a deployment of CodeDeploy, and tells the truth about how that went."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from platform_sdk.deploy.aws import DeploymentRunning
from platform_sdk.deploy.release.autoscaling import scaling_held
from platform_sdk.deploy.release.context import Ending, Releasing
from platform_sdk.deploy.release.deployment import (
    DeploymentFailed,
    Following,
    Ground,
    Seen,
    follow,
    minutes_of,
    resume_command,
    settle,
    who_serves,
)
from platform_sdk.deploy.release.events import DeploymentCreated, TrafficShifted
from platform_sdk.deploy.release.history import Description, parse_description
from platform_sdk.deploy.release.outcome import Watched
from platform_sdk.deploy.render.appspec import AT_ONCE, deployment_request, render_appspec
from platform_sdk.deploy.state import RUNNING, Deployment

CONFIRM_SECONDS: Final = 60
"""From where CodeDeploy says that all traffic has shifted to where ECS and the load balancer say so, too."""


def shift_traffic(releasing: Releasing, revision: str, ground: Ground) -> Ending:
    """From the deployment's creation to where all users are on the revision, and on to the end of the bake time.

    Raises:
        Ending: they are not.
    """
    try:
        with scaling_held(releasing, ground.scaling), releasing.journal.stage("shift"):
            following = begin(releasing, revision, ground)
            seen = follow(releasing, following, "traffic")
            confirm(releasing, following, seen, revision, ground)
        releasing.tell(TrafficShifted(deployment_id=following.deployment_id, bake_minutes=ground.group.bake_minutes))
        return bake(releasing, following, seen, revision, ground)
    except DeploymentFailed as failed:
        raise settle(releasing, failed, ground) from failed


def bake(releasing: Releasing, following: Following, seen: Seen, revision: str, ground: Ground) -> Ending:
    """While the former tasks wait beside the new ones, an alarm still takes the deployment back."""
    version = releasing.release.version
    if releasing.order.until == "traffic" and not seen.deployment.has_ended:
        return Ending(
            "traffic_shifted",
            f"{version} serves all users; for the bake time an alarm still takes it back",
            resume=resume_command(following.deployment_id, releasing),
        )
    with releasing.journal.stage("bake"):
        seen = follow(releasing, following, "done")
        confirm(releasing, following, seen, revision, ground)
    return Ending("released", f"{version} serves all users")


def begin(releasing: Releasing, revision: str, ground: Ground) -> Following:
    """Creates the deployment, unless this version is being deployed already by a release that did not see its end."""
    releasing.go_on()
    found = running_of(releasing, revision)
    id = found.id if found else create(releasing, revision)
    releasing.journal.deployment_id = id
    releasing.tell(DeploymentCreated(deployment_id=id, revision=revision, adopted=found is not None))
    releasing.retry.run(lambda: releasing.lock.note(deployment_id=id))
    return following_of(releasing, id, revision, ground)


def following_of(releasing: Releasing, id: str, revision: str, ground: Ground) -> Following:
    group, now = ground.group, releasing.now()
    name = AT_ONCE if shifts_at_once(releasing) else group.configuration
    configuration = releasing.aws.codedeploy.configuration(name)
    minutes = minutes_of(group, configuration, len(releasing.spec.hooks))
    watched = Watched(
        stage="api",
        cluster=releasing.cluster,
        revision=revision,
        since=now,
        service=releasing.api,
        deployment_id=id,
    )
    return Following(
        deployment_id=id,
        started_at=now,
        deadline=now + timedelta(minutes=minutes),
        group=group,
        target_groups=ground.target_groups,
        watched=watched,
    )


def create(releasing: Releasing, revision: str) -> str:
    """Never twice: before another attempt it is looked up whether the first one left a deployment."""
    appspec = render_appspec(releasing.tools.appspec, releasing.spec, releasing.environment, revision)
    description = describe(releasing, revision)
    at_once = shifts_at_once(releasing)
    request = deployment_request(appspec, releasing.spec, releasing.environment, description, at_once=at_once)
    if releasing.order.ignore_alarms:
        request["overrideAlarmConfiguration"] = {"enabled": False, "alarms": []}
    releasing.check_turn()
    try:
        return releasing.retry.run(
            lambda: releasing.aws.codedeploy.create(request), find_result=lambda: created_by_us(releasing)
        )
    except DeploymentRunning as running:
        ours = created_by_us(releasing)
        if ours is not None:
            return ours
        raise Ending(
            "superseded",
            f"another deployment of {releasing.api} began meanwhile: {running.deployment_id or running.because}",
            resume=f"platform status {releasing.spec.name} --env {releasing.environment.name}",
        ) from running


def shifts_at_once(releasing: Releasing) -> bool:
    """A version that served well needs no canary, and its users wait for it."""
    return releasing.release.kind == "rollback"


def describe(releasing: Releasing, revision: str) -> str:
    release, journal = releasing.release, releasing.journal
    return Description(
        kind=release.kind,
        version=release.version,
        commit=release.commit,
        revision=revision.rsplit("/", 1)[-1],
        by=release.by,
        id=release.id,
        worker=number_of(journal.worker_revision, releasing.worker),
        worker_before=number_of(journal.worker_before, releasing.worker),
    ).text()


def number_of(revision: str, family: str) -> int | None:
    """None of the placeholder with which a service is created, whose family is another one."""
    found, _, number = revision.rsplit("/", 1)[-1].partition(":")
    return int(number) if found == family and number else None


def created_by_us(releasing: Releasing) -> str | None:
    return id_of(releasing, lambda told: told.id == releasing.release.id, ())


def running_of(releasing: Releasing, revision: str) -> Deployment | None:
    name = revision.rsplit("/", 1)[-1]
    deployments = releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=1, statuses=RUNNING)
    for each in deployments:
        told = parse_description(each.description)
        if told is not None and told.revision == name:
            return each
    return None


def id_of(releasing: Releasing, is_it: Callable[[Description], bool], statuses: tuple[str, ...]) -> str | None:
    for each in releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=3, statuses=statuses):
        told = parse_description(each.description)
        if told is not None and is_it(told):
            return each.id
    return None


def confirm(releasing: Releasing, following: Following, seen: Seen, revision: str, ground: Ground) -> None:
    """
    Raises:
        DeploymentFailed: by its own account.
        Ending: it succeeded, and yet another revision serves.
    """
    if seen.deployment.status in ("Failed", "Stopped"):
        releasing.check_turn()
        raise DeploymentFailed(following, seen)
    until = releasing.now() + timedelta(seconds=CONFIRM_SECONDS)
    while not (serving := who_serves(releasing, ground.group, ground.target_groups)).is_all(revision):
        if releasing.now() > until:
            id = following.deployment_id
            raise Ending("superseded", f"the deployment {id} came to its end, but {serving}")
        releasing.pause(5)
