"""Systems Manager's Parameter Store: what stacks tell each other, and what tasks are given."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.service import Answer, Refused, Request, Service

PAGE: Final = 10
"""What GetParametersByPath returns at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    type: str
    value: str
    version: int
    modified: datetime


class Ssm(Service):
    """By name; values of SecureString are kept as they are, and shown only with `WithDecryption`."""

    NAME: ClassVar[str] = "ssm"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.parameters: dict[str, Parameter] = {}

    def put(self, name: str, value: str, kind: str = "String") -> Parameter:
        """Creates the parameter, or gives it another value and version."""
        known = self.parameters.get(name)
        self.parameters[name] = Parameter(
            name=name,
            type=kind,
            value=value,
            version=1 if known is None else known.version + 1,
            modified=self.account.now(),
        )
        return self.parameters[name]

    def put_parameter(self, request: Request) -> Answer:
        name = request["Name"]
        if name in self.parameters and not request.get("Overwrite", False):
            raise Refused(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to "
                "true.",
            )
        kind = request.get("Type") or (self.parameters[name].type if name in self.parameters else "String")
        return {"Version": self.put(name, request["Value"], kind).version, "Tier": request.get("Tier", "Standard")}

    def get_parameter(self, request: Request) -> Answer:
        found = self.parameters.get(self._name(request["Name"]))
        if found is None:
            raise Refused("ParameterNotFound", "")
        return {"Parameter": self._shown(found, request)}

    def get_parameters(self, request: Request) -> Answer:
        names: list[str] = request["Names"]
        found = [self.parameters[self._name(name)] for name in names if self._name(name) in self.parameters]
        missing = [name for name in names if self._name(name) not in self.parameters]
        shown: Answer = {"Parameters": [self._shown(one, request) for one in found]}
        # AWS's model allows no empty list of them.
        return shown | {"InvalidParameters": missing} if missing else shown

    def get_parameters_by_path(self, request: Request) -> Answer:
        """In pages of ten; the token is the name at which the next page starts."""
        path = request["Path"].rstrip("/") + "/"
        below = sorted(name for name in self.parameters if name.startswith(path))
        if not request.get("Recursive", False):
            below = [name for name in below if "/" not in name.removeprefix(path)]
        below = [name for name in below if name >= request.get("NextToken", "")]
        size = request.get("MaxResults", PAGE)
        answer: Answer = {"Parameters": [self._shown(self.parameters[name], request) for name in below[:size]]}
        return answer | ({"NextToken": below[size]} if len(below) > size else {})

    def delete_parameter(self, request: Request) -> Answer:
        if self.parameters.pop(request["Name"], None) is None:
            raise Refused("ParameterNotFound", "")
        return {}

    def values_of(self, names: Iterable[str]) -> dict[str, str]:
        """By name, without those that are not there."""
        return {name: self.parameters[name].value for name in names if name in self.parameters}

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        named = request.get("Names") or [request[key] for key in ("Name", "Path") if key in request]
        return tuple(self._arn(self._name(name)) for name in named)

    def _arn(self, name: str) -> str:
        return self.account.arn("ssm", f"parameter/{name.removeprefix('/')}")

    def _name(self, name: str) -> str:
        """A parameter may be asked for by its ARN."""
        return "/" + name.partition(":parameter/")[2] if name.startswith("arn:") else name

    def _shown(self, parameter: Parameter, request: Request) -> Answer:
        secret = parameter.type == "SecureString" and not request.get("WithDecryption", False)
        shown = replace(parameter, value=f"encrypted:{parameter.version}") if secret else parameter
        return {
            "Name": shown.name,
            "Type": shown.type,
            "Value": shown.value,
            "Version": shown.version,
            "LastModifiedDate": shown.modified,
            "ARN": self._arn(shown.name),
            "DataType": "text",
        }
