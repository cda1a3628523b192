"""`platform up`, `down`, `status`, `logs`, `reset` on a small repository of its own, as a developer types them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from local_aws.processes import free_port
from local_aws.servers import ministack

PLATFORM = Path(sys.executable).with_name("platform")

SERVER = """
import http.server, os, sys
GREETING = "hello"
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = GREETING.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
WORKER = "import signal, time\nprint('working', flush=True)\nsignal.pause()\n"
MIGRATE = "import os\nprint('migrating with', len(os.environ['DATABASE_PASSWORD']) > 20)\n"
DEMO = "with open('demo-runs', 'a') as file: file.write('x')\n"

SPEC = """
[service]
name = "hello"
path = "/hello"

[task]
cpu = 256
memory_mib = 512

[scaling]
min_tasks = 2
max_tasks = 2

[commands]
api = ["python", "src/server.py"]
migrate = ["python", "src/migrate.py"]
demo = ["python", "src/demo.py"]

[worker]
command = ["python", "src/worker.py"]
min_tasks = 1
max_tasks = 1

[secrets]
TOKEN_SIGNING_KEY = "token_signing_key"

[database]
max_connections = 2

[queues.hello]
consumes = ["hello.greeted"]
visibility_timeout_seconds = 30
max_receive_count = 4

[publishes]
"hello.greeted" = ["hello"]
"""


class Shell:
    """A developer's shell in a repository of one small service."""

    def __init__(self, folder: Path, local_toml: Path) -> None:
        self.root = folder
        self.service = folder / "services" / "hello"
        (self.service / "src").mkdir(parents=True)
        (self.service / "platform.toml").write_text(SPEC)
        for name, text in {"server": SERVER, "worker": WORKER, "migrate": MIGRATE, "demo": DEMO}.items():
            self.source(name).write_text(text)
        environments = folder / "deploy" / "environments"
        environments.mkdir(parents=True)
        text = local_toml.read_text().replace("users/token_signing_key", "hello/token_signing_key")
        (environments / "local.toml").write_text(text)
        ports = {f"PLATFORM{name}PORT": str(free_port()) for name in ("_", "_AWS_", "_DATABASE_", "_REDIS_")}
        outside = ("DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL", "PLATFORM_STATE")
        self.variables = {**{k: v for k, v in os.environ.items() if k not in outside}, **ports}
        self.state = folder / ".platform"

    def source(self, name: str) -> Path:
        return self.service / "src" / f"{name}.py"

    def platform(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PLATFORM, *arguments],
            cwd=self.root,
            env=self.variables,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def up(self, *arguments: str) -> str:
        done = self.platform("up", "--detach", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self) -> Any:
        return json.loads(self.platform("status", "--json").stdout)

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything that it has started."""
        supervisor = psutil.Process(self.status()["pid"])
        return [supervisor, *supervisor.children(recursive=True)]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.variables['PLATFORM_PORT']}{path}", timeout=60
        ) as response:
            return str(response.read().decode())


@pytest.fixture(scope="module")
def running_shell(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Shell]:
    """A local stack that is up, for all tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("running") / "repository"
    shell = Shell(folder, repository / "deploy" / "environments" / "local.toml")
    shell.up("--no-demo")
    yield shell
    shell.platform("down")


@pytest.fixture
def shell(tmp_path: Path, repository: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / "repository", repository / "deploy" / "environments" / "local.toml")
    yield shell
    shell.platform("down")


def none_runs(processes: Iterable[psutil.Process]) -> bool:
    """Whether all of them ended, or end within a minute; a zombie has only not been fetched yet."""
    _, left = psutil.wait_procs(list(processes), timeout=0)
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        left = [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        time.sleep(0.05)
    return not left


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_up_serves_through_the_load_balancer_and_down_leaves_no_process(shell: Shell) -> None:
    output = shell.up()
    assert "The platform is up" in output
    assert shell.get("/hello/there") == "hello"

    status = shell.status()
    assert status["state"] == "running"
    assert {server["name"] for server in status["servers"]} == {"postgres", "redis", "aws", "load-balancer"}
    assert [(task["name"], task["role"], task["health"]) for task in status["tasks"]] == [
        ("hello-1", "api", "healthy"),
        ("hello-2", "api", "healthy"),
        ("hello-worker-1", "worker", "healthy"),
    ]
    assert shell.platform("status").returncode == 0
    assert "hello-worker-1 | working" in shell.platform("logs", "hello").stdout
    again = shell.platform("up", "--detach")
    assert (again.returncode, "running already" in again.stdout) == (0, True)

    processes = shell.processes()
    assert len(processes) > 8
    assert shell.platform("down").returncode == 0
    assert none_runs(processes)
    down = shell.platform("status")
    assert (down.returncode, "not running" in down.stdout) == (1, True)


def test_state_survives_down_and_demo_data_is_made_once_until_reset(shell: Shell) -> None:
    shell.up()
    secrets = (shell.state / "secrets.json").read_text()
    assert "BEGIN PRIVATE KEY" in secrets
    shell.platform("down")
    shell.up()
    assert (shell.state / "secrets.json").read_text() == secrets
    assert (shell.service / "demo-runs").read_text() == "x"

    assert shell.platform("reset", "--yes").returncode == 0
    assert not shell.state.exists()


def test_role_of_a_service_reaches_its_own_schema_and_nothing_else(running_shell: Shell) -> None:
    password = json.loads(
        json.loads((running_shell.state / "secrets.json").read_text())["platform/local/hello/database"]
    )
    port = running_shell.variables["PLATFORM_DATABASE_PORT"]

    async def try_it() -> None:
        connection = await asyncpg.connect(
            f"postgresql://hello@127.0.0.1:{port}/platform", password=password["password"]
        )
        try:
            assert await connection.fetchval("SHOW search_path") == "hello"
            await connection.execute("CREATE TABLE mine (id int)")
            for forbidden in ("CREATE TABLE public.mine (id int)", "CREATE SCHEMA other", "CREATE ROLE other"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)
        finally:
            await connection.close()

    asyncio.run(try_it())


def queue_attributes(shell: Shell, name: str) -> Any:
    sqs = ministack.connect(f"http://127.0.0.1:{shell.variables['PLATFORM_AWS_PORT']}", "us-east-1").sqs
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_queues_have_the_attributes_of_platform_toml(running_shell: Shell) -> None:
    queue = queue_attributes(running_shell, "platform-local-hello")
    dead_letters = queue_attributes(running_shell, "platform-local-hello-dead-letter")
    assert queue["VisibilityTimeout"] == "30"
    redrive = json.loads(queue["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (dead_letters["QueueArn"], 4)
    assert json.loads(dead_letters["RedriveAllowPolicy"])["sourceQueueArns"] == [queue["QueueArn"]]


def test_leftovers_of_a_killed_supervisor_are_cleaned_up(shell: Shell) -> None:
    shell.up("--no-demo")
    supervisor, *children = shell.processes()
    for child in children:
        child.suspend()  # so that the signal that their parent's death sends does not end them either
    supervisor.kill()
    assert none_runs([supervisor])
    assert "not running" in shell.platform("status").stdout

    output = shell.up("--no-demo")

    assert "a killed run had left" in output
    assert none_runs(children)
    assert shell.get("/hello") == "hello"


def test_servers_that_die_are_started_again_and_the_queues_are_back(running_shell: Shell) -> None:
    before = {server["name"]: server["pid"] for server in running_shell.status()["servers"]}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(server["restarts"] == 1 for server in running_shell.status()["servers"]))
    until(lambda: running_shell.platform("status").returncode == 0)
    assert queue_attributes(running_shell, "platform-local-hello")["VisibilityTimeout"] == "30"
    assert running_shell.get("/hello") == "hello"


def test_saved_source_is_served_a_moment_later(shell: Shell) -> None:
    shell.up("--no-demo")
    shell.source("server").write_text(SERVER.replace('"hello"', '"changed"'))
    until(lambda: shell.get("/hello") == "changed")
    until(lambda: shell.platform("status").returncode == 0)
    shell.source("server").write_text("nonsense(")  # the old tasks go on
    until(lambda: any(task["restarts"] for task in shell.status()["tasks"]))
    assert shell.get("/hello") == "changed"
    (shell.service / "platform.toml").write_text(SPEC.replace("cpu = 256", "cpu = 300"))
    until(lambda: "300" in shell.platform("logs", "platform").stdout)


def test_failed_migration_shows_its_output_and_leaves_nothing_running(shell: Shell) -> None:
    shell.source("migrate").write_text("raise SystemExit('column missing')")
    done = shell.platform("up", "--detach")
    assert done.returncode == 1
    assert "ended with exit code 1" in done.stderr
    assert "column missing" in done.stderr
    assert "not running" in shell.platform("status").stdout


def test_task_that_cannot_start_shows_the_end_of_its_log(shell: Shell) -> None:
    shell.source("server").write_text("raise SystemExit('no such setting')")
    done = shell.platform("up", "--detach")
    assert done.returncode == 1
    assert "hello-" in done.stderr
    assert "no such setting" in done.stderr


def test_taken_port_is_a_clear_error(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(shell.variables["PLATFORM_PORT"])))
        taken.listen()
        done = shell.platform("up", "--detach")
    assert done.returncode == 1
    assert f"port {shell.variables['PLATFORM_PORT']}" in done.stderr
    assert "PLATFORM_PORT=" in done.stderr


def test_interrupt_stops_the_local_stack_in_the_foreground(shell: Shell) -> None:
    with subprocess.Popen(
        [PLATFORM, "up", "--no-demo"], cwd=shell.root, env=shell.variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "The platform is up" in process.stdout.readline()
        children = shell.processes()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert none_runs(children)


def test_second_interrupt_stops_at_once(shell: Shell) -> None:
    shell.source("worker").write_text("import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [PLATFORM, "up", "--no-demo"], cwd=shell.root, env=shell.variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "The platform is up" in process.stdout.readline()
        children = shell.processes()
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert none_runs(children)


def test_outside_servers_are_used_and_left_alone(
    shell: Shell, database_url: str, redis_server: Any, aws_server: Any
) -> None:
    shell.variables |= {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_server.url,
        "AWS_ENDPOINT_URL": aws_server.endpoint_url,
    }
    shell.up("--no-demo")
    assert [server["name"] for server in shell.status()["servers"]] == ["load-balancer"]
    assert shell.get("/hello") == "hello"
    shell.platform("down")
    assert aws_server.is_running()


def test_outside_database_that_is_not_there_is_a_clear_error(shell: Shell) -> None:
    shell.variables["DATABASE_URL"] = f"postgresql://owner@127.0.0.1:{free_port()}/shop"
    done = shell.platform("up", "--detach")
    assert done.returncode == 1
    assert "the database could not be prepared" in done.stderr
    assert "Traceback" not in done.stderr


def test_reset_asks_first(shell: Shell) -> None:
    shell.state.mkdir()
    (shell.state / "secrets.json").write_text("{}")
    done = shell.platform("reset", input="n\n")
    assert done.returncode != 0
    assert (shell.state / "secrets.json").exists()
