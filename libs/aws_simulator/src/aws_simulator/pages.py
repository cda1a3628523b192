"""Answers in pages: what a service returns at once, and the token for the rest."""

from collections.abc import Sequence
from typing import TypeVar

from aws_simulator.refused import Refused

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
