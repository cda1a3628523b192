"""Plans as one JSON document.

Amounts are texts, so that no reader rounds them. Keys are added, but none goes or changes its meaning while
`format_version` is 1.
"""

from collections.abc import Mapping, Sequence

from platform_sdk.deploy.config_errors import error_document
from platform_sdk.deploy.cost.lines import CostDifference
from platform_sdk.deploy.output.plan_words import NONE, UNKNOWN_YET, line_basis, next_commands
from platform_sdk.deploy.plan import (
    FORMAT_VERSION,
    CostPlan,
    ExistingRevision,
    NewRevision,
    Plan,
    ResourcePlan,
    RevisionPlan,
    SharedPlan,
    StackPlan,
    TrafficPlan,
)
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.errors import PlatformError

Json = dict[str, object]


def as_document(
    environment: str,
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = NONE,
) -> Json:
    """`exit_code` is what the command ends with; `tag` that of the new image, where one was asked for; `failures` are
    by the service that could not be planned.
    """
    codes = [plan.exit_code for plan in plans] + ([shared.exit_code] if shared is not None else [])
    return {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "outcome": "error" if failures else "planned",
        "exit_code": 1 if failures else max(codes, default=0),
        "errors": [{"service": name} | error_document(error) for name, error in failures.items()],
        "services": [service_document(plan, tag) for plan in plans],
        "shared": shared_document(shared) if shared is not None else None,
    }


def service_document(plan: Plan, tag: str | None) -> Json:
    return {
        "service": plan.service,
        "has_changes": plan.has_changes,
        "is_scaling_alone": plan.is_scaling_alone,
        "running_deployment": plan.running_deployment,
        "revisions": [revision_document(revision) for revision in plan.revisions],
        "traffic": traffic_document(plan.traffic) if plan.traffic is not None else None,
        "scaling": [
            {
                "role": change.role,
                "changes": changes_document(change.changes),
                "tasks": change.desired,
                "started": change.started,
                "stopped": change.stopped,
            }
            for change in plan.scaling
        ],
        "grace_period": change_document(plan.grace_period) if plan.grace_period is not None else None,
        "stack": stack_document(plan.stack),
        "drift": [
            {"what": each.what, "expected": each.expected, "live": each.live, "remedy": each.remedy}
            for each in plan.drift
        ],
        "cost": cost_document(plan.cost) if plan.cost is not None else None,
        "next": list(next_commands(plan, tag)),
    }


def change_document(change: Change) -> Json:
    return {"path": change.path, "kind": change.kind, "before": change.before, "after": change.after}


def changes_document(changes: Sequence[Change]) -> list[Json]:
    return [change_document(change) for change in changes]


def revision_document(revision: RevisionPlan) -> Json:
    """`after` is what runs then: an ARN, or that its number is not known yet."""
    target, after = target_words(revision)
    return {
        "role": revision.role,
        "family": revision.family,
        "image": revision.image,
        "target": target,
        "before": revision.live,
        "after": after,
        "changes": changes_document(revision.changes),
    }


def target_words(revision: RevisionPlan) -> tuple[str | None, str | None]:
    match revision.target:
        case NewRevision():
            return "new", f"{revision.family}:({UNKNOWN_YET})"
        case ExistingRevision(arn=arn):
            return "existing", arn
        case None:
            return None, revision.live


def traffic_document(traffic: TrafficPlan) -> Json:
    shift = traffic.shift
    return {
        "type": shift.type,
        "percent": shift.percent,
        "interval_minutes": shift.interval_minutes,
        "bake_minutes": shift.bake_minutes,
        "minutes": traffic.minutes,
    }


def stack_document(stack: StackPlan) -> Json:
    return {
        "name": stack.name,
        "action": stack.action,
        "status": stack.status,
        "synchronised_first": stack.is_synchronised_first,
        "changes": changes_document(stack.others),
        "resources": [resource_document(resource) for resource in stack.resources],
    }


def resource_document(resource: ResourcePlan) -> Json:
    return {
        "logical_id": resource.logical_id,
        "type": resource.type,
        "action": resource.action,
        "is_stateful": resource.is_stateful,
        "create_only": list(resource.create_only),
        "changes": changes_document(resource.changes),
    }


def cost_document(cost: CostPlan) -> Json:
    return {
        **difference_document(cost.difference),
        "overlap_usd_per_month": str(cost.overlap_usd_per_month),
        "at_most": difference_document(cost.at_most),
        "lines": [
            {
                "section": line.section,
                "name": line.name,
                "usd_per_month": str(line.usd_per_month),
                "basis": line_basis(line),
            }
            for line in cost.difference.lines
        ],
    }


def difference_document(difference: CostDifference) -> Json:
    return {
        "before_usd_per_month": str(difference.before_usd_per_month),
        "after_usd_per_month": str(difference.after_usd_per_month),
        "usd_per_month": str(difference.usd_per_month),
    }


def shared_document(plan: SharedPlan) -> Json:
    return {
        "stacks": [
            {
                "name": stack.name,
                "action": stack.action,
                "status": stack.status,
                "parameters": changes_document(stack.parameters),
                "template": list(stack.template),
            }
            for stack in plan.stacks
        ]
    }
