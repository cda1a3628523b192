"""What CodeDeploy refuses, and what it lists."""

import pytest

from tests.unit.aws_simulator.conftest import NAME, Stage
from tests.unit.aws_simulator.test_blue_green import refused


def test_there_is_one_deployment_at_a_time(stage: Stage) -> None:
    revision = stage.register("2")
    first = stage.deploy(revision)
    with pytest.raises(stage.client("codedeploy").exceptions.DeploymentLimitExceededException, match=first):
        stage.deploy(revision)


@pytest.mark.parametrize(
    ("revision", "code"),
    [
        ("arn:aws:ecs:us-east-1:111122223333:task-definition/production-orders:99", "INVALID_REVISION"),
        ("", "INVALID_REVISION"),
    ],
)
def test_a_revision_that_is_not_there_fails_before_anything_is_created(stage: Stage, revision: str, code: str) -> None:
    deployment = stage.deploy(revision)
    info = stage.ended(deployment, minutes=1)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", code)
    assert len(stage.service()["taskSets"]) == 1
    assert "rollbackInfo" not in info


def test_a_rule_that_was_set_back_to_the_idle_target_group_fails_the_next_deployment(stage: Stage) -> None:
    rule = stage.client("elbv2").describe_rules(ListenerArn=stage.production_listener)["Rules"][0]
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    swapped = [
        {"TargetGroupArn": one["TargetGroupArn"], "Weight": weight}
        for one, weight in zip(groups, (0, 100), strict=True)
    ]
    stage.client("elbv2").modify_rule(
        RuleArn=rule["RuleArn"], Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": swapped}}]
    )
    info = stage.ended(stage.deploy(stage.register("2")), minutes=1)
    assert info["errorInformation"]["code"] == "ELASTIC_LOAD_BALANCING_INVALID"
    assert "must be behind listener" in info["errorInformation"]["message"]


def test_create_deployment_refuses_what_aws_refuses(stage: Stage) -> None:
    create = stage.client("codedeploy").create_deployment
    names = {"applicationName": NAME, "deploymentGroupName": NAME}
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": "version: 0.0"}}
    other = {"revisionType": "AppSpecContent", "appSpecContent": {"content": "version: 0.0", "sha256": "0" * 64}}
    found = [
        refused(create, applicationName="none", deploymentGroupName=NAME, revision=revision)[0],
        refused(create, applicationName=NAME, deploymentGroupName="none", revision=revision)[0],
        refused(create, **names)[0],
        refused(create, **names, revision=other)[0],
        refused(create, **names, revision=revision, description="x" * 257)[0],
        refused(create, **names, revision=revision, fileExistsBehavior="OVERWRITE")[0],
        refused(create, **names, revision=revision, deploymentConfigName="none")[0],
    ]
    assert found == [
        "ApplicationDoesNotExistException",
        "DeploymentGroupDoesNotExistException",
        "RevisionRequiredException",
        "InvalidRevisionException",
        "DescriptionTooLongException",
        "InvalidFileExistsBehaviorException",
        "DeploymentConfigDoesNotExistException",
    ]


def test_the_history_is_filtered_and_paged(stage: Stage) -> None:
    client = stage.client("codedeploy")
    bad = stage.deploy(stage.register("2"))
    stage.simulator.codedeploy.stop_manually(bad, roll_back=False)
    good = stage.deploy(stage.register("3"))
    stage.ended(good)
    of_group = {"applicationName": NAME, "deploymentGroupName": NAME}
    pages = client.get_paginator("list_deployments").paginate(**of_group)
    assert {one for page in pages for one in page["deployments"]} == {good, bad}
    stopped = client.list_deployments(**of_group, includeOnlyStatuses=["Stopped"])
    assert stopped["deployments"] == [bad]
    infos = client.batch_get_deployments(deploymentIds=[good, bad])["deploymentsInfo"]
    assert [one["status"] for one in infos] == ["Succeeded", "Stopped"]
    group = client.get_deployment_group(**of_group)["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == good
    assert refused(client.batch_get_deployments, deploymentIds=["d-1"] * 26)[0] == "BatchLimitExceededException"


def test_the_content_of_an_appspec_is_only_in_the_application_revision(stage: Stage) -> None:
    revision = stage.register("2")
    deployment = stage.deploy(revision)
    location = stage.info(deployment)["revision"]
    assert "content" not in location["appSpecContent"]
    found = stage.client("codedeploy").get_application_revision(applicationName=NAME, revision=location)
    assert revision in found["revision"]["appSpecContent"]["content"]
