"""The command line: what it prints where, and how it exits."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from platform_sdk.cli import PlatformGroup, platform
from platform_sdk.deploy.aws.session import connect
from platform_sdk.deploy.environment import load_environment
from platform_sdk.errors import PlatformError
from tests.support.repository import FIXTURES


def run(*arguments: str) -> Result:
    return CliRunner().invoke(platform, arguments, prog_name="platform")


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES / "services")
    for name in ("PLATFORM_PORT", "PLATFORM_AWS_PORT", "PLATFORM_DATABASE_PORT", "PLATFORM_REDIS_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own, with two errors in orders and one in users; the current folder is inside it."""
    for file in [*FIXTURES.glob("services/*/platform.toml"), *FIXTURES.glob("deploy/environments/*.toml")]:
        copy = tmp_path / file.relative_to(FIXTURES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    orders, users = tmp_path / "services/orders/platform.toml", tmp_path / "services/users/platform.toml"
    text = orders.read_text(encoding="utf-8")
    orders.write_text(text.replace("cpu = 512", "cpu = 300").replace("min_tasks = 2", "min_task = 2"), "utf-8")
    users.write_text(users.read_text(encoding="utf-8").replace('"/users"', '"users"'), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_says_what_it_has_read() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout == (
        "ok: 3 services (inventory, orders and users), rendered for local, production and staging\n"
    )


def test_check_of_one_service() -> None:
    assert run("check", "users").stdout.startswith("ok: 1 service (users)")


@pytest.mark.usefixtures("broken")
def test_check_prints_every_error_on_stderr() -> None:
    result = run("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "services/orders/platform.toml:9: task.cpu: 300 is not a Fargate size; did you mean 256 or 512?",
        "services/orders/platform.toml:12: scaling.min_tasks: is missing; for example min_tasks = 2",
        "services/orders/platform.toml:13: scaling.min_task: unknown key; did you mean min_tasks?",
        'services/users/platform.toml:6: service.path: must be lower-case segments such as "/orders", '
        'without a slash at the end; for example path = "/orders"',
        "error: 4 mistakes in 2 files",
        "hint: `platform explain KEY` shows what a key does",
    ]


@pytest.mark.usefixtures("broken")
def test_check_of_one_service_is_silent_about_others() -> None:
    assert run("check", "inventory").exit_code == 0
    assert "services/orders" not in run("check", "users").stderr


def test_check_reports_environments_too(broken: Path) -> None:
    file = broken / "deploy/environments/staging.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("port = 5432", "port = 0"), "utf-8")
    result = run("check")
    assert "deploy/environments/staging.toml:16: database.port: 0 is outside 1 to 65535" in result.stderr
    assert "error: 5 mistakes in 3 files" in result.stderr


def test_an_unknown_service_is_answered_with_the_known_ones() -> None:
    result = run("check", "order")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: there is no service `order`\n"
        "because: the services are inventory, orders and users\n"
        "hint: did you mean orders?\n"
    )


def test_outside_the_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("check")
    assert result.exit_code == 1
    assert "is not inside the platform's repository" in result.stderr


def test_render_prints_json_alone() -> None:
    result = run("render", "orders", "--env", "production", "--role", "worker", "--image", "orders:7")
    document = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert document["family"] == "production-orders-worker"
    assert document["containerDefinitions"][0]["image"] == "orders:7"


def test_render_follows_the_ports_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_AWS_PORT", "4999")
    assert "http://127.0.0.1:4999" in run("render", "orders").stdout


def test_render_of_a_service_without_worker_is_an_error() -> None:
    result = run("render", "users", "--role", "worker")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: users has no worker\n")


def test_render_of_what_is_shared_prints_every_stack_in_order_with_its_parameters() -> None:
    stream = run("render", "--shared", "--env", "production").stdout
    heads = [line for line in stream.splitlines() if line.startswith("# The stack ")]
    kinds = ("network", "security", "cluster", "data", "edge", "hooks", "registry", "secrets", "pipeline")
    assert all(any(f"deploy/cloudformation/{kind}.yaml" in head for head in heads) for kind in kinds)
    assert "network" in heads[0]
    assert stream.count("AWSTemplateFormatVersion") == len(heads)
    assert "Type: AWS::CloudFront::Distribution" in stream


@pytest.mark.parametrize("arguments", [(), ("orders", "--shared"), ("--shared", "--role", "api")])
def test_render_wants_a_service_or_what_is_shared(arguments: tuple[str, ...]) -> None:
    result = run("render", *arguments, "--env", "production")
    assert result.exit_code == 2
    assert "--shared" in result.stderr


def test_render_for_an_unknown_environment_is_an_error() -> None:
    result = run("render", "users", "--env", "prod")
    assert result.exit_code == 1
    assert "hint: did you mean production?" in result.stderr


def test_reference_is_toml() -> None:
    assert tomllib.loads(run("reference").stdout)["service"]["name"] == "orders"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(shell: str) -> None:
    assert "_PLATFORM_COMPLETE" in run("completion", shell).stdout


def test_services_environments_and_queues_are_completed() -> None:
    def completed(*words: str) -> set[str]:
        complete = {"COMP_WORDS": " ".join(["platform", *words]), "COMP_CWORD": str(len(words))}
        result = CliRunner(env={**complete, "_PLATFORM_COMPLETE": "bash_complete"}).invoke(
            platform, prog_name="platform"
        )
        return {line.partition(",")[2] for line in result.stdout.splitlines()}

    assert completed("check", "o") == {"orders"}
    assert completed("render", "orders", "--env", "p") == {"production"}
    assert completed("dlq", "show", "i") == {"inventory"}


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("check",),
        ("render",),
        ("reference",),
        ("explain",),
        ("schema",),
        ("dlq",),
        ("dlq", "redrive"),
        ("completion",),
    ],
)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.split()) > 30


def test_redriving_needs_one_message_or_all() -> None:
    for arguments in (["orders"], ["orders", "some-id", "--all"]):
        result = run("dlq", "redrive", *arguments)
        assert result.exit_code == 2
        assert "give either a MESSAGE_ID or --all" in result.stderr


def test_an_unknown_queue_is_answered_before_anybody_is_called() -> None:
    result = run("dlq", "show", "order")
    assert result.exit_code == 1
    assert "hint: did you mean orders?" in result.stderr


def test_an_error_is_printed_with_reason_and_hint_and_its_exit_code() -> None:
    class Late(PlatformError):
        exit_code = 3

    @click.group(cls=PlatformGroup)
    def group() -> None: ...

    @group.command()
    def wait() -> None:
        raise Late("it is late", because="the sun is down", hint="sleep")

    result = CliRunner().invoke(group, ["wait"])
    assert result.exit_code == 3
    assert result.stderr == "error: it is late\nbecause: the sun is down\nhint: sleep\n"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from platform_sdk.cli import main\n"
        "sys.argv = ['platform', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "This machine:" in done.stdout, "the plug-ins' commands are loaded, too"
    heavy = {"boto3", "botocore", "psutil", "pydantic", "yaml", "local_aws.settings", "platform_sdk.deploy.manifest"}
    assert not heavy & set(done.stdout.split())


def test_the_shells_endpoint_does_not_make_production_the_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "theirs")
    client = connect(load_environment(FIXTURES, "production")).sqs.client.boto3_client
    assert client.meta.endpoint_url == "https://sqs.us-east-1.amazonaws.com"
