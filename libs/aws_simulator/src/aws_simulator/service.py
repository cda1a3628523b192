"""What every simulated service is: its operations as methods, and a step for each second that passes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from aws_simulator.clock import NEVER

if TYPE_CHECKING:
    from aws_simulator.account import Account

Request = Mapping[str, Any]
Answer = dict[str, Any]


class Service:
    """An AWS service. The method `describe_services(request)` is the operation `DescribeServices`; its answer is what
    boto3's caller gets. An operation without a method is unsupported."""

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
        arns = [one for one in nested(request) if isinstance(one, str) and one.startswith("arn:")]
        return tuple(dict.fromkeys(arns))


def nested(value: object) -> Iterator[object]:
    """Yield a value and everything in it, at any depth."""
    yield value
    match value:
        case Mapping():
            for member in value.values():
                yield from nested(member)
        case list() | tuple():
            for member in value:
                yield from nested(member)


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


K = TypeVar("K")
V = TypeVar("V")


def find_or_refuse(kept: Mapping[K, V], key: K, code: str, message: str, *, status: int = 400) -> V:
    """Return the value that a service keeps under a key; where there is none, raise Refused with this code."""
    if key not in kept:
        raise Refused(code, message, status=status)
    return kept[key]


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that have a value: AWS leaves the others out of its answers."""
    return {key: value for key, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How the operations of one service return their answers in pages.

    Args:
        marker: the member of a request that holds the token of the page to return.
        next_marker: the member of an answer that holds the token of the next page.
        size: the member of a request that limits the size of a page.
        invalid: the code with which an invalid token is refused.
    """

    marker: str
    next_marker: str
    size: str
    invalid: str

    def answer(
        self,
        member: str,
        items: Sequence[V],
        request: Request,
        size: int,
        describe: Callable[[V], object] | None = None,
    ) -> Answer:
        """Return one page of items under `member`, and the token of the next page unless it is the last.

        Args:
            size: of a page whose request names no other.
            describe: turns an item into its form in the answer; without it, items are answered as they are.

        Raises:
            Refused: the token is invalid.
        """
        try:
            start = int(request.get(self.marker, 0))
        except ValueError:
            raise Refused(self.invalid, "Invalid token") from None
        end = start + request.get(self.size, size)
        shown = items[start:end]
        answer: Answer = {member: [describe(one) for one in shown] if describe else list(shown)}
        return answer | ({self.next_marker: str(end)} if end < len(items) else {})
