"""Events in words, alike for a terminal and a pipeline."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from platform_sdk.deploy.release.check import Check
from platform_sdk.deploy.release.events import Shifting, WorkerProgress
from platform_sdk.deploy.release.outcome import Outcome, OutcomeKind
from platform_sdk.deploy.release.target import Release
from platform_sdk.deploy.state import LifecycleEvent, TaskSetProgress

MARKS: Final = {"OK": "ok  ", "SKIP": "skip", "FAIL": "FAIL"}
NAME_WIDTH: Final = 26
"""Of a preflight check; a longer one pushes its reason to the right."""
BAR_WIDTH: Final = 20
ENDINGS: Final[Mapping[OutcomeKind, str]] = MappingProxyType(
    {
        "released": "done",
        "traffic_shifted": "done",
        "detached": "done",
        "nothing_to_do": "done",
        "refused": "not done",
        "locked": "not done",
        "superseded": "superseded",
        "timed_out": "not done",
        "interrupted": "interrupted",
    }
)
"""How the last line begins; `failed` is said of failures alone."""


def duration(time: timedelta) -> str:
    """`4:05`, and `1:04:05` from an hour on."""
    minutes, seconds = divmod(max(0, round(time.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def revision_name(arn: str) -> str:
    """`production-orders:8` of an ARN."""
    return arn.rsplit("/", 1)[-1]


def title(release: Release) -> str:
    what = "roll back to" if release.kind == "rollback" else "release"
    commit = f", commit {release.commit[:12]}" if release.commit else ""
    return f"{release.service} in {release.environment}: {what} {release.version}{commit}, by {release.by}"


def check_line(check: Check) -> str:
    return f"{MARKS[check.status]}  {check.name:<{NAME_WIDTH}}  {check.reason}".rstrip()


def traffic(shifting: Shifting) -> str:
    """`10 % new, 90 % former`; empty before CodeDeploy tells. What takes a deployment back is not new to anybody."""
    new, former = sets_of(shifting)
    if new is None:
        return ""
    if shifting.rolls_back:
        return f"{new.traffic_percent:g} % back on the former version"
    return f"{new.traffic_percent:g} % new, {former.traffic_percent if former else 0:g} % former"


def tasks(shifting: Shifting) -> str:
    """`1 of 2 new tasks run, 1 is healthy`."""
    new, _ = sets_of(shifting)
    if new is None:
        return ""
    kind = "former" if shifting.rolls_back else "new"
    running = f"{new.running} of {new.desired} {kind} tasks run"
    if shifting.healthy_tasks is None:
        return running
    return f"{running}, {shifting.healthy_tasks} {'is' if shifting.healthy_tasks == 1 else 'are'} healthy"


def sets_of(shifting: Shifting) -> tuple[TaskSetProgress | None, TaskSetProgress | None]:
    """The replacement and the original."""
    target = shifting.target
    return (None, None) if target is None else (target.task_set("Green"), target.task_set("Blue"))


def current_event(shifting: Shifting) -> LifecycleEvent | None:
    events = shifting.target.lifecycle if shifting.target else ()
    return next((event for event in events if event.status == "InProgress"), None)


def doing(shifting: Shifting) -> str:
    """The life-cycle event that is under way, or what comes before and after them."""
    event = current_event(shifting)
    if event is not None:
        return event.name
    new, _ = sets_of(shifting)
    return "the bake time" if new is not None and new.traffic_percent == 100 else shifting.deployment.status


def worker_tasks(progress: WorkerProgress) -> str:
    deployment = progress.deployment
    former = sum(each.running for each in progress.former)
    if deployment is None or deployment.rollout_state == "FAILED":
        return f"worker: no new task runs, {former} former"
    if not deployment.desired:
        return "worker: waiting for ECS to begin"
    failed = f", {deployment.failed} failed" if deployment.failed else ""
    beside = f", {former} former" if former else ""
    return f"worker: {deployment.running} of {deployment.desired} new tasks run{beside}{failed}"


def left(deadline: datetime, at: datetime) -> str:
    return f"at most {duration(deadline - at)} left"


def time_left(shifting: Shifting) -> str:
    """Of the bake time, which is known; of everything else, the longest that it can take."""
    new, _ = sets_of(shifting)
    events = [shifting.target.event(name) for name in ("AllowTraffic", "AfterAllowTraffic")] if shifting.target else []
    shifted = max((event.ended_at for event in events if event and event.ended_at), default=None)
    bakes = not shifting.rolls_back and new is not None and new.traffic_percent == 100
    if shifted is None or not bakes or current_event(shifting) is not None:
        return left(shifting.deadline, shifting.at)
    return f"{duration(shifted + timedelta(minutes=shifting.deployment.bake_minutes) - shifting.at)} left"


def bar(percent: float) -> str:
    filled = round(BAR_WIDTH * percent / 100)
    return f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]"


def outcome_lines(outcome: Outcome) -> list[str]:
    """What happened, why, and the next useful command."""
    word, kind = ENDINGS.get(outcome.kind, "failed"), outcome.kind.replace("_", " ")
    lines = [f"{word}: {outcome.what} ({kind}, {duration(outcome.ended_at - outcome.started_at)})"]
    if outcome.explanation is not None:
        lines += [
            f"what:    {outcome.explanation.what}",
            f"because: {outcome.explanation.cause}",
            f"remedy:  {outcome.explanation.remedy}",
            *(f"  {line}" for line in outcome.explanation.evidence),
        ]
    if outcome.resume:
        lines.append(f"next:    {outcome.resume}")
    return lines
