"""The checks before a release writes anything. All of them run; each failure names its remedy.

A check that may not be made is skipped and says so. One that fails refuses the release.
"""

from collections.abc import Callable
from typing import Final

from platform_sdk.deploy.aws import AccessDenied
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.events import Checked
from platform_sdk.deploy.release.outcome import Check
from platform_sdk.deploy.release.preflight.stack import (
    Answer,
    PreflightContext,
    alarms,
    deployment_group,
    hooks,
    log_groups,
    no_deployment,
    scaling,
    skip,
    stack,
    target_groups,
    traffic,
)
from platform_sdk.deploy.release.preflight.version import image, limits, not_older, roles, secrets
from platform_sdk.deploy.state import ServiceState

CHECKS: Final[tuple[tuple[str, Callable[[PreflightContext], Answer]], ...]] = (
    ("stack", stack),
    ("image", image),
    ("task definition", limits),
    ("secrets", secrets),
    ("roles", roles),
    ("log groups", log_groups),
    ("target groups", target_groups),
    ("deployment group", deployment_group),
    ("traffic", traffic),
    ("alarms", alarms),
    ("hooks", hooks),
    ("no other deployment", no_deployment),
    ("not older", not_older),
    ("scaling", scaling),
)


def refuse_unless_ready(release_context: ReleaseContext, state: ServiceState) -> None:
    """Raise ReleaseEnded if a check fails. Nothing was written then."""
    context = PreflightContext(release_context=release_context, state=state)
    checks = [_run(name, check, context) for name, check in CHECKS]
    release_context.journal.checks.extend(checks)
    failed = [check.name for check in checks if check.status == "FAIL"]
    if failed:
        raise ReleaseEnded("refused", f"refused before anything was changed: {', '.join(failed)}")


def _run(name: str, check: Callable[[PreflightContext], Answer], context: PreflightContext) -> Check:
    try:
        answer = check(context)
    except AccessDenied as error:
        answer = skip(f"not allowed to check: {error.because or error.what}")
    result = Check(name=name, status=answer.status, reason=answer.reason, remedy=answer.remedy)
    context.release_context.emit(Checked(check=result))
    return result
