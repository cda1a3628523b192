"""The overrides of one environment: merged before anything is checked, with their own lines."""

from pathlib import Path

import pytest

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_spec
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
[[scaling.scheduled]]
name = "noon"
schedule = "cron(0 12 * * ? *)"
min_tasks = 4
max_tasks = 6
[commands]
api = ["python", "-m", "orders.main"]
[environment]
GREETING = "hello"
"""


def load(folder: Path, text: str, environment: str | None = "production") -> ServiceSpec:
    path = folder / "platform.toml"
    path.write_text(VALID + text, encoding="utf-8")
    return load_spec(path, environment, root=folder)


def errors(folder: Path, text: str, environment: str = "production") -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        load(folder, text, environment)
    return str(caught.value).splitlines()


def test_tables_are_merged_key_by_key(tmp_path: Path) -> None:
    text = '[environments.production.scaling]\nmax_tasks = 50\n[environments.production.environment]\nA = "1"\n'
    spec = load(tmp_path, text)
    assert (spec.scaling.min_tasks, spec.scaling.max_tasks) == (2, 50)
    assert dict(spec.environment) == {"GREETING": "hello", "A": "1"}
    assert len(spec.scaling.scheduled) == 1


def test_another_environment_does_not_change(tmp_path: Path) -> None:
    text = "[environments.production.scaling]\nmax_tasks = 50\n"
    assert load(tmp_path, text, "staging").scaling.max_tasks == 6
    assert load(tmp_path, text, None).scaling.max_tasks == 6


def test_a_list_replaces_the_whole_list(tmp_path: Path) -> None:
    assert load(tmp_path, "[environments.production.scaling]\nscheduled = []\n").scaling.scheduled == ()
    entry = '[[environments.production.scaling.scheduled]]\nname = "sale"\nschedule = "rate(1 day)"\n'
    spec = load(tmp_path, entry + "min_tasks = 5\nmax_tasks = 50\n")
    assert [change.name for change in spec.scaling.scheduled] == ["sale"]


def test_an_environment_may_bring_a_table_of_its_own(tmp_path: Path) -> None:
    text = '[environments.production.worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n'
    assert load(tmp_path, text).worker is not None
    assert load(tmp_path, text, "staging").worker is None


def test_what_no_environment_uses_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "platform.toml"
    text = VALID.replace("cpu = 512", "cpu = 300") + "[environments.production.task]\ncpu = 512\n"
    path.write_text(text, encoding="utf-8")
    assert load_spec(path, "production").task.cpu == 512
    with pytest.raises(InvalidManifest, match=r":5: task\.cpu: 300 is not a Fargate size"):
        load_spec(path, "staging")


def test_a_required_key_may_come_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "platform.toml"
    text = VALID.replace("cpu = 512\n", "") + "[environments.production.task]\ncpu = 512\n"
    path.write_text(text, encoding="utf-8")
    assert load_spec(path, "production").task.cpu == 512


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "[environments.production.task]\ncpu = 300\n",
            "20: environments.production.task.cpu: 300 is not a Fargate size; did you mean 256 or 512?",
        ),
        (
            "[environments.production.task]\ncpu = 2048\n",
            "6: task.memory_mib: 1024 is not a Fargate size with 2048 CPU units, which take 4096 to 16384 MiB; "
            "did you mean 4096?",
        ),
        (
            "[environments.production.scaling]\nmax_tasks = 1\n",
            "20: environments.production.scaling.max_tasks: 1 is below min_tasks, which is 2; "
            "give min_tasks here too, or 2",
        ),
        (
            '[environments.production.commands]\napi = [\n"a",\n1]\n',
            "22: environments.production.commands.api[1]: must be a text in quotes, not a whole number; "
            "put it in quotes",
        ),
        (
            "[environments.production]\ntask = 1\n",
            "20: environments.production.task: must be a table, not a whole number; "
            "for example [task] with cpu and memory_mib",
        ),
        (
            "[environments.production.worker]\nmin_tasks = 1\nmax_tasks = 2\n",
            "19: environments.production.worker.command: is missing; "
            'for example command = ["python", "-m", "orders.worker"]',
        ),
    ],
)
def test_an_error_names_the_line_of_the_key_that_counts(tmp_path: Path, text: str, error: str) -> None:
    assert errors(tmp_path, text) == [f"platform.toml:{error}"]


def test_steps_for_other_environments_are_ignored_by_an_all_at_once_shift(tmp_path: Path) -> None:
    base = "[traffic_shift]\npercent = 20\n[environments.production.traffic_shift]\ntype = 'all_at_once'\n"
    shift = load(tmp_path, base).traffic_shift
    assert (shift.type, shift.percent, shift.interval_minutes) == ("all_at_once", 100, 0)
    assert "all_at_once has no steps" in errors(tmp_path, base + "percent = 5\n")[0]
