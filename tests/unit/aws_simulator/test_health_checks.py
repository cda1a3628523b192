"""What the load balancer finds, and what users get: its checks are judged against what the tasks serve."""

from typing import Any

import pytest

from tests.unit.aws_simulator.conftest import CLUSTER, NAME, Stage, app_container, document

BLUE = f"{NAME}-blue"
CHECKED = ("/health/ready", "/health/live")


def served(stage: Stage, *, path: str = "/orders", port: int | None = None, **behaviour: Any) -> str:
    """A revision that says where it listens, and has been deployed; its ARN."""
    image = stage.image(f"at {path} {port}", **{"health_paths": CHECKED, **behaviour})
    variables = {"SERVICE_PATH": path} | ({"PORT": str(port)} if port else {})
    container = {
        **app_container(image),
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
    }
    request = {**document(image), "containerDefinitions": [container]}
    answer = stage.client("ecs").register_task_definition(**request)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def deployed(stage: Stage, revision: str) -> None:
    id = stage.deploy(revision, deploymentConfigName="CodeDeployDefault.ECSAllAtOnce")
    assert stage.ended(id)["status"] == "Succeeded"


def with_grace(stage: Stage, seconds: int) -> None:
    """ECS leaves unhealthy tasks alone for so long after their start."""
    stage.client("ecs").update_service(cluster=CLUSTER, service=NAME, healthCheckGracePeriodSeconds=seconds)


def group(stage: Stage, colour: str = "green") -> str:
    found = stage.client("elbv2").describe_target_groups(Names=[f"{NAME}-{colour}"])["TargetGroups"]
    return str(found[0]["TargetGroupArn"])


def change(stage: Stage, colour: str = "green", **checks: Any) -> None:
    stage.client("elbv2").modify_target_group(TargetGroupArn=group(stage, colour), **checks)


def health(stage: Stage, colour: str = "green") -> set[tuple[str, str]]:
    """State and description of every target that is not on its way out."""
    answer = stage.client("elbv2").describe_target_health(TargetGroupArn=group(stage, colour))
    found = [each["TargetHealth"] for each in answer["TargetHealthDescriptions"]]
    return {(each["State"], each.get("Description", "")) for each in found if each["State"] != "draining"}


def users_get(stage: Stage, path: str) -> set[int]:
    return stage.simulator.elbv2.answers(stage.production_listener, path)


def events(stage: Stage) -> str:
    answer = stage.client("ecs").describe_services(cluster=CLUSTER, services=[NAME])
    return "\n".join(each["message"] for each in answer["services"][0]["events"])


def test_tasks_that_serve_where_they_are_asked_are_healthy(stage: Stage) -> None:
    deployed(stage, served(stage))
    assert health(stage) == {("healthy", "")}
    assert (users_get(stage, "/orders/1"), users_get(stage, "/items")) == ({200}, {404})


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        ({"HealthCheckPath": "/purchases/readyz"}, "Health checks failed with these codes: [404]"),
        ({"HealthCheckPath": "/orders/healthy"}, "Health checks failed with these codes: [404]"),
        ({"Matcher": {"HttpCode": "204,301-302"}}, "Health checks failed with these codes: [200]"),
        ({"HealthCheckPort": "9000"}, "Health checks failed"),
        ({"HealthCheckProtocol": "HTTPS"}, "Health checks failed"),
    ],
    ids=["path of the service", "path of the check", "matcher", "port", "protocol"],
)
def test_a_check_that_the_running_tasks_cannot_pass_makes_them_unhealthy(
    stage: Stage, checks: dict[str, Any], says: str
) -> None:
    with_grace(stage, 900)
    deployed(stage, served(stage))
    change(stage, **checks)
    assert health(stage) == {("healthy", "")}, "not before enough checks have failed"
    stage.clock.sleep(20)
    assert health(stage) == {("unhealthy", says)}
    stage.clock.sleep(900)
    assert "Task failed ELB health checks" in events(stage)


def test_another_check_that_they_pass_changes_nothing(stage: Stage) -> None:
    deployed(stage, served(stage))
    change(stage, HealthCheckPath="/orders/health/live", Matcher={"HttpCode": "200-299"})
    stage.clock.sleep(30)
    assert health(stage) == {("healthy", "")}
    assert "Task failed" not in events(stage)


def test_an_app_that_listens_on_another_port_than_the_load_balancer_asks_never_gets_traffic(stage: Stage) -> None:
    id = stage.deploy(served(stage, port=9000))
    stage.clock.sleep(300)
    assert stage.info(id)["status"] == "InProgress"
    assert "healthy" not in {state for state, _ in health(stage)}
    assert "Task failed ELB health checks" in events(stage)
    assert stage.weights() == {BLUE: 100, f"{NAME}-green": 0}


def test_an_image_answers_the_checks_and_the_paths_that_it_has_routes_for(stage: Stage) -> None:
    change(stage, HealthCheckPath="/purchases/healthy")
    deployed(stage, served(stage, path="/purchases", health_paths=("/healthy",), also_answers=("/orders",)))
    assert health(stage) == {("healthy", "")}
    assert users_get(stage, "/orders/1") == {200}


def test_a_load_balancer_without_a_healthy_target_asks_them_all_and_without_any_answers_503(stage: Stage) -> None:
    with_grace(stage, 900)
    deployed(stage, served(stage))
    alarm_on_the_load_balancer(stage)
    change(stage, HealthCheckPath="/purchases/readyz")
    stage.clock.sleep(20)
    assert ({state for state, _ in health(stage)}, users_get(stage, "/orders/1")) == ({"unhealthy"}, {200})
    seen: set[int] = set()
    for _ in range(150):
        stage.clock.sleep(7)
        seen |= users_get(stage, "/orders/1")
    assert {502, 503} & seen, "ECS replaces tasks that the load balancer finds unhealthy, all of them again and again"
    stage.wait(lambda: state_of_alarm(stage) == "ALARM", minutes=20)


def alarm_on_the_load_balancer(stage: Stage) -> None:
    balancer = next(iter(stage.simulator.elbv2.load_balancers))
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName="refused-by-the-load-balancer",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_ELB_5XX_Count",
        Dimensions=[{"Name": "LoadBalancer", "Value": balancer.partition("loadbalancer/")[2]}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )


def state_of_alarm(stage: Stage) -> str:
    answer = stage.client("cloudwatch").describe_alarms(AlarmNames=["refused-by-the-load-balancer"])
    return str(answer["MetricAlarms"][0]["StateValue"])


def test_a_path_that_no_rule_has_gets_the_listeners_own_answer(stage: Stage) -> None:
    assert users_get(stage, "/elsewhere") == {404}
