"""What ran before: where the worker goes back with the API, and to which versions a rollback may go."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from platform_sdk.deploy.canonical import VERSION_TAG
from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.render.stack_names import arn
from platform_sdk.deploy.state import Deployment, ServiceState, TaskDefinition

IN_APPSPEC: Final = re.compile(r"TaskDefinition\"?:\s*\"?(?P<arn>arn:[^\s\"]+)")
MOST: Final = 25
"""Deployments that are looked at, where nobody names one."""
LONGER: Final = (100, 400, 1600)
"""Deployments that are looked at for a version that was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A revision that served all users well. `version` is empty where nobody wrote it down; `goes_back` says that it
    was brought back from another one, which somebody wanted to leave; `worker` is the number of the worker's beside it.
    """

    revision: str
    version: str
    deployment_id: str
    at: datetime
    goes_back: bool
    worker: int | None


def served(releasing: Releasing, *, most: int = MOST) -> Iterator[Served]:
    """Newest first; a deployment that was taken back did not succeed, so it is not among them."""
    deployments = releasing.patiently(
        lambda: releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=most, statuses=("Succeeded",))
    )
    return (each for each in (served_by(releasing, deployment) for deployment in deployments) if each is not None)


def served_by(releasing: Releasing, deployment: Deployment) -> Served | None:
    """None where AWS does not keep what it brought."""
    told = parse_description(deployment.description)
    if told is None:
        revision = found(releasing, deployment)
    else:
        revision = arn(releasing.environment, "ecs", f"task-definition/{told.revision}")
    if not revision:
        return None
    return Served(
        revision=revision,
        version=told.version if told else version_at(releasing, revision),
        deployment_id=deployment.id,
        at=deployment.created_at,
        goes_back=told is not None and told.kind == "rollback",
        worker=told.worker if told else None,
    )


def served_with(releasing: Releasing, version: str) -> Served | None:
    """The newest deployment that brought a version to all users, however long ago."""
    looked_at = 0
    for most in (MOST, *LONGER):
        known = list(served(releasing, most=most))
        match = next((each for each in known[looked_at:] if each.version == version), None)
        if match is not None or len(known) == looked_at:
            return match
        looked_at = len(known)
    return None


def left_behind(newest_first: Sequence[Served]) -> frozenset[str]:
    """Revisions that served all users until somebody went back from them, and that nobody has brought to them since."""
    left: set[str] = set()
    live = ""
    for each in reversed(newest_first):
        if each.goes_back and live != each.revision:
            left.add(live)
        left.discard(each.revision)
        live = each.revision
    return frozenset(left - {""})


def found(releasing: Releasing, deployment: Deployment) -> str:
    """The ARN of what a deployment brought that was made by hand; empty where AWS does not keep it."""
    text = releasing.patiently(lambda: releasing.aws.codedeploy.appspec_of(deployment))
    named = IN_APPSPEC.search(text or "")
    return named["arn"] if named else ""


def version_at(releasing: Releasing, revision: str) -> str:
    return version_of(releasing.patiently(lambda: releasing.aws.ecs.revision(revision)))


def worker_beside(releasing: Releasing, state: ServiceState, new: str) -> str:
    """The worker's revision (ARN) that goes with the API that serves now; empty where the worker need not go back.

    That is what it runs, unless a release that did not come to its end has brought it elsewhere.
    """
    if state.worker is None or state.api is None:
        return ""
    version = version_of(state.api_revision)
    if version_of(state.worker_revision) == version:
        return "" if state.worker.task_definition == new else state.worker.task_definition
    if is_placeholder(releasing, state.api.task_definition):
        return state.api.task_definition
    beside = worker_of(releasing, version)
    if beside or state.worker.task_definition != new:
        return beside or state.worker.task_definition
    deployments = releasing.patiently(
        lambda: releasing.aws.ecs.service_deployments(releasing.cluster, releasing.worker, most=MOST)
    )
    before = (each.target_revision for each in deployments if each.status == "SUCCESSFUL")
    return next((revision for revision in before if revision not in ("", new)), "")


def is_placeholder(releasing: Releasing, revision: str) -> bool:
    """What a service is created with, for API and worker alike: it answers 503."""
    return revision.rsplit("/", 1)[-1].partition(":")[0] == f"{releasing.api}-placeholder"


def worker_of(releasing: Releasing, version: str) -> str | None:
    """The newest of the worker's revisions that ran with a version; None where there is none."""
    if not version or releasing.spec.worker is None:
        return None
    looked_at: set[str] = set()
    for most in (MOST, *LONGER):
        new = [revision for revision in rolled_out(releasing, most) if revision not in looked_at]
        for revision in new:
            if version_at(releasing, revision) == version:
                return revision
        looked_at.update(new)
        if not new:
            break
    # ECS forgets; a release has written down which worker it brought.
    known = served_with(releasing, version)
    if known is None or known.worker is None:
        return None
    return arn(releasing.environment, "ecs", f"task-definition/{releasing.worker}:{known.worker}")


def rolled_out(releasing: Releasing, most: int) -> list[str]:
    """The worker's revisions (ARNs), the newest deployment's first."""
    deployments = releasing.patiently(
        lambda: releasing.aws.ecs.service_deployments(releasing.cluster, releasing.worker, most=most)
    )
    return list(dict.fromkeys(each.target_revision for each in deployments if each.target_revision))


def version_of(revision: TaskDefinition | None) -> str:
    return revision.tags.get(VERSION_TAG, "") if revision else ""
