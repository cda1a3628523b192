"""AWS leaves out a reason that it usually gives: no text may end in "None", or with nothing after a colon."""

import re
from dataclasses import replace

import pytest

from platform_sdk.deploy.aws.ecs import failure_text
from platform_sdk.deploy.diagnosis import explain
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence, Migration
from platform_sdk.deploy.output.status import status_of
from platform_sdk.deploy.state import (
    Alarm,
    ContainerState,
    LifecycleEvent,
    ServiceEvent,
    TargetHealth,
    Task,
    given_reason,
)
from tests.support.releases import world
from tests.unit.deploy_diagnosis.test_causes import EXPECTED, NOW, deployment, task

INCOMPLETE = re.compile(r"None|[:(,]\s*$|\(\)|: [;,.)]|  \S*\s+$")


def silent(code: str, *exit_codes: int | None) -> Task:
    containers = tuple(
        ContainerState(
            name=name, last_status="STOPPED", exit_code=exit_code, reason="", health="UNKNOWN", image_digest=""
        )
        for name, exit_code in zip(("app", "log-router"), exit_codes, strict=False)
    )
    return replace(task(), stop_code=code, stopped_reason="", containers=containers)


TASKS = [
    silent(code, *exits)
    for code in ("", "TaskFailedToStart", "EssentialContainerExited", "ServiceSchedulerInitiated")
    for exits in ((), (None,), (1,), (137,), (None, 1), (0, 1))
]
ALARM = Alarm(name="errors", state="ALARM", reason="", description="", updated_at=None)
HOOK = LifecycleEvent(name="AfterAllowTestTraffic", status="Failed", started_at=None, ended_at=None, message="")
CODES = ["", "MANUAL_STOP", "ALARM_ACTIVE", "TIMEOUT", "IAM_ROLE_MISSING", "ECS_UPDATE_ERROR", "INTERNAL_ERROR"]
REASONS = ["", "Target.ResponseCodeMismatch", "Target.Timeout", "Target.FailedHealthChecks"]

EVIDENCE = [
    *(Evidence(expected=EXPECTED, dead=(DeadTask(task=each),), repeated=count) for each in TASKS for count in (0, 3)),
    *(Evidence(expected=EXPECTED, migration=Migration(task=each, logs=())) for each in TASKS),
    *(Evidence(expected=EXPECTED, deployment=deployment(error_code=code)) for code in CODES),
    *(Evidence(expected=EXPECTED, deployment=deployment(error_code=code), alarms=(ALARM,)) for code in CODES),
    *(
        Evidence(expected=EXPECTED, unhealthy=(TargetHealth(address="", port=0, state="", reason=r, description=""),))
        for r in REASONS
    ),
    Evidence(expected=EXPECTED, lifecycle=(HOOK,)),
    Evidence(expected=EXPECTED, events=(ServiceEvent(at=NOW, message="(service orders) was unable to place a task."),)),
    Evidence(expected=EXPECTED, refusal=given_reason(None)),
    Evidence(expected=EXPECTED),
]


@pytest.mark.parametrize("evidence", EVIDENCE, ids=range(len(EVIDENCE)))
def test_no_text_of_an_explanation_is_incomplete(evidence: Evidence) -> None:
    found = explain(evidence)
    lines = [line for line in found.evidence if line.startswith("  ")]
    assert [text for text in (found.what, found.cause, found.remedy, *lines) if INCOMPLETE.search(text)] == []


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        ({}, "AWS gave no reason"),
        ({"reason": "RESOURCE:ENI"}, "RESOURCE:ENI"),
        ({"reason": "AGENT", "arn": "arn:x"}, "AGENT: arn:x"),
        ({"reason": "LOCATION", "arn": "arn:x", "detail": "no zone"}, "LOCATION: no zone"),
        ({"arn": "arn:x"}, "arn:x"),
    ],
)
def test_a_failure_in_an_answer_of_ecs_may_lack_any_member(failure: dict[str, str], text: str) -> None:
    assert failure_text(failure) == text


def test_an_alarm_without_a_reason_is_shown_with_these_words() -> None:
    case = world("users")
    state = replace(case.context().observe(), alarms=(ALARM,))
    text = status_of("users", "production", state, {}).as_text()
    assert "errors: AWS gave no reason" in text
    assert "None" not in text
