"""CodeBuild, as far as a buildspec can tell: its phases, its variables, and what a failure stops.

docs.aws.amazon.com/codebuild, "Build specification reference" and "Build phase transitions": with version 0.2 all
commands run in one shell, a command that fails ends its phase, what follows install and pre_build is then left out, but
post_build follows a failed build.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

PHASES: Final = ("install", "pre_build", "build", "post_build")
KNOWN: Final = {"install": {"runtime-versions", "commands"}, **{name: {"commands"} for name in PHASES[1:]}}
"""The supported keys of a phase. `finally` and `on-failure` are not supported."""

RECORD: Final = "printf '%s\\n' {command} >> {log}"
SCRIPT: Final = """
trap 'status=$?; export -p > {state}/variables; pwd > {state}/folder; exit $status' EXIT
[ ! -f {state}/variables ] || . {state}/variables
cd "$(cat {state}/folder)"
export CODEBUILD_BUILD_SUCCEEDING={succeeding}
{commands}
"""


class UnknownKey(Exception):
    """The buildspec uses an unsupported key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """`commands` are those that were begun, the last of a phase that failed included."""

    name: str
    exit_code: int
    commands: tuple[str, ...]
    output: str

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    phases: tuple[Phase, ...]

    @property
    def succeeded(self) -> bool:
        return all(phase.succeeded for phase in self.phases)

    @property
    def output(self) -> str:
        return "".join(phase.output for phase in self.phases)

    def commands(self, name: str) -> tuple[str, ...]:
        return next((phase.commands for phase in self.phases if phase.name == name), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`source` is the clone, `state` an empty folder outside of it, `variables` are the project's own."""

    source: Path
    state: Path
    variables: Mapping[str, str]
    path: str
    commit: str

    def run(self, buildspec: str = "buildspec.yml") -> Build:
        """
        Raises:
            UnknownKey
        """
        spec = yaml.safe_load((self.source / buildspec).read_text(encoding="utf-8"))
        refuse_unknown(spec)
        (self.state / "folder").write_text(f"{self.source}\n", encoding="utf-8")
        return Build(phases=tuple(self.phases(spec)))

    def phases(self, spec: Mapping[str, Any]) -> Iterator[Phase]:
        # The project's variables are stronger than the buildspec's.
        variables = {**self.of_codebuild(), **spec.get("env", {}).get("variables", {}), **self.variables}
        for name in PHASES:
            if name not in spec["phases"]:
                continue
            phase = self.phase(name, spec["phases"][name].get("commands", []), variables, succeeding=True)
            yield phase
            if not phase.succeeded:
                if name == "build" and "post_build" in spec["phases"]:
                    last = spec["phases"]["post_build"].get("commands", [])
                    yield self.phase("post_build", last, variables, succeeding=False)
                return

    def phase(self, name: str, commands: list[str], variables: Mapping[str, str], *, succeeding: bool) -> Phase:
        log = self.state / f"{name}.commands"
        log.touch()
        lines = [
            f"{RECORD.format(command=shlex.quote(command), log=shlex.quote(str(log)))}\n{command}\n"
            "status=$?; [ $status -eq 0 ] || exit $status"
            for command in commands
        ]
        script = SCRIPT.format(
            state=shlex.quote(str(self.state)), succeeding=int(succeeding), commands="\n".join(lines)
        )
        ended = subprocess.run(
            ["bash", "-c", script],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        begun = tuple(log.read_text(encoding="utf-8").splitlines())
        return Phase(name=name, exit_code=ended.returncode, commands=begun, output=ended.stdout)

    def of_codebuild(self) -> dict[str, str]:
        """docs.aws.amazon.com/codebuild, "Environment variables in build environments"; as in a pipeline's build."""
        project, build = "platform-staging-orders", "11111111-2222-4333-8444-555555555555"
        return {
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:us-east-1:444455556666:build/{project}:{build}",
            "CODEBUILD_BUILD_ID": f"{project}:{build}",
            "CODEBUILD_BUILD_NUMBER": "7",
            "CODEBUILD_CI": "true",
            "CODEBUILD_INITIATOR": f"codepipeline/{project}",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.commit,
            "CODEBUILD_SOURCE_VERSION": f"arn:aws:s3:::{project}-artifacts/source",
            "CODEBUILD_SRC_DIR": str(self.source),
            "HOME": os.environ["HOME"],
            "PATH": self.path,
        }


def refuse_unknown(spec: Mapping[str, Any]) -> None:
    if str(spec["version"]) != "0.2" or spec.get("env", {}).get("shell") != "bash":
        raise UnknownKey("only version 0.2 in bash is supported")
    for name, phase in spec["phases"].items():
        if name not in PHASES or set(phase) - KNOWN[name]:
            raise UnknownKey(f"phases.{name}: {sorted(set(phase) - KNOWN.get(name, set()))}")
