"""After a deployment that failed: follows what takes it back to its own end, and says who serves then."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from platform_sdk.deploy.release.events import RollingBack
from platform_sdk.deploy.release.evidence import Explanation
from platform_sdk.deploy.release.follow import Following, Seen, follow, of_rollback, replacement_group
from platform_sdk.deploy.release.journal import Ending
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.release.serving import who_serves
from platform_sdk.deploy.state import Deployment, DeploymentGroup, ScalableTarget, ServiceState, TargetGroup

ROLLBACK_APPEARS: Final = timedelta(seconds=60)
"""CodeDeploy makes the rollback a deployment of its own, some seconds after the end of the other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where traffic shifts: what AWS has around the service, and the revision that serves until then (ARN)."""

    group: DeploymentGroup
    target_groups: tuple[TargetGroup, ...]
    scaling: ScalableTarget | None
    previous: str


def ground_of(state: ServiceState, previous: str = "") -> Ground:
    """`previous` is what serves now, where nothing else is said."""
    assert state.deployment_group is not None, "preflight refuses a service without one"
    assert state.api is not None, "preflight refuses a service that does not exist"
    return Ground(
        group=state.deployment_group,
        target_groups=state.target_groups,
        scaling=state.scaling,
        previous=previous or state.api.task_definition,
    )


class DeploymentFailed(Exception):
    """It ended as Failed or Stopped."""

    def __init__(self, following: Following, seen: Seen) -> None:
        super().__init__(following.deployment_id)
        self.following = following
        self.seen = seen


def settle(releasing: Releasing, failed: DeploymentFailed, ground: Ground) -> Ending:
    """What came of it. Evidence is looked at first: AWS forgets."""
    explanation = explain(releasing, failed)
    with releasing.journal.stage("roll back"):
        follow_rollback(releasing, failed)
    id, status = failed.following.deployment_id, failed.seen.deployment.status.lower()
    serving = who_serves(releasing, ground.group, ground.target_groups)
    other = began_since(releasing, failed.seen.deployment)
    if other is not None:
        what = f"the deployment {id} {status}, and another one, {other.id}, took its place"
        return Ending("superseded", what, explanation=explanation)
    if serving.is_all(ground.previous):
        what = f"the deployment {id} {status}; {ground.previous.rsplit('/', 1)[-1]} serves all users"
        return Ending("failed_rolled_back", what, explanation=explanation)
    return Ending(
        "rollback_failed",
        f"the deployment {id} {status} and was not taken back: {serving}",
        explanation=explanation,
        resume=f"platform rollback {releasing.spec.name} --env {releasing.environment.name}",
    )


def explain(releasing: Releasing, failed: DeploymentFailed) -> Explanation | None:
    watched = failed.following.watched
    if watched is None:
        return None
    group = replacement_group(failed.following, failed.seen)
    return releasing.tools.evidence.explain(replace(watched, target_group=group))


def follow_rollback(releasing: Releasing, failed: DeploymentFailed) -> None:
    """Returns where there is none: before anything was installed, CodeDeploy has nothing to take back."""
    deployment = rolled_back(releasing, failed.seen.deployment)
    if deployment is None:
        return
    id = deployment.rolled_back_by
    releasing.journal.rollback_deployment_id = id
    because = deployment.error_message or deployment.rollback_message or deployment.status
    releasing.tell(RollingBack(deployment_id=deployment.id, because=because))
    follow(releasing, of_rollback(failed.following, id, releasing.now()), "done")


def rolled_back(releasing: Releasing, deployment: Deployment | None) -> Deployment | None:
    """The deployment, once it names the one that takes it back."""
    deadline = releasing.now() + ROLLBACK_APPEARS
    while deployment is not None and not deployment.rolled_back_by:
        if releasing.now() > deadline:
            return None
        releasing.pause(5)
        id = deployment.id
        deployment = releasing.patiently(lambda id=id: releasing.aws.codedeploy.deployment(id))  # type: ignore[misc]
    return deployment


def began_since(releasing: Releasing, deployment: Deployment) -> Deployment | None:
    """Somebody else's deployment that is newer than this one."""
    own = (deployment.id, releasing.journal.rollback_deployment_id)
    newest = releasing.patiently(lambda: releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=3))
    others = (each for each in newest if each.id not in own and each.created_at > deployment.created_at)
    return next(others, None)
