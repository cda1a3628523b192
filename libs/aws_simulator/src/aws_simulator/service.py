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
    """An AWS service. The method `describe_services(request)` is the operation `DescribeServices`; its answer is what
    boto3's caller gets. An operation without a method is unsupported."""

    NAME: ClassVar[str]
    """The name of the boto3 client."""

    def __init__(self, account: "Account") -> None:
        self.account = account

    @property
    def quiet(self) -> bool:
        """Whether `step` does nothing until the next call."""
        return True

    @property
    def quiet_until(self) -> datetime:
        """The time before which `step` does nothing, for a service that knows when it acts next."""
        return NEVER if self.quiet else self.account.now()

    def step(self) -> None:
        """Act after a second has passed. Services are stepped in the order of `client.SERVICES`."""

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        """Return the ARNs that IAM checks for the request; empty where it names none."""
        return tuple(dict.fromkeys(arns_in(request)))


def arns_in(value: object) -> Iterator[str]:
    """Yield all ARNs in a request."""
    match value:
        case str() if value.startswith("arn:"):
            yield value
        case Mapping():
            for member in value.values():
                yield from arns_in(member)
        case list() | tuple():
            for member in value:
                yield from arns_in(member)


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


T = TypeVar("T")


def page(items: Sequence[T], token: str | None, size: int, *, refused: str) -> tuple[list[T], str | None]:
    """Return one page and the token of the next, which is None on the last.

    Raises:
        Refused: with the code `refused`, for an invalid token.
    """
    try:
        start = int(token) if token is not None else 0
    except ValueError:
        raise Refused(refused, "Invalid token") from None
    end = start + size
    return list(items[start:end]), str(end) if end < len(items) else None
