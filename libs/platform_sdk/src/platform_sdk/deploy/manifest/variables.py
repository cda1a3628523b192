"""The tables that become variables of the app container: `[environment]` in plain sight, `[secrets]` by reference."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from platform_sdk.contract import LOG_LEVELS, Variable
from platform_sdk.deploy.manifest.described import Described
from platform_sdk.deploy.manifest.types import SecretReference, SecretStore

LOOKS_LIKE_A_SECRET: Final = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(API|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCESS)_?KEY)$"
)
CONTAINS_A_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access key ids
    r"|\bgh[pousr]_[A-Za-z0-9]{36}"  # GitHub tokens
    r"|\b[rs]k_live_[A-Za-z0-9]{16}"  # Stripe keys
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."  # signed JWTs
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"  # URLs with a password
)

MADE_BY_CHANCE: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9]{20,}|[0-9a-f]{32,}")
"""No name that a person would choose."""

SET_BY_THE_PLATFORM: Final = frozenset(
    value for name, value in vars(Variable).items() if not name.startswith("_") and isinstance(value, str)
)
RESERVED_PREFIXES: Final = ("AWS_", "ECS_", "FLUENT_")
"""What Fargate and FireLens put into a container themselves."""


def read_environment(table: Described) -> Mapping[str, str]:
    """`[environment]`; LOG_LEVEL is the one variable of the platform's own that a team may set here."""
    variables = {}
    for name in table.names():
        refuse_reserved(table, name, allowed={Variable.LOG_LEVEL})
        value = table.text(name)
        if LOOKS_LIKE_A_SECRET.search(name) or CONTAINS_A_SECRET.search(value):
            table.fault(name, "looks like a secret, which plain variables do not keep", "move it to [secrets]")
        if name == Variable.LOG_LEVEL:
            table.table.choice(name, LOG_LEVELS)
        variables[name] = value
    return MappingProxyType(variables)


def read_secrets(table: Described, environment: Mapping[str, str]) -> Mapping[str, SecretReference]:
    """`[secrets]`: names of secrets, never their values."""
    references = {}
    for name in table.names():
        refuse_reserved(table, name)
        if name in environment:
            table.fault(name, "is in [environment] as well; ECS refuses a name given twice", "remove one of them")
        references[name] = secret_reference(table, name)
    return MappingProxyType(references)


def secret_reference(table: Described, name: str) -> SecretReference:
    value = table.table.values[name]
    if isinstance(value, str) and value.startswith("arn:"):
        table.fault(name, "must be a name, not an ARN", "the environment adds account, region and prefix")
        return SecretReference(store=SecretStore.SECRETS_MANAGER, name="")
    text = table.text(name)
    if CONTAINS_A_SECRET.search(text) or MADE_BY_CHANCE.fullmatch(text):
        table.fault(name, "looks like the secret itself", "give the name under which Secrets Manager keeps it")
    if text.startswith("/"):
        return SecretReference(store=SecretStore.PARAMETER_STORE, name=text.removeprefix("/"))
    secret, _, json_key = text.partition(":")
    return SecretReference(store=SecretStore.SECRETS_MANAGER, name=secret, json_key=json_key or None)


def refuse_secrets_in(table: Described, key: str, texts: tuple[str, ...] | None) -> None:
    """In the words of a command, which anybody may read who may see the task definition."""
    for index, text in enumerate(texts or ()):
        if CONTAINS_A_SECRET.search(text):
            table.fault((key, index), "looks like a secret, which commands do not keep", "read it from a variable")


def refuse_reserved(table: Described, name: str, allowed: frozenset[str] | set[str] = frozenset()) -> None:
    if name in SET_BY_THE_PLATFORM - allowed:
        table.fault(name, "is set by the platform", "remove it, or choose another name")
    elif name.startswith(RESERVED_PREFIXES) and name not in allowed:
        table.fault(name, "is reserved: AWS sets variables of this prefix in every task", "choose another name")
