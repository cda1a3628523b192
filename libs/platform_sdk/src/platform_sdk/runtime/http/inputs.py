"""Types of request input: `Text`, `Integer`, `Boolean`, `Timestamp`; bodies; pages with a cursor.

PostgreSQL cannot store NUL in text, its integers have 4 or 8 bytes, and UTF-8 has no surrogates; JSON can carry all of
these. With these types such input is a 422 with a pointer, never a 500.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from annotated_types import Ge, GroupedMetadata, Le, MaxLen, MinLen
from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from platform_sdk.runtime.http.problems import validation_failed

INT4_MAX = 2**31 - 1
INT8_MAX = 2**63 - 1
NO_NUL = r"^[^\x00]*$"


class RequestModel(BaseModel):
    """Base of request bodies: an unknown member is an error, so that no client sets a field by accident."""

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


def _require_number(value: object) -> object:
    if type(value) not in (int, float):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


@dataclass(frozen=True, slots=True)
class Integer(GroupedMetadata):
    """An integer of a JSON body within bounds, both included: `Annotated[int, Integer(1, 100)]`.

    As in JSON Schema, `true`, `"1"` and `1.5` are no integers, but `1.0` is one. Query and path parameters
    are always text: use `Annotated[int, Query(ge=…, le=…)]`.
    """

    minimum: int = 0
    maximum: int = INT4_MAX

    def __iter__(self) -> Iterator[Any]:
        # The bounds first, next to the type: behind a validator they would be missing in the JSON schema.
        yield Ge(self.minimum)
        yield Le(self.maximum)
        yield BeforeValidator(_require_number)


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


# Keyset pagination: a cursor holds the sort key of the last row of a page (`created_at`, `id`). Every page costs the
# same, and rows inserted meanwhile neither repeat nor shift the others.

T = TypeVar("T")

PAGE_LIMIT_MAX = 100

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT_MAX, description="how many rows a page holds at most")]
"""Use as `limit: Limit = 20`."""
Cursor = Annotated[
    str | None, Query(max_length=512, pattern=r"^[A-Za-z0-9_-]+$", description="`next_cursor` of the page before")
]
"""Use as `cursor: Cursor = None`."""


class Page(ResponseModel, Generic[T]):
    """One page; `next_cursor` is null on the last one."""

    data: list[T]
    next_cursor: str | None = None


def encode_cursor(*key: str | int | UUID | datetime) -> str:
    """Turn a row's sort key into an opaque, URL-safe string."""
    # asyncpg's ids are a subclass of UUID, which orjson does not know.
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """Return the sort key; `kinds` are its types in order: str, int, UUID or datetime.

    Raises:
        Problem: 422, if the cursor is not one that `encode_cursor` made for these types.
    """
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return _parse(parts, kinds)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise validation_failed([{"detail": "not a cursor of this list", "pointer": "#/query/cursor"}]) from None


def _parse(parts: Any, kinds: Sequence[type]) -> tuple[Any, ...]:
    if not isinstance(parts, list) or len(parts) != len(kinds):
        raise ValueError("wrong number of parts")
    return tuple(_parse_part(part, kind) for part, kind in zip(parts, kinds, strict=True))


def _parse_part(part: Any, kind: type) -> Any:
    if kind is UUID:
        return UUID(part)
    if kind is datetime:
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None or not 1 < moment.year < 9999:
            raise ValueError("not a moment in time")
        return moment
    if type(part) is kind and isinstance(part, int) and abs(part) <= INT8_MAX:
        return part
    if type(part) is kind and isinstance(part, str) and "\x00" not in part:
        return part
    raise ValueError("wrong type")
