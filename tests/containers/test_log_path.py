"""The way of a log line up to the door of the sidecar: from a service's image, through the log driver of its container.

FireLens is Docker's fluentd driver; here a receiver stands in the place of Fluent Bit. The sidecars' own lines, and the
app's where it has no log router, take Docker's awslogs driver straight to CloudWatch Logs; here to the laptop's.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import boto3
import pytest

from local_aws.processes import free_port
from local_aws.servers.ministack import AwsServer
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.runtime.process.logging import MAX_LINE_BYTES
from tests.containers.conftest import Image
from tests.support.containers import docker
from tests.support.forward_protocol import Receiver
from tests.support.local_stack import wait_for
from tests.support.log_drivers import app_of, awslogs_options, firelens_tag, fluentd_options
from tests.support.repository import FIXTURES

LABEL: Final = "platform-test=log-path"
BURST: Final = 5000

PROGRAM: Final = """
import logging, sys
from platform_sdk.runtime.process.logging import configure_logging
from platform_sdk.runtime.process.settings import ServiceSettings, load_settings
configure_logging(load_settings(ServiceSettings))
for number in range({lines}):
    logging.getLogger("test").info("line %d%s", number, "." * {padding})
"""


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    """The app container of orders in production."""
    return orders_app(log_router=True)


def orders_app(*, log_router: bool) -> dict[str, Any]:
    [spec] = [spec for spec in load_services(FIXTURES, "production") if spec.name == "orders"]
    router = replace(spec.sidecars.log_router, enabled=log_router)
    spec = replace(spec, sidecars=replace(spec.sidecars, log_router=router))
    return app_of(render_task_definition(spec, load_environment(FIXTURES, "production"), image="orders:built"))


@pytest.fixture
def receiver(engine: None) -> Iterator[Receiver]:
    """A socket's path has at most 107 bytes, which rules out pytest's folders."""
    folder = Path(tempfile.mkdtemp(prefix="firelens-"))
    yield Receiver(folder / "fluent.sock")
    shutil.rmtree(folder)


@contextmanager
def started(app: dict[str, Any], image: str, log_options: list[str], *command: str) -> Iterator[str]:
    """A container of the app, without the servers around it; yields its name and removes it."""
    name = f"platform-test-{uuid4().hex[:8]}"
    variables = [word for pair in app["environment"] for word in ("--env", f"{pair['name']}={pair['value']}")]
    options = ["--detach", "--name", name, "--label", LABEL, "--read-only", "--cap-drop", "ALL", "--init"]
    variables += ["--env", "DATABASE_PASSWORD=none", "--env", "AWS_ACCESS_KEY_ID=none", "--env", "REDIS_PASSWORD=none"]
    try:
        docker("run", *options, *variables, *log_options, image, *(command or app["command"]))
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def ended(container: str) -> int:
    return int(docker("wait", container, timeout_seconds=120))


def written(container: str) -> list[str]:
    """What the engine itself has kept of the container's output."""
    return docker("logs", container).splitlines()


def messages(lines: list[str]) -> list[str]:
    return [json.loads(line)["message"] for line in lines]


def test_every_line_of_a_service_arrives_whole_until_its_end(
    image: Image, app: dict[str, Any], receiver: Receiver
) -> None:
    options = fluentd_options(app, task_id="0123456789abcdef", socket=receiver.address)
    with receiver.listening(), started(app, image("orders"), options) as name:
        wait_for(lambda: len(receiver.events) > 0, 30, "the first line of orders")
        docker("stop", "--time", "30", name)
        expected = written(name)
        wait_for(lambda: len(receiver.events) >= len(expected), 60, "the last line of orders")
        identifier = docker("inspect", "--format", "{{.Id}}", name)
    assert receiver.lines == expected
    assert {json.loads(line)["service"] for line in expected} == {"orders"}
    assert {event.tag for event in receiver.events} == {firelens_tag("app", "0123456789abcdef")}
    recorded = {(event.record["container_name"], event.record["container_id"]) for event in receiver.events}
    assert recorded == {(f"/{name}", identifier)}
    for event in receiver.events:
        logged = datetime.fromisoformat(json.loads(event.record["log"])["timestamp"]).timestamp()
        assert logged == pytest.approx(event.time, abs=5)


def test_no_line_is_lost_when_a_task_ends_right_after_writing_it(
    image: Image, app: dict[str, Any], receiver: Receiver
) -> None:
    options = fluentd_options(app, task_id="burst", socket=receiver.address)
    program = PROGRAM.format(lines=BURST, padding=0)
    with receiver.listening(), started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
        wait_for(lambda: len(receiver.events) >= BURST, 60, f"{BURST} lines")
    assert messages(receiver.lines) == [f"line {number}" for number in range(BURST)]


def test_lines_wait_for_a_router_that_starts_later(image: Image, app: dict[str, Any], receiver: Receiver) -> None:
    options = fluentd_options(app, task_id="early", socket=receiver.address)
    program = PROGRAM.format(lines=100, padding=0) + "import time; time.sleep(60)"
    with started(app, image("orders"), options, "python", "-c", program) as name:
        wait_for(lambda: len(written(name)) == 100, 30, "100 lines while nobody takes them")
        with receiver.listening():
            wait_for(lambda: len(receiver.events) == 100, 30, "100 lines")
    assert messages(receiver.lines) == [f"line {number}" for number in range(100)]


def test_a_router_that_is_away_stops_no_task_and_costs_no_more_than_the_buffered_lines(
    image: Image, app: dict[str, Any], receiver: Receiver
) -> None:
    options = fluentd_options(app, task_id="alone", socket=receiver.address)
    buffered = int(app["logConfiguration"]["options"]["log-driver-buffer-limit"])
    program = PROGRAM.format(lines=buffered + 1000, padding=0)
    with started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
        # The engine keeps a line only if the driver took it: one may be on its way already.
        assert len(written(name)) in {buffered, buffered + 1}


def test_a_line_of_a_service_is_never_too_long_to_arrive_whole(
    image: Image, app: dict[str, Any], receiver: Receiver
) -> None:
    options = fluentd_options(app, task_id="long", socket=receiver.address)
    program = PROGRAM.format(lines=2, padding=10 * MAX_LINE_BYTES)
    with receiver.listening(), started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
        wait_for(lambda: len(receiver.events) >= 2, 60, "two lines")
    assert [json.loads(line)["truncated"] for line in receiver.lines] == [True, True]


def test_the_driver_cuts_what_is_one_byte_longer(image: Image, app: dict[str, Any], receiver: Receiver) -> None:
    options = fluentd_options(app, task_id="cut", socket=receiver.address)
    program = f"print('x' * {MAX_LINE_BYTES}); print('y' * {MAX_LINE_BYTES + 1})"
    with receiver.listening(), started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
        wait_for(lambda: len(receiver.events) >= 3, 60, "three pieces")
    assert [event.record.get("partial_message") for event in receiver.events] == [None, "true", "true"]
    assert receiver.lines[0] == "x" * MAX_LINE_BYTES


def require_engine_with_credentials(app: dict[str, Any], image: str, endpoint_url: str) -> None:
    """Without `non-blocking` a container does not even start while the engine cannot sign a request."""
    options = app["logConfiguration"]["options"]
    blocking = {name: value for name, value in options.items() if name not in {"mode", "max-buffer-size"}}
    probe = {**app, "logConfiguration": {"logDriver": "awslogs", "options": blocking}}
    try:
        with started(probe, image, awslogs_options(probe, task_id="probe", endpoint_url=endpoint_url), "python"):
            return
    except AssertionError as error:
        if "redential" not in str(error):
            raise
    pytest.skip("the container engine has no AWS credentials in its environment, and its awslogs driver asks no other")


def test_without_a_log_router_every_line_is_an_event_in_the_services_group(image: Image, aws_server: AwsServer) -> None:
    app = orders_app(log_router=False)
    group = app["logConfiguration"]["options"]["awslogs-group"]
    logs = boto3.client("logs", endpoint_url=aws_server.endpoint_url, region_name="us-east-1")
    logs.create_log_group(logGroupName=group)
    options = awslogs_options(app, task_id="0123456789abcdef", endpoint_url=aws_server.endpoint_url)
    require_engine_with_credentials(app, image("orders"), aws_server.endpoint_url)
    program = PROGRAM.format(lines=500, padding=0)
    with started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
    stream = "api/app/0123456789abcdef"
    events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, limit=1000)["events"]
    assert messages([event["message"] for event in events]) == [f"line {number}" for number in range(500)]


def test_a_task_without_a_log_router_starts_and_ends_while_cloudwatch_is_away(image: Image) -> None:
    app = orders_app(log_router=False)
    options = awslogs_options(app, task_id="alone", endpoint_url=f"http://127.0.0.1:{free_port()}")
    # Six mebibytes: more than the driver may keep.
    program = PROGRAM.format(lines=40_000, padding=0)
    with started(app, image("orders"), options, "python", "-c", program) as name:
        assert ended(name) == 0
