"""The forms that CloudFormation templates consist of, as plain values."""

from collections.abc import Mapping, Sequence

Json = dict[str, object]


def ref(name: str) -> Json:
    return {"Ref": name}


def get(name: str, attribute: str) -> Json:
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Json:
    return {"Fn::Sub": text}


def resource(kind: str, properties: Json, **attributes: object) -> Json:
    """Return a resource. `attributes` are keys beside the properties, such as DependsOn."""
    return {"Type": kind, **attributes, "Properties": properties}


def kept(kind: str, properties: Json) -> Json:
    """Return a resource that stays on AWS with its data after it leaves the stack."""
    return resource(kind, properties, DeletionPolicy="RetainExceptOnCreate", UpdateReplacePolicy="Retain")


def dimensions(values: Mapping[str, object]) -> list[Json]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def tags(values: Mapping[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def policy(statements: Sequence[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: Sequence[str], resources: Sequence[object], **conditions: Json) -> Json:
    """Return an Allow statement. `conditions` map an operator, such as StringEquals, to what it compares."""
    statement: Json = {"Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def checkov_skip(check: str, comment: str) -> Json:
    """Return metadata that makes Checkov skip a check, with the reason."""
    return {"checkov": {"skip": [{"id": check, "comment": comment}]}}
