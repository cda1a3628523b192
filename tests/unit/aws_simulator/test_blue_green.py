"""A whole CodeDeploy deployment, good and bad, as its caller sees it through boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.aws_simulator.conftest import ALARM, CLUSTER, HOOK, NAME, Stage

BLUE, GREEN = f"{NAME}-blue", f"{NAME}-green"


def events(stage: Stage, deployment: str) -> dict[str, str]:
    return {one["lifecycleEventName"]: one["status"] for one in stage.target(deployment)["lifecycleEvents"]}


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_good_release_shifts_ten_percent_waits_shifts_all_bakes_and_deletes_the_original(stage: Stage) -> None:
    revision = stage.register("2")
    deployment = stage.deploy(revision, hook=True)
    seen: list[tuple[str, float, float]] = []

    def ended() -> bool:
        status, weights = stage.info(deployment)["status"], stage.weights()
        now = (status, weights[BLUE], weights[GREEN])
        if not seen or seen[-1] != now:
            seen.append(now)
        return bool(status == "Succeeded")

    stage.wait(ended, minutes=20)
    assert seen == [
        ("Created", 100, 0),
        ("InProgress", 100, 0),
        ("InProgress", 90, 10),
        ("InProgress", 0, 100),
        ("Succeeded", 0, 100),
    ]
    assert set(events(stage, deployment).values()) == {"Succeeded"}
    assert stage.live_revision() == revision
    stage.clock.sleep(60)
    assert [one["status"] for one in stage.service()["taskSets"]] == ["PRIMARY"]


def test_a_target_is_not_there_before_the_deployment_has_started(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    with pytest.raises(stage.client("codedeploy").exceptions.DeploymentNotStartedException):
        stage.target(deployment)
    stage.clock.sleep(10)
    target = stage.target(deployment)
    assert target["targetId"] == f"{CLUSTER}:{NAME}"
    assert [one["taskSetLabel"] for one in target["taskSetsInfo"]] == ["Blue", "Green"]
    assert all(one["identifer"].startswith("ecs-svc/") for one in target["taskSetsInfo"])


def test_traffic_stays_with_the_primary_task_set_whichever_colour_it_has(stage: Stage) -> None:
    for version, live in (("2", GREEN), ("3", BLUE)):
        assert stage.ended(stage.deploy(stage.register(version)))["status"] == "Succeeded"
        assert {name for name, weight in stage.weights().items() if weight} == {live}


@pytest.mark.parametrize(
    ("behaviour", "stop_code", "reason", "exit_code"),
    [
        ({"kind": "crashes", "exit_code": 3}, "EssentialContainerExited", "Essential container in task exited", 3),
        ({"kind": "out_of_memory"}, "EssentialContainerExited", "Essential container in task exited", 137),
        ({"kind": "missing"}, "TaskFailedToStart", "CannotPullContainerError", None),
        ({"kind": "no_secret"}, "TaskFailedToStart", "ResourceInitializationError", None),
        ({"kind": "never_healthy"}, "ServiceSchedulerInitiated", "Task failed ELB health checks", 0),
        (
            {"kind": "never_healthy", "health_check": "container"},
            "ServiceSchedulerInitiated",
            "Task failed container health checks",
            0,
        ),
    ],
    ids=["crashes", "out of memory", "no image", "no secret", "unhealthy to the balancer", "unhealthy to itself"],
)
def test_a_replacement_that_never_becomes_steady_fails_after_an_hour_and_is_rolled_back(
    stage: Stage, behaviour: dict[str, Any], stop_code: str, reason: str, exit_code: int | None
) -> None:
    deployment = stage.deploy(stage.register("2", **behaviour))
    stage.wait(lambda: any(one["lastStatus"] == "STOPPED" for one in stage.stopped_tasks()), minutes=10)
    task = stage.stopped_tasks()[0]
    assert task["stopCode"] == stop_code
    assert task["stoppedReason"].startswith(reason)
    assert task["containers"][0].get("exitCode") == exit_code
    info = stage.ended(deployment)
    assert info["status"] == "Failed"
    assert "60 minutes" in info["errorInformation"]["message"]
    assert 3600 <= (info["completeTime"] - info["startTime"]).total_seconds() < 3620
    assert stage.rollback_of(deployment)["status"] == "Succeeded"
    assert stage.live_revision().endswith(":1")
    assert stage.weights() == {BLUE: 100, GREEN: 0}


def test_an_unhealthy_target_says_why(stage: Stage) -> None:
    stage.deploy(stage.register("2", kind="never_healthy", health_status=500))
    green = stage.client("elbv2").describe_target_groups(Names=[GREEN])["TargetGroups"][0]["TargetGroupArn"]

    def unhealthy() -> list[dict[str, Any]]:
        health = stage.client("elbv2").describe_target_health(TargetGroupArn=green)["TargetHealthDescriptions"]
        return [one["TargetHealth"] for one in health if one["TargetHealth"]["State"] == "unhealthy"]

    stage.wait(lambda: bool(unhealthy()), minutes=5)
    assert unhealthy()[0]["Reason"] == "Target.ResponseCodeMismatch"
    assert unhealthy()[0]["Description"] == "Health checks failed with these codes: [500]"


def test_errors_of_the_canary_raise_the_alarm_which_stops_the_deployment_and_takes_it_back(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2", kind="answers_500"))
    info = stage.ended(deployment)
    assert info["status"] == "Stopped"
    assert info["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert ALARM in info["errorInformation"]["message"]
    rollback = stage.rollback_of(deployment)
    assert rollback["creator"] == "codeDeployRollback"
    assert rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment
    assert rollback["status"] == "Succeeded"
    assert stage.weights() == {BLUE: 100, GREEN: 0}
    stage.clock.sleep(120)
    alarms = stage.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    assert alarms[0]["StateValue"] == "OK"
    assert len(stage.service()["taskSets"]) == 1


def test_an_alarm_during_the_bake_time_rolls_back_what_all_users_have(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.weights()[GREEN] == 100, minutes=10)
    stage.clock.sleep(60)
    assert stage.info(deployment)["instanceTerminationWaitTimeStarted"]
    stage.simulator.cloudwatch.set_alarm(ALARM, "ALARM")
    stage.ended(deployment)
    assert stage.rollback_of(deployment)["status"] == "Succeeded"
    assert stage.weights() == {BLUE: 100, GREEN: 0}
    assert stage.live_revision().endswith(":1")


def test_an_alarm_that_is_there_already_stops_a_deployment_at_its_start(stage: Stage) -> None:
    stage.simulator.cloudwatch.set_alarm(ALARM, "ALARM")
    info = stage.ended(stage.deploy(stage.register("2")), minutes=1)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "rollbackInfo" not in info


def test_a_hook_that_fails_fails_the_deployment_before_any_user_is_on_it(stage: Stage) -> None:
    stage.simulator.set_hook(HOOK, verdict="Failed")
    deployment = stage.deploy(stage.register("2"), hook=True)
    info = stage.ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert events(stage, deployment)["AfterAllowTestTraffic"] == "Failed"
    assert events(stage, deployment)["AllowTraffic"] == "Skipped"
    assert stage.weights() == {BLUE: 100, GREEN: 0}
    assert stage.rollback_of(deployment)["status"] == "Succeeded"


def test_a_silent_hook_fails_after_an_hour(stage: Stage) -> None:
    stage.simulator.set_hook(HOOK, verdict="silent")
    deployment = stage.deploy(stage.register("2"), hook=True)
    info = stage.ended(deployment)
    assert info["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    assert (info["completeTime"] - info["startTime"]).total_seconds() > 3600


def test_a_function_that_does_not_exist_fails_the_deployment(stage: Stage) -> None:
    del stage.simulator.hooks[HOOK]
    info = stage.ended(stage.deploy(stage.register("2"), hook=True), minutes=5)
    assert info["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"


def test_stopped_by_hand_it_goes_back(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    stage.simulator.codedeploy.stop_manually(deployment)
    info = stage.info(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert stage.rollback_of(deployment)["status"] == "Succeeded"
    assert stage.weights() == {BLUE: 100, GREEN: 0}


def test_stopped_without_rollback_everything_stays_as_it_is_until_the_next_deployment(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    answer = stage.client("codedeploy").stop_deployment(deploymentId=deployment, autoRollbackEnabled=False)
    assert answer["status"] == "Succeeded"
    stage.clock.sleep(600)
    assert stage.weights() == {BLUE: 90, GREEN: 10}
    assert len(stage.service()["taskSets"]) == 2
    assert stage.ended(stage.deploy(stage.register("3")))["status"] == "Succeeded"
    stage.clock.sleep(60)
    assert [one["status"] for one in stage.service()["taskSets"]] == ["PRIMARY"]
    assert stage.live_revision().endswith(":3")


def test_what_is_stopped_before_there_is_a_replacement_cannot_be_rolled_back(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.simulator.codedeploy.stop_manually(deployment)
    assert "rollbackInfo" not in stage.info(deployment)


def test_a_rollback_can_fail_and_leaves_the_traffic_where_it_was(stage: Stage) -> None:
    stage.simulator.codedeploy.engine.rollbacks_fail = True
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.weights()[GREEN] == 100, minutes=10)
    stage.simulator.codedeploy.stop_manually(deployment)
    rollback = stage.rollback_of(deployment)
    assert (rollback["status"], rollback["errorInformation"]["code"]) == ("Failed", "ECS_UPDATE_ERROR")
    assert "rollbackDeploymentId" not in rollback["rollbackInfo"]
    assert len(stage.service()["taskSets"]) == 2


def test_a_rollback_waits_for_the_original_and_fails_if_that_cannot_run_any_more(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    stage.image("1", kind="missing")
    original = stage.target(deployment)["taskSetsInfo"][0]["identifer"]
    for arn in stage.client("ecs").list_tasks(cluster=CLUSTER, startedBy=original)["taskArns"]:
        stage.client("ecs").stop_task(cluster=CLUSTER, task=arn)
    stage.simulator.codedeploy.stop_manually(deployment)
    rollback = stage.rollback_of(deployment)
    assert (rollback["status"], rollback["errorInformation"]["code"]) == ("Failed", "TIMEOUT")
    assert stage.weights() == {BLUE: 90, GREEN: 10}


def test_the_events_of_the_group_decide_about_a_rollback(stage: Stage) -> None:
    only_failures = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    deployment = stage.deploy(stage.register("2"), autoRollbackConfiguration=only_failures)
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    stage.simulator.cloudwatch.set_alarm(ALARM, "ALARM")
    assert stage.ended(deployment)["status"] == "Stopped"
    assert "rollbackInfo" not in stage.info(deployment)


def test_scaling_during_the_shift_fails_the_deployment_if_the_replacement_is_not_steady_in_time(
    stage: Stage,
) -> None:
    stage.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{CLUSTER}/{NAME}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=2,
        MaxCapacity=10,
    )
    slowly = "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"
    deployment = stage.deploy(stage.register("2"), deploymentConfigName=slowly)
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    stage.image("2", kind="missing")
    assert stage.simulator.autoscaling.scale(f"service/{CLUSTER}/{NAME}", 4)
    info = stage.ended(deployment)
    assert info["errorInformation"]["code"] == "ECS_UPDATE_ERROR"
    assert "5 minutes" in info["errorInformation"]["message"]


def test_a_group_that_asks_first_waits_as_ready_until_it_is_continued(stage: Stage) -> None:
    ask = {"deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 30}}
    client = stage.client("codedeploy")
    client.update_deployment_group(
        applicationName=NAME, currentDeploymentGroupName=NAME, blueGreenDeploymentConfiguration=ask
    )
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.info(deployment)["status"] == "Ready", minutes=5)
    stage.clock.sleep(600)
    assert stage.weights()[GREEN] == 0
    client.continue_deployment(deploymentId=deployment, deploymentWaitType="READY_WAIT")
    assert stage.ended(deployment)["status"] == "Succeeded"


def test_in_the_bake_time_a_deployment_may_be_called_baking(stage: Stage) -> None:
    stage.simulator.codedeploy.engine.reports_baking = True
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.info(deployment)["status"] == "Baking", minutes=10)
    assert stage.target(deployment)["status"] == "InProgress"
    assert stage.ended(deployment)["status"] == "Succeeded"


def test_the_bake_time_can_be_cut_short(stage: Stage) -> None:
    deployment = stage.deploy(stage.register("2"))
    stage.wait(lambda: stage.info(deployment)["instanceTerminationWaitTimeStarted"], minutes=10)
    stage.client("codedeploy").continue_deployment(deploymentId=deployment, deploymentWaitType="TERMINATION_WAIT")
    stage.clock.sleep(2)
    assert stage.info(deployment)["status"] == "Succeeded"


def test_a_hook_may_answer_by_the_api(stage: Stage) -> None:
    stage.simulator.set_hook(HOOK, verdict="silent")
    deployment = stage.deploy(stage.register("2"), hook=True)
    stage.wait(lambda: events_or_none(stage, deployment) == "InProgress", minutes=5)
    event = next(one for one in stage.simulator.codedeploy.deployments[deployment].events if one.hook)
    stage.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=deployment, lifecycleEventHookExecutionId=event.execution_id, status="Succeeded"
    )
    assert stage.ended(deployment)["status"] == "Succeeded"


def events_or_none(stage: Stage, deployment: str) -> str | None:
    if stage.info(deployment)["status"] in ("Created", "Queued"):
        return None
    return events(stage, deployment).get("AfterAllowTestTraffic")
