"""The templates of deploy/cloudformation as plain values, for the tests that read or create them."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint.decode

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.cloudformation import to_yaml
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.shared import SharedStack, load_shared_stacks
from tests.support.repository import FIXTURES, ROOT

ENVIRONMENTS = ("production", "staging")
TEMPLATES = sorted((ROOT / "deploy" / "cloudformation").glob("*.yaml"))

Template = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    template: str
    name: str
    body: Template

    @property
    def type(self) -> str:
        return str(self.body["Type"])

    @property
    def properties(self) -> Template:
        return dict(self.body.get("Properties", {}))

    def __str__(self) -> str:
        return f"{self.template}:{self.name}"


def template_of(path: Path) -> Template:
    """With every short form (`!Ref`) written out as CloudFormation's JSON has it."""
    template, faults = cfnlint.decode.decode(str(path))
    assert not faults
    assert template is not None
    return dict(template)


@cache
def resources() -> tuple[Resource, ...]:
    """Of all shared templates."""
    return tuple(
        Resource(path.name, name, body) for path in TEMPLATES for name, body in template_of(path)["Resources"].items()
    )


@cache
def stacks(environment: str) -> tuple[SharedStack, ...]:
    return load_shared_stacks(ROOT, load_environment(ROOT, environment), load_services(ROOT, environment))


def service_templates(environment_name: str) -> dict[str, str]:
    """Return the stack of each fixture service as YAML, by the service's name."""
    environment = load_environment(FIXTURES, environment_name)
    specs = load_services(FIXTURES, environment_name)
    return {spec.name: to_yaml(render_service_stack(spec, environment)) for spec in specs}


def without(template: Template, unwanted: Collection[str]) -> Template:
    """The template without the resources of these types or names; what names one of them gets its name instead."""
    left_out = {name for name, body in template["Resources"].items() if name in unwanted or body["Type"] in unwanted}
    kept = {name: body for name, body in template["Resources"].items() if name not in left_out}
    return {**template, "Resources": {name: named(depends(body, left_out), left_out) for name, body in kept.items()}}


def depends(body: Template, left_out: Collection[str]) -> Template:
    on = body.get("DependsOn", [])
    on = [on] if isinstance(on, str) else on
    return {**body, "DependsOn": [name for name in on if name not in left_out]}


def named(value: Any, left_out: Collection[str]) -> Any:
    match value:
        case {"Ref": str(name)} if name in left_out:
            return name
        case {"Fn::GetAtt": [str(name), str(attribute)]} if name in left_out:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": re.sub(r"\$\{(\w+)[.\w]*\}", lambda m: m[1] if m[1] in left_out else m[0], text)}
        case dict():
            return {key: named(inner, left_out) for key, inner in value.items()}
        case list():
            return [named(inner, left_out) for inner in value]
        case _:
            return value


def values_of(value: Any, key: str) -> Iterator[Any]:
    """Every value below the key, at any depth."""
    match value:
        case dict():
            for name, inner in value.items():
                if name == key:
                    yield inner
                yield from values_of(inner, key)
        case list():
            for inner in value:
                yield from values_of(inner, key)
