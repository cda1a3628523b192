"""What a plan says: a record of decisions, not a list of instructions.

Whoever carries it out reads what shall be and how that differs from what is; how to get there is theirs.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from platform_sdk.deploy.cost.lines import CostDifference
from platform_sdk.deploy.manifest.types import TrafficShift
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.deploy.render.stack_update import StackUpdate
from platform_sdk.deploy.state.stacks import FAILED, ROLLBACK_FAILED

FORMAT_VERSION: Final = 1
"""Of the plan as JSON: raised when a key goes or changes its meaning, not when one is added."""

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevision:
    """The document is to be registered; which number its revision has is known then."""

    document: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevision:
    """The document is registered already, by a release that failed or was taken back."""

    arn: str


Target = NewRevision | ExistingRevision
StackAction = Literal["create", "update", "repair", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPlan:
    """What tasks of one role shall run. `target` is None where that is what runs, or where no image is known yet.

    `live` is the ARN of the revision that runs, None before the first release; `changes` are those from it.
    """

    role: str
    family: str
    live: str | None
    image: str | None
    target: Target | None
    changes: tuple[Change, ...]

    @property
    def awaits_image(self) -> bool:
        """Nothing has been released yet, and nothing says which image shall be."""
        return self.live is None and self.image is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlan:
    """What becomes of one resource of a stack.

    `keep` is for one that leaves the stack and stays on AWS. `create_only` names the changed properties for which
    CloudFormation makes another resource in place of this one; `is_stateful` where that would lose what it holds.
    """

    action: Literal["add", "change", "replace", "remove", "keep"]
    logical_id: str
    type: str
    changes: tuple[Change, ...]
    create_only: tuple[str, ...]
    is_stateful: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """`status` is CloudFormation's, None where there is no stack. `others` are changes outside of the resources.

    `updates` are the calls to make, in order: the first may only tell CloudFormation what releases have done since.
    `repair` is for one whose template is as it shall be, and whose last update has stopped halfway.
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
        """Its last update has stopped halfway."""
        return self.status in (FAILED, ROLLBACK_FAILED)

    def with_action(self, *actions: str) -> tuple[ResourcePlan, ...]:
        return tuple(resource for resource in self.resources if resource.action in actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingChange:
    """Of the API or the worker, in the words of platform.toml. Counts are of tasks.

    `desired` run now; `started` and `stopped` are how many the new bounds alone start or stop.
    """

    role: Literal["api", "worker"]
    changes: tuple[Change, ...]
    desired: int | None
    started: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """How users come to the new revision. `minutes` are from its tasks' health to the end of the bake time."""

    shift: TrafficShift
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Something on AWS that neither a stack nor a release has made so.

    `expected` is what the deployed stack says; `live` what AWS answers, None where it is gone.
    """

    what: str
    expected: object
    live: object
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlan:
    """In US dollars a month of 730 hours.

    `difference` is between what is deployed and what shall be, at the average number of tasks; `at_most` the same if
    the most tasks ran all month. `overlap_usd_per_month` is the share of what shall be that the second set of tasks
    during releases takes.
    """

    difference: CostDifference
    overlap_usd_per_month: Decimal
    at_most: CostDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Of one service in one environment. `running_deployment` is the id of one that is under way."""

    service: str
    environment: str
    stack: StackPlan
    api: RevisionPlan
    worker: RevisionPlan | None
    standalone: tuple[RevisionPlan, ...]
    scaling: tuple[ScalingChange, ...]
    grace_period: Change | None
    traffic: TrafficPlan | None
    drift: tuple[Drift, ...]
    cost: CostPlan | None
    running_deployment: str | None
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
    def is_scaling_alone(self) -> bool:
        """Nothing but bounds, targets and hours of scaling, with the alarms that follow from them."""
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
        """Drift alone is something to do, too."""
        return 2 if self.has_changes or self.drift else 0


def is_of_scaling(resource: ResourcePlan) -> bool:
    """The alarm of too few tasks has the smallest count as its threshold."""
    by_type = resource.type.startswith("AWS::ApplicationAutoScaling::")
    return by_type or resource.logical_id.endswith("FewTasksAlarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedStackPlan:
    """One of the stacks that all services share. `template` holds the lines that differ, as a unified diff."""

    name: str
    action: StackAction
    status: str | None
    parameters: tuple[Change, ...]
    template: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPlan:
    environment: str
    stacks: tuple[SharedStackPlan, ...]
    format_version: int = FORMAT_VERSION

    @property
    def changed(self) -> tuple[SharedStackPlan, ...]:
        return tuple(stack for stack in self.stacks if stack.action != "unchanged")

    @property
    def exit_code(self) -> Literal[0, 2]:
        return 2 if self.changed else 0
