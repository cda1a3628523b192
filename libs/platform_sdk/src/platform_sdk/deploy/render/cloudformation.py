"""The forms that CloudFormation templates consist of, as plain values."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import yaml

Json = dict[str, object]


def ref(name: str) -> Json:
    """Return `Ref`: the value of a parameter, or the physical id of a resource."""
    return {"Ref": name}


def get(name: str, attribute: str) -> Json:
    """Return `Fn::GetAtt`."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Json:
    """Return `Fn::Sub`: CloudFormation replaces each `${Name}` in the text."""
    return {"Fn::Sub": text}


def resource(kind: str, properties: Json, **attributes: object) -> Json:
    """Return a resource. `attributes` are keys beside the properties, such as DependsOn."""
    return {"Type": kind, **attributes, "Properties": properties}


def kept(kind: str, properties: Json) -> Json:
    """Return a resource that stays on AWS with its data after it leaves the stack."""
    return resource(kind, properties, DeletionPolicy="RetainExceptOnCreate", UpdateReplacePolicy="Retain")


def dimensions(values: Mapping[str, object]) -> list[Json]:
    """Return the dimensions of a CloudWatch metric, as AWS::CloudWatch::Alarm takes them."""
    return [{"Name": name, "Value": value} for name, value in values.items()]


def tags(values: Mapping[str, str]) -> list[Json]:
    """Return tags as most resources take them. A task definition spells the keys in lower case."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def policy(statements: Sequence[Json]) -> Json:
    """Return an IAM policy document in the current version of the language."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: Sequence[str], resources: Sequence[object], **conditions: Json) -> Json:
    """Return an Allow statement. `conditions` map an operator, such as StringEquals, to what it compares."""
    statement: Json = {"Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def checkov_skip(check: str, comment: str) -> Json:
    """Return metadata that makes Checkov skip a check, with the reason."""
    return {"checkov": {"skip": [{"id": check, "comment": comment}]}}


# YAML of rendered documents. CloudFormation returns a template as the text it was given, so it is also read here.

# PyYAML follows YAML 1.1 and leaves these plain, but YAML 1.2 reads them as numbers and some parsers as booleans.
READ_AS_OTHER_TYPE: Final = re.compile(r"[yYnN]|[-+]?\.?[0-9][0-9a-zA-Z_.+-]*")
UNLIMITED: Final = 1_000_000


class Dumper(yaml.CSafeDumper):
    """Quote text that any YAML version reads as another type; write text of several lines as a block."""


class Loader(yaml.CSafeLoader):
    """Keep dates as text, as in `Version: 2012-10-17`."""

    yaml_implicit_resolvers: Final = {
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def _represent_text(dumper: yaml.Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else '"' if READ_AS_OTHER_TYPE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _represent_text)


def to_yaml(value: object) -> str:
    """Return YAML that always has the same text for the same value. Mappings keep their order."""
    # Through JSON, enums and tuples become plain values, and a value used twice becomes two: YAML would write an alias.
    plain = json.loads(json.dumps(value))
    text: str = yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=UNLIMITED)
    return text


def from_yaml(text: str) -> Any:
    """Return the value of a YAML document.

    Raises:
        ValueError: not YAML, or with tags such as CloudFormation's `!Ref`.
    """
    if text.startswith("{"):
        # JSON is YAML, and a template from `platform apply` is JSON, which is read many times faster as such.
        with suppress(json.JSONDecodeError):
            return json.loads(text)
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
