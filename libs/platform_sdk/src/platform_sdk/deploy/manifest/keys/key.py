"""What one key of platform.toml is: the vocabulary in which the table of all keys is written.

Reading, the JSON Schema, the reference and `platform explain` all work from that table, so none can say otherwise.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from platform_sdk.deploy.toml_document import REQUIRED, Form, Required


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`; `legal` names the few that are legal, and `or_zero` lets 0 mean "off"."""

    low: int
    high: int
    legal: tuple[int, ...] = ()
    or_zero: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not, from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Text:
    form: Form


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts; `unique` where none may stand twice."""

    form: Form
    may_be_empty: bool = False
    unique: bool = False


Kind = Integer | Number | Boolean | Text | Choice | Texts
Default = Required | bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key, or with the name `*` every key of a table whose names the team chooses.

    Args:
        example: its value as TOML.
        default: None where there is none, or where it follows from other keys; `default_text` then says how.
        becomes: the property of AWS that it sets, as completes "Becomes: …".
    """

    name: str
    kind: Kind
    meaning: str
    example: str
    default: Default = REQUIRED
    default_text: str = ""
    becomes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """A table: one, a list of them (`[[tasks]]`), or one for each name that the team chooses (`[queues.orders]`)."""

    name: str
    meaning: str
    keys: "tuple[Key | Group, ...]" = ()
    form: Literal["table", "list", "named"] = "table"
    required: bool = False
    names: Form | None = None
    example: str = ""
    """The name that the reference chooses, of a group with names of the team's."""

    def members(self) -> "Mapping[str, Key | Group]":
        return _members(self)


@cache
def _members(group: Group) -> Mapping[str, Key | Group]:
    return {member.name: member for member in group.keys}


ANY_NAME: Final = "*"


def walk(group: Group, path: str = "") -> "Iterator[tuple[str, Key | Group]]":
    """Every key and table by its dotted path, such as `queues.*.consumes`, in the order of the table."""
    for member in group.keys:
        own = f"{path}.{member.name}" if path else member.name
        yield own, member
        if isinstance(member, Group):
            yield from walk(member, f"{own}.{ANY_NAME}" if member.form == "named" else own)


# What names, paths and other texts of platform.toml may look like.

# The service's name becomes part of names whose limits are 32 (target group) and 63 (database role) characters.
SERVICE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 20 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 20),
)
# A listener rule's path pattern holds 128 characters and treats `*` and `?` as wildcards.
PATH: Final = Form(
    re.compile(r"(/[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+"),
    'lower-case segments such as "/orders", without a slash at the end',
    lengths=(3, 100),
)
# SQS allows 80 characters, of which environment, prefix and "-dead-letter" take their part.
QUEUE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 40 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 40),
)
EVENT_TYPE: Final = Form(
    re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"), 'an event type such as "order.placed"', lengths=(3, 100)
)
ARGUMENT: Final = Form(re.compile(r"[^\x00]+"), "a text that is not empty")
VARIABLE_NAME: Final = Form(
    re.compile(r"[A-Z][A-Z0-9_]*"),
    "capital letters, digits and underscores, starting with a letter",
    lengths=(1, 128),
)
VARIABLE_VALUE: Final = Form(re.compile(r"[^\x00]*"), "a text without NUL")
SECRET_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*(:[A-Za-z0-9_.-]+)?|(/[A-Za-z0-9_.-]+)+"),
    '"name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store',
    lengths=(1, 400),
)
SHORT_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 24 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 24),
)
FUNCTION_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_-]+"),
    'the name of a Lambda function (letters, digits, - and _), "smoke_test" or "none"',
    lengths=(1, 64),
)
HEALTH_PATH: Final = Form(re.compile(r"(/[A-Za-z0-9._~-]+)+"), 'a path such as "/readyz"', lengths=(2, 200))
SCHEDULE: Final = Form(
    re.compile(r"(cron|rate|at)\([^()]+\)"),
    '"cron(…)", "rate(…)" or "at(…)", as AWS writes schedules',
    lengths=(1, 256),
)
TIMEZONE: Final = Form(
    re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"), 'a time zone such as "Europe/Berlin"', lengths=(2, 50)
)
ACTION: Final = Form(re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]*"), 'an action of IAM such as "s3:GetObject"')
RESOURCE: Final = Form(
    re.compile(r"\*|arn:aws(-cn|-us-gov)?:[a-z0-9-]+:[a-z0-9{}_-]*:[a-z0-9{}_]*:[^\s\x00]+"),
    'an ARN such as "arn:aws:s3:::receipts-{environment}/*"',
    lengths=(1, 500),
)


# The task sizes that Fargate offers (docs.aws.amazon.com/AmazonECS, "Fargate task definition differences").

MEMORY_MIB_BY_CPU: Final[Mapping[int, Sequence[int]]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}
"""CPU units (1024 are one vCPU) to the memory sizes in MiB that may go with them."""


def nearest(value: int, legal: Iterable[int]) -> list[int]:
    """The largest legal value below and the smallest above, where they exist."""
    below = [candidate for candidate in legal if candidate < value]
    above = [candidate for candidate in legal if candidate > value]
    return [*below[-1:], *above[:1]]
