"""Events that a release emits. The release prints nothing: renderers in output/ print them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from platform_sdk.deploy.release.outcome import Check, Outcome, Release, Stage
from platform_sdk.deploy.state import Alarm, Deployment, DeploymentTarget, LogLine, RollingDeployment, Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first event of a release."""

    release: Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A wait for another release or deployment, such as `the release of 4f2a9c1 by ci`; emitted on every poll."""

    subject: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The result of one check before the first write."""

    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A revision of api, worker, or one of `[[tasks]]`; `reused`: the document was registered already."""

    role: str
    revision: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrating:
    """Emitted on every poll. `new_lines` are the log lines since the last one."""

    task: str
    last_status: str
    new_lines: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProgress:
    """Emitted on every poll. `deployment` is None until ECS lists that of the new revision."""

    service: str
    revision: str
    deployment: RollingDeployment | None
    others: tuple[RollingDeployment, ...]
    at: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingSuspended:
    """Autoscaling stopped for the deployment; `before` is the state to restore."""

    resource: str
    before: Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRestored:
    """Autoscaling is as it was before the release."""

    resource: str
    now: Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentCreated:
    """A deployment to follow. `adopted`: a release of this version that did not end had created it."""

    deployment_id: str
    revision: str
    adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifting:
    """Emitted on every poll of CodeDeploy. `target` is None until the deployment has started.

    `healthy_tasks` counts those of the replacement that the load balancer finds healthy, None where it is unknown;
    `rolls_back` says that this deployment rolls another one back.
    """

    deployment: Deployment
    target: DeploymentTarget | None
    alarms: tuple[Alarm, ...]
    healthy_tasks: int | None
    at: datetime
    started_at: datetime
    deadline: datetime
    rolls_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShifted:
    """All users are on the new revision; the original tasks stay for the bake time."""

    deployment_id: str
    bake_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingBack:
    """The start of a rollback. `deployment_id` is the one that is rolled back, empty for a worker's."""

    deployment_id: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that the reader should know, and that does not end the release."""

    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptedBySignal:
    """A signal that was received. `rolls_back` is the choice of `--on-interrupt`."""

    signal_number: int
    rolls_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnded:
    """A stage that succeeded, failed or was skipped."""

    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last event of every release."""

    outcome: Outcome


ReleaseEvent = (
    Started
    | Waiting
    | Checked
    | Registered
    | Migrating
    | WorkerProgress
    | ScalingSuspended
    | ScalingRestored
    | DeploymentCreated
    | Shifting
    | TrafficShifted
    | RollingBack
    | Warned
    | InterruptedBySignal
    | StageEnded
    | Ended
)
Emit = Callable[[ReleaseEvent], None]
