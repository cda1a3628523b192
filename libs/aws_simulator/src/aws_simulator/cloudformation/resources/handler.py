"""Create, update and delete the resources of one type."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from botocore import xform_name

from aws_simulator.account import Account
from aws_simulator.cloudformation.replacement import NAMES
from aws_simulator.service import Answer
from aws_simulator.shapes import operation_model

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
        return True


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
    def create(self, wanted: Wanted) -> Made:
        words = words_of(wanted)
        identity = IDS.get(wanted.type, "{name}").format_map(words)
        formats = ATTRIBUTES.get(wanted.type, {})
        attributes = {
            key: text.format_map(defaultdict(lambda: identity, {**words, "id": identity}))
            for key, text in formats.items()
        }
        return Made(physical_id=identity, attributes=attributes)

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        return made


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
