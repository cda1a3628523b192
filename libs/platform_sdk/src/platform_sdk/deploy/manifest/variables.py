"""Tables that become variables of the app: `[environment]` in plain sight, `[secrets]` by reference."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from platform_sdk.contract import LOG_LEVELS, Variable
from platform_sdk.deploy.manifest import forms
from platform_sdk.deploy.manifest.keys import Key, Text
from platform_sdk.deploy.toml_document import Table

LOOKS_LIKE_A_SECRET: Final = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(API|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCESS)_?KEY)$"
)
LOOKS_RANDOM: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{20,}|[0-9a-f]{32,}")
"""What looks random, so it is no name that a person would choose."""

SET_BY_THE_PLATFORM: Final = frozenset(
    value for name, value in vars(Variable).items() if not name.startswith("_") and isinstance(value, str)
)
RESERVED_PREFIXES: Final = ("AWS_", "ECS_", "FLUENT_")
"""Prefixes of variables that Fargate and FireLens set."""


class SecretStore(StrEnum):
    SECRETS_MANAGER = "secrets_manager"
    PARAMETER_STORE = "parameter_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept, below `platform/<environment>/<service>/`; `json_key` picks one value out of JSON."""

    store: SecretStore
    name: str
    json_key: str | None = None


def secret_reference(text: str) -> SecretReference:
    if text.startswith("/"):
        return SecretReference(store=SecretStore.PARAMETER_STORE, name=text.removeprefix("/"))
    name, _, json_key = text.partition(":")
    return SecretReference(store=SecretStore.SECRETS_MANAGER, name=name, json_key=json_key or None)


VARIABLE: Final = Key(
    Text(forms.VARIABLE_VALUE),
    example='"hello"',
    becomes="`environment[]` of the container",
    meaning="Capital letters, digits and underscores. What the platform sets (`platform render` shows it) cannot be "
    'set here, with one exception: LOG_LEVEL is "debug", "info", "warning" or "error", and overrides that of the '
    "environment.",
)
SECRET: Final = Key(
    Text(forms.SECRET_NAME),
    example='"payment:api_key"',
    becomes="`secrets[]` of the container",
    meaning='"name" of Secrets Manager, below platform/<environment>/<service>/; "name:json_key" for one value of a '
    'secret that is a JSON object; or "/path" of Parameter Store, below /platform/<environment>/<service>. Read when a '
    "task starts: a changed secret reaches tasks that start after the change.",
)


def refuse_reserved(table: Table, allowed: frozenset[str] = frozenset({Variable.LOG_LEVEL})) -> None:
    """Refuse variables of the platform and of AWS. LOG_LEVEL is the only one that a team may set."""
    for name in table.values:
        if name in SET_BY_THE_PLATFORM - allowed:
            table.error(name, "is set by the platform", "remove it, or choose another name")
        elif name.startswith(RESERVED_PREFIXES) and name not in allowed:
            table.error(name, "is reserved: AWS sets variables of this prefix in every task", "choose another name")


def refuse_arns(table: Table) -> None:
    """Refuse ARNs and reserved names in `[secrets]`."""
    refuse_reserved(table, frozenset())
    for name, value in table.values.items():
        if isinstance(value, str) and value.startswith("arn:"):
            table.error(name, "must be a name, not an ARN", "the environment adds account, region and prefix")


def check_environment(values: Mapping[str, str], table: Table) -> None:
    for name, value in values.items():
        if LOOKS_LIKE_A_SECRET.search(name) or forms.CONTAINS_A_SECRET.search(value):
            table.error(name, "looks like a secret, which plain variables do not keep", "move it to [secrets]")
    if Variable.LOG_LEVEL in values:
        table.choice(Variable.LOG_LEVEL, LOG_LEVELS)


def check_secrets(values: Mapping[str, str], table: Table) -> None:
    """Refuse what looks like the value of a secret: platform.toml has names only."""
    for name, value in values.items():
        if forms.CONTAINS_A_SECRET.search(value) or LOOKS_RANDOM.fullmatch(value):
            table.error(name, "looks like the secret itself", "give the name under which Secrets Manager keeps it")
