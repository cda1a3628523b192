"""A template's text to values: forms, functions, parameters, and what CloudFormation says of mistakes."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator, Refused
from aws_simulator.cloudformation.intrinsics import Scope, Unknown, resolve
from aws_simulator.cloudformation.resources.handler import NAMES, create_only
from aws_simulator.cloudformation.template import parse

RESOURCE = {"A": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "a"}}}

YAML = """
Conditions:
  IsOne: !Equals [!Ref Count, 1]
Parameters: {Count: {Type: Number, Default: 1}}
Resources:
  Role:
    Type: AWS::IAM::Role
    DependsOn: Other
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}
      Path: !Sub "/${AWS::Staging}/${!Literal}/"
      Name: !If [IsOne, !GetAtt Other.TopicName, !Ref "AWS::NoValue"]
  Other: {Type: AWS::SNS::Topic}
"""


def scope(**values: Any) -> Scope:
    return Scope(
        values={"AWS::Staging": "us-east-1", "Count": "1", "Zones": ["a", "b"], **values},
        conditions={"IsOne": {"Fn::Equals": [{"Ref": "Count"}, 1]}},
        mappings={"Sizes": {"small": {"cpu": 256}}},
        reference=lambda name: f"id-of-{name}",
        attribute=lambda name, attribute: f"{attribute}-of-{name}",
    )


def test_short_forms_are_written_out_and_dates_stay_text() -> None:
    role = parse(YAML).resources["Role"]
    assert role.depends_on == ("Other",)
    assert role.properties == {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "Path": {"Fn::Sub": "/${AWS::Staging}/${!Literal}/"},
        "Name": {"Fn::If": ["IsOne", {"Fn::GetAtt": ["Other", "TopicName"]}, {"Ref": "AWS::NoValue"}]},
    }


def test_json_says_the_same() -> None:
    assert parse(json.dumps({"Resources": RESOURCE})).resources["A"].properties == {"TopicName": "a"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "Count"}, "1"),
        ({"Ref": "Topic"}, "id-of-Topic"),
        ({"Fn::GetAtt": "Topic.A.B"}, "A.B-of-Topic"),
        ({"Fn::GetAtt": ["Topic", "A"]}, "A-of-Topic"),
        ({"Fn::Sub": "${Topic}/${Topic.A}/${Zones}/${!Kept}"}, "id-of-Topic/A-of-Topic/a,b/${Kept}"),
        ({"Fn::Sub": ["${Own}-${Count}", {"Own": {"Ref": "Topic"}}]}, "id-of-Topic-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Count"}, True]]}, "a-1-true"),
        ({"Fn::Join": [",", {"Ref": "Zones"}]}, "a,b"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Split": ["/", "a/b"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["Sizes", "small", "cpu"]}, 256),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 12]}, ["10.0.0.0/20", "10.0.16.0/20"]),
        ({"Fn::If": ["IsOne", "yes", "no"]}, "yes"),
        ({"Fn::And": [{"Condition": "IsOne"}, {"Fn::Not": [{"Condition": "IsOne"}]}]}, False),
        ({"Fn::Or": [{"Condition": "IsOne"}, {"Fn::Not": [{"Condition": "IsOne"}]}]}, True),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Condition": {"Bool": {"a": "b"}}}, {"Condition": {"Bool": {"a": "b"}}}),
    ],
)
def test_functions(expression: Any, value: Any) -> None:
    assert resolve(expression, scope()) == value


def test_what_is_made_from_something_unknown_is_unknown() -> None:
    unknown = scope(Later=Unknown("Later"), Parts=[Unknown("Part")])
    for expression in ({"Fn::Sub": "a/${Later}"}, {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Later"}]}]}):
        assert resolve(expression, unknown) == Unknown("Later")
    assert resolve({"Fn::Join": ["", {"Ref": "Parts"}]}, unknown) == Unknown("Part")


def test_a_function_that_is_not_simulated_is_refused() -> None:
    with pytest.raises(Refused, match="Fn::ImportValue is not supported"):
        resolve({"Fn::ImportValue": "a"}, scope())


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("", "At least one Resources member must be defined"),
        ("{", "Template format error"),
        ("a: [", "Template format error"),
        ('{"Resources": {"A": {}}}', "must contain a Type member"),
        ('{"Resources": {"A": {"Type": "T", "Properties": {"b": {"Ref": "B"}}}}}', r"dependencies \[B\]"),
        ('{"Resources": {"A": {"Type": "T", "DependsOn": "B"}, "B": {"Type": "T", "DependsOn": "A"}}}', "Circular"),
    ],
)
def test_what_is_no_template_is_refused(console: Any, template: str, says: str) -> None:
    with pytest.raises(ClientError, match=says):
        console.client.create_change_set(
            StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=template or "a: b"
        )


def asking(**parameters: Any) -> dict[str, Any]:
    return {"Parameters": parameters, "Resources": RESOURCE}


@pytest.mark.parametrize(
    ("body", "given", "says"),
    [
        ({"Type": "String"}, {}, r"Parameters: \[P\] must have values"),
        ({"Type": "String"}, {"P": "a", "Q": "b"}, r"Parameters: \[Q\] do not exist in the template"),
        ({"Type": "String", "AllowedValues": ["a"]}, {"P": "b"}, "'P' must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, {"P": "B"}, "must match pattern"),
        ({"Type": "Number"}, {"P": "many"}, "must be a number"),
        ({"Type": "Number", "MinValue": 2}, {"P": "1"}, "not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, {"P": "3"}, "not greater than 2"),
        ({"Type": "String"}, {"P": "x" * 4097}, "too long"),
        ({"Type": "String"}, {"P": None}, "Cannot specify usePreviousValue"),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, {"P": "/none"}, "Unable to fetch parameters"),
    ],
)
def test_a_value_that_a_parameter_does_not_take_is_refused(
    console: Any, body: dict[str, Any], given: dict[str, str | None], says: str
) -> None:
    with pytest.raises(ClientError, match=says):
        console.plan("s", asking(P=body), given)


def test_values_of_parameter_store_are_looked_up_again_with_each_update(console: Any, simulator: AwsSimulator) -> None:
    ssm = simulator.client("ssm")
    ssm.put_parameter(Name="/ids", Value="a,b", Type="StringList")
    properties = {"Name": "/first", "Type": "String", "Value": {"Fn::Select": [0, {"Ref": "Ids"}]}}
    template = {
        "Parameters": {"Ids": {"Type": "AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>", "Default": "/ids"}},
        "Resources": {"First": {"Type": "AWS::SSM::Parameter", "Properties": properties}},
    }
    console.apply("s", template)
    ssm.put_parameter(Name="/ids", Value="c,b", Overwrite=True)
    change_set = console.plan("s", template, {"Ids": None})
    (parameter,) = change_set["Parameters"]
    assert (parameter["ParameterValue"], parameter["ResolvedValue"]) == ("/ids", "c,b")
    (detail,) = change_set["Changes"][0]["ResourceChange"]["Details"]
    assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ParameterReference", "Ids")
    assert (detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]) == ("a", "c")


def test_named_roles_need_somebody_who_knows(console: Any) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": {}}}
    body = json.dumps({"Resources": {"Role": role}})
    request = {"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": body}
    for capabilities in ([], ["CAPABILITY_IAM"]):
        with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
            console.client.create_change_set(**request, Capabilities=capabilities)
    console.client.create_change_set(**request, Capabilities=["CAPABILITY_NAMED_IAM"])


def test_a_change_set_goes_through_its_states(console: Any, simulator: AwsSimulator) -> None:
    body = json.dumps({"Resources": RESOURCE})
    where = {"StackName": "s", "ChangeSetName": "c"}
    console.client.create_change_set(**where, ChangeSetType="CREATE", TemplateBody=body)
    assert console.client.describe_change_set(**where)["Status"] == "CREATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="cannot be executed in its current status"):
        console.client.execute_change_set(**where)
    simulator.clock.sleep(3)
    described = console.client.describe_change_set(**where)
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [one["ResourceChange"]["Action"] for one in described["Changes"]] == ["Add"]
    assert console.client.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert [one["ChangeSetName"] for one in console.client.list_change_sets(StackName="s")["Summaries"]] == ["c"]
    console.client.describe_change_set(ChangeSetName=described["ChangeSetId"])
    assert console.simulator.calls[-1].resources == (described["StackId"],)
    console.client.delete_change_set(**where)
    with pytest.raises(ClientError, match="does not exist"):
        console.client.describe_change_set(**where)


def test_properties_that_cannot_change_are_those_of_the_resource_schemas() -> None:
    assert create_only("AWS::CodeDeploy::DeploymentGroup") == {"ApplicationName", "DeploymentGroupName"}
    assert create_only("AWS::ECR::Repository") == {"EncryptionConfiguration", "RepositoryName"}
    assert "DnsOptions" not in create_only("AWS::EC2::VPCEndpoint")
    assert create_only("Custom::DatabaseRole") == set()
    assert [kind for kind, name in NAMES.items() if name not in create_only(kind)] == []
