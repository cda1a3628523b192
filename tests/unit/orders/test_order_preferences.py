"""The `Prefer` header (RFC 7240) and `Last-Event-ID`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.preferences import preferred_wait_seconds, resume_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=3", 3),
        ("wait=3; strict, respond-async", 3),
        ("wait=3600", 10),
        ("wait=0", 0),
        ("wait=2, wait=4", 2),
    ],
)
def test_wait_is_read_and_shortened(value: str, seconds: float) -> None:
    assert preferred_wait_seconds([value], at_most=10) == seconds


@pytest.mark.parametrize(
    "value", ["", "wait", "wait=", "wait=-1", "wait=soon", "await=5", "wait=5s", "x;wait=5", "é=1"]
)
def test_what_is_no_wait_is_ignored(value: str) -> None:
    assert preferred_wait_seconds([value], at_most=10) is None


def test_the_first_of_several_headers_counts() -> None:
    assert preferred_wait_seconds(["respond-async", "wait=1", "wait=2"], at_most=10) == 1


@given(st.text())
def test_no_header_value_is_an_error(value: str) -> None:
    seconds = preferred_wait_seconds([value], at_most=10)
    assert seconds is None or 0 <= seconds <= 10


@pytest.mark.parametrize(("sent", "after"), [(None, 2), ("1", 1), ("3", 3), ("4", 2), ("0", 2), ("x", 2), ("²", 2)])
def test_a_stream_resumes_after_the_last_event_that_the_client_has_seen(sent: str | None, after: int) -> None:
    assert resume_after(sent, version=3) == after
