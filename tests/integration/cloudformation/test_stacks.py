"""The stacks of every environment, created in their order on an emulator that refuses what it does not know.

It must create every type that it knows. Types that it does not know are listed here by name, and a list that is
too long fails as one that is too short does.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.processes import free_port
from local_aws.servers.ministack import AwsServer
from platform_sdk.deploy.shared import SharedStack
from tests.support.cloudformation import ENVIRONMENTS, service_templates, stacks, template_of, without
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

NOT_CREATED = {
    "network": {"AWS::EC2::EIP", "AWS::EC2::FlowLog", "AWS::EC2::NatGateway"},
    "security": {"AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"},
    "edge": {
        "AWS::CloudFront::VpcOrigin",
        "AWS::Logs::Delivery",
        "AWS::Logs::DeliveryDestination",
        "AWS::Logs::DeliverySource",
        "AWS::WAFv2::LoggingConfiguration",
    },
    "pipeline": {"AWS::CodePipeline::Pipeline"},
}
NOT_CREATED_OF_SERVICES = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentConfig",
    "AWS::CodeDeploy::DeploymentGroup",
}
"""By template: the types that the emulator does not know. They are linted and read by the contract tests only."""

# The emulator's clusters have no attribute MasterUserSecret.SecretArn.
NAMED_BY_AWS_ONLY = {"DatabaseSecretArnParameter"}

# The id of the zone is AWS's to give: the emulator's stands for the one in the environment's file.
GIVEN_BY_AWS = "HostedZoneId"


class Account:
    """One emulated account, and what was created in it."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.ssm: SSMClient = boto3.client("ssm", endpoint_url=endpoint_url)
        self.ec2 = boto3.client("ec2", endpoint_url=endpoint_url)
        self._cloudformation = boto3.client("cloudformation", endpoint_url=endpoint_url)
        zone = boto3.client("route53", endpoint_url=endpoint_url).create_hosted_zone(
            Name="example.com", CallerReference="the account's"
        )
        self._zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]

    def refused_types(self, stack: SharedStack) -> set[str]:
        """What the emulator does not know of a template."""
        with pytest.raises(ClientError, match="Unrecognized resource types") as raised:
            self._create(stack, (ROOT / stack.template).read_text(encoding="utf-8"), suffix="-whole")
        return set(re.findall(r"AWS::\w+::\w+", str(raised.value)))

    def create(self, stack: SharedStack, left_out: set[str]) -> dict[str, str]:
        """By logical name: the physical name of everything in the stack."""
        self._create(stack, json.dumps(without(template_of(ROOT / stack.template), left_out | NAMED_BY_AWS_ONLY)))
        deadline = time.monotonic() + 60
        while (status := self._status(stack.name)).endswith("_IN_PROGRESS") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert status == "CREATE_COMPLETE", self._failures(stack.name)
        created = self._cloudformation.describe_stack_resources(StackName=stack.name)["StackResources"]
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in created}

    def _create(self, stack: SharedStack, body: str, suffix: str = "") -> None:
        values = {**stack.parameters}
        if GIVEN_BY_AWS in values:
            values[GIVEN_BY_AWS] = self._zone_id
        self._cloudformation.create_stack(
            StackName=stack.name + suffix,
            TemplateBody=body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def _status(self, name: str) -> str:
        return str(self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def _failures(self, name: str) -> list[tuple[str, str]]:
        events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [
            (event["LogicalResourceId"], event.get("ResourceStatusReason", ""))
            for event in events
            if event["ResourceStatus"].endswith("FAILED")
        ]


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def account(environment: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account for each environment, as on AWS."""
    server = AwsServer(tmp_path_factory.mktemp(environment), free_port())
    server.start()
    yield Account(server.endpoint_url)
    server.stop()


@pytest.fixture(scope="module")
def created(account: Account, environment: str) -> dict[str, dict[str, str]]:
    """What was created, by stack."""
    return {
        stack.name: account.create(stack, NOT_CREATED.get(stack.template.stem, set())) for stack in stacks(environment)
    }


def test_everything_that_the_emulator_knows_is_created(created: dict[str, dict[str, str]]) -> None:
    nameless = [(stack, name) for stack, names in created.items() for name, physical in names.items() if not physical]
    assert nameless == []


def test_what_is_not_created_is_listed_by_name(
    account: Account, environment: str, created: dict[str, dict[str, str]]
) -> None:
    refusing = {stack.template.stem: stack for stack in stacks(environment) if stack.template.stem in NOT_CREATED}
    assert {name: account.refused_types(stack) for name, stack in refusing.items()} == NOT_CREATED


def test_stacks_find_each_other_by_parameters_that_hold_what_was_created(
    account: Account, environment: str, created: dict[str, dict[str, str]]
) -> None:
    def value(name: str) -> str:
        return account.ssm.get_parameter(Name=f"/platform/{environment}/{name}")["Parameter"]["Value"]

    network = created[f"platform-{environment}-network"]
    assert value("network/vpc-id") == network["Vpc"]
    assert value("network/private-subnet-ids").split(",") == [network[f"PrivateSubnet{n}"] for n in (1, 2, 3)]
    edge = created[f"platform-{environment}-edge"]
    assert value("edge/production-listener-arn") == edge["ProductionListener"]
    assert json.loads(value("cloudwatch-agent"))["traces"]
    assert value("registry/orders/repository-uri").endswith("/orders")


def test_nine_subnets_share_three_zones_and_do_not_overlap(
    account: Account, environment: str, created: dict[str, dict[str, str]]
) -> None:
    vpc = created[f"platform-{environment}-network"]["Vpc"]
    subnets = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert len({subnet["CidrBlock"] for subnet in subnets}) == 9
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == sorted(
        ["us-east-1a", "us-east-1b", "us-east-1c"] * 3
    )


def test_the_default_security_group_is_closed(
    account: Account, environment: str, created: dict[str, dict[str, str]]
) -> None:
    group = created[f"platform-{environment}-security"]["DefaultSecurityGroupClosed"]
    (found,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["GroupName"] == "default"
    assert (found["IpPermissions"], found["IpPermissionsEgress"]) == ([], [])


def test_each_service_has_its_own_password_and_the_cache_is_the_same_for_all(
    account: Account, environment: str, created: dict[str, dict[str, str]]
) -> None:
    client = boto3.client("secretsmanager", endpoint_url=account.endpoint_url)

    def secret(name: str) -> str:
        return str(client.get_secret_value(SecretId=f"platform/{environment}/{name}")["SecretString"])

    services = ("inventory", "orders", "users")
    databases = [json.loads(secret(f"{service}/database")) for service in services]
    assert [database["username"] for database in databases] == list(services)
    assert len({database["password"] for database in databases}) == 3
    # Compared as text: the emulator makes up punctuation that the template excludes, and that JSON would escape.
    cache = json.loads(secret("cache"))["password"]
    assert {secret(f"{service}/cache") for service in services} == {f'{{"password": "{cache}"}}'}


@pytest.fixture(scope="module")
def services(
    account: Account, environment: str, created: dict[str, dict[str, str]], folder: Path
) -> dict[str, dict[str, str]]:
    """What was created of each service's rendered stack, by service."""
    return {stack.name: account.create(stack, unknown_of(stack)) for stack in stacks_of_services(environment, folder)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stacks")


def stacks_of_services(environment: str, folder: Path) -> list[SharedStack]:
    found = []
    for name, text in service_templates(environment).items():
        template = folder / f"{environment}-{name}.yaml"
        template.write_text(text, encoding="utf-8")
        found.append(SharedStack(name=name, template=template, parameters={}))
    return found


def unknown_of(stack: SharedStack) -> set[str]:
    """The types that the emulator does not know, and alarms by their names: it knows none that compute."""
    computing = {
        name
        for name, body in template_of(ROOT / stack.template)["Resources"].items()
        if body["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in body["Properties"]
    }
    return NOT_CREATED_OF_SERVICES | computing


def test_a_services_stack_is_created_beside_the_shared_ones(services: dict[str, dict[str, str]]) -> None:
    nameless = [(stack, name) for stack, names in services.items() for name, physical in names.items() if not physical]
    assert nameless == []


def test_what_is_not_created_of_a_service_is_listed_by_name(
    account: Account, environment: str, services: dict[str, dict[str, str]], folder: Path
) -> None:
    for stack in stacks_of_services(environment, folder):
        types = {body["Type"] for body in template_of(ROOT / stack.template)["Resources"].values()}
        assert account.refused_types(stack) == NOT_CREATED_OF_SERVICES & types


def test_nothing_is_listed_that_no_service_has(folder: Path) -> None:
    services = [stack for environment in ENVIRONMENTS for stack in stacks_of_services(environment, folder)]
    templates = [template_of(ROOT / stack.template) for stack in services]
    assert {body["Type"] for template in templates for body in template["Resources"].values()} > NOT_CREATED_OF_SERVICES


def test_services_are_behind_the_shared_listeners_each_below_its_path(
    account: Account, environment: str, created: dict[str, dict[str, str]], services: dict[str, dict[str, str]]
) -> None:
    client = boto3.client("elbv2", endpoint_url=account.endpoint_url)
    for listener in ("ProductionListener", "TestListener"):
        arn = created[f"platform-{environment}-edge"][listener]
        rules = [rule for rule in client.describe_rules(ListenerArn=arn)["Rules"] if not rule["IsDefault"]]
        paths = {path for rule in rules for path in rule["Conditions"][0]["PathPatternConfig"]["Values"]}
        assert paths == {path for service in services for path in (f"/{service}", f"/{service}/*")}


def test_templates_are_small_enough_to_be_sent_without_a_bucket() -> None:
    templates = sorted((ROOT / Path("deploy/cloudformation")).glob("*.yaml"))
    assert [path.name for path in templates if path.stat().st_size > 51_200] == []
