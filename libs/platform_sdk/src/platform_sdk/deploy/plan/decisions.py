"""A plan: a record of decisions, not a list of steps. `apply` and a release decide how to carry it out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from platform_sdk.deploy.cost.lines import CostDifference
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.deploy.render.service_stack import StackUpdate
from platform_sdk.deploy.state import UsedSecret
from platform_sdk.deploy.state.stacks import FAILED, ROLLBACK_FAILED

FORMAT_VERSION: Final = 1
"""Of the plan as JSON: raised when a key is removed or changes its meaning, not when one is added."""

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevision:
    """A document to register. Its revision number is not known yet."""

    document: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevision:
    """A revision that a failed or rolled back release registered."""

    arn: str


Target = NewRevision | ExistingRevision
StackAction = Literal["create", "update", "repair", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPlan:
    """What the tasks of one role should run.

    Attributes:
        live: the ARN of the running revision; None before the first release.
        target: None if nothing changes, or if no image is known yet.
        changes: from the running revision to the target.
    """

    role: str
    family: str
    live: str | None
    image: str | None
    target: Target | None
    changes: tuple[Change, ...]

    @property
    def awaits_image(self) -> bool:
        """Nothing is released yet, and no image is known."""
        return self.live is None and self.image is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlan:
    """What happens to one resource of a stack.

    Attributes:
        action: `keep` removes it from the stack and leaves it on AWS.
        create_only: the changed properties for which CloudFormation replaces the resource.
        is_stateful: whether replacing it loses data.
    """

    action: Literal["add", "change", "replace", "remove", "keep"]
    logical_id: str
    type: str
    changes: tuple[Change, ...]
    create_only: tuple[str, ...]
    is_stateful: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """What happens to the stack of a service.

    Attributes:
        action: `repair` if the template is up to date, but its last update stopped halfway.
        status: CloudFormation's status; None if there is no stack.
        others: changes outside the resources.
        updates: the calls to make, in order. The first may only record in CloudFormation what releases changed.
    """

    name: str
    action: StackAction
    status: str | None
    resources: tuple[ResourcePlan, ...]
    others: tuple[Change, ...]
    updates: tuple[StackUpdate, ...]

    @property
    def is_synchronised_first(self) -> bool:
        return len(self.updates) > 1

    @property
    def is_stuck(self) -> bool:
        """Whether its last update stopped halfway."""
        return self.status in (FAILED, ROLLBACK_FAILED)

    def with_action(self, *actions: str) -> tuple[ResourcePlan, ...]:
        return tuple(resource for resource in self.resources if resource.action in actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingChange:
    """A change of scaling, with the keys of platform.toml.

    Attributes:
        desired: the number of tasks now.
        started, stopped: how many tasks the new bounds alone start or stop.
    """

    role: Literal["api", "worker"]
    changes: tuple[Change, ...]
    desired: int | None
    started: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """How traffic shifts. `minutes` pass from healthy replacement tasks to the end of the bake time."""

    shift: TrafficShift
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Something on AWS that was changed outside this tool.

    Attributes:
        expected: what the deployed stack says.
        live: what AWS answers; None if it is missing.
    """

    what: str
    expected: object
    live: object
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMove:
    """A change of the stack that would be an outage for the running version if it were made at once (decision 0024).

    Attributes:
        outage: what would happen.
        how: how `apply` and the release make it in steps, or what to do.
        ends_with_apply: whether `apply` removes something after the release.
        refused: the logical name of the resource that `apply` changes only with `--allow-outage`; empty otherwise.
    """

    what: str
    before: object
    after: object
    outage: str
    how: str
    ends_with_apply: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlan:
    """Costs in US dollars a month of 730 hours.

    Attributes:
        difference: from what is deployed to the plan, with the average number of tasks.
        overlap_usd_per_month: the part of the plan's cost that pays for the second task set during releases.
        at_most: the difference if the maximum number of tasks runs all month.
    """

    difference: CostDifference
    overlap_usd_per_month: Decimal
    at_most: CostDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of one service in one environment. `running_deployment` is the id of a deployment in progress,
    `stale_secrets` are those of which running tasks have an earlier value.
    """

    service: str
    environment: str
    stack: StackPlan
    api: RevisionPlan
    worker: RevisionPlan | None
    standalone: tuple[RevisionPlan, ...]
    scaling: tuple[ScalingChange, ...]
    grace_period: Change | None
    traffic: TrafficPlan | None
    moves: tuple[VersionMove, ...]
    drift: tuple[Drift, ...]
    cost: CostPlan | None
    running_deployment: str | None
    stale_secrets: tuple[UsedSecret, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def revisions(self) -> tuple[RevisionPlan, ...]:
        return (self.api, *((self.worker,) if self.worker else ()), *self.standalone)

    @property
    def releases(self) -> tuple[RevisionPlan, ...]:
        return tuple(revision for revision in self.revisions if revision.target is not None)

    @property
    def needs_apply(self) -> bool:
        return self.stack.action != "unchanged" or self.grace_period is not None

    @property
    def is_applied_again(self) -> bool:
        """Whether an update after the release removes what only the running version needs."""
        return bool(self.releases) and any(move.ends_with_apply for move in self.moves)

    @property
    def is_scaling_alone(self) -> bool:
        """Whether only bounds, targets and schedules of scaling change, with the alarms that depend on them."""
        return (
            bool(self.scaling)
            and not self.releases
            and not self.stack.others
            and self.grace_period is None
            and not self.stack.is_stuck
            and all(is_of_scaling(resource) for resource in self.stack.resources)
        )

    @property
    def has_changes(self) -> bool:
        return self.needs_apply or bool(self.releases) or self.api.awaits_image

    @property
    def exit_code(self) -> Literal[0, 2]:
        """2 if there is something to do, which includes drift."""
        return 2 if self.has_changes or self.drift else 0


def is_of_scaling(resource: ResourcePlan) -> bool:
    """Return whether a resource belongs to scaling. The alarm of too few tasks does: its threshold is `min_tasks`."""
    by_type = resource.type.startswith("AWS::ApplicationAutoScaling::")
    return by_type or resource.logical_id.endswith("FewTasksAlarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedStackPlan:
    """A stack that all services share. `template` holds the lines of a unified diff."""

    name: str
    action: StackAction
    status: str | None
    parameters: tuple[Change, ...]
    template: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPlan:
    """The plan of the stacks that all services of an environment share."""

    environment: str
    stacks: tuple[SharedStackPlan, ...]
    format_version: int = FORMAT_VERSION

    @property
    def changed(self) -> tuple[SharedStackPlan, ...]:
        return tuple(stack for stack in self.stacks if stack.action != "unchanged")

    @property
    def exit_code(self) -> Literal[0, 2]:
        return 2 if self.changed else 0
