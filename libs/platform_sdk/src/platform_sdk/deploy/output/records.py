"""What programs read: plans as a JSON document, and releases as a JSON record, a Markdown summary and a JUnit report.

Keys may be added, but no key is removed or changes its meaning while `format_version` is 1. Amounts of money are texts,
so that no reader rounds them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from platform_sdk.deploy.config_errors import error_document
from platform_sdk.deploy.cost.lines import CostDifference
from platform_sdk.deploy.output.plan_words import NONE, UNKNOWN_YET, line_basis, next_commands, short_arn
from platform_sdk.deploy.plan.decisions import (
    FORMAT_VERSION,
    CostPlan,
    ExistingRevision,
    NewRevision,
    Plan,
    RevisionPlan,
    SharedPlan,
    StackPlan,
)
from platform_sdk.deploy.release.outcome import Check, NewImage, Outcome, Stage
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json = dict[str, object]


def fields_of(value: "DataclassInstance") -> dict[str, Any]:
    """Return the fields of a value as JSON has them: tuples become lists, and amounts of money texts."""
    fields: dict[str, Any] = json.loads(json.dumps(asdict(value), default=str))
    return fields


# Plans.


def as_document(
    environment: str,
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = NONE,
) -> Json:
    """Return plans as one JSON document. Its `exit_code` is that of the command.

    Args:
        tag: the tag of the new image, if the caller named one.
        failures: why a service could not be planned, by its name.
    """
    codes = [plan.exit_code for plan in plans] + ([shared.exit_code] if shared is not None else [])
    return {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "outcome": "error" if failures else "planned",
        "exit_code": 1 if failures else max(codes, default=0),
        "errors": [{"service": name} | error_document(error) for name, error in failures.items()],
        "services": [_service_document(plan, tag) for plan in plans],
        "shared": {"stacks": [fields_of(stack) for stack in shared.stacks]} if shared is not None else None,
    }


def _service_document(plan: Plan, tag: str | None) -> Json:
    traffic = fields_of(plan.traffic.shift) | {"minutes": plan.traffic.minutes} if plan.traffic is not None else None
    scaling = [fields_of(change) for change in plan.scaling]
    return {
        "service": plan.service,
        "has_changes": plan.has_changes,
        "is_scaling_alone": plan.is_scaling_alone,
        "running_deployment": plan.running_deployment,
        "revisions": [revision_document(revision) for revision in plan.revisions],
        "traffic": traffic,
        "scaling": [{"tasks": change.pop("desired")} | change for change in scaling],
        "grace_period": fields_of(plan.grace_period) if plan.grace_period is not None else None,
        "stack": _stack_document(plan.stack),
        "moves_with_version": [fields_of(move) for move in plan.moves],
        "drift": [fields_of(drift) for drift in plan.drift],
        "stale_secrets": [fields_of(secret) for secret in plan.stale_secrets],
        "cost": _cost_document(plan.cost) if plan.cost is not None else None,
        "next": list(next_commands(plan, tag)),
    }


def revision_document(revision: RevisionPlan) -> Json:
    """Return a revision with what runs `before` and `after`: an ARN, or that its number is not known yet."""
    target, after = _target_words(revision)
    return {
        "role": revision.role,
        "family": revision.family,
        "image": revision.image,
        "target": target,
        "before": revision.live,
        "after": after,
        "changes": [fields_of(change) for change in revision.changes],
    }


def _target_words(revision: RevisionPlan) -> tuple[str | None, str | None]:
    match revision.target:
        case NewRevision():
            return "new", f"{revision.family}:({UNKNOWN_YET})"
        case ExistingRevision(arn=arn):
            return "existing", arn
        case None:
            return None, revision.live


def _stack_document(stack: StackPlan) -> Json:
    return {
        "name": stack.name,
        "action": stack.action,
        "status": stack.status,
        "synchronised_first": stack.is_synchronised_first,
        "changes": [fields_of(change) for change in stack.others],
        "resources": [fields_of(resource) for resource in stack.resources],
    }


def _cost_document(cost: CostPlan) -> Json:
    return {
        **_difference_document(cost.difference),
        "overlap_usd_per_month": str(cost.overlap_usd_per_month),
        "at_most": _difference_document(cost.at_most),
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


def _difference_document(difference: CostDifference) -> Json:
    return {
        "before_usd_per_month": str(difference.before_usd_per_month),
        "after_usd_per_month": str(difference.after_usd_per_month),
        "usd_per_month": str(difference.usd_per_month),
    }


# Releases: what a pipeline keeps of one.

RECORD_FORMAT_VERSION: Final = 1


def record_of(outcome: Outcome) -> Json:
    """Return the JSON record of a release. Texts are empty and values null where there is nothing to say."""
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
        "image": release.target.uri if isinstance(release.target, NewImage) else None,
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
        "checks": [fields_of(check) for check in outcome.checks],
        "stages": [fields_of(stage) | {"seconds": round(stage.seconds, 1)} for stage in outcome.stages],
        "explanation": fields_of(outcome.explanation) if outcome.explanation is not None else None,
    }


def summary_of(outcome: Outcome) -> str:
    """Return a release in Markdown, for the page of a pipeline."""
    return "\n".join(_summary_lines(outcome)) + "\n"


def _summary_lines(outcome: Outcome) -> Iterator[str]:
    release = outcome.release
    title = outcome.kind.replace("_", " ")
    yield f"## {release.service} {release.version or ''} in {release.environment}: {title}".replace("  ", " ")
    yield f"\n{outcome.what}.\n"
    yield "| stage | result | seconds |"
    yield "|---|---|---:|"
    failed = [check for check in outcome.checks if check.status == "FAIL"]
    skipped = [check for check in outcome.checks if check.status == "SKIP"]
    yield f"| preflight | {len(outcome.checks)} checks, {len(skipped)} skipped, {len(failed)} failed | |"
    for stage in outcome.stages:
        result = f"{stage.status}: {_cell(stage.reason)}" if stage.reason else stage.status
        yield f"| {stage.name} | {result} | {stage.seconds:.0f} |"
    for check in failed:
        yield f"\n**{check.name}**: {check.reason}. Remedy: {check.remedy}"
    yield from _explanation_lines(outcome)
    ids = {
        "deployment": outcome.deployment_id,
        "rollback": outcome.rollback_deployment_id,
        "revision": short_arn(outcome.revision),
        "previous revision": short_arn(outcome.previous_revision),
        "commit": release.commit or "",
    }
    yield "\n" + (", ".join(f"{name} `{value}`" for name, value in ids.items() if value) or f"by {release.by}")
    if outcome.resume:
        yield f"\nNext: `{outcome.resume}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _explanation_lines(outcome: Outcome) -> Iterator[str]:
    explanation = outcome.explanation
    if explanation is None:
        return
    yield f"\n**{explanation.what}**: {explanation.cause}"
    yield f"\nRemedy: {explanation.remedy}"
    if explanation.evidence:
        yield "\n```text"
        yield from explanation.evidence
        yield "```"


def junit_of(outcome: Outcome) -> str:
    """Return a JUnit report with a test case for each preflight check and each stage, for CodeBuild's reports."""
    release = outcome.release
    cases = [*map(_check_case, outcome.checks), *map(_stage_case, outcome.stages)]
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
    return _xml_of(suite)


def _check_case(check: Check) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="preflight", name=check.name, time="0")
    if check.status == "SKIP":
        ElementTree.SubElement(case, "skipped", message=check.reason)
    if check.status == "FAIL":
        ElementTree.SubElement(case, "failure", message=check.reason).text = check.remedy
    return case


def _stage_case(stage: Stage) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="release", name=stage.name, time=f"{stage.seconds:.1f}")
    if stage.status == "skipped":
        ElementTree.SubElement(case, "skipped", message=stage.reason)
    if stage.status == "failed":
        ElementTree.SubElement(case, "failure", message=stage.reason)
    return case


def record_of_error(error: PlatformError) -> Json:
    """Return the record of a command that ended before it had an outcome."""
    return {
        "format_version": RECORD_FORMAT_VERSION,
        "outcome": "error",
        "exit_code": error.exit_code,
        "error": error_document(error),
    }


def summary_of_error(error: PlatformError) -> str:
    """Return the error in Markdown."""
    return "\n\n".join(["## error", *str(error).splitlines()]) + "\n"


def junit_of_error(error: PlatformError) -> str:
    """Return the JUnit XML of a release that ended before its first stage."""
    suite = ElementTree.Element("testsuite", name="release", tests="1", failures="0", errors="1", skipped="0", time="0")
    case = ElementTree.SubElement(suite, "testcase", classname="release", name="start", time="0")
    ElementTree.SubElement(case, "error", message=error.what).text = str(error)
    return _xml_of(suite)


def _xml_of(suite: ElementTree.Element) -> str:
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
