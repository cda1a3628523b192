"""Plans as one JSON document.

Amounts are texts, so that no reader rounds them. Keys are added, but none goes or changes its meaning while
`format_version` is 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree

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
from platform_sdk.deploy.release.options import ExistingRevisions, NewImage, Target
from platform_sdk.deploy.release.outcome import Check, Explanation, Outcome, Stage
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


# An outcome for machines: the JSON record, the summary of a pipeline's page, and a report in JUnit's form.

RECORD_FORMAT_VERSION: Final = 1


def record_of(outcome: Outcome) -> Json:
    """Keys stay what they are; new ones may come. Texts are empty and values null where there is nothing to say."""
    release = outcome.release
    return {
        "format_version": RECORD_FORMAT_VERSION,
        "outcome": outcome.kind,
        "exit_code": outcome.exit_code,
        "what": outcome.what,
        "kind": release.kind,
        "release_id": release.id,
        "service": release.service,
        "environment": release.environment,
        "version": release.version,
        "image": image_of(release.target),
        "commit": release.commit,
        "committed_at": release.committed_at.isoformat() if release.committed_at else None,
        "by": release.by,
        "started_at": outcome.started_at.isoformat(),
        "ended_at": outcome.ended_at.isoformat(),
        "duration_seconds": round(outcome.duration_seconds, 1),
        "revision": outcome.revision,
        "previous_revision": outcome.previous_revision,
        "worker_revision": outcome.worker_revision,
        "deployment_id": outcome.deployment_id,
        "rollback_deployment_id": outcome.rollback_deployment_id,
        "resume": outcome.resume,
        "checks": [
            {"name": each.name, "status": each.status, "reason": each.reason, "remedy": each.remedy}
            for each in outcome.checks
        ],
        "stages": [
            {"name": each.name, "status": each.status, "seconds": round(each.seconds, 1), "reason": each.reason}
            for each in outcome.stages
        ],
        "explanation": explained(outcome.explanation),
    }


def explained(explanation: Explanation | None) -> Json | None:
    if explanation is None:
        return None
    return {
        "what": explanation.what,
        "cause": explanation.cause,
        "remedy": explanation.remedy,
        "evidence": list(explanation.evidence),
    }


def image_of(target: Target) -> str | None:
    match target:
        case NewImage(uri=uri):
            return uri
        case ExistingRevisions():
            return None


def summary_of(outcome: Outcome) -> str:
    """Markdown."""
    return "\n".join(summary_lines(outcome)) + "\n"


def summary_lines(outcome: Outcome) -> Iterator[str]:
    release = outcome.release
    yield f"## {release.service} {release.version or ''} in {release.environment}: {title(outcome)}".replace("  ", " ")
    yield ""
    yield f"{outcome.what}."
    yield ""
    yield "| stage | result | seconds |"
    yield "|---|---|---:|"
    failed = [check for check in outcome.checks if check.status == "FAIL"]
    skipped = [check for check in outcome.checks if check.status == "SKIP"]
    counted = f"{len(outcome.checks)} checks, {len(skipped)} skipped, {len(failed)} failed"
    yield f"| preflight | {counted} | |"
    for stage in outcome.stages:
        result = f"{stage.status}: {cell(stage.reason)}" if stage.reason else stage.status
        yield f"| {stage.name} | {result} | {stage.seconds:.0f} |"
    yield from check_lines(failed)
    yield from explanation_lines(outcome)
    yield ""
    ids = {
        "deployment": outcome.deployment_id,
        "rollback": outcome.rollback_deployment_id,
        "revision": name_of(outcome.revision),
        "before": name_of(outcome.previous_revision),
        "commit": release.commit or "",
    }
    yield ", ".join(f"{name} `{value}`" for name, value in ids.items() if value) or f"by {release.by}"
    if outcome.resume:
        yield f"\nGo on with `{outcome.resume}`"


def title(outcome: Outcome) -> str:
    return outcome.kind.replace("_", " ")


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def name_of(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def check_lines(failed: list[Check]) -> Iterator[str]:
    for check in failed:
        yield ""
        yield f"**{check.name}**: {check.reason}. Remedy: {check.remedy}"


def explanation_lines(outcome: Outcome) -> Iterator[str]:
    explanation = outcome.explanation
    if explanation is None:
        return
    yield ""
    yield f"**{explanation.what}**: {explanation.cause}"
    yield ""
    yield f"Remedy: {explanation.remedy}"
    if explanation.evidence:
        yield ""
        yield "```text"
        yield from explanation.evidence
        yield "```"


def junit_of(outcome: Outcome) -> str:
    """One test case for each check of the preflight and each stage, as CodeBuild's reports take them."""
    release = outcome.release
    cases = [*map(check_case, outcome.checks), *map(stage_case, outcome.stages)]
    suite = ElementTree.Element(
        "testsuite",
        name=f"release {release.service} to {release.environment}",
        tests=str(len(cases)),
        failures=str(sum(1 for case in cases if case.find("failure") is not None)),
        skipped=str(sum(1 for case in cases if case.find("skipped") is not None)),
        time=f"{outcome.duration_seconds:.1f}",
        timestamp=outcome.started_at.isoformat(),
    )
    suite.extend(cases)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def check_case(check: Check) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="preflight", name=check.name, time="0")
    if check.status == "SKIP":
        ElementTree.SubElement(case, "skipped", message=check.reason)
    if check.status == "FAIL":
        ElementTree.SubElement(case, "failure", message=check.reason).text = check.remedy
    return case


def stage_case(stage: Stage) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="release", name=stage.name, time=f"{stage.seconds:.1f}")
    if stage.status == "skipped":
        ElementTree.SubElement(case, "skipped", message=stage.reason)
    if stage.status == "failed":
        ElementTree.SubElement(case, "failure", message=stage.reason)
    return case


def record_of_error(error: PlatformError) -> Json:
    """Of a command that ended before there was an outcome."""
    return {
        "format_version": RECORD_FORMAT_VERSION,
        "outcome": "error",
        "exit_code": error.exit_code,
        "error": error_document(error),
    }


def summary_of_error(error: PlatformError) -> str:
    """Markdown."""
    return "\n\n".join(["## error", *str(error).splitlines()]) + "\n"


def junit_of_error(error: PlatformError) -> str:
    suite = ElementTree.Element("testsuite", name="release", tests="1", failures="0", errors="1", skipped="0", time="0")
    case = ElementTree.SubElement(suite, "testcase", classname="release", name="start", time="0")
    ElementTree.SubElement(case, "error", message=error.what).text = str(error)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
