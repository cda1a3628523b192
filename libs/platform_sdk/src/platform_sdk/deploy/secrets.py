"""Give secrets new values, and rotate them to the end: new value, restart of the services, old value withdrawn.

A rotation keeps its state in AWS, so that the same command continues one that was interrupted anywhere:

    no version has the label `platform-rotating`    begin: let the new value be accepted too, then write it so labelled
    the current version has it                      restart the services with older tasks, withdraw the value before,
                                                    and remove the label

Between the two, the value before and the new one are both accepted, so tasks of any age work. No value is printed.
"""

import json
import secrets
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from platform_sdk.contract import Variable
from platform_sdk.deploy.apply.after_creation import WAKING_SECONDS, Owner, database_owner
from platform_sdk.deploy.aws import AccessDenied, AwsUnavailable, Throttled
from platform_sdk.deploy.aws.session import Aws, SecretVersion
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.resources import SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import ROTATING, observe_secrets, observe_service
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.render.variables import (
    CACHE_PASSWORD,
    DATABASE_PASSWORD,
    password_literal,
    secret_name,
    secrets_of,
)
from platform_sdk.deploy.state import UsedSecret
from platform_sdk.errors import PlatformError

MAX_BYTES: Final = {SecretStore.SECRETS_MANAGER: 65_536, SecretStore.PARAMETER_STORE: 4096}
"""Of a value (docs.aws.amazon.com: PutSecretValue; PutParameter, standard tier)."""

PASSWORD_LENGTH: Final = 48

CACHE_MINUTES: Final = 15
"""For a change of a user to reach the cache."""
STOP_MINUTES: Final = 10
"""For the original tasks of a restart to finish their requests and stop."""
POLL_SECONDS: Final = 5


class UnknownSecret(PlatformError):
    """The service reads no such secret."""


class UnusableValue(PlatformError):
    """The value cannot be stored, or lacks what tasks read of it."""


class RotationStopped(PlatformError):
    """A rotation is not at its end. The same command continues it. `exit_code` is that of a restart that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretWork:
    """What the functions here need. `command` is the one that a person gave, to be given again."""

    environment: Environment
    aws: Aws
    clock: Clock
    report: Callable[[str], None]
    restart: Callable[[ServiceSpec], Outcome]
    command: str


# One new value.


def full_name(spec: ServiceSpec, environment: Environment, named: str) -> str:
    """Return the name of a secret in AWS, with a slash in front in Parameter Store.

    Args:
        named: as in platform.toml, or the variable that tasks have it in.

    Raises:
        UnknownSecret: with the names that there are.
    """
    found = {
        secret.name: secret for variable, secret in secrets_of(spec, environment) if named in (variable, secret.name)
    }
    if not found:
        known = sorted({secret.name for _, secret in secrets_of(spec, environment)})
        raise UnknownSecret(
            f"{spec.name} reads no secret {named}",
            hint=f"its secrets are {listed(known)}"
            if known
            else "it has none: name them in [secrets] of platform.toml",
        )
    secret = next(iter(found.values()))
    return secret_name(secret, spec, environment)


def refuse_platform_secret(name: str, spec: ServiceSpec, environment: Environment) -> None:
    """Raise UnusableValue for a password that database or cache would refuse."""
    last = name.rpartition("/")[2]
    if last in (DATABASE_PASSWORD.name, CACHE_PASSWORD.name):
        where = "--shared cache" if last == CACHE_PASSWORD.name else f"{spec.name} database"
        raise UnusableValue(
            f"{name} keeps its value",
            because=f"the {last} must accept a new password before tasks use it",
            hint=f"`platform secret rotate {where} --env {environment.name}` makes one and sees to that",
        )


def set_value(spec: ServiceSpec, name: str, value: str, work: SecretWork) -> None:
    """Write a value, which tasks that start from now on read. A secret that does not exist is created.

    Raises:
        UnusableValue, RotationStopped
    """
    _refuse_unusable(spec, name, value, work.environment)
    if name.startswith("/"):
        command = f"aws ssm put-parameter --name {name} --type SecureString --overwrite --value file:///dev/stdin"
        with _permitted(work, "write the parameter", "ssm:PutParameter", command):
            work.aws.parameters.put_secret(name, value)
        return
    _write(name, value, work)


def _refuse_unusable(spec: ServiceSpec, name: str, value: str, environment: Environment) -> None:
    store = SecretStore.PARAMETER_STORE if name.startswith("/") else SecretStore.SECRETS_MANAGER
    last = name.rpartition("/")[2]
    if not value:
        raise UnusableValue(f"{name} keeps its value", because="the new one is empty", hint="give it on stdin")
    if len(value.encode()) > MAX_BYTES[store]:
        raise UnusableValue(f"{name} keeps its value", because=f"AWS takes at most {MAX_BYTES[store]} bytes of it")
    keys = {each.json_key for _, each in secrets_of(spec, environment) if each.name == last and each.json_key}
    missing = sorted(keys - _keys_in(value))
    if missing:
        raise UnusableValue(
            f"{name} keeps its value",
            because=f"tasks read {listed(missing)} of it, and the new one has no such key",
            hint=f"give a JSON object with {listed(sorted(keys))}",
        )


def _keys_in(value: str) -> set[str]:
    try:
        found = json.loads(value)
    except ValueError:
        return set()
    return set(found) if isinstance(found, dict) else set()


def _write(name: str, value: str, work: SecretWork, *, label: str = "") -> None:
    token = uuid4().hex
    command = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string file:///dev/stdin"
    with _permitted(work, f"write the secret {name}", "secretsmanager:PutSecretValue", command):
        if label or work.aws.secrets.current(name) is not None:
            work.aws.secrets.put(name, value, token=token, label=label)
        else:
            work.aws.secrets.create(name, value, token=token)


@contextmanager
def _permitted(work: SecretWork, step: str, needs: str, command: str = "") -> Iterator[None]:
    """Say which permission a step lacks, and how somebody who has it continues."""
    try:
        yield
    except AccessDenied as error:
        other = f", or runs `{command}`" if command else ""
        raise RotationStopped(
            f"nothing changed for running tasks: this role may not {step}",
            because=error.because,
            hint=f"somebody with {needs} runs `{work.command}`{other}",
        ) from error


# Rotation.


def rotate_own(spec: ServiceSpec, name: str, read_value: Callable[[], str], work: SecretWork) -> None:
    """Rotate a secret that the team made. Raises as `rotate_database` does, and UnusableValue."""
    begun = _used(spec, name, work)
    in_progress = begun.older > 0 if name.startswith("/") else begun.is_rotating
    if in_progress:
        work.report(f"{name} has its new value already: continuing")
    else:
        value = read_value()
        _refuse_unusable(spec, name, value, work.environment)
        if name.startswith("/") or work.aws.secrets.current(name) is None:
            set_value(spec, name, value, work)
        else:
            _write(name, value, work, label=ROTATING)
        work.report(f"{name} has its new value")
    _restart_older(spec, name, work)
    _finish(name, work)
    work.report(f"{spec.name} uses the new value; revoke the old one where it was issued: AWS does not know it")


def rotate_database(spec: ServiceSpec, work: SecretWork) -> None:
    """Rotate the password of a service's database role.

    Two roles alternate, as one role has one password: `orders` and `orders_2`, which acts as `orders`. Running tasks
    keep theirs; new tasks get the other one with a new password. At the end both have the new password.

    Raises:
        RotationStopped: with what is accepted now, and how to continue.
        AwsCallFailed
    """
    name = secret_name(DATABASE_PASSWORD, spec, work.environment)
    owner = database_owner(work.environment, work.aws)
    if owner is None:
        raise UnknownSecret("there is no database yet", hint="`platform apply --shared` creates it")
    if _rotation_of(name, work) is None:
        _refuse_fixed_user(spec, work)
        with _permitted(work, f"read the secret {name}", "secretsmanager:GetSecretValue"):
            user = work.aws.secrets.field(name, "username")
        other, password = other_role(spec.name, user), _new_password()
        for sql in login_statements(spec.name, other, password, owner.database, exists=_has_role(other, owner, work)):
            _execute(sql, owner, work)
        _write(name, json.dumps({"username": other, "password": password}), work, label=ROTATING)
        work.report(f"new tasks of {spec.name} log in as {other}, with a new password")
    else:
        work.report(f"{name} has its new password already: continuing")
    _restart_older(spec, name, work)
    with _permitted(work, f"read the secret {name}", "secretsmanager:GetSecretValue"):
        user, password = work.aws.secrets.field(name, "username"), work.aws.secrets.field(name, "password")
    _execute(f'ALTER ROLE "{other_role(spec.name, user)}" PASSWORD {password_literal(password)}', owner, work)
    _finish(name, work)
    work.report(f"the database does not accept the old password of {spec.name} any more")


def other_role(service: str, user: str) -> str:
    """Return the role that the service's tasks do not use now. No service's name contains an underscore."""
    return f"{service}_2" if user == service else service


def _refuse_fixed_user(spec: ServiceSpec, work: SecretWork) -> None:
    """Raise RotationStopped if tasks would log in as the old role with the new password."""
    state = observe_service(spec, work.environment, work.aws)
    for revision in (state.api_revision, state.worker_revision):
        if revision is not None and f'"{Variable.DATABASE_USER}"' not in json.dumps(revision.document):
            raise RotationStopped(
                f"nothing was changed: {spec.name} works with its password",
                because=f"its running revision does not read {Variable.DATABASE_USER}, so it has one role only",
                hint=f"`platform deploy {spec.name} --env {work.environment.name}` once, then `{work.command}`",
            )


def login_statements(service: str, login: str, password: str, database: str, *, exists: bool) -> Iterator[str]:
    """Yield the statements that let a role log in and act as the service's role, which owns the schema."""
    yield f'{"ALTER" if exists else "CREATE"} ROLE "{login}" LOGIN PASSWORD {password_literal(password)}'
    if login != service:
        yield f'GRANT "{service}" TO "{login}"'
        yield f'GRANT CONNECT ON DATABASE "{database}" TO "{login}"'
        # What its sessions create belongs to the service's role.
        yield f'ALTER ROLE "{login}" SET role = "{service}"'


def _has_role(role: str, owner: Owner, work: SecretWork) -> bool:
    return bool(_execute("SELECT 1 FROM pg_roles WHERE rolname = :name", owner, work, role))


def _execute(sql: str, owner: Owner, work: SecretWork, name: str = "") -> list[list[object]]:
    """Run a statement as the database's owner. A paused database takes some time to wake up."""
    deadline = work.clock.now().timestamp() + WAKING_SECONDS
    while True:
        try:
            with _permitted(work, "change roles in the database", "rds-data:ExecuteStatement and the owner's secret"):
                return work.aws.database.execute(
                    "change a role in the database",
                    cluster_arn=owner.cluster_arn,
                    secret_arn=owner.secret_arn,
                    database=owner.database,
                    sql=sql,
                    parameters={"name": name} if name else {},
                )
        except (AwsUnavailable, Throttled):
            if work.clock.now().timestamp() >= deadline:
                raise
            work.report("waiting for the database to wake up")
            work.clock.sleep(POLL_SECONDS)


def rotate_cache(specs: Sequence[ServiceSpec], work: SecretWork) -> None:
    """Rotate the cache's password, which all services share: its user accepts two at once. Raises as
    `rotate_database` does.
    """
    name, user = f"platform/{work.environment.name}/cache", f"platform-{work.environment.name}-default"
    readers = [spec for spec in specs if spec.cache is not None]
    with _permitted(work, f"read the secret {name}", "secretsmanager:GetSecretValue"):
        current = work.aws.secrets.field(name, "password")
    if _rotation_of(name, work) is None:
        password = _new_password()
        _accept(user, [current, password], work)
        _write(name, json.dumps({"password": password}), work, label=ROTATING)
        work.report("the cache accepts the old and the new password")
        current = password
    else:
        work.report(f"{name} has its new password already: continuing")
    for spec in readers:
        copy = secret_name(CACHE_PASSWORD, spec, work.environment)
        with _permitted(work, f"read the secret {copy}", "secretsmanager:GetSecretValue"):
            differs = work.aws.secrets.field(copy, "password") != current
        if differs:
            _write(copy, json.dumps({"password": current}), work, label=ROTATING)
            work.report(f"new tasks of {spec.name} use the new password of the cache")
    for spec in readers:
        _restart_older(spec, secret_name(CACHE_PASSWORD, spec, work.environment), work)
    _accept(user, [current], work)
    for spec in readers:
        _finish(secret_name(CACHE_PASSWORD, spec, work.environment), work)
    _finish(name, work)
    work.report("the cache does not accept the old password any more")


def _accept(user: str, passwords: list[str], work: SecretWork) -> None:
    """Let the cache accept these passwords, and wait until it does."""
    command = f"aws elasticache modify-user --user-id {user} --passwords …"
    with _permitted(work, "change the cache's user", "elasticache:ModifyUser", command):
        _await_active(user, work)
        work.aws.cache_users.set_passwords(user, passwords)
        _await_active(user, work)


def _await_active(user: str, work: SecretWork) -> None:
    deadline = work.clock.now().timestamp() + CACHE_MINUTES * 60
    while not work.aws.cache_users.user(user).is_active:
        if work.clock.now().timestamp() >= deadline:
            raise RotationStopped(
                "nothing changed for running tasks: the cache still accepts the passwords that they use",
                because=f"a change of its user {user} has not reached it in {CACHE_MINUTES} minutes",
                hint=f"`aws elasticache describe-users --user-id {user}` shows it; then `{work.command}` continues",
            )
        work.clock.sleep(POLL_SECONDS)


def _new_password() -> str:
    """Return letters and digits: fit for URLs and ElastiCache."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(PASSWORD_LENGTH))


# The steps that all rotations share.


def _rotation_of(name: str, work: SecretWork) -> SecretVersion | None:
    """Return the version whose rotation has not ended."""
    with _permitted(work, f"read the versions of {name}", "secretsmanager:ListSecretVersionIds"):
        version = work.aws.secrets.current(name)
    return version if version is not None and ROTATING in version.labels else None


def _used(spec: ServiceSpec, name: str, work: SecretWork) -> UsedSecret:
    return next(each for each in observe_secrets(spec, work.environment, work.aws) if each.name == name)


def _restart_older(spec: ServiceSpec, name: str, work: SecretWork) -> None:
    """Restart a service if tasks run that have read an earlier value.

    Raises:
        RotationStopped: the restart failed, or such tasks run on.
    """
    before = _used(spec, name, work)
    if before.older:
        work.report(f"restarting {spec.name}: {before.older} of its {before.tasks} tasks have the old value")
        outcome = work.restart(spec)
        if outcome.exit_code:
            stopped = RotationStopped(
                f"{outcome.what}; the old value and the new one are both accepted",
                because=f"the restart of {spec.name} did not end well ({outcome.kind.replace('_', ' ')})",
                hint=f"remove its cause, then `{work.command}` continues",
            )
            stopped.exit_code = outcome.exit_code
            raise stopped
    left = _await_older(spec, name, work)
    if left:
        raise RotationStopped(
            f"{spec.name} serves; the old value and the new one are both accepted",
            because=f"{left} of its tasks have the old value and run on, such as one of [[tasks]]",
            hint=f"when they have ended, `{work.command}` continues",
        )


def _await_older(spec: ServiceSpec, name: str, work: SecretWork) -> int:
    """Wait for tasks with an earlier value that are stopping, and return how many run on."""
    deadline = work.clock.now().timestamp() + STOP_MINUTES * 60
    while (left := _used(spec, name, work).older) and work.clock.now().timestamp() < deadline:
        work.clock.sleep(POLL_SECONDS)
    return left


def _finish(name: str, work: SecretWork) -> None:
    """Remove the label of a rotation that is at its end."""
    version = None if name.startswith("/") else _rotation_of(name, work)
    if version is not None:
        with _permitted(work, f"remove a label of {name}", "secretsmanager:UpdateSecretVersionStage"):
            work.aws.secrets.remove_label(name, ROTATING, version=version.id)
