"""What must be true before a release writes anything: named checks, all of them asked, each with its remedy.

A check that may not be asked is skipped and says so. One that fails refuses the release.
"""

from collections.abc import Callable
from typing import Final

from platform_sdk.deploy.aws import AccessDenied
from platform_sdk.deploy.release.context import Ending
from platform_sdk.deploy.release.events import Checked
from platform_sdk.deploy.release.outcome import Check
from platform_sdk.deploy.release.preflight.stack import (
    Answer,
    Asked,
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

CHECKS: Final[tuple[tuple[str, Callable[[Asked], Answer]], ...]] = (
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


def refuse_unless_ready(asked: Asked) -> None:
    """
    Raises:
        Ending: a check failed; nothing was written.
    """
    checks = preflight(asked)
    asked.releasing.journal.checks.extend(checks)
    failed = [check.name for check in checks if check.status == "FAIL"]
    if failed:
        raise Ending("refused", f"refused before anything was changed: {', '.join(failed)}")


def preflight(asked: Asked) -> tuple[Check, ...]:
    """All answers; told one by one.

    Raises:
        AwsCallFailed: AWS is away.
    """
    return tuple(checked(name, ask, asked) for name, ask in CHECKS)


def checked(name: str, ask: Callable[[Asked], Answer], asked: Asked) -> Check:
    try:
        answer = ask(asked)
    except AccessDenied as error:
        answer = skip(f"may not be asked: {error.because or error.what}")
    check = Check(name=name, status=answer.status, reason=answer.reason, remedy=answer.remedy)
    asked.releasing.tell(Checked(check=check))
    return check
