"""Decide what a deployment does next: from its state and observations to actions.

It is pure: engine.py carries the actions out. The order of events and the limits are those of the CodeDeploy user guide
(deployment-steps-ecs, limits).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Literal

from aws_simulator.clock import NEVER
from aws_simulator.codedeploy.state import Deployment, EventStatus, LifecycleEvent, Trigger

CREATED_SECONDS: Final = 2
QUEUED_SECONDS: Final = 2
HOUR: Final = 3600
STOPPED_BY_USER: Final = "The deployment was stopped by a user."
UNSTEADY_SECONDS: Final = 300
"""How long a replacement that scaling makes unsteady may take to become steady while traffic shifts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Args:
    steady: whether all tasks of the replacement run and are healthy.
    invalid: why the deployment cannot begin: code and message.
    rollback_error: why it cannot roll back, if a test says so.
    reports_baking: whether the status is Baking in the bake time, and not InProgress.
    """

    now: datetime
    steady: bool = False
    firing: tuple[str, ...] = ()
    invalid: tuple[str, str] | None = None
    rollback_error: tuple[str, str] | None = None
    reports_baking: bool = False


class TaskSetAction(Enum):
    """What a deployment does to its task sets, apart from their traffic."""

    CREATE_REPLACEMENT = "create the replacement"
    MAKE_PRIMARY = "make the replacement primary"
    DELETE_ORIGINAL = "delete the original"


@dataclass(frozen=True, slots=True)
class Route:
    """Give the replacement this share of a listener's traffic, and the original the rest."""

    route: Literal["prodTrafficRoute", "testTrafficRoute"]
    percent: int


@dataclass(frozen=True, slots=True)
class CallHook:
    """Call the function of a lifecycle event's hook."""

    event: LifecycleEvent


@dataclass(frozen=True, slots=True)
class Ended:
    """`trigger` is the event on which the group may roll back; None after a success."""

    trigger: Trigger | None


Action = TaskSetAction | Route | CallHook | Ended


def advance(deployment: Deployment, seen: Observation) -> list[Action]:
    """Advance by one second: change the deployment's state and return the actions."""
    deployment.updated_at = seen.now
    match deployment.status:
        case "Created" | "Queued" if deployment.stops_at is not None and seen.now >= deployment.stops_at:
            return stop(deployment, seen, STOPPED_BY_USER)
        case "Created":
            if age(deployment.created_at, seen) >= CREATED_SECONDS:
                deployment.status = "Queued"
            return []
        case "Queued":
            is_due = age(deployment.created_at, seen) >= CREATED_SECONDS + QUEUED_SECONDS
            return begin(deployment, seen) if is_due else []
        case "InProgress" | "Ready" | "Baking":
            if deployment.stops_at is not None:
                return stop(deployment, seen, STOPPED_BY_USER) if seen.now >= deployment.stops_at else []
            if seen.firing:
                return stop_on_alarm(deployment, seen)
            return run(deployment, seen)
        case _:
            return []


def quiet_until(deployment: Deployment, seen: Observation) -> datetime:
    """Return the time before which `advance` does nothing while the rest of the account does not change."""
    if deployment.stops_at is not None and deployment.status not in ("Created", "Queued"):
        return deployment.stops_at
    if seen.firing or deployment.rolls_back is not None or deployment.status in ("Created", "Queued"):
        return seen.now
    event = next((one for one in deployment.events if one.status in ("Pending", "InProgress")), None)
    if event is None:
        done = deployment.terminate_requested or deployment.baking_since is None
        return seen.now if done else later(deployment.baking_since, deployment.group.bake_seconds, seen)
    if event.status == "Pending":
        asked = deployment.status == "Ready" and not deployment.is_continued
        return later(deployment.ready_since, deployment.group.ready_wait_seconds, seen) if asked else seen.now
    match event.name:
        case "Install" if not seen.steady:
            return later(event.started_at, HOUR, seen)
        case "AllowTraffic" if seen.steady and deployment.percent < 100:
            since = age(event.started_at, seen)
            return later(event.started_at, deployment.configuration.next_shift_after(since), seen)
        case name if name.startswith(("Before", "After")) and event.hook is not None and event.answer is None:
            return min(event.answers_at or NEVER, later(event.started_at, HOUR, seen))
        case _:
            return seen.now


def later(since: datetime | None, seconds: float, seen: Observation) -> datetime:
    """Return the moment so many seconds after another one, or from now."""
    return (since or seen.now) + timedelta(seconds=seconds)


def age(since: datetime | None, seen: Observation) -> float:
    """Return the seconds since a moment; 0 if it has not come yet."""
    return 0 if since is None else (seen.now - since).total_seconds()


def begin(deployment: Deployment, seen: Observation) -> list[Action]:
    """Start the deployment, unless something makes it invalid or an alarm is on."""
    deployment.status, deployment.started_at = "InProgress", seen.now
    if seen.invalid is not None:
        return fail(deployment, seen, *seen.invalid)
    return stop_on_alarm(deployment, seen) if seen.firing else []


def run(deployment: Deployment, seen: Observation) -> list[Action]:
    """Advance the current lifecycle event, or enter the next one; after the last one, bake."""
    if deployment.rolls_back is not None and seen.rollback_error is not None:
        return fail(deployment, seen, *seen.rollback_error)
    event = next((one for one in deployment.events if one.status in ("Pending", "InProgress")), None)
    if event is None:
        return bake(deployment, seen)
    if event.status == "InProgress":
        return progress(deployment, event, seen)
    if event.name == "AllowTraffic" and not may_shift(deployment, seen):
        expired = age(deployment.ready_since, seen) >= deployment.group.ready_wait_seconds
        return stop(deployment, seen, "The deployment was not continued in time.") if expired else []
    event.status, event.started_at = "InProgress", seen.now
    return enter(deployment, event)


def may_shift(deployment: Deployment, seen: Observation) -> bool:
    """Wait in Ready until somebody continues the deployment, where the group asks for that."""
    if not deployment.group.ready_wait_seconds or deployment.is_continued or deployment.rolls_back:
        deployment.status = "InProgress"
        return True
    deployment.status = "Ready"
    deployment.ready_since = deployment.ready_since or seen.now
    return False


def enter(deployment: Deployment, event: LifecycleEvent) -> list[Action]:
    """Return the actions with which a lifecycle event begins."""
    match event.name:
        case "Install" if deployment.rolls_back is None:
            return [TaskSetAction.CREATE_REPLACEMENT]
        case "AllowTestTraffic":
            return [Route("testTrafficRoute", 100)]
        case "AllowTraffic":
            deployment.percent = deployment.configuration.percent_after(0)
            return [Route("prodTrafficRoute", deployment.percent)]
        case _:
            return [CallHook(event)] if event.hook is not None else []


def progress(deployment: Deployment, event: LifecycleEvent, seen: Observation) -> list[Action]:
    """Advance a lifecycle event that has begun."""
    match event.name:
        case "Install":
            return install(deployment, event, seen)
        case "AllowTestTraffic":
            return finish(event, seen)
        case "AllowTraffic":
            return shift(deployment, event, seen)
        case _:
            return await_hook(deployment, event, seen)


def install(deployment: Deployment, event: LifecycleEvent, seen: Observation) -> list[Action]:
    """Wait for the replacement to become steady, for at most an hour."""
    if seen.steady:
        return finish(event, seen)
    if age(event.started_at, seen) < HOUR:
        return []
    message = (
        "The deployment timed out while waiting for the replacement task set to become healthy. This time out period "
        "is 60 minutes."
    )
    return fail(deployment, seen, "TIMEOUT", message)


def shift(deployment: Deployment, event: LifecycleEvent, seen: Observation) -> list[Action]:
    """Give the replacement as much traffic as the deployment configuration says by now."""
    deployment.unsteady_since = None if seen.steady else deployment.unsteady_since or seen.now
    if age(deployment.unsteady_since, seen) >= UNSTEADY_SECONDS and deployment.rolls_back is None:
        message = "The replacement task set did not reach a steady state within 5 minutes while traffic was shifted."
        return fail(deployment, seen, "ECS_UPDATE_ERROR", message)
    if deployment.percent == 100:
        finish(event, seen)
        return [TaskSetAction.MAKE_PRIMARY]
    percent = deployment.configuration.percent_after(age(event.started_at, seen))
    if percent == deployment.percent:
        return []
    deployment.percent = percent
    return [Route("prodTrafficRoute", percent)]


def await_hook(deployment: Deployment, event: LifecycleEvent, seen: Observation) -> list[Action]:
    """Wait for the answer of the hook's function, for at most an hour."""
    if event.hook is None or event.answer == "Succeeded":
        return finish(event, seen)
    if event.answer == "Missing":
        event.message = f"The Lambda function {event.hook} was not found."
        message = f"The Lambda function {event.hook} of the lifecycle event {event.name} does not exist."
        return fail(deployment, seen, "INVALID_LAMBDA_FUNCTION", message)
    timed_out = age(event.started_at, seen) >= HOUR
    if event.answer is None and not timed_out:
        return []
    event.message = f"The lifecycle event hook {event.hook} " + ("timed out." if timed_out else "failed.")
    message = f"One or more lifecycle event validation functions failed: {event.name}. {event.message}"
    return fail(deployment, seen, "HOOK_EXECUTION_FAILURE", message)


def finish(event: LifecycleEvent, seen: Observation) -> list[Action]:
    """End a lifecycle event with success."""
    event.status, event.ended_at = "Succeeded", seen.now
    return []


def bake(deployment: Deployment, seen: Observation) -> list[Action]:
    """Bake: all traffic has shifted, and the original waits for instant rollback before it is deleted."""
    if deployment.baking_since is None:
        deployment.baking_since = seen.now
    wait = 0 if deployment.rolls_back else deployment.group.bake_seconds
    if age(deployment.baking_since, seen) < wait and not deployment.terminate_requested:
        deployment.status = "Baking" if seen.reports_baking else deployment.status
        return []
    deployment.status, deployment.completed_at = "Succeeded", seen.now
    kept = deployment.group.keeps_original and deployment.rolls_back is None
    return [Ended(None)] if kept else [TaskSetAction.DELETE_ORIGINAL, Ended(None)]


def fail(deployment: Deployment, seen: Observation, code: str, message: str) -> list[Action]:
    """End the deployment because of an error."""
    deployment.status, deployment.error = "Failed", (code, message)
    return end(deployment, seen, "Failed", "DEPLOYMENT_FAILURE")


def stop(deployment: Deployment, seen: Observation, message: str) -> list[Action]:
    """End the deployment because a person asked for it."""
    deployment.status, deployment.error = "Stopped", ("MANUAL_STOP", message)
    return end(deployment, seen, "Skipped", "DEPLOYMENT_STOP_ON_REQUEST")


def stop_on_alarm(deployment: Deployment, seen: Observation) -> list[Action]:
    """End the deployment because of an alarm."""
    message = (
        "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the "
        f"affected deployments have been stopped. Activated alarms: {', '.join(seen.firing)}"
    )
    deployment.status, deployment.error = "Stopped", ("ALARM_ACTIVE", message)
    return end(deployment, seen, "Skipped", "DEPLOYMENT_STOP_ON_ALARM")


def end(deployment: Deployment, seen: Observation, interrupted: EventStatus, trigger: Trigger) -> list[Action]:
    """End the deployment: the lifecycle event in progress gets this status, later ones are skipped."""
    deployment.completed_at = seen.now
    for event in deployment.events:
        if event.status == "InProgress":
            event.status, event.ended_at = interrupted, seen.now
        elif event.status == "Pending":
            event.status = "Skipped"
    return [Ended(trigger)]


def is_rolled_back(deployment: Deployment, trigger: Trigger) -> bool:
    """Return whether a rollback is possible. Before Install there is none, and a rollback is not rolled back."""
    settings = deployment.auto_rollback
    wanted = bool(settings.get("enabled")) and trigger in settings.get("events", [])
    return wanted and deployment.replacement is not None and deployment.rolls_back is None
