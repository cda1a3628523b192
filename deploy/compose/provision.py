"""The one-off jobs of compose.yaml that run before the migrations; both can be repeated.

generate_secrets ─▶ (PostgreSQL, the AWS endpoint) ─▶ provision ─▶ migrations

A secret is a file, `/secrets/<service>/<VARIABLE>`, in a volume that only that service mounts beside these jobs. On AWS
the same variables come from Secrets Manager.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local_aws.provision import create_queues, ed25519_private_key, prepare_database
from local_aws.servers import ministack
from platform_sdk.contract import Variable
from platform_sdk.deploy.environment import Environment, find_root, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.variables import secrets_of
from platform_sdk.errors import ended_by_errors

SECRETS: Final = Path("/secrets")
SUPERUSER: Final = Path("postgres/POSTGRES_PASSWORD")


def generate_secrets(specs: list[ServiceSpec], environment: Environment, root: Path = SECRETS) -> list[Path]:
    """Create missing secrets of the task definitions. Return the new files."""
    kinds = {SUPERUSER: "password"}
    for spec in specs:
        for variable, reference in secrets_of(spec, environment):
            kind = environment.generated_secrets.get(f"{spec.name}/{reference.name}", "password")
            kinds[Path(spec.name, variable)] = kind
    missing = [path for path in kinds if not (root / path).exists()]
    for path in missing:
        write_secret(root / path, kinds[path])
    return missing


def write_secret(path: Path, kind: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(ed25519_private_key() if kind == "ed25519_private_key" else secrets.token_urlsafe(24))
    new.chmod(0o444)  # its reader is another user, and only that service mounts the volume
    new.rename(path)


def provision(specs: list[ServiceSpec], environment: Environment, variables: Mapping[str, str]) -> None:
    """Create or update roles, schemas and queues.

    Raises:
        PlatformError: the database or the AWS endpoint refused a call, or did not answer.
    """
    names = [spec.name for spec in specs if spec.database is not None]
    passwords = {name: (SECRETS / name / Variable.DATABASE_PASSWORD).read_text() for name in names}
    host, password = variables["POSTGRES_HOST"], (SECRETS / SUPERUSER).read_text()
    url = f"postgresql://postgres:{password}@{host}:5432/postgres"
    asyncio.run(prepare_database(url, specs, environment, passwords=passwords, create=True))
    aws = ministack.connect(variables[Variable.AWS_ENDPOINT_URL], environment.region)
    create_queues(aws, specs, environment)


def main(job: str) -> None:
    root = find_root(Path.cwd())
    environment = load_environment(root, "local")
    specs = list(load_services(root, environment.name))
    match job:
        case "secrets":
            made = [str(path) for path in generate_secrets(specs, environment)]
            sys.stderr.write(f"secrets: {'generated ' + ', '.join(made) if made else 'all exist'}\n")
        case "provision":
            provision(specs, environment, os.environ)
            sys.stderr.write("provision: roles, schemas and queues exist\n")
        case _:
            raise SystemExit(f"there is no job `{job}`; the jobs are secrets and provision")


if __name__ == "__main__":
    with ended_by_errors():
        main(sys.argv[1])
