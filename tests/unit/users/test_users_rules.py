"""Small rules: locks, email addresses, optional fields."""

import pytest
from pydantic import TypeAdapter, ValidationError

from users.api_addresses import AddressChanges
from users.authentication import LockPolicy
from users.inputs import Email


def test_lock_doubles_with_each_failure_and_never_exceeds_the_longest() -> None:
    policy = LockPolicy(free_failures=3, longest_seconds=60)
    assert [policy.seconds(failures) for failures in range(1, 12)] == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert policy.seconds(10**6) == 60


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
