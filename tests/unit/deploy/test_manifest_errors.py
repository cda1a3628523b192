"""One platform.toml: every kind of error, its line and its suggestion; and never a traceback."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec

VALID = """\
[service]
name = "orders"
path = "/orders"
[task]
cpu = 512
memory_mib = 1024
[scaling]
min_tasks = 2
max_tasks = 6
[commands]
api = ["python", "-m", "orders.main"]
"""


def load(folder: Path, text: str | bytes) -> ServiceSpec:
    path = folder / "platform.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_spec(path, root=folder)


def errors(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        load(folder, text)
    return str(caught.value).splitlines()


def test_the_smallest_file_gets_every_default(tmp_path: Path) -> None:
    spec = load(tmp_path, VALID)
    assert (spec.port, spec.task.architecture, spec.task.stop_timeout_seconds) == (3000, "x86_64", 60)
    assert (spec.worker, spec.database, spec.cache, spec.queues) == (None, None, None, ())
    assert (dict(spec.environment), dict(spec.secrets), dict(spec.publishes)) == ({}, {}, {})
    assert spec.directory == tmp_path


def test_values_cannot_be_changed(tmp_path: Path) -> None:
    spec = load(tmp_path, VALID + '[environment]\nA = "1"\n')
    with pytest.raises(AttributeError):
        spec.name = "users"  # type: ignore[misc]
    with pytest.raises(TypeError):
        spec.environment["A"] = "2"  # type: ignore[index]


def test_worker_takes_the_size_of_the_task_unless_it_has_its_own(tmp_path: Path) -> None:
    worker = '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n'
    same = load(tmp_path, VALID + worker).worker
    own = load(tmp_path, VALID + worker + "cpu = 256\nmemory_mib = 512\n").worker
    assert same is not None
    assert own is not None
    assert (same.cpu, same.memory_mib) == (512, 1024)
    assert (own.cpu, own.memory_mib) == (256, 512)


def test_secrets_are_references(tmp_path: Path) -> None:
    spec = load(tmp_path, VALID + '[secrets]\nA = "one"\nB = "two/three:key"\nC = "/four/five"\n')
    manager, store = SecretStore.SECRETS_MANAGER, SecretStore.PARAMETER_STORE
    assert dict(spec.secrets) == {
        "A": SecretReference(store=manager, name="one"),
        "B": SecretReference(store=manager, name="two/three", json_key="key"),
        "C": SecretReference(store=store, name="four/five"),
    }


WORKER = '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n'
QUEUE = '[queues.orders]\nconsumes = ["stock.low"]\n'


@pytest.mark.parametrize(
    "line",
    [
        'STRIPE_API_KEY = "x"',
        'PASSWORD = "x"',
        'SESSION_SECRET = "x"',
        'GITHUB_TOKEN = "x"',
        'UPSTREAM = "https://user:hunter2@example.com"',
        'ID = "AKIAABCDEFGHIJKLMNOP"',
        'PEM = "-----BEGIN PRIVATE KEY-----"',
    ],
)
def test_what_looks_like_a_secret_is_refused_without_repeating_it(tmp_path: Path, line: str) -> None:
    [error] = errors(tmp_path, f"{VALID}[environment]\n{line}\n")
    name, value = line.split(" = ")
    reason = "looks like a secret, which plain variables do not keep; move it to [secrets]"
    assert error == f"platform.toml:13: environment.{name}: {reason}"
    assert value.strip('"') == "x" or value.strip('"') not in error


@pytest.mark.parametrize("line", ['TOKEN_TTL_SECONDS = "60"', 'KEYBOARD = "us"', 'URL = "https://example.com/a@b"'])
def test_what_only_sounds_like_a_secret_is_allowed(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, f"{VALID}[environment]\n{line}\n").environment


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = VALID.replace('"/orders"', '"orders"').replace("cpu = 512", "cpu = 300").replace("max_tasks = 6", "")
    assert [error.split(": ")[:2] for error in errors(tmp_path, text)] == [
        ["platform.toml:3", "service.path"],
        ["platform.toml:5", "task.cpu"],
        ["platform.toml:7", "scaling.max_tasks"],
    ]


def test_a_missing_table_is_one_error_and_its_keys_are_none(tmp_path: Path) -> None:
    text = VALID.replace('[commands]\napi = ["python", "-m", "orders.main"]\n', "[database]\n")
    [error] = errors(tmp_path, text)
    assert error.startswith("platform.toml:1: commands: the table [commands] is missing")


def test_an_error_carries_its_parts(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest) as caught:
        load(tmp_path, VALID.replace("cpu = 512", "cpu = 300"))
    [error] = caught.value.errors
    assert (error.file, error.line, error.key) == ("platform.toml", 5, "task.cpu")
    assert (error.reason, error.suggestion) == ("300 is not a Fargate size", "did you mean 256 or 512?")
    assert caught.value.what == "1 mistake in 1 file"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"[service\n", "platform.toml:1: is not TOML: Expected ']' at the end of a table declaration at column 9"),
        (b"a = 1\na = 2\n", "platform.toml:2: is not TOML: Cannot overwrite a value at column 6"),
        (b'a = "', "platform.toml: is not TOML: Unterminated string (at end of document)"),
        (b"\xff\xfe\x00", "platform.toml: is not UTF-8 text: byte 0 cannot be decoded"),
        (
            b"a = " + b"[" * 5000,
            "platform.toml: is not TOML that can be read: a number is too long, or the nesting too deep",
        ),
        (
            b"a = " + b"9" * 5000,
            "platform.toml: is not TOML that can be read: a number is too long, or the nesting too deep",
        ),
    ],
)
def test_a_file_that_is_not_toml_is_one_error(tmp_path: Path, content: bytes, error: str) -> None:
    assert errors(tmp_path, content) == [error]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match=r"^platform\.toml: there is no such file$"):
        load_spec(tmp_path / "platform.toml", root=tmp_path)


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="cannot be read: Is a directory"):
        load_spec(tmp_path, root=tmp_path.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_give_a_traceback(tmp_path: Path, content: bytes) -> None:
    assert errors(tmp_path, content)


TABLES = ["[secrets]", "[environment]", "[publishes]", "[database]"]
LINES = st.sampled_from([*VALID.splitlines(), *WORKER.splitlines(), *QUEUE.splitlines(), *TABLES])
NAMES = st.sampled_from(["name", "cpu", "A", "consumes", '"order.placed"', "command", "port", "queues", "worker.x"])
SCALARS = st.sampled_from(["1", "-1", "true", '"x"', "[]", "[1]", "{}", "{a = {}}", "1979-05-27", "inf", '"""\n"""'])
MADE = st.builds("{} = {}".format, NAMES, SCALARS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES | MADE, max_size=25))
def test_no_mixture_of_lines_gives_a_traceback(tmp_path: Path, lines: list[str]) -> None:
    with suppress(InvalidManifest):
        load(tmp_path, "\n".join(lines))


def test_the_alarms_of_queues_exist_once_for_each(tmp_path: Path) -> None:
    spec = load(tmp_path, VALID + WORKER + QUEUE + "alarm_age_seconds = 900\n[alarms.latency_p99]\nenabled = false\n")
    assert [(alarm.kind, alarm.threshold, alarm.queue, alarm.roll_back) for alarm in spec.alarms] == [
        ("error_rate", 1.0, None, True),
        ("unhealthy_tasks", 1.0, None, True),
        ("dead_letters", 1.0, "orders", True),
        ("queue_age", 900.0, "orders", False),
    ]


def test_a_release_is_tested_unless_a_team_says_otherwise(tmp_path: Path) -> None:
    assert dict(load(tmp_path, VALID).hooks) == {"AfterAllowTestTraffic": "smoke_test"}
    hooks = '[hooks]\nafter_allow_test_traffic = "none"\nafter_install = "orders-check"\n'
    assert dict(load(tmp_path, VALID + hooks).hooks) == {"AfterInstall": "orders-check"}


def test_permissions_name_the_environment(tmp_path: Path) -> None:
    arn = "arn:aws:sns:{region}:{account_id}:{environment}-x"
    text = f'[[permissions]]\nactions = ["sns:Publish"]\nresources = ["{arn}"]\n'
    [permission] = load(tmp_path, VALID + text).permissions
    assert permission.resources_in(environment="qa", region="eu-west-1", account_id="111122223333") == (
        "arn:aws:sns:eu-west-1:111122223333:qa-x",
    )


def test_a_target_of_zero_is_not_tracked(tmp_path: Path) -> None:
    scaling = load(tmp_path, VALID.replace("max_tasks = 6", "max_tasks = 6\ntarget_memory_percent = 0")).scaling
    targets = (scaling.target_cpu_percent, scaling.target_memory_percent, scaling.target_requests_per_task)
    assert targets == (60, None, None)
