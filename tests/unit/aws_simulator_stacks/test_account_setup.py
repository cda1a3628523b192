"""The account that tests start from: everything that the templates make, under the names that a release looks for."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_simulator import AwsSimulator, Behaviour, SteppedClock
from aws_simulator.account_setup import SetupFailed, build_account, released
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.dynamodb import DynamoDb
from aws_simulator.iam import Iam
from aws_simulator.policies import is_allowed
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.names import stack_name
from platform_sdk.deploy.shared import load_shared_stacks
from tests.support.repository import FIXTURES


def test_every_stack_is_complete_and_was_made_in_order(staging: Any) -> None:
    stacks = staging.simulator.service(CloudFormation).stacks
    shared = [one.name for one in load_shared_stacks(FIXTURES, staging.environment, list(staging.services.values()))]
    own = [stack_name(spec, staging.environment) for spec in staging.services.values()]
    assert [(stack.name, stack.status) for stack in stacks] == [(name, "CREATE_COMPLETE") for name in [*shared, *own]]


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_what_stacks_write_down_for_each_other_is_of_the_form_that_aws_gives(environment: str) -> None:
    found, services = load_environment(FIXTURES, environment), load_services(FIXTURES, environment)
    simulator = AwsSimulator(clock=SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC)), account_id=found.account_id)
    build_account(simulator, FIXTURES, found, services)
    path = f"/platform/{environment}/"
    pages = simulator.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    written = {one["Name"].removeprefix(path): one["Value"] for page in pages for one in page["Parameters"]}
    account = found.account_id
    forms = {
        "network/vpc-id": r"vpc-[0-9a-f]{17}",
        "network/private-subnet-ids": r"(subnet-[0-9a-f]{17},){2}subnet-[0-9a-f]{17}",
        "security/task-security-group-id": r"sg-[0-9a-f]{17}",
        "cluster/arn": rf"arn:aws:ecs:us-east-1:{account}:cluster/platform-{environment}",
        "data/database-host": rf"platform-{environment}\.cluster-\w+\.us-east-1\.rds\.amazonaws\.com",
        "data/cache-secret-arn": rf"arn:aws:secretsmanager:us-east-1:{account}:secret:platform/\w+/cache-\w{{6}}",
        "edge/load-balancer-full-name": rf"app/platform-{environment}/[0-9a-f]{{16}}",
        "registry/orders/repository-uri": rf"{account}\.dkr\.ecr\.us-east-1\.amazonaws\.com/orders",
    }
    assert [name for name, form in forms.items() if not re.fullmatch(form, written[name])] == []


def test_building_is_no_call_of_a_client(staging: Any) -> None:
    assert staging.simulator.calls == []


def test_services_wait_for_their_first_release_with_a_placeholder(staging: Any) -> None:
    found = staging.simulator.client("ecs").describe_services(
        cluster="platform-staging", services=["staging-orders", "staging-orders-worker"]
    )["services"]
    assert [(one["serviceName"], one["runningCount"]) for one in found] == [
        ("staging-orders", 1),
        ("staging-orders-worker", 1),
    ]
    assert {one["taskDefinition"].rpartition("/")[2] for one in found} == {"staging-orders-placeholder:1"}


def test_target_groups_rules_and_deployment_group_agree(staging: Any) -> None:
    ssm, elbv2 = staging.simulator.client("ssm"), staging.simulator.client("elbv2")
    listener = ssm.get_parameter(Name="/platform/staging/edge/production-listener-arn")["Parameter"]["Value"]
    rule = next(
        one
        for one in elbv2.describe_rules(ListenerArn=listener)["Rules"]
        if "/orders" in (one["Conditions"][0]["PathPatternConfig"]["Values"] if one["Conditions"] else ())
    )
    groups = elbv2.describe_target_groups(Names=["staging-orders-blue", "staging-orders-green"])["TargetGroups"]
    weights = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [(one["TargetGroupArn"], one["Weight"]) for one in weights] == [
        (groups[0]["TargetGroupArn"], 100),
        (groups[1]["TargetGroupArn"], 0),
    ]
    pair = staging.simulator.client("codedeploy").get_deployment_group(
        applicationName="staging-orders", deploymentGroupName="staging-orders"
    )["deploymentGroupInfo"]["loadBalancerInfo"]["targetGroupPairInfoList"][0]
    assert [one["name"] for one in pair["targetGroups"]] == ["staging-orders-blue", "staging-orders-green"]
    assert pair["prodTrafficRoute"]["listenerArns"] == [listener]


def test_secrets_of_the_services_are_there_with_their_keys(staging: Any) -> None:
    client = staging.simulator.client("secretsmanager")
    for name in ("staging/orders/database", "staging/orders/cache"):
        found = client.get_secret_value(SecretId=f"platform/{name}")
        assert json.loads(found["SecretString"])["password"]
    cache = json.loads(client.get_secret_value(SecretId="platform/staging/cache")["SecretString"])
    orders = json.loads(client.get_secret_value(SecretId="platform/staging/orders/cache")["SecretString"])
    assert orders["password"] == cache["password"]


def test_the_table_of_locks_is_there(staging: Any) -> None:
    assert staging.simulator.service(DynamoDb).tables["platform-staging-locks"].key == ("name",)


def test_roles_hold_the_documents_that_were_rendered(staging: Any) -> None:
    documents = staging.simulator.service(Iam).documents("staging-orders-deploy")
    service = staging.simulator.arn("ecs", "service/platform-staging/staging-orders")
    other = staging.simulator.arn("ecs", "service/platform-staging/staging-users")
    assert is_allowed(documents, "ecs:UpdateServicePrimaryTaskSet", service).allowed
    assert not is_allowed(documents, "ecs:UpdateServicePrimaryTaskSet", other).allowed


def test_a_released_service_serves_all_users_with_its_image(staging: Any) -> None:
    orders = staging.services["orders"]
    image = released(staging.simulator, FIXTURES, staging.environment, orders, "v1")
    ecs = staging.simulator.client("ecs")
    names = ["staging-orders", "staging-orders-worker"]
    api, worker = ecs.describe_services(cluster="platform-staging", services=names)["services"]
    (live,) = (one for one in api["taskSets"] if one["status"] == "PRIMARY")
    for arn in (live["taskDefinition"], worker["taskDefinition"]):
        described = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        containers = {one["name"]: one for one in described["taskDefinition"]["containerDefinitions"]}
        assert containers["app"]["image"] == image
        assert {"key": "platform:version", "value": "v1"} in described["tags"]
    assert live["loadBalancers"][0]["targetGroupArn"].split("/")[1] == "staging-orders-green"
    health = staging.simulator.client("elbv2").describe_target_health(
        TargetGroupArn=live["loadBalancers"][0]["targetGroupArn"]
    )["TargetHealthDescriptions"]
    assert {one["TargetHealth"]["State"] for one in health} == {"healthy"}


def test_a_second_release_goes_back_to_the_first_target_group(staging: Any) -> None:
    for tag in ("v1", "v2"):
        released(staging.simulator, FIXTURES, staging.environment, staging.services["users"], tag)
    (api,) = staging.simulator.client("ecs").describe_services(cluster="platform-staging", services=["staging-users"])[
        "services"
    ]
    (live,) = (one for one in api["taskSets"] if one["status"] == "PRIMARY")
    assert live["loadBalancers"][0]["targetGroupArn"].split("/")[1] == "staging-users-blue"


def test_a_release_of_a_bad_image_is_no_setup(staging: Any) -> None:
    crashing = Behaviour(kind="crashes")
    with pytest.raises(SetupFailed):
        released(staging.simulator, FIXTURES, staging.environment, staging.services["users"], "v1", crashing)
