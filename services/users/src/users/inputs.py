"""The types and bodies that several routes of this service share."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from platform_sdk.runtime.http.inputs import NO_NUL, ResponseModel, Text
from users.model import Role, normalise_email
from users.passwords import COMMON, MAXIMUM_LENGTH, MINIMUM_LENGTH

# The addresses that HTML's <input type=email> takes: ASCII only, so that no two of them look the same.
EMAIL_PATTERN = (
    r"^ *[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)* *$"
)
Email = Annotated[str, Text(254, min_length=3, pattern=EMAIL_PATTERN), AfterValidator(normalise_email)]
Name = Annotated[str, Text(100)]
PasswordText = Annotated[str, Text(MAXIMUM_LENGTH)]
"""A password to check."""
NewPassword = Annotated[
    PasswordText,
    # One that is too short is refused by the rules for passwords, with a problem type of its own.
    WithJsonSchema(
        {
            "type": "string",
            "format": "password",
            "minLength": MINIMUM_LENGTH,
            "maxLength": MAXIMUM_LENGTH,
            "pattern": NO_NUL,
            "not": {"enum": sorted(COMMON)},
        }
    ),
]

AbsentNotNull: TypeAlias = SkipJsonSchema[None]
"""In a PATCH body, for a field that may be left out but not set to null: `name: Name | AbsentNotNull = absent()`."""


def absent() -> Any:
    """Return the default of a field that may be left out; the OpenAPI document shows none."""
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def refuse_null(value: object) -> object:
    """Refuse null. Use in a `field_validator(…, mode="before")` of `AbsentNotNull` fields."""
    if value is None:
        raise ValueError("leave the field out instead of setting it to null")
    return value


class UserOut(ResponseModel):
    """An account as its owner and administrators see it."""

    id: UUID
    email: str
    name: str
    role: Role
    disabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
