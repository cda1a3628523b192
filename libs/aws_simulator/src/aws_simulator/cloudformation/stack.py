"""The state of a stack: its definition, its resources and its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.intrinsics import Scope, condition
from aws_simulator.cloudformation.template import Json, Resource, Template, Value, resolved
from aws_simulator.service import UnsupportedOperation, without_none

STACK_TYPE: Final = "AWS::CloudFormation::Stack"
NOTHING: Final = Template(text="", description="", parameters={}, conditions={}, mappings={}, resources={}, outputs={})
"""The template of a stack that has none yet."""


@dataclass(slots=True, kw_only=True)
class StackResource:
    """One resource of a stack.

    Args:
        given: its resolved properties of the last update, with which the next template is compared.
        physical_id: empty until it has been created.
        needs: logical ids that it depends on.
    """

    definition: Resource
    given: Json
    physical_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    reason: str = ""
    changed: datetime
    needs: frozenset[str] = frozenset()

    @property
    def logical_id(self) -> str:
        return self.definition.logical_id

    @property
    def failed(self) -> bool:
        """Whether the last operation left it failed: then it is written again whatever its text."""
        return self.status.endswith("_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDefinition:
    """The definition of a stack: a template with its values, tags, capabilities and role."""

    template: Template
    values: Mapping[str, Value]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...]
    role_arn: str | None

    def scope(self, account: Account, stack: "Stack", lookup: "Existing") -> Scope:
        """Return the scope of this template's functions."""
        return Scope(
            values={**resolved(self.values), **pseudo_parameters(account, stack)},
            conditions=self.template.conditions,
            mappings=self.template.mappings,
            reference=lookup.reference,
            attribute=lookup.attribute,
        )

    def differs_beside_resources(self, other: "StackDefinition") -> bool:
        """Return whether tags or outputs differ: a change of these is an update, too."""
        return (self.tags, self.template.outputs) != (other.tags, other.template.outputs)

    def wanted(self, scope: Scope) -> dict[str, Resource]:
        """Return the resources whose condition holds."""
        return {
            name: resource
            for name, resource in self.template.resources.items()
            if resource.condition is None or condition(resource.condition, scope)
        }


class Existing:
    """`Ref` and `Fn::GetAtt` of the resources that a stack has."""

    def __init__(self, stack: "Stack") -> None:
        self._stack = stack

    def reference(self, name: str) -> Any:
        """Return what `Ref` gives."""
        return self._stack.resources[name].physical_id

    def attribute(self, name: str, attribute: str) -> Any:
        """Return what `Fn::GetAtt` gives.

        Raises:
            UnsupportedOperation: the simulator does not make up this attribute.
        """
        resource = self._stack.resources[name]
        if attribute not in resource.attributes:
            raise UnsupportedOperation(f"attribute {attribute} of {resource.definition.type}")
        return resource.attributes[attribute]


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack.

    Args:
        definition: that of the last operation, even while it runs.
        outputs: resolved.
        events: as DescribeStackEvents returns them, the oldest first.
    """

    name: str
    id: str
    created: datetime
    definition: StackDefinition
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    updated: datetime | None = None
    deleted: datetime | None = None
    policy: str | None = None
    protected: bool = False
    change_set_id: str | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: dict[str, Json] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def add_event(self, at: datetime, status: str, reason: str = "", token: str | None = None) -> None:
        """Change the stack's status, as an event."""
        self.status, self.reason = status, reason
        self._append(self.name, self.id, STACK_TYPE, at, status, reason, token)

    def add_resource_event(
        self, resource: StackResource, at: datetime, status: str, reason: str = "", token: str | None = None
    ) -> None:
        """Change a resource's status, as an event."""
        resource.status, resource.reason, resource.changed = status, reason, at
        kind = resource.definition.type
        self._append(resource.logical_id, resource.physical_id, kind, at, status, reason, token)

    def _append(
        self, logical_id: str, physical_id: str, kind: str, at: datetime, status: str, reason: str, token: str | None
    ) -> None:
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "EventId": f"{logical_id}-{status}-{len(self.events) + 1:06d}",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Timestamp": at,
            "ResourceStatus": status,
            "ResourceStatusReason": reason or None,
            "ClientRequestToken": token,
        }
        self.events.append(without_none(event))


def pseudo_parameters(account: Account, stack: Stack) -> dict[str, Any]:
    """Return the parameters that every template has.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    """
    return {
        "AWS::AccountId": account.account_id,
        "AWS::Region": account.region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack.name,
        "AWS::StackId": stack.id,
        "AWS::NotificationARNs": [],
    }
