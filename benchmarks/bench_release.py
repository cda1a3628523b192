"""Count the AWS calls of a release, and measure its time beyond CodeDeploy's, in simulated and in real time.

The region is in memory, with a clock that is stepped: waiting costs nothing, and seconds of AWS's are counted, not
waited for. The service is `orders` in production: a worker, a canary of five minutes, fifteen minutes of bake time.
"""

import time
from datetime import UTC, datetime

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account, released
from aws_simulator.ecr import Ecr
from benchmarks.generated import ROOT
from benchmarks.table import Row
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.diagnosis import AwsEvidence
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.release.context import Interrupts, ReleaseContext
from platform_sdk.deploy.release.events import Emit, Migrating, ReleaseEvent, TrafficShifted
from platform_sdk.deploy.release.execute import execute
from platform_sdk.deploy.release.outcome import NewImage, Outcome, Release, ReleaseOptions
from platform_sdk.deploy.render.codedeploy import load_appspec_template

ROUNDS = 5
ENVIRONMENT = load_environment(ROOT, "production")
SPEC = next(spec for spec in load_services(ROOT, ENVIRONMENT.name) if spec.name == "orders")


def run() -> list[Row]:
    simulator = AwsSimulator(
        clock=SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC)),
        account_id=ENVIRONMENT.account_id,
        region=ENVIRONMENT.region,
    )
    build_account(simulator, ROOT, ENVIRONMENT, [SPEC])
    released(simulator, ROOT, ENVIRONMENT, SPEC, "before")
    found = [measured(simulator, f"version-{number}") for number in range(ROUNDS)]
    before, shifting, baking, beyond, own = (list(samples) for samples in zip(*found, strict=True))
    return [
        Row("calls of AWS of a release, before its first wait", "calls", before),
        Row("calls of AWS in a minute, while traffic shifts", "calls", shifting),
        Row("calls of AWS in a minute, while it bakes", "calls", baking),
        Row("a release's end after CodeDeploy's", "s", beyond, aim="15 s"),
        Row("own work in a release of 23 minutes, without a network", "ms", own),
    ]


def measured(simulator: AwsSimulator, tag: str) -> tuple[float, float, float, float, float]:
    """Calls before the first wait, in a minute of the shift and of the bake; seconds beyond CodeDeploy; own work."""
    image = simulator.service(Ecr).push(SPEC.name, tag, architecture=SPEC.task.architecture)
    simulator.calls.clear()
    marks: dict[str, int] = {}

    def note(event: ReleaseEvent) -> None:
        match event:
            case Migrating():
                marks.setdefault("waits", len(simulator.calls))
            case TrafficShifted():
                marks["shifted"] = len(simulator.calls)

    start = time.process_time()
    outcome = release(simulator, tag, image, note)
    own = 1000 * (time.process_time() - start)
    assert outcome.exit_code == 0, outcome.what
    created = next(index for index, call in enumerate(simulator.calls) if call.operation == "CreateDeployment")
    shift, bake = (next(stage.seconds for stage in outcome.stages if stage.name == name) for name in ("shift", "bake"))
    deployment = simulator.codedeploy.deployments[outcome.deployment_id]
    assert deployment.completed_at is not None
    return (
        float(marks["waits"]),
        (marks["shifted"] - created) / (shift / 60),
        (len(simulator.calls) - marks["shifted"]) / (bake / 60),
        (outcome.ended_at - deployment.completed_at).total_seconds(),
        own,
    )


def release(simulator: AwsSimulator, tag: str, image: str, emit: Emit) -> Outcome:
    aws = Aws(simulator.client, account_id=ENVIRONMENT.account_id, region=ENVIRONMENT.region)
    context = ReleaseContext(
        spec=SPEC,
        environment=ENVIRONMENT,
        options=ReleaseOptions(),
        aws_once=aws,
        clock=simulator.clock,
        emit=emit,
        evidence=AwsEvidence(aws, SPEC, ENVIRONMENT),
        interrupts=Interrupts(),
        appspec_template=load_appspec_template(ROOT),
        is_ancestor=lambda _older, _newer: None,
    )
    wanted = Release(
        id=tag.replace("-", ""),
        kind="release",
        service=SPEC.name,
        environment=ENVIRONMENT.name,
        version=tag,
        target=NewImage(uri=image),
        commit=None,
        committed_at=None,
        by="bench",
    )
    return execute(wanted, context)
