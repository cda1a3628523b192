"""In which order resources are made: what names another one, or depends on it, comes after it."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from aws_simulator.cloudformation.intrinsics import named_in
from aws_simulator.cloudformation.template import Resource, Template
from aws_simulator.refused import Refused


def needs_of(resource: Resource) -> frozenset[str]:
    """Logical ids, of parameters too: whoever asks keeps those that are resources."""
    named = (name.partition(".")[0] for _, name in named_in(dict(resource.properties)))
    return frozenset(resource.depends_on).union(named) - {resource.logical_id}


def needs(resources: Mapping[str, Resource]) -> dict[str, frozenset[str]]:
    """By logical id, what has to be there before."""
    return {name: needs_of(resource) & resources.keys() for name, resource in resources.items()}


def refuse_unsound(template: Template) -> None:
    """Raises `Refused` with CloudFormation's words for a name that is nothing, and for a circle."""
    known = template.resources.keys() | template.parameters.keys()
    for resource in template.resources.values():
        unknown = sorted(name for name in needs_of(resource) if name not in known and not name.startswith("AWS::"))
        if unknown:
            raise Refused(
                "ValidationError",
                f"Template format error: Unresolved resource dependencies [{', '.join(unknown)}] in the Resources "
                "block of the template",
            )
    try:
        TopologicalSorter(needs(template.resources)).prepare()
    except CycleError as circle:
        names = ", ".join(sorted(set(circle.args[1])))
        raise Refused("ValidationError", f"Circular dependency between resources: [{names}]") from circle
