"""Releases against the simulated account: a world to release in, and what a test asks about it afterwards."""

import pickle
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_simulator import AwsSimulator, Behaviour, SteppedClock
from aws_simulator.account_setup import build_account, released
from aws_simulator.ecr import Ecr
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.diagnosis import AwsEvidence
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.context import Interrupts, ReleaseContext
from platform_sdk.deploy.release.events import ReleaseEvent, Shifting
from platform_sdk.deploy.release.execute import execute
from platform_sdk.deploy.release.outcome import IsAncestor, NewImage, Outcome, Release, ReleaseOptions
from platform_sdk.deploy.release.resume import wait
from platform_sdk.deploy.release.rollback import restart, roll_back
from platform_sdk.deploy.release.serving import Serving, serving_of
from platform_sdk.deploy.render.codedeploy import load_appspec_template
from platform_sdk.deploy.render.names import cluster_name, repository_address, service_name, worker_service_name
from platform_sdk.deploy.state import ScalableTarget
from tests.support.repository import FIXTURES

OLD_COMMIT = "0" * 40
NEW_COMMIT = "1" * 40
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@cache
def everything(environment_name: str) -> tuple[Environment, dict[str, ServiceSpec]]:
    specs = {spec.name: spec for spec in load_services(FIXTURES, environment_name)}
    return load_environment(FIXTURES, environment_name), specs


@cache
def built(environment_name: str, service: str, *, before: tuple[str, ...] = ("v0", "v1")) -> bytes:
    """Return a pickled account in which the service has had these good releases."""
    environment, specs = everything(environment_name)
    simulator = AwsSimulator(clock=SteppedClock(START), account_id=environment.account_id, region=environment.region)
    build_account(simulator, FIXTURES, environment, [specs[service]])
    for tag in before:
        released(simulator, FIXTURES, environment, specs[service], tag, commit=OLD_COMMIT)
    return pickle.dumps(simulator)


@dataclass(slots=True, kw_only=True)
class World:
    """One service in an environment of its own; `emitted` are the events of all releases in it."""

    simulator: AwsSimulator
    spec: ServiceSpec
    environment: Environment
    emitted: list[ReleaseEvent] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def push(self, tag: str, behaviour: Behaviour | None = None) -> str:
        """The image's URI; once for each tag."""
        if tag not in self.images:
            ecr, architecture = self.simulator.service(Ecr), self.spec.task.architecture
            self.images[tag] = ecr.push(self.spec.name, tag, behaviour or Behaviour(), architecture=architecture)
        return self.images[tag]

    def know(self, tag: str) -> None:
        """Use the image that was released when the account was built, instead of pushing another one."""
        image = self.simulator.service(Ecr).repositories[self.spec.name].find({"imageTag": tag})
        assert image is not None
        self.images[tag] = f"{repository_address(self.environment, self.spec.name)}:{tag}@{image.digest}"

    def release_of(self, tag: str, image: str, *, commit: str | None = NEW_COMMIT) -> Release:
        self.count += 1
        return Release(
            id=f"r{self.count}",
            kind="release",
            service=self.spec.name,
            environment=self.environment.name,
            version=tag,
            target=NewImage(uri=image),
            commit=commit,
            committed_at=self.simulator.now(),
            by="ci",
        )

    def context(
        self,
        options: ReleaseOptions | None = None,
        *,
        client_of: Callable[[str], Any] | None = None,
        on_event: Callable[[ReleaseEvent], None] = lambda _event: None,
        interrupts: Interrupts | None = None,
        is_ancestor: IsAncestor = lambda _older, _newer: False,
        clock: Clock | None = None,
    ) -> ReleaseContext:
        environment = self.environment
        aws = Aws(client_of or self.simulator.client, account_id=environment.account_id, region=environment.region)

        def emit(event: ReleaseEvent) -> None:
            self.emitted.append(event)
            on_event(event)

        return ReleaseContext(
            spec=self.spec,
            environment=environment,
            options=options or ReleaseOptions(),
            aws_once=aws,
            clock=clock or self.simulator.clock,
            emit=emit,
            evidence=AwsEvidence(aws, self.spec, environment),
            interrupts=interrupts or Interrupts(),
            appspec_template=load_appspec_template(FIXTURES),
            is_ancestor=is_ancestor,
        )

    def deploy(
        self,
        tag: str,
        behaviour: Behaviour | None = None,
        *,
        options: ReleaseOptions | None = None,
        commit: str | None = NEW_COMMIT,
        **given: Any,
    ) -> Outcome:
        release = self.release_of(tag, self.push(tag, behaviour), commit=commit)
        return execute(release, self.context(options, **given))

    def wait(self, deployment_id: str, *, options: ReleaseOptions | None = None, **given: Any) -> Outcome:
        context = self.context(options, **given)
        deployment = context.aws.codedeploy.deployment(deployment_id)
        assert deployment is not None
        return wait(deployment, context)

    def roll_back(self, to: str | None = None, *, options: ReleaseOptions | None = None, **given: Any) -> Outcome:
        self.count += 1
        return roll_back(self.context(options, **given), to=to, by="oncall", id=f"r{self.count}")

    def restart(self, *, options: ReleaseOptions | None = None, **given: Any) -> Outcome:
        self.count += 1
        return restart(self.context(options, **given), by="oncall", id=f"r{self.count}")

    # The result, read from the simulator and not from the release.

    @property
    def aws(self) -> Aws:
        return Aws(self.simulator.client, account_id=self.environment.account_id, region=self.environment.region)

    def serving(self) -> Serving:
        name = service_name(self.spec, self.environment)
        group = self.aws.codedeploy.group(name, name)
        assert group is not None
        service = self.aws.ecs.service(cluster_name(self.environment), name)
        groups = self.aws.load_balancing.target_groups(group.target_groups)
        rules = self.aws.load_balancing.rules(group.production_listener)
        return serving_of(service, rules, tuple(groups.values()))

    def version_serving(self) -> str:
        """Of the version with all the traffic; empty if none has it."""
        serving = self.serving()
        return self.version_of(serving.revision) if serving.percent == 100 else ""

    def version_of(self, revision: str) -> str:
        found = self.aws.ecs.revision(revision)
        return "" if found is None else found.tags.get("platform:version", found.family)

    def worker_version(self) -> str:
        worker = self.aws.ecs.service(cluster_name(self.environment), worker_service_name(self.spec, self.environment))
        return "" if worker is None else self.version_of(worker.task_definition)

    def scaling(self) -> ScalableTarget:
        resource = f"service/{cluster_name(self.environment)}/{service_name(self.spec, self.environment)}"
        return self.aws.scaling.targets([resource])[resource]

    def lock_is_free(self) -> bool:
        item = self.aws.locks.read(f"platform-{self.environment.name}-locks", f"release/{self.spec.name}")
        return item is None or item.expires_at <= self.simulator.now()

    def events(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.emitted if isinstance(event, kind)]


def world(
    service: str = "orders", environment_name: str = "production", *, before: tuple[str, ...] = ("v0", "v1")
) -> World:
    """In production, so that traffic shifts in steps and bakes."""
    environment, specs = everything(environment_name)
    simulator = pickle.loads(built(environment_name, service, before=before))
    return World(simulator=simulator, spec=specs[service], environment=environment)


def with_some_traffic(world: World, act: Callable[[str], object]) -> Callable[[ReleaseEvent], None]:
    """Act once, with the deployment's id, while ten percent of the users are on the new version."""
    done: list[str] = []

    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, Shifting) and event.target is not None and not done:
            replacement = event.target.task_set("Green")
            if replacement is not None and replacement.traffic_percent == 10:
                done.append(event.deployment.id)
                act(event.deployment.id)

    return listen


class Killed(BaseException):
    """In place of `kill -9`: raised by every call of a process that is dead, so none of its cleaning up happens."""


class Process:
    """One that dies after so many writes to AWS. `client_of` is for `World.deploy`."""

    def __init__(self, simulator: AwsSimulator, *, writes: int) -> None:
        self.simulator = simulator
        self.writes = writes
        self.over = False
        self.survived = False

    def client_of(self, service: str) -> Any:
        client = self.simulator.client(service)
        client.meta.events.register_first("before-call", self.refuse_if_dead, unique_id=f"{id(self)}")
        return client

    def refuse_if_dead(self, **_: Any) -> None:
        if not self.over and sum(call.writes for call in self.simulator.calls) >= self.writes:
            raise Killed

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.over = True
        self.survived = kind is None
        return kind is Killed


class ConcurrentReleases:
    """The time of several releases at once: each goes on when its own wait is over, one at a time."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self.wakes: dict[str, datetime] = {}
        self.turn = ""

    def run(self, releases: Mapping[str, tuple[float, Callable[[Clock], Outcome]]]) -> dict[str, Outcome]:
        """Each after so many seconds, by name."""
        ended: dict[str, Outcome] = {}
        begin = self.clock.now()
        self.wakes = {name: begin + timedelta(seconds=seconds) for name, (seconds, _) in releases.items()}

        def play(name: str, release: Callable[[Clock], Outcome]) -> None:
            try:
                self.wait_for(name)
                ended[name] = release(ReleaseClock(self, name))
            finally:
                with self.changed:
                    del self.wakes[name]
                    self.pass_on()

        threads = [threading.Thread(target=play, args=(name, release)) for name, (_, release) in releases.items()]
        for thread in threads:
            thread.start()
        with self.changed:
            self.pass_on()
        for thread in threads:
            thread.join(timeout=120)
        return ended

    def pass_on(self) -> None:
        if self.wakes:
            self.turn = min(self.wakes, key=lambda name: self.wakes[name])
            left = (self.wakes[self.turn] - self.clock.now()).total_seconds()
            if left > 0:
                self.clock.sleep(left)
            self.changed.notify_all()

    def wait_for(self, name: str) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.turn == name, timeout=120)


class ReleaseClock:
    """The clock of one of them."""

    def __init__(self, turns: ConcurrentReleases, name: str) -> None:
        self.turns = turns
        self.name = name

    def now(self) -> datetime:
        return self.turns.clock.now()

    def sleep(self, seconds: float) -> None:
        with self.turns.changed:
            self.turns.wakes[self.name] = self.now() + timedelta(seconds=seconds)
            self.turns.pass_on()
        self.turns.wait_for(self.name)
