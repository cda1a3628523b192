"""Count the AWS calls of `platform plan`, and measure its own time without waiting for AWS.

The region is in memory and answers real clients, so a call costs the time of boto3 and of our code, without a
network. It holds twenty generated services (generated.py), all released, of which each is planned five times: a hundred
plans. Making a region of a hundred would take minutes.
"""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account, released
from benchmarks.generated import ROOT, generate
from benchmarks.table import Row
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.cost.prices import load_assumptions, load_prices
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.observe import observe_services
from platform_sdk.deploy.output.plan import as_text
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.cost import CostBasis

ROUNDS, SERVICES, PLANS = 5, 20, 100
ENVIRONMENT = load_environment(ROOT, "production")


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="platform-bench-") as folder:
        generate(Path(folder), SERVICES)
        specs = load_services(Path(folder), ENVIRONMENT.name)
    simulator = AwsSimulator(clock=SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC)))
    build_account(simulator, ROOT, ENVIRONMENT, specs)
    for spec in specs:
        released(simulator, ROOT, ENVIRONMENT, spec, "1.4.2")
    aws = Aws(simulator.client, account_id=ENVIRONMENT.account_id, region=ENVIRONMENT.region)
    cost = CostBasis(
        assumptions=load_assumptions(ROOT, ENVIRONMENT.name, load_services(ROOT, ENVIRONMENT.name)),
        prices=load_prices(ROOT, ENVIRONMENT.region),
    )
    observing, planning, calls = [], [], []
    for _ in range(ROUNDS):
        simulator.calls.clear()
        start = time.perf_counter()
        states = observe_services(specs, ENVIRONMENT, aws)
        observed = time.perf_counter()
        every = [spec for _ in range(PLANS // SERVICES) for spec in specs]
        plans = [plan_service(spec, ENVIRONMENT, states[spec.name], cost=cost) for spec in every]
        as_text(plans)
        planning.append(1000 * (time.perf_counter() - observed))
        observing.append(1000 * (observed - start))
        calls.append(float(len(simulator.calls)))
        assert not any(plan.exit_code for plan in plans), "what was released is as it should be"
    return [
        Row(f"plan and report, {PLANS} services", "ms", planning, aim="2,000 ms"),
        Row(f"read {SERVICES} services, without a network", "ms", observing),
        Row(f"calls of AWS to read {SERVICES} services", "calls", calls, aim="8 a service"),
    ]
