"""Every check of the preflight, once with what it is there to find; a release that is refused has written nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from aws_simulator.ecr import Ecr
from platform_sdk.deploy.release.outcome import Check, Outcome, ReleaseOptions
from platform_sdk.deploy.state import Suspended
from tests.support.releases import OLD_COMMIT, World, world

RESOURCE = "service/platform-production/production-orders"


def check(outcome: Outcome, name: str) -> Check:
    return next(each for each in outcome.checks if each.name == name)


def refused(case: World, name: str, *, order: ReleaseOptions | None = None) -> Check:
    calls = len(case.simulator.calls)
    outcome = case.deploy("v2", options=order)
    assert (outcome.kind, outcome.exit_code) == ("refused", 11)
    assert [each.name for each in outcome.checks if each.status == "FAIL"] == [name]
    written = {call.operation for call in case.simulator.calls[calls:] if call.writes}
    assert written <= {"UpdateItem", "DeleteItem"}, "only the lock"
    assert name in outcome.what
    assert check(outcome, name).remedy
    return check(outcome, name)


def test_a_healthy_service_passes_all_checks() -> None:
    outcome = world().deploy("v2")
    assert {each.name: each.status for each in outcome.checks if each.status != "OK"} in ({}, {"roles": "SKIP"})
    assert len(outcome.checks) == 14


def fire_alarm(case: World) -> None:
    case.simulator.cloudwatch.set_alarm("production-orders-error-rate", "ALARM")


def suspend(case: World) -> None:
    case.aws.scaling.suspend(RESOURCE, Suspended(scale_out=True))


def scale_to_nothing(case: World) -> None:
    case.simulator.client("ecs").update_service(
        cluster="platform-production", service="production-orders", desiredCount=0
    )


def remove_hook(case: World) -> None:
    case.simulator.hooks.pop("platform-production-smoke-test")


def remove_log_group(case: World) -> None:
    case.simulator.client("logs").delete_log_group(logGroupName="/platform/production/orders")


def remove_secret(case: World) -> None:
    case.simulator.services["secretsmanager"].secrets.pop("platform/production/orders/database")  # type: ignore[attr-defined]


def remove_key(case: World) -> None:
    case.simulator.services["secretsmanager"].put("platform/production/orders/database", '{"user": "orders"}')  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("break_it", "name", "says"),
    [
        (fire_alarm, "alarms", "production-orders-error-rate in ALARM"),
        (suspend, "scaling", "not by a release"),
        (scale_to_nothing, "traffic", "has no tasks"),
        (remove_hook, "hooks", "platform-production-smoke-test"),
        (remove_log_group, "log groups", "/platform/production/orders"),
        (remove_secret, "secrets", "there is no secret platform/production/orders/database"),
        (remove_key, "secrets", "has no key `password`"),
    ],
)
def test_what_would_make_a_release_fail_is_found_before_it_begins(
    break_it: Callable[[World], None], name: str, says: str
) -> None:
    case = world()
    break_it(case)
    assert says in refused(case, name).reason


def test_a_stack_that_differs_from_platform_toml_is_to_be_applied_first() -> None:
    case = world()
    case.spec = replace(case.spec, log_retention_days=90)
    found = refused(case, "stack")
    assert "AppLogs" in found.reason
    assert "platform apply orders --env production" in found.remedy


def test_an_image_of_another_architecture_is_refused() -> None:
    case = world()
    case.images["v2"] = case.simulator.service(Ecr).push("orders", "v2", architecture="arm64")
    assert "is for arm64" in refused(case, "image").reason


def test_an_image_that_is_gone_is_refused() -> None:
    case = world()
    case.images["v2"] = f"{case.push('v9').partition('@')[0]}@sha256:{'0' * 64}"
    assert "ECR has no image" in refused(case, "image").reason


def test_an_older_commit_is_refused_unless_it_is_allowed() -> None:
    case = world()
    case.deploy("v2")
    older = case.deploy(
        "v3", commit=OLD_COMMIT, is_ancestor=lambda older, newer: (older, newer) == (OLD_COMMIT, "1" * 40)
    )
    assert (older.exit_code, check(older, "not older").status) == (11, "FAIL")
    meant = case.deploy(
        "v3", commit=OLD_COMMIT, options=ReleaseOptions(allow_older=True), is_ancestor=lambda _old, _new: True
    )
    assert (meant.exit_code, case.version_serving()) == (0, "v3")


def test_a_commit_that_git_does_not_know_is_skipped_with_its_reason() -> None:
    outcome = world().deploy("v2", is_ancestor=lambda _older, _newer: None)
    assert check(outcome, "not older").status == "SKIP"
    assert "git does not know" in check(outcome, "not older").reason
    assert outcome.exit_code == 0


def test_a_check_without_permission_is_skipped_with_its_reason() -> None:
    case = world()
    case.simulator.fail("lambda", "GetFunction", how="denied", times=9)
    outcome = case.deploy("v2")
    assert check(outcome, "hooks").status == "SKIP"
    assert "lambda:GetFunction" in check(outcome, "hooks").reason
    assert outcome.exit_code == 0


def test_a_fix_may_be_released_while_an_alarm_fires() -> None:
    case = world()
    fire_alarm(case)
    outcome = case.deploy("v2", options=ReleaseOptions(ignore_alarms=True))
    assert check(outcome, "alarms").status == "SKIP"
    assert (outcome.exit_code, case.version_serving()) == (0, "v2")


def test_a_running_deployment_is_refused_without_waiting() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    outcome = case.deploy("v3", options=ReleaseOptions(if_busy="fail"))
    assert check(outcome, "no other deployment").status == "FAIL"
    assert "v2 by ci" in check(outcome, "no other deployment").reason
    assert outcome.exit_code == 11


def test_an_image_without_an_index_does_not_say_for_which_architecture_it_is() -> None:
    case = world()
    case.images["v2"] = case.simulator.service(Ecr).push("orders", "v2", manifest="single")
    expected = check(case.deploy("v2", options=ReleaseOptions(until="traffic")), "image")
    digest = case.images["v2"].rpartition("@")[2]
    assert (expected.status, expected.reason) == (
        "SKIP", f"{digest[:19]} is in ECR; its manifest does not name an architecture"
    )  # fmt: skip
