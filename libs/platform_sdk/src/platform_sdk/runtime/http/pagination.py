"""Lists in pages: keyset pagination with an opaque cursor.

A cursor holds the sort key of the last row of a page (`created_at`, `id`), so a page costs the same however deep it
lies, and rows inserted meanwhile neither repeat nor shift the others.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Query

from platform_sdk.runtime.http.inputs import INT8_MAX, ResponseModel
from platform_sdk.runtime.http.problems import Problem, validation_failed

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
    """Turns a row's sort key into an opaque, URL-safe string."""
    # asyncpg's ids are a subclass of UUID, which orjson does not know.
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """Gives back the sort key; `kinds` are its types in order: str, int, UUID or datetime.

    Raises:
        Problem: 422, if the cursor is not one that `encode_cursor` made for these types.
    """
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return _parse(parts, kinds)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise bad_cursor() from None


def bad_cursor() -> Problem:
    return validation_failed([{"detail": "not a cursor of this list", "pointer": "#/query/cursor"}])


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
