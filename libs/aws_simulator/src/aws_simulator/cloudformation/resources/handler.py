"""Create, update and delete the resources of one type."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Final

from botocore import xform_name

from aws_simulator.account import Account
from aws_simulator.service import Answer
from aws_simulator.shapes import operation_model

NAMES: Final[Mapping[str, str]] = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::CodeDeploy::DeploymentConfig": "DeploymentConfigName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Name",
}
"""The property that names a resource. Two resources cannot share a name, so one that keeps its name is not replaced."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource as its template defines it; `properties` are resolved."""

    account: Account
    stack: str
    logical_id: str
    type: str
    properties: Json

    def name(self, key: str) -> str:
        """Return the name that the template gives, or a generated one like CloudFormation's."""
        if key in self.properties:
            return str(self.properties[key])
        return f"{self.stack}-{self.logical_id}-{self.account.hexadecimal_id('stack resource', 12).upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A created resource: `physical_id` answers Ref, `attributes` answer Fn::GetAtt."""

    physical_id: str
    attributes: Mapping[str, str]


class Handler(ABC):
    """Handles one type. The services it calls may refuse; CloudFormation then rolls back."""

    SECONDS: ClassVar[int] = 1
    """From the call until the resource is complete, if it is stable by then."""

    @abstractmethod
    def create(self, wanted: Wanted) -> Made:
        """Create the resource."""

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        """Write the whole resource; `before` are the properties of the last update."""
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:  # noqa: B027 - not every type needs it
        """Delete the resource. Types that nobody reads need not."""

    def is_stable(self, account: Account, made: Made) -> bool:
        """Return whether the resource has reached its state, which a later call asks again if it has not."""
        return True


@dataclass(frozen=True, kw_only=True)
class ApiResource(Handler):
    """A type that one service creates, updates and deletes with one operation each, such as `CreateListener`.

    A request holds those properties that its operation takes, so a type names only what differs.

    Args:
        service: the boto3 client's name.
        noun: what the names of the operations end in.
        verbs: what they begin with, to create, update and delete; None where every change replaces the resource.
        name: the property that names the resource. Ref returns the name; it is generated where a template has none.
        identity: the member by which later requests name the resource; `name`, if there is one.
        answer: the member of the answer to its creation that describes the resource.
        ref: the member of that description that Ref returns; by default `identity`.
        attributes: Fn::GetAtt's name to the member of that description.
    """

    service: str
    noun: str
    verbs: tuple[str, str | None, str] = ("Create", None, "Delete")
    name: str | None = None
    identity: str = ""
    answer: str = ""
    ref: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def create(self, wanted: Wanted) -> Made:
        named = {} if self.name is None else {self.name: wanted.name(self.name)}
        answer = self._call(wanted.account, self.verbs[0], {**wanted.properties, **named})
        described = answer[self.answer] if self.answer else {}
        described = described[0] if isinstance(described, list) else described
        made = Made(
            physical_id=described[self.ref or self.identity] if self.name is None else named[self.name],
            attributes={name: described[member] for name, member in self.attributes.items()},
        )
        self._complete(wanted, made)
        return made

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        if self.verbs[1] is not None:
            self._call(wanted.account, self.verbs[1], {**wanted.properties, **self._identified(made)})
        self._complete(wanted, made)
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:
        self._call(account, self.verbs[2], {**properties, **self._identified(made)})

    def _identified(self, made: Made) -> dict[str, Any]:
        return {self.name or self.identity: made.physical_id}

    def _call(self, account: Account, verb: str, values: Json) -> Answer:
        return call(account, self.service, f"{verb}{self.noun}", values)

    def _complete(self, wanted: Wanted, made: Made) -> None:
        """Write what takes an operation of its own, after the creation and after each update."""


def call(account: Account, service: str, operation: str, values: Json) -> Answer:
    """Perform an operation on another service, with those values that its request takes."""
    shape = operation_model(service, operation).input_shape
    method = getattr(account.services[service], xform_name(operation))
    answer: Answer = method({} if shape is None else fitted(values, shape))
    return answer


def fitted(value: Any, shape: Any) -> Any:
    """Convert a template's value to the API's: names in its case, numbers as numbers; unknown names are left out."""
    match shape.type_name:
        case "structure":
            members = {name.lower(): name for name in shape.members}
            return {
                members[key.lower()]: fitted(inner, shape.members[members[key.lower()]])
                for key, inner in value.items()
                if key.lower() in members
            }
        case "list":
            return [fitted(inner, shape.member) for inner in value]
        case "map":
            return {str(key): fitted(inner, shape.value) for key, inner in value.items()}
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else value == "true"
        case "string":
            return text_of(value)
        case _:
            return value


def text_of(value: Any) -> str:
    """Return a template's value as the text that the API takes: documents as JSON."""
    match value:
        case bool():
            return str(value).lower()
        case dict() | list():
            return json.dumps(value)
        case _:
            return str(value)


# Resources that only templates read: an id and attributes that look like AWS's.

IDS: Final[Mapping[str, str]] = {
    "AWS::CertificateManager::Certificate": "arn:aws:acm:{region}:{account}:certificate/{uuid}",
    "AWS::CloudFront::Distribution": "E{upper}",
    "AWS::CloudFront::VpcOrigin": "vo_{hexadecimal}",
    "AWS::EC2::EIP": "203.0.113.{number}",
    "AWS::EC2::FlowLog": "fl-{hexadecimal}",
    "AWS::EC2::InternetGateway": "igw-{hexadecimal}",
    "AWS::EC2::NatGateway": "nat-{hexadecimal}",
    "AWS::EC2::RouteTable": "rtb-{hexadecimal}",
    "AWS::EC2::SecurityGroup": "sg-{hexadecimal}",
    "AWS::EC2::SecurityGroupEgress": "sgr-{hexadecimal}",
    "AWS::EC2::SecurityGroupIngress": "sgr-{hexadecimal}",
    "AWS::EC2::Subnet": "subnet-{hexadecimal}",
    "AWS::EC2::SubnetRouteTableAssociation": "rtbassoc-{hexadecimal}",
    "AWS::EC2::VPC": "vpc-{hexadecimal}",
    "AWS::EC2::VPCEndpoint": "vpce-{hexadecimal}",
    "AWS::ElastiCache::ParameterGroup": "{name}",
    "AWS::ElastiCache::ReplicationGroup": "{ReplicationGroupId}",
    "AWS::ElastiCache::SubnetGroup": "{CacheSubnetGroupName}",
    "AWS::ElastiCache::User": "{UserId}",
    "AWS::ElastiCache::UserGroup": "{UserGroupId}",
    "AWS::KMS::Alias": "{AliasName}",
    "AWS::KMS::Key": "{uuid}",
    "AWS::RDS::DBInstance": "{DBInstanceIdentifier}",
    "AWS::RDS::DBSubnetGroup": "{DBSubnetGroupName}",
    "AWS::Route53::HostedZone": "Z{upper}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{TopicName}",
    "AWS::WAFv2::WebACL": "{Name}|{uuid}|{Scope}",
}
"""What Ref returns where it is not the resource's name; capitals are its properties."""

ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::CloudFront::Distribution": {"DomainName": "d{hexadecimal}.cloudfront.net"},
    "AWS::CloudFront::VpcOrigin": {"Id": "{id}"},
    "AWS::CodeBuild::Project": {"Arn": "arn:aws:codebuild:{region}:{account}:project/{id}"},
    "AWS::EC2::EIP": {"AllocationId": "eipalloc-{hexadecimal}"},
    "AWS::EC2::VPC": {"DefaultSecurityGroup": "sg-{hexadecimal}"},
    "AWS::ElastiCache::ReplicationGroup": {
        "PrimaryEndPoint.Address": "master.{id}.c1a2b3c4d5e6.use1.cache.amazonaws.com"
    },
    "AWS::KMS::Key": {"Arn": "arn:aws:kms:{region}:{account}:key/{id}"},
    "AWS::Logs::DeliveryDestination": {"Arn": "arn:aws:logs:{region}:{account}:delivery-destination:{id}"},
    "AWS::RDS::DBCluster": {
        "Endpoint.Address": "{id}.cluster-c1a2b3c4d5e6.{region}.rds.amazonaws.com",
        "ReadEndpoint.Address": "{id}.cluster-ro-c1a2b3c4d5e6.{region}.rds.amazonaws.com",
        "DBClusterResourceId": "cluster-{upper}",
        "MasterUserSecret.SecretArn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!cluster-{uuid}-a1b2c3",
    },
    "AWS::S3::Bucket": {"Arn": "arn:aws:s3:::{id}"},
    "AWS::Scheduler::Schedule": {"Arn": "arn:aws:scheduler:{region}:{account}:schedule/default/{id}"},
    "AWS::WAFv2::WebACL": {"Arn": "arn:aws:wafv2:{region}:{account}:global/webacl/{Name}/{uuid}"},
}
"""What Fn::GetAtt returns; `{id}` is what Ref returns."""


class Generic(Handler):
    """Any other type: nothing is called, and its id and attributes look like AWS's."""

    def create(self, wanted: Wanted) -> Made:
        words = words_of(wanted)
        identity = IDS.get(wanted.type, "{name}").format_map(words)
        formats = ATTRIBUTES.get(wanted.type, {})
        attributes = {
            key: text.format_map(defaultdict(lambda: identity, {**words, "id": identity}))
            for key, text in formats.items()
        }
        return Made(physical_id=identity, attributes=attributes)


def words_of(wanted: Wanted) -> Mapping[str, str]:
    """Return the properties; one that the template leaves out is named like the resource."""
    account = wanted.account
    digits = account.hexadecimal_id(wanted.type, 17)
    plain = {key: value for key, value in wanted.properties.items() if isinstance(value, str)}
    name = wanted.name(NAMES.get(wanted.type, "Name"))
    words = {
        **plain,
        "name": name,
        "account": account.account_id,
        "region": account.region,
        "hexadecimal": digits,
        "upper": digits[:13].upper(),
        "uuid": f"{digits[:8]}-{digits[8:12]}-4000-8000-{digits[:12]}",
        "number": str(account.count("address") % 254 + 1),
    }
    return defaultdict(lambda: name, words)


@cache
def create_only(kind: str) -> frozenset[str]:
    """Return the properties of a resource type that cannot change: changing one replaces the resource.

    The source is `createOnlyProperties` of AWS's resource schemas, as cfn-lint bundles them. Parts of a property are
    left out. `platform_sdk.deploy.plan.stack` has a table of its own, so that tests can hold a plan against this one.
    """
    # cfn-lint takes about half a second to import, and only stack updates need it.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    if kind not in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1"):
        return frozenset()
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = (path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", []))
    return frozenset(name for name in names if "/" not in name)
