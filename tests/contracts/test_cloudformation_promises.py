"""What the shared templates promise, read from the templates."""

import json
import types
from typing import Any

import pytest

from tests.support.cloudformation import ENVIRONMENTS, Resource, resources, stacks, values_of

KEPT = {
    "AWS::DynamoDB::Table": "Retain",
    "AWS::ECR::Repository": "Retain",
    "AWS::ElastiCache::ReplicationGroup": "Snapshot",
    "AWS::KMS::Key": "Retain",
    "AWS::RDS::DBCluster": "Snapshot",
    "AWS::S3::Bucket": "Retain",
}
"""What becomes of what holds data when its stack is deleted or it is replaced."""


def named(name: str) -> Resource:
    (found,) = [resource for resource in resources() if resource.name == name]
    return found


def of_type(kind: str) -> list[Resource]:
    found = [resource for resource in resources() if resource.type == kind]
    assert found
    return found


@pytest.mark.parametrize(("kind", "policy"), list(KEPT.items()))
def test_what_holds_data_outlives_its_stack(kind: str, policy: str) -> None:
    for resource in of_type(kind):
        assert resource.body["DeletionPolicy"] == resource.body["UpdateReplacePolicy"] == policy, resource


def test_no_stack_touches_what_a_release_changes() -> None:
    """Listener rules, target groups, ECS services and task definitions are not in a shared template at all, and a
    listener's default action forwards nowhere: no update of a shared stack can undo a traffic shift.
    """
    moving = ("ListenerRule", "TargetGroup", "ECS::Service", "ECS::TaskDefinition", "ECS::TaskSet", "CodeDeploy")
    assert [str(resource) for resource in resources() if any(part in resource.type for part in moving)] == []
    for listener in of_type("AWS::ElasticLoadBalancingV2::Listener"):
        (action,) = listener.properties["DefaultActions"]
        assert action["Type"] == "fixed-response"
        assert action["FixedResponseConfig"]["StatusCode"] == "404"
        assert action["FixedResponseConfig"]["ContentType"] == "application/json"
        assert json.loads(action["FixedResponseConfig"]["MessageBody"])["detail"] == "No service at this path"


def test_a_lock_is_kept_until_its_holder_or_the_next_one_ends_it() -> None:
    """No item expires by itself: the next holder of an expired lock finds in it what to restore."""
    table = named("Locks").properties
    assert table["KeySchema"] == [{"AttributeName": "name", "KeyType": "HASH"}]
    assert table["DeletionProtectionEnabled"]
    assert "TimeToLiveSpecification" not in table


def test_a_release_keeps_its_image_permanently() -> None:
    policy = json.loads(named("Repository").properties["LifecyclePolicy"]["LifecyclePolicyText"])
    assert [rule["selection"]["tagStatus"] for rule in policy["rules"]] == ["untagged"]
    assert named("Repository").properties["ImageTagMutability"] == "IMMUTABLE"


def test_the_load_balancer_is_reached_by_cloudfront_tasks_and_the_hook_only() -> None:
    group = named("LoadBalancerSecurityGroup").properties
    (rule,) = group["SecurityGroupIngress"]
    assert rule["SourcePrefixListId"] == {"Ref": "CloudFrontPrefixList"}
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    others = {
        resource.properties["SourceSecurityGroupId"]["Ref"]: resource.properties["FromPort"]
        for resource in of_type("AWS::EC2::SecurityGroupIngress")
        if resource.properties["GroupId"] == {"Ref": "LoadBalancerSecurityGroup"}
    }
    assert others == {"TaskSecurityGroup": 443, "HookSecurityGroup": 8443}
    assert named("LoadBalancer").properties["Scheme"] == "internal"


def test_nothing_but_the_vpc_itself_is_admitted_by_address() -> None:
    admitted = [
        (resource.name, rule["CidrIp"])
        for resource in of_type("AWS::EC2::SecurityGroup")
        for rule in resource.properties.get("SecurityGroupIngress", [])
        if "CidrIp" in rule or "CidrIpv6" in rule
    ]
    assert admitted == [("EndpointSecurityGroup", {"Ref": "Cidr"})]


@pytest.mark.parametrize(("group", "port"), [("Database", {"Ref": "DatabasePort"}), ("Cache", 6379)])
def test_data_is_reached_by_tasks_only(group: str, port: object) -> None:
    (rule,) = named(f"{group}SecurityGroup").properties["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Ref": "TaskSecurityGroup"}
    assert rule["FromPort"] == rule["ToPort"] == port


def test_every_security_group_says_where_it_may_go() -> None:
    """Without egress of its own, AWS lets a group go anywhere."""
    assert [
        str(group) for group in of_type("AWS::EC2::SecurityGroup") if not group.properties["SecurityGroupEgress"]
    ] == []


def test_no_template_holds_a_secret() -> None:
    for resource in of_type("AWS::SecretsManager::Secret"):
        text = json.dumps(resource.properties.get("SecretString", ""))
        assert "GenerateSecretString" in resource.properties or "{{resolve:secretsmanager:" in text, resource
    for name in ("MasterUserPassword", "AuthToken"):
        assert not [resource for resource in resources() if name in resource.properties]
    for passwords in values_of(named("CacheUser").properties, "Passwords"):
        assert all("{{resolve:secretsmanager:" in password["Fn::Sub"] for password in passwords)


def test_instances_of_the_database_are_alike_but_for_zone_and_tier() -> None:
    writer, reader = named("Writer").properties, named("Reader").properties
    different = {key for key in writer if writer[key] != reader.get(key)}
    assert different == {"AvailabilityZone", "DBInstanceIdentifier", "PromotionTier"}
    assert set(writer) == set(reader)


def test_production_neither_pauses_nor_stands_in_one_zone() -> None:
    data = parameters("production", "data")
    assert int(data["MinCapacityAcu"]) >= 2
    assert data["DatabaseInstances"] == "2"
    assert parameters("production", "network")["Nat"] == "per_zone"
    assert parameters("staging", "data")["MinCapacityAcu"] == "0"


def test_containers_are_watched_in_every_environment() -> None:
    for environment in ENVIRONMENTS:
        assert parameters(environment, "cluster")["ContainerInsights"] in ("enhanced", "enabled")


def parameters(environment: str, template: str) -> dict[str, str]:
    (found,) = [stack for stack in stacks(environment) if stack.template.stem == template]
    return dict(found.parameters)


def test_every_log_group_forgets_and_is_named_after_its_environment() -> None:
    for group in of_type("AWS::Logs::LogGroup"):
        assert group.properties["RetentionInDays"], group
        assert "${Environment}" in group.properties["LogGroupName"]["Fn::Sub"], group


class Ec2:
    """As many rules as it is given; notes what is revoked."""

    def __init__(self, rules: list[dict[str, Any]]) -> None:
        self.rules = rules
        self.revoked: dict[str, list[str]] = {}

    def describe_security_group_rules(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        assert Filters == [{"Name": "group-id", "Values": ["sg-1"]}]
        return {"SecurityGroupRules": self.rules}

    def revoke_security_group_ingress(self, GroupId: str, SecurityGroupRuleIds: list[str]) -> None:
        self.revoked["ingress"] = SecurityGroupRuleIds

    def revoke_security_group_egress(self, GroupId: str, SecurityGroupRuleIds: list[str]) -> None:
        self.revoked["egress"] = SecurityGroupRuleIds


@pytest.mark.parametrize(
    ("rules", "revoked"),
    [
        ([], {}),
        ([("a", False), ("b", True), ("c", True)], {"ingress": ["a"], "egress": ["b", "c"]}),
        ([("b", True)], {"egress": ["b"]}),
    ],
)
def test_the_closing_function_revokes_every_rule_and_nothing_twice(
    rules: list[tuple[str, bool]], revoked: dict[str, list[str]]
) -> None:
    module = types.ModuleType("index")
    exec(named("ClosingFunction").properties["Code"]["ZipFile"], module.__dict__)
    ec2 = Ec2([{"SecurityGroupRuleId": name, "IsEgress": is_egress} for name, is_egress in rules])
    module.__dict__["close"](ec2, "sg-1")
    assert ec2.revoked == revoked
