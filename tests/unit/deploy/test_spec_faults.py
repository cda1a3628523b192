"""One platform.toml: every kind of fault, its line and its suggestion; and never a traceback."""
# ruff: noqa: E501 - a fault is one line

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_sdk.deploy.spec import InvalidSpec, SecretReference, SecretStore, ServiceSpec, load_spec

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


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
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


CHANGED = [
    ("cpu = 512", "cpus = 512", "platform.toml:5: task.cpus: unknown key; did you mean cpu?"),
    ("cpu = 512", "cpus = 512", "platform.toml:4: task.cpu: is missing; for example cpu = 512"),
    ("[scaling]", "[scalling]", "platform.toml:7: scalling: unknown table; did you mean scaling?"),
    (
        "[scaling]",
        "[scalling]",
        "platform.toml: scaling: the table [scaling] is missing; for example [scaling] with min_tasks and max_tasks",
    ),
    (
        "max_tasks = 6",
        "max_tasks = 6\nzzz = 1",
        "platform.toml:10: scaling.zzz: unknown key; known here: max_tasks, min_tasks, scale_in_cooldown_seconds, scale_out_cooldown_seconds, scheduled, target_cpu_percent, target_memory_percent and target_requests_per_task",
    ),
    (
        "cpu = 512",
        'cpu = "512"',
        "platform.toml:5: task.cpu: must be a whole number, not a text in quotes; did you mean 512, without quotes?",
    ),
    (
        "cpu = 512",
        "cpu = true",
        "platform.toml:5: task.cpu: must be a whole number, not true or false; for example cpu = 512",
    ),
    (
        "cpu = 512",
        "cpu = 1.5",
        "platform.toml:5: task.cpu: must be a whole number, not a number; for example cpu = 512",
    ),
    (
        "cpu = 512",
        "cpu = 1979-05-27",
        "platform.toml:5: task.cpu: must be a whole number, not a date or time; for example cpu = 512",
    ),
    ('"orders"', "7", "platform.toml:2: service.name: must be a text in quotes, not a whole number; put it in quotes"),
    (
        'api = ["python", "-m", "orders.main"]',
        'api = "python"',
        "platform.toml:11: commands.api: must be a list, not a text in quotes; put it in brackets",
    ),
    (
        '"orders.main"',
        "1",
        "platform.toml:11: commands.api[2]: must be a text in quotes, not a whole number; put it in quotes",
    ),
    (
        '["python", "-m", "orders.main"]',
        "[]",
        'platform.toml:11: commands.api: must not be empty; for example api = ["python", "-m", "orders.main"]',
    ),
    (
        "[task]\ncpu = 512\nmemory_mib = 1024",
        "",
        "platform.toml: task: the table [task] is missing; for example [task] with cpu and memory_mib",
    ),
    ("cpu = 512", "cpu = 300", "platform.toml:5: task.cpu: 300 is not a Fargate size; did you mean 256 or 512?"),
    ("cpu = 512", "cpu = 99999", "platform.toml:5: task.cpu: 99999 is not a Fargate size; did you mean 32768?"),
    (
        "memory_mib = 1024",
        "memory_mib = 1500",
        "platform.toml:6: task.memory_mib: 1500 is not a Fargate size with 512 CPU units, which take 1024 to 4096 MiB; did you mean 1024 or 2048?",
    ),
    (
        "min_tasks = 2",
        "min_tasks = 7",
        "platform.toml:8: scaling.min_tasks: 7 is above max_tasks, which is 6; swap them?",
    ),
    ("min_tasks = 2", "min_tasks = 0", "platform.toml:8: scaling.min_tasks: 0 is outside 1 to 5000; did you mean 1?"),
    (
        "cpu = 512",
        "cpu = 512\nstop_timeout_seconds = 121",
        "platform.toml:6: task.stop_timeout_seconds: 121 is outside 2 to 120; did you mean 120?",
    ),
    (
        "cpu = 512",
        "cpu = 512\nstop_timeout_seconds = 1",
        "platform.toml:6: task.stop_timeout_seconds: 1 is outside 2 to 120; did you mean 2?",
    ),
    (
        "cpu = 512",
        'cpu = 512\narchitecture = "arm"',
        'platform.toml:6: task.architecture: must be one of "x86_64" and "arm64"; did you mean arm64?',
    ),
    (
        'path = "/orders"',
        'path = "/orders"\nport = 80',
        "platform.toml:4: service.port: 80 is outside 1024 to 65535; did you mean 1024?",
    ),
    (
        'path = "/orders"',
        'path = "/orders"\nport = 4318',
        "platform.toml:4: service.port: 4318 is taken by the CloudWatch agent or the log router of the same task; leave it out, which is 3000",
    ),
    (
        'name = "orders"',
        'name = "Orders"',
        'platform.toml:2: service.name: must be 2 to 20 lower-case letters, digits and single hyphens, starting with a letter; for example name = "orders"',
    ),
    (
        'path = "/orders"',
        'path = "orders"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "/orders/"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "/"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "/orders/*"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "//orders"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "/Orders"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
    (
        'path = "/orders"',
        'path = "/orders?"',
        'platform.toml:3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"',
    ),
]


@pytest.mark.parametrize(("was", "becomes", "fault"), CHANGED, ids=[fault[:60] for _, _, fault in CHANGED])
def test_a_changed_line_is_reported(tmp_path: Path, was: str, becomes: str, fault: str) -> None:
    assert was in VALID
    assert fault in faults(tmp_path, VALID.replace(was, becomes, 1))


WORKER = '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n'
QUEUE = '[queues.orders]\nconsumes = ["stock.low"]\n'

ADDED: list[tuple[str, str | None]] = [
    (
        '[queues.orders]\nconsumes = ["stock.low"]\n',
        "platform.toml:12: worker: the table [worker] is missing, though queues are consumed; for example [worker] with command, min_tasks and max_tasks",
    ),
    (
        "[worker]\n",
        'platform.toml:12: worker.command: is missing; for example command = ["python", "-m", "orders.worker"]',
    ),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\ncpu = 256\n', None),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\ncpu = 1024\n',
        "platform.toml:12: worker.memory_mib: 1024 is not a Fargate size with 1024 CPU units, which take 2048 to 8192 MiB; did you mean 2048?",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 3\nmax_tasks = 2\n',
        "platform.toml:14: worker.min_tasks: 3 is above max_tasks, which is 2; swap them?",
    ),
    (
        "[database]\n",
        'platform.toml:10: commands.migrate: is missing, though there is a [database]; for example migrate = ["python", "-m", "platform_sdk.runtime.migrate", "orders"]',
    ),
    (
        "[database]\nmax_connections = 101\n",
        "platform.toml:13: database.max_connections: 101 is outside 1 to 100; did you mean 100?",
    ),
    ("[cache]\nsize = 1\n", "platform.toml:13: cache.size: unknown key; known here: nothing"),
    ("cache = 1\n", "platform.toml:12: commands.cache: unknown key; known here: api, demo and migrate"),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nvisibility_timeout_seconds = 43201\n',
        "platform.toml:18: queues.orders.visibility_timeout_seconds: 43201 is outside 1 to 43200; did you mean 43200?",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_receive_count = 0\n',
        "platform.toml:18: queues.orders.max_receive_count: 0 is outside 1 to 1000; did you mean 1?",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_receive_count = 1001\n',
        "platform.toml:18: queues.orders.max_receive_count: 1001 is outside 1 to 1000; did you mean 1000?",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_recieve_count = 5\n',
        "platform.toml:18: queues.orders.max_recieve_count: unknown key; did you mean max_receive_count?",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = []\n',
        'platform.toml:17: queues.orders.consumes: must not be empty; for example consumes = ["inventory.reserved", "inventory.rejected"]',
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low",\n "stock.low"]\n',
        "platform.toml:17: queues.orders.consumes: stock.low is listed twice; remove one",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low",\n "Stock"]\n',
        'platform.toml:18: queues.orders.consumes[1]: must be an event type such as "order.placed"; for example consumes = ["inventory.reserved", "inventory.rejected"]',
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.Orders]\nconsumes = ["stock.low"]\n',
        "platform.toml:16: queues.Orders: the name must be 2 to 40 lower-case letters, digits and single hyphens, starting with a letter; for example [queues.orders]",
    ),
    (
        '[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues]\norders = 1\n',
        "platform.toml:17: queues.orders: must be a table, not a whole number; for example [queues.orders]",
    ),
    (
        "[publishes]\nplaced = []\n",
        'platform.toml:13: publishes.placed: the name must be an event type such as "order.placed"; for example "order.placed" = ["inventory"]',
    ),
    (
        '[publishes]\n"order.placed" = "orders"\n',
        'platform.toml:13: publishes."order.placed": must be a list, not a text in quotes; put it in brackets',
    ),
    (
        "[environment]\nPAGE_SIZE = 10\n",
        "platform.toml:13: environment.PAGE_SIZE: must be a text in quotes, not a whole number; put it in quotes",
    ),
    (
        '[environment]\npage = "1"\n',
        'platform.toml:13: environment.page: the name must be capital letters, digits and underscores, starting with a letter; for example GREETING = "hello"',
    ),
    (
        '[environment]\nDATABASE_URL = "x"\n',
        "platform.toml:13: environment.DATABASE_URL: is set by the platform; remove it, or choose another name",
    ),
    (
        '[secrets]\nDATABASE_PASSWORD = "x"\n',
        "platform.toml:13: secrets.DATABASE_PASSWORD: is set by the platform; remove it, or choose another name",
    ),
    (
        '[secrets]\nLOG_LEVEL = "x"\n',
        "platform.toml:13: secrets.LOG_LEVEL: is set by the platform; remove it, or choose another name",
    ),
    (
        '[environment]\nAWS_PROFILE = "x"\n',
        "platform.toml:13: environment.AWS_PROFILE: is reserved: AWS sets variables of this prefix in every task; choose another name",
    ),
    (
        '[environment]\nLOG_LEVEL = "verbose"\n',
        'platform.toml:13: environment.LOG_LEVEL: must be one of "debug", "info", "warning" and "error"; for example GREETING = "hello"',
    ),
    (
        '[environment]\nKEY_A = "1"\n[secrets]\nKEY_A = "a"\n',
        "platform.toml:15: secrets.KEY_A: is in [environment] as well; ECS refuses a name given twice; remove one of them",
    ),
    (
        '[secrets]\nA = "arn:aws:secretsmanager:us-east-1:111122223333:secret:a"\n',
        "platform.toml:13: secrets.A: must be a name, not an ARN; the environment adds account, region and prefix",
    ),
    (
        '[secrets]\nA = ""\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "with-hyphen-AbCdEf"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "a b"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "a:"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "/"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "a//b"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
    (
        '[secrets]\nA = "a:b:c"\n',
        'platform.toml:13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"',
    ),
]


@pytest.mark.parametrize(("added", "fault"), ADDED, ids=[added.replace("\n", " ")[-60:] for added, _ in ADDED])
def test_an_added_part_is_reported(tmp_path: Path, added: str, fault: str | None) -> None:
    if fault is None:
        load(tmp_path, VALID + added)
    else:
        assert fault in faults(tmp_path, VALID + added)


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
    [fault] = faults(tmp_path, f"{VALID}[environment]\n{line}\n")
    name, value = line.split(" = ")
    reason = "looks like a secret, which plain variables do not keep; move it to [secrets]"
    assert fault == f"platform.toml:13: environment.{name}: {reason}"
    assert value.strip('"') == "x" or value.strip('"') not in fault


@pytest.mark.parametrize("line", ['TOKEN_TTL_SECONDS = "60"', 'KEYBOARD = "us"', 'URL = "https://example.com/a@b"'])
def test_what_only_sounds_like_a_secret_is_allowed(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, f"{VALID}[environment]\n{line}\n").environment


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = VALID.replace('"/orders"', '"orders"').replace("cpu = 512", "cpu = 300").replace("max_tasks = 6", "")
    assert [fault.split(": ")[:2] for fault in faults(tmp_path, text)] == [
        ["platform.toml:3", "service.path"],
        ["platform.toml:5", "task.cpu"],
        ["platform.toml:7", "scaling.max_tasks"],
    ]


def test_a_fault_carries_its_parts(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load(tmp_path, VALID.replace("cpu = 512", "cpu = 300"))
    [fault] = caught.value.faults
    assert (fault.file, fault.line, fault.key) == ("platform.toml", 5, "task.cpu")
    assert (fault.reason, fault.suggestion) == ("300 is not a Fargate size", "did you mean 256 or 512?")
    assert caught.value.what == "1 fault in 1 file"


@pytest.mark.parametrize(
    ("content", "fault"),
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
def test_a_file_that_is_not_toml_is_one_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    assert faults(tmp_path, content) == [fault]


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"^platform\.toml: there is no such file$"):
        load_spec(tmp_path / "platform.toml", root=tmp_path)


def test_a_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="cannot be read: Is a directory"):
        load_spec(tmp_path, root=tmp_path.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_give_a_traceback(tmp_path: Path, content: bytes) -> None:
    assert faults(tmp_path, content)


TABLES = ["[secrets]", "[environment]", "[publishes]", "[database]"]
LINES = st.sampled_from([*VALID.splitlines(), *WORKER.splitlines(), *QUEUE.splitlines(), *TABLES])
NAMES = st.sampled_from(["name", "cpu", "A", "consumes", '"order.placed"', "command", "port", "queues", "worker.x"])
SCALARS = st.sampled_from(["1", "-1", "true", '"x"', "[]", "[1]", "{}", "{a = {}}", "1979-05-27", "inf", '"""\n"""'])
MADE = st.builds("{} = {}".format, NAMES, SCALARS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES | MADE, max_size=25))
def test_no_mixture_of_lines_gives_a_traceback(tmp_path: Path, lines: list[str]) -> None:
    with suppress(InvalidSpec):
        load(tmp_path, "\n".join(lines))
