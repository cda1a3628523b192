"""What an explanation shows of its evidence: enough to judge the cause, and no more."""

from platform_sdk.deploy.diagnosis import explain
from platform_sdk.deploy.state import ServiceEvent
from tests.unit.deploy_diagnosis.test_causes import NOW, container, dead, of


def test_an_explanation_shows_one_task_of_each_kind_with_its_last_words() -> None:
    crashed = [dead(container(exit_code=1), logs=(f"ValueError: {n}",), id=str(n)) for n in range(3)]

    explanation = explain(of(*crashed))

    assert explanation.cause == "ValueError: 0 (exit 1)"
    assert explanation.evidence == (
        "task 0, and 2 more like it:",
        "  EssentialContainerExited: Essential container in task exited",
        "  app: exit 1",
        "  | ValueError: 0",
    )


def test_the_event_that_says_why_no_task_starts_is_shown_behind_newer_ones() -> None:
    newer = [ServiceEvent(at=NOW, message=f"(service orders) has reached a steady state {n}.") for n in range(7)]
    why = ServiceEvent(at=NOW, message="(service orders) was unable to place a task. Reason: no capacity.")

    explanation = explain(of(events=(*newer, why)))

    assert explanation.evidence[-1].endswith(why.message)
    assert len(explanation.evidence) == 1 + 5
