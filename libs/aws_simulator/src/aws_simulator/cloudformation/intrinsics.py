"""Intrinsic functions and conditions: resolve a template to values.

A value that another resource decides is `Unknown` until that resource exists, and so is everything made from it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_simulator.service import Refused, nested

NO_VALUE: Final = object()
"""`AWS::NoValue`: removes the property it stands for."""

PLACEHOLDER: Final = re.compile(r"\$\{(!?)([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Unknown:
    """`entity` is the resource that decides the value, or its attribute as `Service.Name`."""

    entity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a template's functions can see.

    Args:
        values: of the parameters and pseudo parameters, by name.
        reference: what `Ref` gives for a resource.
        attribute: what `Fn::GetAtt` gives for a resource and an attribute.
    """

    values: Mapping[str, Any]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]
    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]


def resolve(value: Any, scope: Scope) -> Any:
    """Resolve a template's value. Raises Refused: CloudFormation's ValidationError, for an unknown function."""
    match value:
        case {"Condition": dict()} if len(value) == 1:  # of a policy's statement, not of the template
            return {"Condition": resolve(value["Condition"], scope)}
        case dict() if len(value) == 1 and (name := next(iter(value))) in FUNCTIONS:
            return FUNCTIONS[name](value[name], scope)
        case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
            raise Refused("ValidationError", f"Template error: {next(iter(value))} is not supported")
        case dict():
            resolved = {key: resolve(inner, scope) for key, inner in value.items()}
            return {key: inner for key, inner in resolved.items() if inner is not NO_VALUE}
        case list():
            return [one for inner in value if (one := resolve(inner, scope)) is not NO_VALUE]
        case _:
            return value


def ref(name: str, scope: Scope) -> Any:
    """Return the value of a parameter, or what `Ref` gives for a resource."""
    if name == "AWS::NoValue":
        return NO_VALUE
    return scope.values[name] if name in scope.values else scope.reference(name)


def get_att(argument: Sequence[str] | str, scope: Scope) -> Any:
    """Return an attribute of a resource, given as `Name.Attribute` or as a list."""
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else (argument[0], ".".join(argument[1:]))
    return scope.attribute(name, attribute)


def sub(argument: Any, scope: Scope) -> Any:
    """Return a text with values in place of `${Name}`; `${!Name}` stands for the literal `${Name}`."""
    text, given = (argument, {}) if isinstance(argument, str) else (argument[0], resolve(argument[1], scope))
    found: dict[str, Any] = {}
    for literal, name in PLACEHOLDER.findall(text):
        if literal:
            continue
        if name in given:
            found[name] = given[name]
        else:
            found[name] = get_att(name, scope) if "." in name else ref(name, scope)
        if isinstance(found[name], Unknown):
            return found[name]
    return PLACEHOLDER.sub(lambda match: f"${{{match[2]}}}" if match[1] else written(found[match[2]]), text)


def join(argument: Sequence[Any], scope: Scope) -> Any:
    """Return a list as one text."""
    separator, parts = argument[0], resolve(argument[1], scope)
    return first_unknown(parts) or str(separator).join(written(part) for part in parts)


def split(argument: Sequence[Any], scope: Scope) -> Any:
    """Return a text as a list."""
    text = resolve(argument[1], scope)
    return text if isinstance(text, Unknown) else str(text).split(argument[0])


def select(argument: Sequence[Any], scope: Scope) -> Any:
    """Return one item of a list by its index."""
    index, items = resolve(argument[0], scope), resolve(argument[1], scope)
    return items if isinstance(items, Unknown) else items[int(index)]


def find_in_map(argument: Sequence[Any], scope: Scope) -> Any:
    """Return a value of the template's mappings."""
    first, second, third = (resolve(part, scope) for part in argument)
    return scope.mappings[first][second][third]


def cidr(argument: Sequence[Any], scope: Scope) -> Any:
    """Return so many networks with so many bits for hosts."""
    block, count, bits = (resolve(part, scope) for part in argument)
    if isinstance(block, Unknown):
        return block
    subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
    return [str(next(subnets)) for _ in range(int(count))]


def choose(argument: Sequence[Any], scope: Scope) -> Any:
    """Return the value of `Fn::If`; the other one is not resolved."""
    name, yes, no = argument
    return resolve(yes if condition(name, scope) else no, scope)


def condition(name: str, scope: Scope) -> bool:
    """Return whether a condition of the template holds."""
    return bool(resolve(scope.conditions[name], scope))


def equals(argument: Sequence[Any], scope: Scope) -> bool:
    """Return whether two values are the same text."""
    left, right = (resolve(part, scope) for part in argument)
    return written(left) == written(right)


FUNCTIONS: Final[Mapping[str, Callable[[Any, Scope], Any]]] = {
    "Ref": ref,
    "Condition": condition,
    "Fn::GetAtt": get_att,
    "Fn::Sub": sub,
    "Fn::Join": join,
    "Fn::Split": split,
    "Fn::Select": select,
    "Fn::FindInMap": find_in_map,
    "Fn::Cidr": cidr,
    "Fn::If": choose,
    "Fn::Equals": equals,
    "Fn::Not": lambda argument, scope: not resolve(argument[0], scope),
    "Fn::And": lambda argument, scope: all(resolve(part, scope) for part in argument),
    "Fn::Or": lambda argument, scope: any(resolve(part, scope) for part in argument),
}


def written(value: Any) -> str:
    """Return a value as text, for functions that make text."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(written(part) for part in value)
        case _:
            return str(value)


def first_unknown(value: Any) -> Unknown | None:
    """Return the first unknown value at any depth."""
    return next((one for one in nested(value) if isinstance(one, Unknown)), None)


def named_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield what a template's value refers to: (`Ref`, name) and (`Fn::GetAtt`, `name.attribute`), Fn::Sub included."""
    for inner in nested(value):
        match inner:
            case {"Ref": str(name)}:
                yield "Ref", name
            case {"Fn::GetAtt": argument}:
                yield "Fn::GetAtt", argument if isinstance(argument, str) else ".".join(argument)
            case {"Fn::Sub": argument}:
                text, given = (argument, {}) if isinstance(argument, str) else argument
                for literal, name in PLACEHOLDER.findall(text):
                    if not literal and name not in given:
                        yield ("Fn::GetAtt" if "." in name else "Ref"), name
