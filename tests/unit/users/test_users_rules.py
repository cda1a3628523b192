"""Small rules: locks, client addresses, email addresses, optional fields."""

import pytest
from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from users.api_addresses import AddressChanges
from users.authentication import LockPolicy
from users.inputs import Email
from users.rate_limits import client_network


def test_lock_doubles_with_each_failure_and_never_exceeds_the_longest() -> None:
    policy = LockPolicy(free_failures=3, longest_seconds=60)
    assert [policy.seconds(failures) for failures in range(1, 12)] == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert policy.seconds(10**6) == 60


@pytest.mark.parametrize(
    ("forwarded", "network"),
    [
        (None, "10.0.0.9"),
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("not an address", "10.0.0.9"),
    ],
)
def test_client_is_who_the_load_balancer_saw(forwarded: str | None, network: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.9", 4711)})
    assert client_network(request) == network


@pytest.mark.parametrize(
    "text", ["ada@example.com", "Ada@Example.COM", " ada@example.com ", "a.d+a@sub.example.co.uk", "a@localhost"]
)
def test_email_address_is_normalised(text: str) -> None:
    email = TypeAdapter(Email).validate_python(text)
    assert email == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "ada@-example.com", "ädä@example.com", "a b@example.com", "a@b@c", "a@b\n"],
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(text)


def test_null_empties_only_the_fields_that_may_be_empty() -> None:
    assert AddressChanges.model_validate({"line2": None}).model_dump(exclude_unset=True) == {"line2": None}
    with pytest.raises(ValidationError, match="leave the field out"):
        AddressChanges.model_validate({"line1": None})


def test_optional_fields_are_not_documented_as_nullable() -> None:
    line1 = AddressChanges.model_json_schema()["properties"]["line1"]
    assert (line1["type"], "default" in line1) == ("string", False)
