"""Another number of tasks, written into platform.toml as a person would: nothing else in the file changes."""

import difflib
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.edit import Bounds, NotEdited, edit, write

HEAD = """\
#:schema ../../deploy/platform.schema.json
[service]
name = "orders"      # as in AWS
path = "/orders"

[task]
cpu = 512
memory_mib = 1024

[commands]
api = ["python", "-m", "orders.main"]
"""
BASE = """
[scaling]
min_tasks = 2        # never alone
max_tasks = 6
target_cpu_percent = 60
"""
WORKER = """
[worker]
command = ["python", "-m", "orders.worker"]
min_tasks = 1
max_tasks = 4
"""
STAGING = """
[environments.staging.scaling]
max_tasks = 3   # small

[environments.staging.logs]
retention_days = 7
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    environments = tmp_path / "deploy" / "environments"
    environments.mkdir(parents=True)
    for name in ("local", "staging", "production"):
        (environments / f"{name}.toml").touch()
    (tmp_path / "services" / "orders").mkdir(parents=True)
    return tmp_path


def given(repository: Path, text: str) -> Path:
    path = repository / "services" / "orders" / "platform.toml"
    path.write_bytes(text.encode())
    return path


def bounds(environment: str = "production", low: int | None = 10, high: int | None = 50, **more: Any) -> Bounds:
    return Bounds(environment=environment, role=more.pop("role", "api"), min_tasks=low, max_tasks=high, **more)


def difference(before: str, after: str) -> list[str]:
    """The lines that go and come, without those around them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_an_environment_without_a_table_gets_one(repository: Path) -> None:
    path = given(repository, HEAD + BASE + STAGING)

    before, after = edit(repository, "orders", bounds())

    assert path.read_text(encoding="utf-8") == before
    assert difference(before, after) == [
        "+",
        "+[environments.production.scaling]",
        "+min_tasks = 10",
        "+max_tasks = 50",
    ]
    write(repository, "orders", after)
    scaling = load_spec(path, "production", root=repository).scaling
    assert (scaling.min_tasks, scaling.max_tasks, scaling.target_cpu_percent) == (10, 50, 60)
    assert load_spec(path, "staging", root=repository).scaling.max_tasks == 3


def test_a_table_that_is_there_is_edited_in_place_with_its_comments(repository: Path) -> None:
    given(repository, HEAD + BASE + STAGING)

    before, after = edit(repository, "orders", bounds("staging", 3, 5))

    assert difference(before, after) == ["-max_tasks = 3   # small", "+max_tasks = 5   # small", "+min_tasks = 3"]


def test_the_table_of_all_environments_is_edited_on_request(repository: Path) -> None:
    given(repository, HEAD + BASE + STAGING)

    before, after = edit(repository, "orders", bounds(high=None, everywhere=True, low=3))

    assert difference(before, after) == ["-min_tasks = 2        # never alone", "+min_tasks = 3        # never alone"]


def test_the_table_of_all_environments_has_no_effect_where_one_has_its_own(repository: Path) -> None:
    given(repository, HEAD + BASE + STAGING)

    with pytest.raises(NotEdited, match="staging has a table of its own"):
        edit(repository, "orders", bounds("staging", None, 9, everywhere=True))


def test_the_worker_has_bounds_of_its_own(repository: Path) -> None:
    given(repository, HEAD + BASE + WORKER)

    before, after = edit(repository, "orders", bounds(low=None, high=8, role="worker"))

    assert difference(before, after) == ["+", "+[environments.production.worker]", "+max_tasks = 8"]


def test_a_service_without_a_worker_is_refused(repository: Path) -> None:
    given(repository, HEAD + BASE)

    with pytest.raises(NotEdited, match="orders has no worker"):
        edit(repository, "orders", bounds(role="worker"))


def test_bounds_that_the_file_has_already_change_nothing(repository: Path) -> None:
    given(repository, HEAD + BASE)

    before, after = edit(repository, "orders", bounds("production", 2, 6))

    assert before == after


@pytest.mark.parametrize(("low", "high", "named"), [(9, 4, "min_tasks"), (-1, 4, "min_tasks"), (1, 10**6, "max_tasks")])
def test_illegal_bounds_are_reported_like_any_error_and_nothing_is_written(
    repository: Path, low: int, high: int, named: str
) -> None:
    path = given(repository, HEAD + BASE)

    with pytest.raises(InvalidManifest) as raised:
        edit(repository, "orders", bounds("production", low, high))

    assert str(raised.value).startswith("services/orders/platform.toml:")
    assert named in str(raised.value)
    assert path.read_text(encoding="utf-8") == HEAD + BASE


def test_errors_that_the_file_has_already_are_reported_first(repository: Path) -> None:
    given(repository, HEAD.replace("cpu = 512", "cpu = 513") + BASE)

    with pytest.raises(InvalidManifest, match="cpu"):
        edit(repository, "orders", bounds())


@pytest.mark.parametrize(
    "text",
    [
        HEAD + BASE + STAGING.rstrip("\n"),
        (HEAD + BASE + STAGING).replace("\n", "\r\n"),
        HEAD + BASE + "\n[environments]\nstaging = { scaling = { max_tasks = 3 } }\n",
        "environments.staging.scaling.max_tasks = 3\n" + HEAD + BASE,
        STAGING + HEAD + BASE,
        HEAD + BASE + STAGING.replace("[environments.staging.logs]", "[environments.production.logs]"),
        HEAD + BASE + "\n[environments.production.traffic_shift]\nbake_minutes = 1\n" + STAGING,
        HEAD
        + BASE
        + '\n[[scaling.scheduled]]\nname = "noon"\nschedule = "cron(0 12 * * ? *)"\nmin_tasks = 4\nmax_tasks = 6\n',
    ],
    ids=["no end", "windows", "inline", "dotted", "first", "between", "other table", "list below"],
)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_any_layout_keeps_all_its_other_lines(repository: Path, text: str, environment: str) -> None:
    path = given(repository, text)

    before, after = edit(repository, "orders", bounds(environment, 1, 5))

    assert before == text
    gone = [line for line in difference(before, after) if line.startswith("-")]
    assert all("tasks" in line for line in gone)
    assert [line for line in before.splitlines() if "#" in line and "tasks" not in line] == [
        line for line in after.splitlines() if "#" in line and "tasks" not in line
    ]
    write(repository, "orders", after)
    scaling = load_spec(path, environment, root=repository).scaling
    assert (scaling.min_tasks, scaling.max_tasks) == (1, 5)
