from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from platform_sdk.runtime.http.inputs import decode_cursor, encode_cursor
from platform_sdk.runtime.http.problems import Problem


def test_a_cursor_gives_back_the_key_it_was_made_of() -> None:
    key = (datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), uuid4(), "TEA", 7)
    cursor = encode_cursor(*key)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor, datetime, UUID, str, int) == key


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "é",
        "a",
        "AAAA",
        "bnVsbA",
        encode_cursor(),
        encode_cursor("x", "y"),
        encode_cursor(1, UUID(int=1)),
        encode_cursor("2026-01-01T00:00:00", UUID(int=1)),
        encode_cursor(datetime(2026, 1, 1, tzinfo=UTC), "x"),
    ],
)
def test_a_foreign_cursor_is_422(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(cursor, datetime, UUID)
    assert caught.value.status == 422


@pytest.mark.parametrize(("part", "kind"), [(2**63, int), (True, int), ("a\x00", str)])
def test_a_cursor_cannot_carry_what_the_database_cannot_hold(part: str | int, kind: type) -> None:
    with pytest.raises(Problem):
        decode_cursor(encode_cursor(part), kind)
