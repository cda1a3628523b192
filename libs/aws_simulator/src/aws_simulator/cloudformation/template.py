"""Parse a template's text: YAML with CloudFormation's short forms, or JSON."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import yaml

from aws_simulator.cloudformation.intrinsics import named_in
from aws_simulator.service import Refused

Json = Mapping[str, Any]


def invalid(message: str) -> Refused:
    """Return CloudFormation's refusal of a template or of its parameters."""
    return Refused("ValidationError", message)


SHORT_WITHOUT_PREFIX: Final = ("Ref", "Condition")
NAMED_IAM: Final[Mapping[str, str]] = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
}
"""Types that need CAPABILITY_NAMED_IAM if they have a name of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as written; its properties are not resolved yet."""

    logical_id: str
    type: str
    properties: Json
    depends_on: tuple[str, ...]
    condition: str | None
    deletion_policy: str
    replace_policy: str
    metadata: Json

    def __deepcopy__(self, memo: object) -> "Resource":
        """Share it between copies of an account: it never changes."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as written; intrinsic functions are not resolved yet."""

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
        """Return the capabilities to acknowledge. Without a named IAM resource, either of the two will do."""
        kinds = [body for body in self.resources.values() if body.type.startswith("AWS::IAM::")]
        if not kinds:
            return ()
        named = any(NAMED_IAM.get(body.type, "") in body.properties for body in kinds)
        return ("CAPABILITY_NAMED_IAM",) if named else ("CAPABILITY_IAM",)


@lru_cache(maxsize=256)
def parse(text: str) -> Template:
    """Parse a template. Raises Refused: CloudFormation's ValidationError."""
    body = load(text)
    if not isinstance(body, dict) or not isinstance(body.get("Resources"), dict) or not body["Resources"]:
        raise invalid("Template format error: At least one Resources member must be defined.")
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
    """Return one resource of a template, with the defaults of what it leaves out."""
    if "Type" not in body:
        raise invalid(f"Template format error: Every Resources object must contain a Type member ({name}).")
    depends_on = body.get("DependsOn", [])
    return Resource(
        logical_id=name,
        type=body["Type"],
        properties=body.get("Properties", {}),
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        condition=body.get("Condition"),
        deletion_policy=body.get("DeletionPolicy", "Delete"),
        replace_policy=body.get("UpdateReplacePolicy", "Delete"),
        metadata=body.get("Metadata", {}),
    )


def load(text: str) -> Any:
    """Load either form as CloudFormation does: JSON begins with a brace."""
    try:
        return json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=Loader)
    except (ValueError, yaml.YAMLError) as error:
        raise invalid(f"Template format error: {error}") from error


class Loader(yaml.CSafeLoader):
    """A loader that keeps dates as text, as in `Version: 2012-10-17`, and turns `!Sub` into `Fn::Sub`."""

    yaml_implicit_resolvers: Final = {
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def short_form(loader: Loader, name: str, node: yaml.Node) -> Json:
    """Return the long form of a YAML tag: `!GetAtt A.B` is `Fn::GetAtt: [A, B]`."""
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


# The order of resources: one that refers to another, or depends on it, comes after it.


def needs_of(resource: Resource) -> frozenset[str]:
    """Return the logical ids that a value refers to, parameters included."""
    named = (name.partition(".")[0] for _, name in named_in(dict(resource.properties)))
    return frozenset(resource.depends_on).union(named) - {resource.logical_id}


def needs(resources: Mapping[str, Resource]) -> dict[str, frozenset[str]]:
    """Return the dependencies by logical id."""
    return {name: needs_of(resource) & resources.keys() for name, resource in resources.items()}


def refuse_unsound(template: Template) -> None:
    """Check references. Raises Refused: in CloudFormation's words, for an unknown name and for a circle."""
    known = template.resources.keys() | template.parameters.keys()
    for resource in template.resources.values():
        unknown = sorted(name for name in needs_of(resource) if name not in known and not name.startswith("AWS::"))
        if unknown:
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{', '.join(unknown)}] in the Resources "
                "block of the template",
            )
    try:
        TopologicalSorter(needs(template.resources)).prepare()
    except CycleError as circle:
        names = ", ".join(sorted(set(circle.args[1])))
        raise invalid(f"Circular dependency between resources: [{names}]") from circle


# Values of parameters: given, kept, by default, or from Parameter Store.

SSM_TYPE: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
MAX_BYTES: Final = 4096

Lookup = Callable[[Iterable[str]], Mapping[str, str]]
"""Values of Parameter Store by name, without missing ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """`given` is from the caller or the default; `looked_up` is Parameter Store's value under that name."""

    name: str
    type: str
    given: str
    looked_up: str | None

    @property
    def resolved(self) -> str | list[str]:
        """Return the value, as a list where the type is one."""
        text = self.given if self.looked_up is None else self.looked_up
        found = SSM_TYPE.fullmatch(self.type)
        kind = self.type if found is None else found[1]
        if kind.startswith("List<") or kind == "CommaDelimitedList":
            return [part.strip() for part in text.split(",")]
        return text

    def description(self) -> dict[str, str]:
        """Return the parameter as DescribeStacks does."""
        shown = {"ParameterKey": self.name, "ParameterValue": self.given}
        return shown if self.looked_up is None else {**shown, "ResolvedValue": self.looked_up}


def values_of(
    template: Template, given: Sequence[Json], previous: Mapping[str, Value], look_up: Lookup
) -> dict[str, Value]:
    """Return the values of the template's parameters by name.

    Args:
        given: as in CreateChangeSet: ParameterKey with ParameterValue or UsePreviousValue.
        previous: those of the stack as it is; empty for a new one.

    Raises:
        Refused: ValidationError, for each mistake in CloudFormation's words.
    """
    unknown = [one["ParameterKey"] for one in given if one["ParameterKey"] not in template.parameters]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    texts = {name: text_of(name, body, given, previous) for name, body in template.parameters.items()}
    missing = [name for name, text in texts.items() if text is None]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    present = {name: str(text) for name, text in texts.items()}
    for name, text in present.items():
        for violation in violations(name, template.parameters[name], text):
            raise invalid(violation)
    wanted = {name: text for name, text in present.items() if SSM_TYPE.fullmatch(template.parameters[name]["Type"])}
    stored = look_up(wanted.values())
    lacking = sorted(set(wanted.values()) - set(stored))
    if lacking:
        raise invalid(
            f"Unable to fetch parameters [{','.join(lacking)}] from parameter store for this account.",
        )
    kinds = {name: template.parameters[name]["Type"] for name in present}
    return {
        name: Value(name=name, type=kinds[name], given=text, looked_up=stored[text] if name in wanted else None)
        for name, text in present.items()
    }


def text_of(name: str, body: Json, given: Sequence[Json], previous: Mapping[str, Value]) -> str | None:
    """Return a parameter's text, or None where there is no value at all."""
    said = next((one for one in given if one["ParameterKey"] == name), None)
    if said is None:
        return default_of(body)
    if not said.get("UsePreviousValue", False):
        return str(said.get("ParameterValue", ""))
    if name not in previous:
        raise invalid(
            f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not "
            "in the previous template",
        )
    return previous[name].given


def default_of(body: Json) -> str | None:
    """Return a parameter's default as text: CloudFormation has no other type of value."""
    match body.get("Default"):
        case None:
            return None
        case bool(value):
            return str(value).lower()
        case value:
            return str(value)


def violations(name: str, body: Json, text: str) -> Iterator[str]:
    """Yield the constraints of a parameter that a value does not meet.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    if len(text.encode()) > MAX_BYTES:
        yield f"Parameter '{name}' is too long: a value has at most {MAX_BYTES} bytes"
    allowed = [default_of({"Default": value}) for value in body.get("AllowedValues", [])]
    if allowed and text not in allowed:
        yield f"Parameter '{name}' must be one of AllowedValues"
    pattern = body.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        yield f"Parameter '{name}' must match pattern {pattern}"
    if body["Type"] == "Number":
        yield from violations_of_number(name, body, text)


def violations_of_number(name: str, body: Json, text: str) -> Iterator[str]:
    """Yield what is wrong with the value of a parameter of the type Number."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        yield f"Parameter '{name}' must be a number"
        return
    if float(text) < float(body.get("MinValue", text)):
        yield f"Parameter '{name}' must be a number not less than {body['MinValue']}"
    if float(text) > float(body.get("MaxValue", text)):
        yield f"Parameter '{name}' must be a number not greater than {body['MaxValue']}"


def resolved(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the values as `Ref` does."""
    return {name: value.resolved for name, value in values.items()}
