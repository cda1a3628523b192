"""Types for what comes from outside: whatever passes them can be stored, compared and sent without surprises.

PostgreSQL cannot store NUL in text, its integers have 4 or 8 bytes, and UTF-8 has no surrogates; JSON can carry all of
these. A request takes its types from here, so that such input ends as a 422 with a pointer and never as a 500.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from annotated_types import Ge, GroupedMetadata, Le, MaxLen, MinLen
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

INT4_MAX = 2**31 - 1
INT8_MAX = 2**63 - 1
NO_NUL = r"^[^\x00]*$"


class RequestModel(BaseModel):
    """Base of request bodies: an unknown member is an error, so that nobody sets a field we did not mean to take."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ResponseModel(BaseModel):
    """Base of response bodies: only declared members leave the service. May be built from an object's attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


@dataclass(frozen=True, slots=True)
class Text(GroupedMetadata):
    """Text of `min_length` to `max_length` characters that PostgreSQL can store: `Annotated[str, Text(100)]`.

    Lone surrogates are refused by pydantic itself; NUL by the pattern, which the OpenAPI document shows too.
    """

    max_length: int
    min_length: int = 1
    pattern: str = NO_NUL

    def __iter__(self) -> Iterator[Any]:
        yield MinLen(self.min_length)
        yield MaxLen(self.max_length)
        yield Field(pattern=self.pattern)


def _refuse_what_is_no_number(value: object) -> object:
    if type(value) not in (int, float):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


@dataclass(frozen=True, slots=True)
class Integer(GroupedMetadata):
    """An integer of a JSON body within bounds, both included: `Annotated[int, Integer(1, 100)]`.

    `true`, `"1"` and `1.5` are no integers, but `1.0` is one: so says JSON Schema, and thus our document. For query and
    path parameters, which are always text, use `Annotated[int, Query(ge=…, le=…)]`.
    """

    minimum: int = 0
    maximum: int = INT4_MAX

    def __iter__(self) -> Iterator[Any]:
        # The bounds first, next to the type: behind a validator they would be missing in the JSON schema.
        yield Ge(self.minimum)
        yield Le(self.maximum)
        yield BeforeValidator(_refuse_what_is_no_number)


Boolean = Annotated[bool, Strict()]
"""`true` or `false`; not 0, 1, "yes" or "off"."""


def _refuse_numbers(value: object) -> object:
    # pydantic would read `0.5`, even as text, as seconds since 1970; RFC 3339 begins with a date.
    if isinstance(value, int | float) or (isinstance(value, str) and value[4:5] != "-"):
        raise ValueError("expected a moment like 2030-01-31T12:00:00Z (RFC 3339)")
    return value


def _storable(moment: datetime) -> datetime:
    # The years at both ends overflow when they are turned into UTC.
    if not 1 < moment.year < 9999:
        raise ValueError("the year must be between 2 and 9998")
    return moment.astimezone(UTC)


Timestamp = Annotated[AwareDatetime, BeforeValidator(_refuse_numbers), AfterValidator(_storable)]
"""A moment with an offset (RFC 3339), turned into UTC."""
