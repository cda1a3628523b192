"""What every simulated service is: its operations as methods, and a step for each second that passes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from aws_simulator.clock import NEVER

if TYPE_CHECKING:
    from aws_simulator.account import Account

Request = Mapping[str, Any]
Answer = dict[str, Any]


class Service:
    """An operation `DescribeServices` is the method `describe_services(request)`; what it returns is the answer as
    boto3's caller sees it. An operation without a method is `UnsupportedOperation`.
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

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
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


# How a service of the simulated account says no: what becomes a ClientError at the caller's.


class Refused(Exception):
    """An error answer of AWS.

    Args:
        code: as the service's API names it: `InvalidParameterException`.
        message: AWS's sentence.
        status: of the HTTP answer.
        detail: members of the modelled error beside its message.
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, detail: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.detail = dict(detail or {})


class UnsupportedOperation(Exception):
    """The simulator does not implement the operation. It is no error of AWS, so nothing catches it."""


# Answers in pages: what a service returns at once, and the token for the rest.

T = TypeVar("T")


def page(items: Sequence[T], token: str | None, size: int, *, refused: str) -> tuple[list[T], str | None]:
    """One page and the token of the next, which is None on the last.

    Raises:
        Refused: with the code `refused`, for a token that this does not make.
    """
    try:
        start = int(token) if token is not None else 0
    except ValueError:
        raise Refused(refused, "Invalid token") from None
    end = start + size
    return list(items[start:end]), str(end) if end < len(items) else None
