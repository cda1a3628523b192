"""Build, push, apply and deploy each changed service. CodeBuild runs this on merge.

    release.py build     build the image for the tests, unless the registry has it
    release.py push      push the image to the registry and wait for its scan
    release.py deploy    update the service's stack, then release the image

ENVIRONMENT names the environment, and SERVICE the service of the pipeline. Without SERVICE, the script takes the
services that the commits since SINCE touch, or all; an untouched service has nothing to do. It writes reports/, stops
at the first command that fails, and exits with its code.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.build.publish import changes_since, read_record
from platform_sdk.deploy.environment import find_root
from platform_sdk.errors import PlatformError, ended_by_errors

REPORTS: Final = Path("reports")
NOTHING_TO_DO: Final = 10


def main(arguments: list[str], variables: Mapping[str, str], outside: Outside | None = None) -> int:
    """Run the commands of `platform` in this process, for the repository of the current folder. Return the exit code.

    Raises:
        PlatformError: wrong arguments, or an earlier phase of the build failed.
    """
    if len(arguments) != 1 or arguments[0] not in ("build", "push", "deploy"):
        raise PlatformError("name one of build, push and deploy", hint="for example `release.py push`")
    if variables.get("CODEBUILD_BUILD_SUCCEEDING") == "0":
        raise PlatformError("nothing is released", because="an earlier phase of this build failed")
    root, environment = find_root(Path.cwd()), variables.get("ENVIRONMENT", "")
    for service in services(root, environment, variables):
        for command in commands(arguments[0], root, service):
            sys.stderr.write(f"+ platform {' '.join(command)}\n")
            code = platform.main([*command, "--env", environment], "platform", standalone_mode=False, obj=outside)
            if code not in (None, 0, NOTHING_TO_DO):
                return int(code)
    return 0


def services(root: Path, environment: str, variables: Mapping[str, str]) -> list[str]:
    if variables.get("SERVICE"):
        return [variables["SERVICE"]]
    changes = changes_since(root, variables.get("SINCE") or None, environment)
    return [one.service for one in changes.services]


def commands(stage: str, root: Path, service: str) -> Iterator[list[str]]:
    match stage:
        case "build":
            yield ["build", service, "--if-missing"]
        case "push":
            yield ["build", service, "--push"]
        case _:
            record = read_record(root, service)
            if record is None:
                raise PlatformError(f"no image of {service} was pushed", hint="run `release.py push` first")
            yield ["apply", service, "--yes"]
            report = str(root / REPORTS / f"release-{service}")
            reports = ["--record", f"{report}.json", "--summary", f"{report}.md", "--junit", f"{report}.xml"]
            yield ["deploy", service, "--image", str(record["tag"]), *reports]


if __name__ == "__main__":
    with ended_by_errors():
        sys.exit(main(sys.argv[1:], os.environ))
