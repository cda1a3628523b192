"""What makes, changes and deletes the resources of one type; CloudFormation's operations call it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore import xform_name

from aws_simulator.account import Account
from aws_simulator.models import operation_model
from aws_simulator.service import Answer

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource as its template wants it; `properties` are resolved."""

    account: Account
    stack: str
    logical_id: str
    type: str
    properties: Json

    def name(self, key: str) -> str:
        """The name that the template gives, or one as CloudFormation makes it up."""
        if key in self.properties:
            return str(self.properties[key])
        return f"{self.stack}-{self.logical_id}-{self.account.hexadecimal_id('stack resource', 12).upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What there is: `physical_id` is what Ref gives, `attributes` what Fn::GetAtt does."""

    physical_id: str
    attributes: Mapping[str, str]


class Handler(ABC):
    """Of one type. What it calls may refuse; CloudFormation then rolls back."""

    SECONDS: ClassVar[int] = 1
    """From the call until the resource is complete, if it is stable by then."""

    @abstractmethod
    def create(self, wanted: Wanted) -> Made:
        """Makes the resource."""

    def update(self, wanted: Wanted, made: Made, before: Json) -> Made:
        """Writes the resource whole; `before` are the properties that it was given last."""
        return made

    def delete(self, account: Account, made: Made, properties: Json) -> None:  # noqa: B027 - not every type needs it
        """Nothing to do where nobody reads the resource."""

    def is_stable(self, account: Account, made: Made) -> bool:
        return True


def call(account: Account, service: str, operation: str, values: Json) -> Answer:
    """Performs an operation on another service, with what its request has of the values."""
    shape = operation_model(service, operation).input_shape
    method = getattr(account.services[service], xform_name(operation))
    answer: Answer = method({} if shape is None else fitted(values, shape))
    return answer


def fitted(value: Any, shape: Any) -> Any:
    """A template's value as the API has it: names in the API's case, numbers as numbers; other names left out."""
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
