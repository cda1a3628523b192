"""One service in one simulated account, with the repository and the processes of the people who operate it."""

import contextlib
import json
import os
import pickle
import re
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account, released
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import VERSION_TAG
from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name
from platform_sdk.deploy.state import LockItem
from tests.histories.processes import Process
from tests.histories.steps import Disturbance, Step
from tests.support.releases import START, Killed, World
from tests.support.repository import FIXTURES

COMMAND: Final = re.compile(r"`(platform [^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What AWS has, read from the simulator. Versions are image tags, or families of placeholders.

    Args:
        percent: the share of the users that the API's primary task set has.
        task_sets: of the API, without those that are being removed.
        running: ids of deployments in progress.
        rolling: whether the worker is being updated.
        deployments: ids of all.
    """

    api: str
    revision: str
    percent: int
    worker: str
    task_sets: int
    running: tuple[str, ...]
    rolling: bool
    suspended: bool
    lock: LockItem | None
    deployments: frozenset[str]

    @property
    def is_busy(self) -> bool:
        return bool(self.running) or self.rolling

    @property
    def is_of_one_version(self) -> bool:
        return self.worker in ("", self.api)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended. `document` is what it printed on stdout as JSON."""

    words: tuple[str, ...]
    exit_code: int
    document: Any
    output: str
    before: Truth
    after: Truth
    disturbed: bool
    killed: bool = False
    error: BaseException | None = None

    @property
    def outcome(self) -> str:
        return str(self.document.get("outcome", "")) if isinstance(self.document, dict) else ""

    @property
    def printed(self) -> list[str]:
        """Return the commands that the output tells the reader to run, the next one first."""
        resume = self.document.get("resume") if isinstance(self.document, dict) else None
        found = [resume] if resume else []
        return list(dict.fromkeys([*found, *COMMAND.findall(self.output)]))


@dataclass(slots=True, kw_only=True)
class Simulation:
    """
    Args:
        healthy: tags of images that were healthy, so users may be on them.
        tags: of all images, in their order.
        excused: why API and worker, or task sets, may differ now: who left them so, and said it or could not.
        kinds: how the tasks of each tag behave.
        processes: that run, the innermost last.
        results: of the current step's commands.
    """

    world: World
    folder: Path
    healthy: set[str]
    tags: list[str]
    excused: str = ""
    next_command: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    nobody: Process = field(init=False)
    """For what is looked at, or done in the console, and by no command."""

    def __post_init__(self) -> None:
        self.nobody = Process(self.world.simulator)

    @property
    def service(self) -> str:
        return self.world.spec.name

    @property
    def environment(self) -> str:
        return self.world.environment.name

    @property
    def name(self) -> str:
        """Of the ECS service, CodeDeploy's application and its group."""
        return service_name(self.world.spec, self.world.environment)

    @property
    def worker(self) -> str:
        return worker_service_name(self.world.spec, self.world.environment)

    @property
    def cluster(self) -> str:
        return cluster_name(self.world.environment)

    @property
    def manifest(self) -> Path:
        return self.folder / "services" / self.service / "platform.toml"

    # Processes

    def run(self, *words: str, disturbance: Disturbance | None = None, typed: str = "") -> Result:
        """Run a command of `platform`, which reads `typed` from stdin, and keep its result."""
        before, environment, clock = self.truth(), self.world.environment, self.world.simulator.clock
        process = Process(self.world.simulator, disturbance)
        aws = Aws(process.client_of, account_id=environment.account_id, region=environment.region)
        if disturbance is not None and disturbance.kind in ("term", "meanwhile"):
            clock.after(disturbance.at, lambda: self.act(disturbance, process))
        self.processes.append(process)
        error: BaseException | None = None
        code, stdout, output = -signal.SIGKILL, "", ""
        try:
            with contextlib.chdir(self.folder):
                ended = CliRunner().invoke(
                    platform, words, obj=Outside(connect=lambda _environment: aws, clock=process), input=typed
                )
            code, stdout, output = ended.exit_code, ended.stdout, ended.output
            error = ended.exception if not isinstance(ended.exception, SystemExit) else None
        except Killed:
            process.killed = True
        finally:
            self.processes.remove(process)
        result = Result(
            words=words,
            exit_code=code,
            document=json_of(stdout),
            output=output,
            before=before,
            after=self.truth(),
            disturbed=disturbance is not None or bool(self.processes),
            killed=process.killed,
            error=error,
        )
        self.results.append(result)
        if result.printed and "--env" in result.printed[0]:
            self.next_command = result.printed[0]
        return result

    def act(self, disturbance: Disturbance, process: Process) -> None:
        if process not in self.processes or process.killed:
            return
        if disturbance.kind == "term":
            if callable(signal.getsignal(signal.SIGTERM)):
                os.kill(os.getpid(), signal.SIGTERM)
        elif disturbance.meanwhile is not None:
            self.take(disturbance.meanwhile)

    def take(self, step: Step) -> None:
        """Take a step."""
        from tests.histories.operations import OPERATIONS

        OPERATIONS[step.name].play(self, step)

    # What is true

    @property
    def aws(self) -> Aws:
        environment = self.world.environment
        return Aws(self.nobody.client_of, account_id=environment.account_id, region=environment.region)

    def truth(self) -> Truth:
        simulator = self.world.simulator
        service = simulator.ecs.ecs_service(self.cluster, self.name)
        primary = service.primary
        group = str(primary.load_balancers[0]["targetGroupArn"])
        worker = simulator.ecs.ecs_services.get(f"{self.cluster}/{self.worker}")
        every = [one for one in simulator.codedeploy.deployments.values() if one.group.service == self.name]
        scaling = simulator.autoscaling.targets[
            "ecs", f"service/{self.cluster}/{self.name}", "ecs:service:DesiredCount"
        ]
        return Truth(
            api=self.version_of(primary.definition.arn),
            revision=primary.definition.arn,
            percent=simulator.elbv2.weight_of(group),
            worker="" if worker is None else self.version_of(worker.definition.arn),
            task_sets=sum(1 for one in service.sets if one.status != "DRAINING"),
            running=tuple(one.id for one in every if one.is_active),
            rolling=worker is not None and any(one.rollout_state == "IN_PROGRESS" for one in worker.sets),
            suspended=any(scaling.suspended.values()),
            lock=self.aws.locks.read(f"platform-{self.environment}-locks", f"release/{self.service}"),
            deployments=frozenset(one.id for one in every),
        )

    def version_of(self, revision: str) -> str:
        if revision not in self.versions:
            found = self.aws.ecs.revision(revision)
            self.versions[revision] = "" if found is None else found.tags.get(VERSION_TAG, found.family)
        return self.versions[revision]


def json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


SHORTER: Final = (
    ("interval_minutes = 5", "interval_minutes = 3"),
    ("bake_minutes = 15", "bake_minutes = 2"),
    ("percent = 20", "percent = 50"),
)
"""Shorter waits, long enough for every alarm: most of a history's time is spent on polls of them."""


def write_repository(folder: Path) -> None:
    """Write the repository of the tests' fixtures, whose services can be edited."""
    for each in ("services", "deploy/environments"):
        shutil.copytree(FIXTURES / each, folder / each)
    for each in ("appspec.yaml", "deploy/cloudformation", "deploy/hooks", "deploy/prices"):
        (folder / each).symlink_to((FIXTURES / each).resolve())
    for manifest in folder.glob("services/*/platform.toml"):
        text = manifest.read_text(encoding="utf-8")
        for before, after in SHORTER:
            text = text.replace(before, after)
        manifest.write_text(text, encoding="utf-8")


@cache
def built(service: str, environment_name: str) -> tuple[bytes, Environment, ServiceSpec]:
    """Return a pickled account with two good releases of the service, and what was released."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "repository"
        write_repository(folder)
        environment = load_environment(folder, environment_name)
        spec = load_spec(folder / "services" / service / "platform.toml", environment_name, root=folder)
        simulator = AwsSimulator(
            clock=SteppedClock(START), account_id=environment.account_id, region=environment.region
        )
        build_account(simulator, folder, environment, [spec])
        for tag in ("v0", "v1"):
            released(simulator, folder, environment, spec, tag)
        simulator.checks_answers = False
        return pickle.dumps(simulator), environment, spec


def simulation(service: str, environment_name: str, folder: Path) -> Simulation:
    """Return one with two good releases, whose files are in `folder`."""
    write_repository(folder)
    pickled, environment, spec = built(service, environment_name)
    begun = World(simulator=pickle.loads(pickled), spec=spec, environment=environment)
    return Simulation(world=begun, folder=folder, healthy={"v0", "v1"}, tags=["v0", "v1"])
