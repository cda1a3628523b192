"""Stops of deployments that take a while, as CodeDeploy's callers see it through boto3."""

from tests.unit.aws_simulator.conftest import Stage
from tests.unit.aws_simulator.test_blue_green import BLUE, GREEN


def test_a_stop_can_be_pending_and_meanwhile_the_deployment_stands_still(stage: Stage) -> None:
    stage.simulator.conditions.stop_seconds = 90
    deployment, client = stage.deploy(stage.register("2")), stage.client("codedeploy")
    stage.wait(lambda: stage.weights()[GREEN] == 10, minutes=5)
    stage.clock.sleep(270)
    assert client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)["status"] == "Pending"
    stage.clock.sleep(85)
    assert stage.info(deployment)["status"] == "InProgress"
    assert stage.weights() == {BLUE: 90, GREEN: 10}
    assert client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)["status"] == "Pending"
    stage.clock.sleep(10)
    info = stage.info(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert stage.rollback_of(deployment)["status"] == "Succeeded"
    assert stage.weights() == {BLUE: 100, GREEN: 0}


def test_a_deployment_that_has_not_started_is_stopped_too(stage: Stage) -> None:
    stage.simulator.conditions.stop_seconds = 2
    deployment = stage.deploy(stage.register("2"))
    stage.client("codedeploy").stop_deployment(deploymentId=deployment)
    stage.clock.sleep(3)
    assert stage.info(deployment)["status"] == "Stopped"
