"""What every service of the control plane is: its operations as methods, and a step for each second that passes."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from aws_simulator.clock import NEVER

if TYPE_CHECKING:
    from aws_simulator.account import Account

Request = Mapping[str, Any]
Answer = dict[str, Any]


class Service:
    """An operation `DescribeServices` is the method `describe_services(request)`; what it returns is the answer as
    boto3's caller sees it. An operation without a method is `NotPlayed`.
    """

    NAME: ClassVar[str]
    """As boto3 calls the client."""

    def __init__(self, account: "Account") -> None:
        self.account = account

    @property
    def quiet(self) -> bool:
        """Whether `step` would do nothing until the next call."""
        return True

    @property
    def quiet_until(self) -> datetime:
        """Before which `step` would do nothing; for a service that knows when it goes on by itself."""
        return NEVER if self.quiet else self.account.now()

    def step(self) -> None:
        """A second has passed. Other services may be asked; they are stepped in the order of the table."""

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        """ARNs of what the request is about, as an IAM policy would name them; empty where it names none."""
        return tuple(dict.fromkeys(arns_in(request)))


def arns_in(value: object) -> Iterator[str]:
    """Those that stand in a request, wherever."""
    match value:
        case str() if value.startswith("arn:"):
            yield value
        case Mapping():
            for member in value.values():
                yield from arns_in(member)
        case list() | tuple():
            for member in value:
                yield from arns_in(member)
