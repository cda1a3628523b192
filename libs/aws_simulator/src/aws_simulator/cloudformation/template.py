"""A template's text to its parts: YAML with CloudFormation's short forms, or JSON. First station of every stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from aws_simulator.refused import Refused

Json = Mapping[str, Any]

SHORT_WITHOUT_PREFIX: Final = ("Ref", "Condition")
NAMED_IAM: Final[Mapping[str, str]] = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
}
"""What needs CAPABILITY_NAMED_IAM if it has a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as it is written; its properties are not resolved yet."""

    logical_id: str
    type: str
    properties: Json
    depends_on: tuple[str, ...]
    condition: str | None
    deletion_policy: str
    replace_policy: str
    metadata: Json

    def __deepcopy__(self, memo: object) -> "Resource":
        """Nothing changes it, so the copy of an account may share it."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    text: str
    description: str
    parameters: Mapping[str, Json]
    conditions: Json
    mappings: Json
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Json]

    def __deepcopy__(self, memo: object) -> "Template":
        return self

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What somebody has to acknowledge; either of CloudFormation's two does where no IAM resource has a name."""
        kinds = [body for body in self.resources.values() if body.type.startswith("AWS::IAM::")]
        if not kinds:
            return ()
        named = any(NAMED_IAM.get(body.type, "") in body.properties for body in kinds)
        return ("CAPABILITY_NAMED_IAM",) if named else ("CAPABILITY_IAM",)


@lru_cache(maxsize=256)
def parse(text: str) -> Template:
    """Raises `Refused` with CloudFormation's ValidationError for what is no template."""
    body = load(text)
    if not isinstance(body, dict) or not isinstance(body.get("Resources"), dict) or not body["Resources"]:
        raise Refused("ValidationError", "Template format error: At least one Resources member must be defined.")
    return Template(
        text=text,
        description=str(body.get("Description", "")),
        parameters=body.get("Parameters", {}),
        conditions=body.get("Conditions", {}),
        mappings=body.get("Mappings", {}),
        resources={name: resource_of(name, resource) for name, resource in body["Resources"].items()},
        outputs=body.get("Outputs", {}),
    )


def resource_of(name: str, body: Json) -> Resource:
    if "Type" not in body:
        raise Refused(
            "ValidationError", f"Template format error: Every Resources object must contain a Type member ({name})."
        )
    depends_on = body.get("DependsOn", [])
    deletion = body.get("DeletionPolicy", "Delete")
    return Resource(
        logical_id=name,
        type=body["Type"],
        properties=body.get("Properties", {}),
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        condition=body.get("Condition"),
        deletion_policy=deletion,
        replace_policy=body.get("UpdateReplacePolicy", "Delete"),
        metadata=body.get("Metadata", {}),
    )


def load(text: str) -> Any:
    """Both forms, as CloudFormation tells them apart: JSON begins with a brace."""
    try:
        return json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=Loader)
    except (ValueError, yaml.YAMLError) as error:
        raise Refused("ValidationError", f"Template format error: {error}") from error


class Loader(yaml.CSafeLoader):  # type: ignore[misc]  # it has no types
    """Dates stay text, as in `Version: 2012-10-17`, and `!Sub` becomes `Fn::Sub`."""

    yaml_implicit_resolvers: Final = {
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def short_form(loader: Loader, name: str, node: yaml.Node) -> Json:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
            if name == "GetAtt":
                value = list(str(value).split(".", 1))
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)
    return {name if name in SHORT_WITHOUT_PREFIX else f"Fn::{name}": value}


Loader.add_multi_constructor("!", short_form)
